//! Secrets are masked where they are captured: before ring, socket, disk or clipboard.
//!
//! Decides by name, by looks and by value; what Python captures is masked there by the same words and shapes
//! (`_debug/redact.py`).

mod json;
mod patterns;
pub(super) mod truncate;
mod values;

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::message::Secret;

use patterns::add_value;
use values::Values;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "••••";

/// What is a secret in this project.
#[derive(Clone, Default)]
pub(super) struct Masking {
    /// Words that name one besides those that are known, as [`spaced`] writes them.
    extra: Arc<[String]>,
    values: Arc<Values>,
}

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
fn is_known_secret(name: &str) -> bool {
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
            // Several marks part two words as one does.
            before = if word.is_empty() { before } else { word };
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

/// The words of a name, in lower case, with a space before each and after the last.
fn spaced(name: &str) -> String {
    let (mut words, mut before) = (String::from(" "), ' ');
    for letter in name.chars() {
        let is_hump =
            letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if (is_hump || !letter.is_alphanumeric()) && !words.ends_with(' ') {
            words.push(' ');
        }
        if letter.is_alphanumeric() {
            words.extend(letter.to_lowercase());
        }
        before = letter;
    }
    if !words.ends_with(' ') {
        words.push(' ');
    }
    words
}

impl Masking {
    /// Takes values of these names, too, for secrets.
    pub(super) fn new(extra: &[String]) -> Self {
        Self { extra: extra.iter().map(|words| spaced(words)).collect(), ..Self::default() }
    }

    /// Takes these values for secrets from now on, wherever they stand.
    pub(super) fn learn(&mut self, values: &[Secret]) {
        if let Some(values) = self.values.with(values) {
            self.values = Arc::new(values);
        }
    }

    /// Whether a value of this name is a secret.
    fn is_secret(&self, name: &str) -> bool {
        if is_known_secret(name) {
            return true;
        }
        if self.extra.is_empty() {
            return false;
        }
        let name = spaced(name);
        self.extra.iter().any(|words| name.contains(words))
    }

    /// Adds a path to `text`, what looks like a secret masked.
    pub(super) fn add_path(&self, text: &mut String, path: &str) {
        add_value(text, &self.values.masked(path));
    }

    /// A path for a list, what looks like a secret masked, and cut.
    pub(super) fn path(&self, path: &str) -> String {
        let mut text = String::new();
        self.add_path(&mut text, path);
        truncate::cut(&mut text, 0);
        text
    }

    /// Adds a header's value to `text`, masked if it is a secret.
    pub(super) fn add_header(&self, text: &mut String, name: &str, value: &str) {
        if self.is_secret(name) {
            return text.push_str(MASK);
        }
        let value = self.values.masked(value);
        match value.split_once('?') {
            // `location`, `referer`: addresses have queries too.
            Some((address, query)) => {
                add_value(text, address);
                text.push('?');
                self.add_pairs(text, query);
            }
            None => add_value(text, &value),
        }
    }

    /// Adds a query string to `text` with the values of secret parameters masked.
    pub(super) fn add_query(&self, text: &mut String, query: &str) {
        self.add_pairs(text, &self.values.masked(query));
    }

    /// Adds a query string to `text` with all its values masked.
    pub(super) fn add_names(text: &mut String, query: &str) {
        for (place, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if place > 0 {
                text.push('&');
            }
            // Without a name all of it is a value.
            if let Some((name, _)) = pair.split_once('=') {
                text.push_str(name);
                text.push('=');
            }
            text.push_str(MASK);
        }
    }

    fn add_pairs(&self, text: &mut String, query: &str) {
        for (place, pair) in query.split('&').enumerate() {
            if place > 0 {
                text.push('&');
            }
            match pair.split_once('=') {
                Some((name, _))
                    if self.is_secret(&percent_decode_str(name).decode_utf8_lossy()) =>
                {
                    text.push_str(name);
                    text.push('=');
                    text.push_str(MASK);
                }
                _ => add_value(text, pair),
            }
        }
    }

    /// A body of this type (in lower case) with its secrets masked.
    pub(super) fn body(&self, text: &str, content_type: &str) -> String {
        let text = self.values.masked(text);
        let mut masked = String::with_capacity(text.len());
        if content_type.starts_with("application/x-www-form-urlencoded") {
            self.add_pairs(&mut masked, &text);
        } else if content_type.contains("json") || text.trim_start().starts_with(['{', '[']) {
            json::add(&mut masked, &text, self);
        } else {
            add_value(&mut masked, &text);
        }
        masked
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
            "DATABASE_URL",
            "connectionString",
        ] {
            assert!(Masking::default().is_secret(secret), "{secret}");
        }
        for plain in ["monkey_mode", "passenger-count", "accept", "x-keyboard", "path"] {
            assert!(!Masking::default().is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn further_words_are_those_of_the_project() {
        let masking = Masking::new(&["iban".into(), "National-ID".into(), "пароль".into()]);
        for secret in [
            "IBAN",
            "customer_iban",
            "nationalId",
            "x-national-id",
            "national__id_2",
            "Пароль",
            "pin",
        ] {
            assert!(masking.is_secret(secret), "{secret}");
        }
        for plain in ["ibanez", "national", "id_national", "international_id", "national-name-id"] {
            assert!(!masking.is_secret(plain), "{plain}");
        }
        let mut text = String::new();
        masking.add_query(&mut text, "a=1&%69ban=DE1&%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C=x");
        assert_eq!(text, format!("a=1&%69ban={MASK}&%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C={MASK}"));
        assert_eq!(
            masking.body(r#"{"nationalId": 7, "b": 1}"#, "application/json"),
            format!(r#"{{"nationalId": "{MASK}", "b": 1}}"#)
        );
    }

    #[test]
    fn what_is_known_to_be_a_secret_is_one_wherever_it_stands() {
        let mut masking = Masking::default();
        masking.learn(&["a?b&c=\"d\"".into()]);
        let mut text = String::new();
        masking.add_header(&mut text, "x-note", "say a?b&c=\"d\" twice");
        assert_eq!(text, format!("say {MASK} twice"));
        assert_eq!(
            masking.body(r#"{"x": "a?b&c=\"d\""}"#, "text/plain"),
            format!(r#"{{"x": "{MASK}"}}"#)
        );
        let mut text = String::new();
        masking.add_query(&mut text, "q=a%3Fb%26c%3D%22d%22&r=1");
        assert_eq!(text, format!("q={MASK}&r=1"));
        let mut text = String::new();
        masking.add_path(&mut text, "/a?b&c=\"d\"/x");
        assert_eq!(text, format!("/{MASK}/x"));
    }

    #[test]
    fn a_query_keeps_all_but_its_secrets() {
        let added = |add: &dyn Fn(&mut String)| {
            let mut text = String::new();
            add(&mut text);
            text
        };
        assert_eq!(
            added(&|text| Masking::default().add_query(text, "a=1&token=abc&b")),
            format!("a=1&token={MASK}&b")
        );
        assert_eq!(
            added(&|text| Masking::default().add_header(text, "location", "/x?accessToken=abc")),
            format!("/x?accessToken={MASK}")
        );
        assert_eq!(added(&|text| Masking::default().add_header(text, "cookie", "a=b")), MASK);
        assert_eq!(
            added(&|text| Masking::add_names(text, "a=1&b=2=3&c")),
            format!("a={MASK}&b={MASK}&{MASK}")
        );
        assert_eq!(added(&|text| Masking::add_names(text, "")), "");
    }
}
