//! Secrets are masked where they are captured: before ring, socket, disk or clipboard.
//!
//! Decides by name and by looks; what Python captures is masked there by the same words and shapes
//! (`_masking.py`).

mod json;

use std::sync::LazyLock;

use regex::Regex;

use crate::message::Head;

use super::cutting;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "••••";

/// The longest word that tells a secret.
const LONGEST: usize = 13;

fn is_secret_word(word: &[u8]) -> bool {
    // Nearly all words end here.
    if word.len() < 3 || !b"acdjkopst".contains(&word[0].to_ascii_lowercase()) {
        return false;
    }
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"api"
            | b"auth"
            | b"auths"
            | b"authorization"
            | b"card"
            | b"cards"
            | b"cookie"
            | b"cookies"
            | b"credential"
            | b"credentials"
            | b"csrf"
            | b"cvv"
            | b"dsn"
            | b"jwt"
            | b"key"
            | b"keys"
            | b"otp"
            | b"pass"
            | b"passwd"
            | b"password"
            | b"passwords"
            | b"passphrase"
            | b"pat"
            | b"pin"
            | b"private"
            | b"secret"
            | b"secrets"
            | b"session"
            | b"sessions"
            | b"signature"
            | b"signatures"
            | b"ssn"
            | b"token"
            | b"tokens"
    )
}

/// Words that tell a secret together.
const PAIRS: [[&str; 2]; 2] = [["database", "url"], ["connection", "string"]];

/// Whether a value of this name is a secret: one of its words is, in whichever case it is written.
pub(super) fn is_secret(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (mut start, mut before) = (0, &bytes[..0]);
    for end in 0..=bytes.len() {
        let is_end = end == bytes.len() || !bytes[end].is_ascii_alphanumeric();
        // `apiKey` has two words.
        let is_hump = !is_end
            && end > start
            && bytes[end].is_ascii_uppercase()
            && (bytes[end - 1].is_ascii_lowercase() || bytes[end - 1].is_ascii_digit());
        if is_end || is_hump {
            let word = &bytes[start..end];
            if is_secret_word(word) || is_secret_pair(before, word) {
                return true;
            }
            before = word;
            start = if is_end { end + 1 } else { end };
        }
    }
    false
}

fn is_secret_pair(first: &[u8], second: &[u8]) -> bool {
    PAIRS.iter().any(|pair| {
        first.eq_ignore_ascii_case(pair[0].as_bytes())
            && second.eq_ignore_ascii_case(pair[1].as_bytes())
    })
}

/// What is a secret wherever it stands: RFC 7468 (PEM), RFC 7519 (JWT), the keys of services that
/// mark theirs, and the password of an address.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\z)",
        r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
        r"\bA[KS]IA[A-Z0-9]{16}\b",
        r"\bgh[opsur]_\w{20,}",
        r"\bgithub_pat_\w{20,}",
        r"\bsk-[\w-]{16,}",
        r"\bxox[abprs]-[\w-]{10,}",
        r"://[^/\s:@]*:[^/\s@]+@",
    ];
    Regex::new(&shapes.join("|")).expect("it is tested")
});
/// Whether one of the shapes may be in `value`: it has what that begins with, or an address with a
/// user. To ask the expression of each value would cost more than all the rest of a request.
fn may_have_shape(value: &str) -> bool {
    let bytes = value.as_bytes();
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

/// Adds a value to `text`, what looks like a secret masked.
fn add_value(text: &mut String, value: &str) {
    let mut from = 0;
    if may_have_shape(value) {
        for found in SHAPES.find_iter(value) {
            text.push_str(&value[from..found.start()]);
            // Of an address the user's name stays.
            match found.as_str().strip_prefix("://").and_then(|user| user.split_once(':')) {
                Some((user, _)) => text.extend(["://", user, ":", MASK, "@"]),
                None => text.push_str(MASK),
            }
            from = found.end();
        }
    }
    text.push_str(&value[from..]);
}

/// Adds a path to `text`, what looks like a secret masked.
pub(super) fn add_path(text: &mut String, path: &str) {
    add_value(text, path);
}

/// A request's path for a list, what looks like a secret masked, and cut.
pub(super) fn path(head: &Head) -> String {
    let mut text = String::new();
    add_path(&mut text, &head.path());
    cutting::cut(&mut text, 0);
    text
}

/// Adds a header's value to `text`, masked if it is a secret.
pub(super) fn add_header(text: &mut String, name: &str, value: &str) {
    match value.split_once('?') {
        _ if is_secret(name) => text.push_str(MASK),
        // `location`, `referer`: addresses have queries too.
        Some((address, query)) => {
            add_value(text, address);
            text.push('?');
            add_query(text, query);
        }
        None => add_value(text, value),
    }
}

/// Adds a query string to `text` with the values of secret parameters masked.
pub(super) fn add_query(text: &mut String, query: &str) {
    for (place, pair) in query.split('&').enumerate() {
        if place > 0 {
            text.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                text.push_str(name);
                text.push('=');
                text.push_str(MASK);
            }
            _ => add_value(text, pair),
        }
    }
}

/// A body of this type (in lower case) with its secrets masked.
pub(super) fn body(text: &str, content_type: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    if content_type.starts_with("application/x-www-form-urlencoded") {
        add_query(&mut masked, text);
    } else if content_type.contains("json") || text.trim_start().starts_with(['{', '[']) {
        json::add(&mut masked, text);
    } else {
        add_value(&mut masked, text);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_whole_words() {
        for secret in [
            "Authorization",
            "x-api-key",
            "set-cookie",
            "GITHUB_PAT",
            "csrf-token",
            "accessToken",
            "apiKey",
            "DATABASE_URL",
            "connectionString",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in ["monkey_mode", "passenger-count", "accept", "x-keyboard", "path"] {
            assert!(!is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn a_query_keeps_all_but_its_secrets() {
        let added = |add: &dyn Fn(&mut String)| {
            let mut text = String::new();
            add(&mut text);
            text
        };
        assert_eq!(
            added(&|text| add_query(text, "a=1&token=abc&b")),
            format!("a=1&token={MASK}&b")
        );
        assert_eq!(
            added(&|text| add_header(text, "location", "/x?accessToken=abc")),
            format!("/x?accessToken={MASK}")
        );
        assert_eq!(added(&|text| add_header(text, "cookie", "a=b")), MASK);
    }

    #[test]
    fn secrets_are_told_by_their_shape_wherever_they_stand() {
        let masked = |value: &str| {
            let mut text = String::new();
            add_value(&mut text, value);
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
