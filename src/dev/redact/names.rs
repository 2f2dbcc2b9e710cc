//! Recognises the names of secrets: headers, parameters and fields.

use std::sync::{Arc, LazyLock};

use super::rules::SECRET_DATA;

/// The words that mark a secret in this project.
#[derive(Clone, Default)]
pub(super) struct SecretNames {
    /// The words of `redact-extra`, as [`spaced`] writes them.
    extra: Arc<[String]>,
}

impl SecretNames {
    pub(super) fn new(extra: &[String]) -> Self {
        Self { extra: extra.iter().map(|words| spaced(words)).collect() }
    }

    /// The known words and phrases, and the words of this project with a space at both ends.
    pub(super) fn words(&self) -> serde_json::Value {
        let (words, phrases) = (&SECRET_DATA.words, &SECRET_DATA.phrases);
        serde_json::json!({"words": words, "phrases": phrases, "extra": &*self.extra})
    }

    /// Whether a value with this name is a secret.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        if is_known_secret(name) {
            return true;
        }
        if self.extra.is_empty() {
            return false;
        }
        let name = spaced(name);
        self.extra.iter().any(|words| name.contains(words))
    }
}

/// The known words by their first letter. Runs for each header, so it allocates nothing.
struct WordIndex {
    by_letter: [Vec<Box<[u8]>>; 26],
    longest: usize,
}

static WORDS: LazyLock<WordIndex> = LazyLock::new(|| {
    let mut index = WordIndex { by_letter: Default::default(), longest: 0 };
    for word in &SECRET_DATA.words {
        let word: Box<[u8]> = word.bytes().collect();
        index.longest = index.longest.max(word.len());
        index.by_letter[usize::from(word[0] - b'a')].push(word);
    }
    index
});

impl WordIndex {
    fn contains(&self, word: &[u8]) -> bool {
        if word.len() > self.longest {
            return false;
        }
        let Some(first) = word.first().map(u8::to_ascii_lowercase) else { return false };
        let letter = first.wrapping_sub(b'a');
        let Some(words) = self.by_letter.get(usize::from(letter)) else { return false };
        words.iter().any(|known| known.eq_ignore_ascii_case(word))
    }
}

/// Whether one of the words of the name is known, in any case: `apiKey` has two words.
fn is_known_secret(name: &str) -> bool {
    let (index, bytes) = (&*WORDS, name.as_bytes());
    let (mut start, mut before) = (0, &bytes[..0]);
    for end in 0..=bytes.len() {
        let is_end = end == bytes.len() || !bytes[end].is_ascii_alphanumeric();
        let is_hump = !is_end
            && end > start
            && bytes[end].is_ascii_uppercase()
            && (bytes[end - 1].is_ascii_lowercase() || bytes[end - 1].is_ascii_digit());
        if is_end || is_hump {
            let word = &bytes[start..end];
            if index.contains(word) || is_secret_phrase(before, word) {
                return true;
            }
            // Several marks separate two words as one does.
            before = if word.is_empty() { before } else { word };
            start = if is_end { end + 1 } else { end };
        }
    }
    false
}

fn is_secret_phrase(first: &[u8], second: &[u8]) -> bool {
    SECRET_DATA.phrases.iter().any(|phrase| {
        first.eq_ignore_ascii_case(phrase[0].as_bytes())
            && second.eq_ignore_ascii_case(phrase[1].as_bytes())
    })
}

/// Writes the words of a name in lower case, with a space before each and after the last.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_words_are_lower_case_letters() {
        let phrases = SECRET_DATA.phrases.iter().flatten();
        for word in SECRET_DATA.words.iter().chain(phrases) {
            assert!(
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()),
                "{word}"
            );
        }
        assert!(SECRET_DATA.words.len() > 30);
    }

    #[test]
    fn a_secret_is_recognised_by_whole_words() {
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
            assert!(SecretNames::default().is_secret(secret), "{secret}");
        }
        for plain in ["monkey_mode", "passenger-count", "accept", "x-keyboard", "path", "", "é"] {
            assert!(!SecretNames::default().is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn a_project_can_add_words() {
        let names = SecretNames::new(&["iban".into(), "National-ID".into(), "пароль".into()]);
        for secret in [
            "IBAN",
            "customer_iban",
            "nationalId",
            "x-national-id",
            "national__id_2",
            "Пароль",
            "pin",
        ] {
            assert!(names.is_secret(secret), "{secret}");
        }
        for plain in ["ibanez", "national", "id_national", "international_id", "national-name-id"] {
            assert!(!names.is_secret(plain), "{plain}");
        }
    }
}
