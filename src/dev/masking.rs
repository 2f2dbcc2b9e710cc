//! Secrets are masked where they are captured: before ring, socket, disk or clipboard.
//!
//! Decides by name; locals are masked by the same words in Python (`_traceback`).

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
            | b"ssn"
            | b"token"
            | b"tokens"
    )
}

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
            if is_secret_word(&bytes[start..end]) {
                return true;
            }
            start = if is_end { end + 1 } else { end };
        }
    }
    false
}

/// Adds a header's value to `text`, masked if it is a secret.
pub(super) fn add_header(text: &mut String, name: &str, value: &str) {
    match value.split_once('?') {
        _ if is_secret(name) => text.push_str(MASK),
        // `location`, `referer`: addresses have queries too.
        Some((address, query)) => {
            text.push_str(address);
            text.push('?');
            add_query(text, query);
        }
        None => text.push_str(value),
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
            _ => text.push_str(pair),
        }
    }
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
}
