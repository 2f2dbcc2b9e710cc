//! Colour on the terminal, and text that cannot steer it.

use std::io::Write;

use clap::ValueEnum;

/// When to use colour.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Settles colour for the process: the flag, then NO_COLOR, then FORCE_COLOR, then the terminal.
    pub(crate) fn apply(self) {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = match self {
            Self::Always => Some(true),
            Self::Never => Some(false),
            Self::Auto if set("NO_COLOR") => Some(false),
            Self::Auto if set("FORCE_COLOR") || set("CLICOLOR_FORCE") => Some(true),
            Self::Auto => None,
        };
        if let Some(on) = forced {
            console::set_colors_enabled(on);
            console::set_colors_enabled_stderr(on);
        }
    }
}

/// Writes to stdout. A reader that has gone (`| head`, a closed terminal) is no error.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to stderr, likewise.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says a step of a setup, on stderr.
pub(crate) fn say_setup(line: &str) {
    complain(&format!("{} {line}\n", console::style("setup").cyan().bold().for_stderr()));
}

/// Says what is wrong, on stderr.
pub(crate) fn say_error(text: &str) {
    complain(&format!("{} {text}\n", console::style("error:").red().bold().for_stderr()));
}

/// Escapes control characters and bidi overrides, line breaks among them: text of the user's stays
/// text, and on its line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\t' => out.push(c),
            c if steers(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        out
    })
}

/// The same for a JSON text, which stays JSON with the same meaning.
pub(crate) fn plain_json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if steers(c) {
            out += &format!("\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

/// Control characters and bidi overrides.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for text of several lines, which stay lines.
pub(crate) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(super::plain("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(super::plain("a\n  GET /forged"), "a\\u{a}  GET /forged");
        assert_eq!(super::plain_lines("a\r\nb"), "a\\u{d}\nb");
    }

    #[test]
    fn json_cannot_either_and_says_the_same() {
        let text = serde_json::to_string("a\u{1b}\u{7f}\u{9b}2J\u{202e}é\n").expect("a text");
        let plain = super::plain_json(&text);
        assert_eq!(plain, r#""a\u001b\u007f\u009b2J\u202eé\n""#);
        let before: String = serde_json::from_str(&text).expect("JSON");
        assert_eq!(serde_json::from_str::<String>(&plain).expect("JSON"), before);
    }
}
