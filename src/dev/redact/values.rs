//! Secrets told by their exact value: what the environment's secret variables hold, or have held.
//!
//! Finds them however a request writes them: as they are, in JSON, percent-encoded.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::message::Secret;

use super::MASK;

/// Values that are known at most; the oldest are forgotten.
const MAX_VALUES: usize = 1000;
/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// And what browsers leave besides.
const IN_COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');

/// The values that are known, oldest first.
#[derive(Default)]
pub(super) struct Values {
    known: Vec<Secret>,
    finder: Option<AhoCorasick>,
}

impl Values {
    /// These and `new` ones; `None` if there is nothing to add.
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
        let spelt = known.iter().flat_map(|value| spellings(value.reveal()));
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(spelt);
        Some(Self { known, finder: finder.ok() })
    }

    /// The text with a mask in the place of each value.
    pub(super) fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        let (mut masked, mut from) = (String::new(), 0);
        for found in finder.find_iter(text) {
            masked.push_str(&text[from..found.start()]);
            masked.push_str(MASK);
            from = found.end();
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(&text[from..]);
        Cow::Owned(masked)
    }
}

/// How a value may be written.
fn spellings(value: &str) -> impl Iterator<Item = String> {
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

    fn values(known: &[&str]) -> Values {
        let known: Vec<Secret> = known.iter().map(|&value| value.into()).collect();
        Values::default().with(&known).expect("they are new")
    }

    #[test]
    fn a_value_is_found_however_it_is_written() {
        let values = values(&["a \"b\"/c!d", "sword-fish"]);
        for written in [
            r#"a "b"/c!d"#,
            r#"a \"b\"/c!d"#,
            "a%20%22b%22%2Fc!d",
            "a%20%22b%22%2Fc%21d",
            "a+%22b%22%2Fc%21d",
        ] {
            assert_eq!(values.masked(&format!("x={written}&é")), format!("x={MASK}&é"));
        }
        assert_eq!(values.masked("sword-fish, sword-fish"), format!("{MASK}, {MASK}"));
        assert!(matches!(values.masked("sword fish"), Cow::Borrowed("sword fish")));
    }

    #[test]
    fn of_two_values_the_longer_one_is_masked() {
        assert_eq!(values(&["sword", "sword-fish"]).masked("sword-fish"), MASK);
    }

    #[test]
    fn old_values_stay_secret_and_there_is_an_end_to_them() {
        let values = values(&["older-secret"]).with(&["newer-secret".into()]).expect("it is new");
        assert_eq!(values.masked("older-secret newer-secret"), format!("{MASK} {MASK}"));
        assert!(values.with(&["newer-secret".into(), "".into()]).is_none());
        let many: Vec<Secret> =
            (0..MAX_VALUES).map(|n| (&*format!("value-{n:04}")).into()).collect();
        let values = values.with(&many).expect("they are new");
        assert_eq!(values.known.len(), MAX_VALUES);
        assert_eq!(values.masked("older-secret value-0999"), format!("older-secret {MASK}"));
    }

    #[test]
    fn nothing_prints_a_value() {
        assert_eq!(format!("{:?}", Secret::from("sword-fish")), "Secret");
    }
}
