//! Escapes control and bidirectional characters in text of the app and its clients.
//!
//! Control characters can control a terminal, and others reorder text, so that one path looks like
//! another (Unicode Technical Report 36). The console (`format.js`) and the redirection of the app's
//! output (`_debug/output.py`) know the same characters.

/// Whether a character controls the terminal, or reorders the text around it.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Escapes unsafe characters, and line breaks: the text stays on its line.
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\t' => out.push(c),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        out
    })
}

/// Escapes text of several lines, and retains its line breaks.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Escapes a JSON text, which stays JSON with the same meaning.
pub fn escape_json(text: &str) -> String {
    escape_json_if(text, is_unsafe)
}

/// Escapes the characters of a JSON text that `is_bad` selects, as JSON does (RFC 8259, section 7).
pub fn escape_json_if(text: &str, is_bad: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_bad(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_control_the_terminal() {
        assert_eq!(escape("a\u{1b}[31m\u{202e}b\u{200f}"), "a\\u{1b}[31m\\u{202e}b\\u{200f}");
        assert_eq!(escape("a\n  GET /forged"), "a\\u{a}  GET /forged");
        assert_eq!(escape_lines("a\r\nb"), "a\\u{d}\nb");
    }

    #[test]
    fn json_cannot_either_and_retains_its_meaning() {
        let text = serde_json::to_string("a\u{1b}\u{7f}\u{9b}2J\u{202e}é\n").expect("a text");
        let escaped = escape_json(&text);
        assert_eq!(escaped, r#""a\u001b\u007f\u009b2J\u202eé\n""#);
        let before: String = serde_json::from_str(&text).expect("JSON");
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), before);
    }

    #[test]
    fn console_and_output_know_the_same_characters() {
        let listed = r"\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff";
        for file in [
            include_str!("../templates/console/components/format.js"),
            include_str!("../python/snaxum/_debug/output.py"),
        ] {
            assert!(file.contains(listed), "{file}");
        }
        for c in "\u{200e}\u{200f}\u{2028}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}".chars() {
            assert!(is_unsafe(c), "{c:?}");
        }
    }
}
