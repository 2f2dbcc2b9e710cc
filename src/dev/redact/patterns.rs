//! Recognises secrets by their form, such as tokens and private keys, anywhere in a text.

use std::sync::LazyLock;

use regex::Regex;

use super::rules::SECRET_DATA;

/// The text that replaces a secret.
pub(in crate::dev) const MASK: &str = "••••";

/// All patterns in one expression.
static PATTERNS: LazyLock<Regex> = LazyLock::new(|| {
    let data = &*SECRET_DATA;
    let patterns = data.patterns.iter().map(|pattern| &*pattern.regex);
    let all: Vec<&str> = patterns.chain([&*data.url_password]).collect();
    Regex::new(&all.join("|")).expect("a test compiles it")
});

/// Whether a pattern may match: `value` contains the beginning of a match, or a URL with a user. The
/// regular expression itself would cost more than all other work for a request.
fn may_match(value: &str) -> bool {
    let bytes = value.as_bytes();
    // Each match contains one of these bytes. A scan to the end compares many in one step.
    let is_rare = |byte| matches!(byte, b'-' | b'@' | b'I' | b'J' | b'_');
    if !bytes.iter().fold(false, |any, &byte| any | is_rare(byte)) {
        return false;
    }
    (0..bytes.len()).any(|start| {
        matches!(
            bytes[start..],
            [b'-', b'-', b'-', b'-', b'-', ..]
                | [b'e', b'y', b'J', ..]
                | [b'A', b'K' | b'S', b'I', b'A', ..]
                | [b'g', b'h', b'o' | b'p' | b's' | b'u' | b'r', b'_', ..]
                | [b'g', b'i', b't', b'h', b'u', b'b', b'_', ..]
                | [b's', b'k', b'-', ..]
                | [b'x', b'o', b'x', ..]
                | [b'@', ..]
        )
    })
}

/// The most texts of a private key that has a line in each.
const MAX_KEY_TEXTS: usize = 200;

/// Finds the texts of a private key that has a line in each, such as the values of JSON lines.
#[derive(Default)]
pub(super) struct KeyTexts {
    /// How many more texts may belong to it.
    left: usize,
}

impl KeyTexts {
    /// Whether a text belongs to a key that a text before it has begun.
    pub(super) fn has(&mut self, text: &str) -> bool {
        let is_part = self.left > 0;
        self.left = self.left.saturating_sub(1);
        if text.contains("-----") {
            let begun = text.rfind("-----BEGIN ").map(|at| &text[at..]);
            let is_open = |rest: &str| !rest.contains("-----END ");
            if begun.is_some_and(|rest| rest.contains("PRIVATE KEY-----") && is_open(rest)) {
                self.left = MAX_KEY_TEXTS;
            } else if !is_open(text) {
                self.left = 0;
            }
        }
        is_part
    }
}

/// Adds a value to `text`, and replaces every match of a pattern.
pub(super) fn push_redacted(text: &mut String, value: &str) {
    let mut from = 0;
    if may_match(value) {
        for found in PATTERNS.find_iter(value) {
            text.push_str(&value[from..found.start()]);
            // The user's name in a URL is not a secret.
            match found.as_str().strip_prefix("://").and_then(|user| user.split_once(':')) {
                Some((user, _)) => text.extend(["://", user, ":", MASK, "@"]),
                None => text.push_str(MASK),
            }
            from = found.end();
        }
    }
    text.push_str(&value[from..]);
}

/// Returns the place in the last word of a cut text where a secret may begin.
pub(super) fn begin_of_secret(text: &str) -> Option<usize> {
    let is_edge = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let edge = text.char_indices().rfind(|(_, letter)| is_edge(*letter));
    let word = edge.map_or(0, |(at, letter)| at + letter.len_utf8());
    let starts = || SECRET_DATA.patterns.iter().flat_map(|pattern| &pattern.starts_with);
    let is_begun = |(at, _): &(usize, char)| {
        let rest = &text[word + at..];
        let before = text[..word + at].chars().next_back();
        let is_boundary = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let begins = |start: &String| rest.starts_with(start.as_str()) || start.starts_with(rest);
        (is_boundary || rest.starts_with('-')) && starts().any(begins)
    };
    let token = text[word..].char_indices().find(is_begun).map(|(at, _)| word + at);
    let url = text[word..].find("://").map(|at| word + at + "://".len());
    // A name without a password is not a secret.
    let password = url.filter(|&at| text[at..].contains(':') && !text[at..].contains('@'));
    [token, password].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefilter_passes_the_beginning_of_each_shared_pattern() {
        for pattern in &SECRET_DATA.patterns {
            assert!(!pattern.starts_with.is_empty(), "{}", pattern.regex);
            for start in &pattern.starts_with {
                // Any match is longer than its beginning: `xox` is followed by a dash.
                assert!(may_match(&format!("{start}-")), "{start}");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_text_is_found() {
        for (certain, begun) in [
            ("a ", "eyJhbGci.x"),
            ("a,", "ey"),
            ("é\n", "AKIA1"),
            ("x=", "g"),
            ("", "github_pa"),
            ("a", "-----BEGIN"),
            ("http://", "user:hunt"),
        ] {
            let text = format!("{certain}{begun}");
            assert_eq!(begin_of_secret(&text), Some(certain.len()), "{text}");
        }
        for text in ["", "first", "data: 5\n\n", "eyJ is over", "http://a.example/b", "key", "é"] {
            assert_eq!(begin_of_secret(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_recognised_by_its_form_anywhere() {
        let masked = |value: &str| {
            let mut text = String::new();
            push_redacted(&mut text, value);
            text
        };
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl";
        assert_eq!(masked(&format!("a {jwt} b")), format!("a {MASK} b"));
        assert_eq!(masked(&format!("AKIA{}", "A1".repeat(8))), MASK);
        assert_eq!(masked(&format!("x=ghp_{}", "a1B2".repeat(9))), format!("x={MASK}"));
        assert_eq!(masked(&format!("sk-{}", "abcd1234".repeat(4))), MASK);
        assert_eq!(masked(&format!("github_pat_{}", "a1B2".repeat(9))), MASK);
        assert_eq!(masked("ASIAA1A1A1A1A1A1A1A1"), MASK);
        assert_eq!(masked("xoxb-1234567890-abc"), MASK);
        for kind in ["gho", "ghs", "ghu", "ghr"] {
            assert_eq!(masked(&format!("{kind}_{}", "a1B2".repeat(9))), MASK);
        }
        assert_eq!(masked("-----BEGIN EC PRIVATE KEY-----\nMIIE and cut"), MASK);
        assert_eq!(masked("http://ada:hunter2@db/x"), format!("http://ada:{MASK}@db/x"));
        for plain in ["text/html, */*;q=0.8", "http://localhost:3000/a", "eyJ or AKIA or sk-etch"] {
            assert_eq!(masked(plain), plain);
        }
    }
}
