//! Secrets are masked where they are captured: before ring, socket, disk or clipboard.
//!
//! Decides by name; locals are masked by the same words in Python (`_traceback`).

use axum::http::HeaderMap;

use crate::message::header_texts;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "••••";

const SECRET_WORDS: [&str; 31] = [
    "api",
    "auth",
    "auths",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "csrf",
    "cvv",
    "dsn",
    "jwt",
    "key",
    "keys",
    "otp",
    "pass",
    "passwd",
    "password",
    "passwords",
    "passphrase",
    "pat",
    "pin",
    "private",
    "secret",
    "secrets",
    "session",
    "sessions",
    "signature",
    "ssn",
    "token",
    "tokens",
];

/// Whether a value of this name is a secret: one of its words is, in whichever case it is written.
pub(super) fn is_secret(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut start = 0;
    for end in 0..=bytes.len() {
        let is_end = end == bytes.len() || !bytes[end].is_ascii_alphanumeric();
        // `apiKey` has two words.
        let is_hump = !is_end
            && end > start
            && bytes[end].is_ascii_uppercase()
            && (bytes[end - 1].is_ascii_lowercase() || bytes[end - 1].is_ascii_digit());
        if is_end || is_hump {
            let word = &bytes[start..end];
            if SECRET_WORDS.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(word)) {
                return true;
            }
            start = if is_end { end + 1 } else { end };
        }
    }
    false
}

/// Masks the values of secret headers.
pub(super) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |name: &str, value: &str| {
        match value.split_once('?') {
            _ if is_secret(name) => MASK.to_owned(),
            // `location`, `referer`: addresses have queries too.
            Some((address, rest)) => format!("{address}?{}", query(rest)),
            None => value.to_owned(),
        }
    };
    header_texts(headers).map(|(name, value)| (name.to_owned(), shown(name, &value))).collect()
}

/// Masks the values of secret parameters in a query string, and leaves the rest as it is.
pub(super) fn query(query: &str) -> String {
    let masked = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(masked).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::LOCATION;

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
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in ["monkey_mode", "passenger-count", "accept", "x-keyboard", "path"] {
            assert!(!is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn a_query_keeps_all_but_its_secrets() {
        assert_eq!(query("a=1&token=abc&b"), format!("a=1&token={MASK}&b"));
        let location = (LOCATION, HeaderValue::from_static("/x?accessToken=abc"));
        assert_eq!(
            headers(&HeaderMap::from_iter([location]))[0].1,
            format!("/x?accessToken={MASK}")
        );
    }
}
