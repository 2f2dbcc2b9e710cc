//! Secrets told by their looks, wherever they stand.

use std::sync::LazyLock;

use regex::Regex;

use super::MASK;

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
    // Each shape has one of these. Looked for to the end, many bytes are compared in one step.
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

/// Adds a value to `text`, what looks like a secret masked.
pub(super) fn add_value(text: &mut String, value: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
