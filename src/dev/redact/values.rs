//! Recognises secrets by their exact value: the current and earlier values of the environment's
//! secret variables.
//!
//! Finds each encoding that a request may use: plain, JSON and percent-encoding.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::message::Secret;

use super::patterns::MASK;

/// The most values; the oldest are dropped.
const MAX_VALUES: usize = 1000;
/// The characters that RFC 3986 does not encode.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Browsers also leave these unencoded.
const IN_COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');

/// The known values, oldest first.
#[derive(Default)]
pub(super) struct SecretValues {
    known: Vec<Secret>,
    finder: Option<AhoCorasick>,
}

impl SecretValues {
    /// Returns these values and the new ones; `None` if there is nothing to add.
    pub(super) fn with(&self, new: &[Secret]) -> Option<Self> {
        let mut known = self.known.clone();
        for value in new {
            if !value.reveal().is_empty() && !known.contains(value) {
                known.push(value.clone());
            }
        }
        if known.len() == self.known.len() {
            return None;
        }
        known.drain(..known.len().saturating_sub(MAX_VALUES));
        let encoded = known.iter().flat_map(|value| encodings(value.reveal()));
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(encoded);
        Some(Self { known, finder: finder.ok() })
    }

    /// Returns the number of bytes at the end of a text that begin a value.
    pub(super) fn cut_length(&self, text: &str) -> usize {
        let begun = |value: &str| {
            let most = value.len().min(text.len());
            let length = (1..=most)
                .rev()
                .find(|&length| text.as_bytes().ends_with(&value.as_bytes()[..length]));
            length.unwrap_or_default()
        };
        let encoded = self.known.iter().flat_map(|value| encodings(value.reveal()));
        let length = encoded.map(|value| begun(&value)).max().unwrap_or_default();
        // The text is cut between characters.
        (length..=text.len())
            .find(|length| text.is_char_boundary(text.len() - length))
            .unwrap_or(text.len())
    }

    /// Whether the bytes contain a value.
    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.is_match(bytes))
    }

    /// Masks each value in the text.
    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        let (mut redacted, mut from) = (String::new(), 0);
        for found in finder.find_iter(text) {
            redacted.push_str(&text[from..found.start()]);
            redacted.push_str(MASK);
            from = found.end();
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        redacted.push_str(&text[from..]);
        Cow::Owned(redacted)
    }
}

/// Returns the encodings of a value.
fn encodings(value: &str) -> impl Iterator<Item = String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
    let encoded = utf8_percent_encode(value, UNRESERVED).to_string();
    let mut all = vec![
        value.to_owned(),
        json.to_owned(),
        utf8_percent_encode(value, IN_COMPONENT).to_string(),
        encoded.replace("%20", "+"),
        encoded,
    ];
    all.retain(|text| !text.is_empty());
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(known: &[&str]) -> SecretValues {
        let known: Vec<Secret> = known.iter().map(|&value| value.into()).collect();
        SecretValues::default().with(&known).expect("the values are new")
    }

    #[test]
    fn a_value_is_found_in_each_encoding() {
        let values = values(&["a \"b\"/c!d", "sword-fish"]);
        for written in [
            r#"a "b"/c!d"#,
            r#"a \"b\"/c!d"#,
            "a%20%22b%22%2Fc!d",
            "a%20%22b%22%2Fc%21d",
            "a+%22b%22%2Fc%21d",
        ] {
            assert_eq!(values.redact(&format!("x={written}&é")), format!("x={MASK}&é"));
        }
        assert_eq!(values.redact("sword-fish, sword-fish"), format!("{MASK}, {MASK}"));
        assert!(matches!(values.redact("sword fish"), Cow::Borrowed("sword fish")));
    }

    #[test]
    fn the_longer_of_two_values_is_masked() {
        assert_eq!(values(&["sword", "sword-fish"]).redact("sword-fish"), MASK);
    }

    #[test]
    fn old_values_stay_secret_and_their_number_is_bounded() {
        let values =
            values(&["older-secret"]).with(&["newer-secret".into()]).expect("the value is new");
        assert_eq!(values.redact("older-secret newer-secret"), format!("{MASK} {MASK}"));
        assert!(values.with(&["newer-secret".into(), "".into()]).is_none());
        let many: Vec<Secret> =
            (0..MAX_VALUES).map(|n| (&*format!("value-{n:04}")).into()).collect();
        let values = values.with(&many).expect("the values are new");
        assert_eq!(values.known.len(), MAX_VALUES);
        assert_eq!(values.redact("older-secret value-0999"), format!("older-secret {MASK}"));
    }

    #[test]
    fn nothing_prints_a_value() {
        assert_eq!(format!("{:?}", Secret::from("sword-fish")), "Secret");
    }
}
