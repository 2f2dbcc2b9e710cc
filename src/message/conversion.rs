//! Converts Rust values to JSON and back; an error names the place of the value that does not convert.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that does not convert to JSON, or from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {reason}")]
pub struct ConversionError {
    place: String,
    reason: String,
}

impl ConversionError {
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }

    /// Where it sits in the value: `orders[0].total`, or `.` for all of it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Why it does not convert.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Encodes a value as JSON.
pub(crate) fn to_json(value: impl Serialize) -> Result<Vec<u8>, ConversionError> {
    let mut json = Vec::new();
    let serializer = &mut serde_json::Serializer::new(&mut json);
    serde_path_to_error::serialize(&value, serializer).map_err(|error| {
        ConversionError::new(error.path().to_string(), error.inner().to_string())
    })?;
    Ok(json)
}

/// Decodes a value from JSON.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, ConversionError> {
    let deserializer = &mut serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let (place, error) = (error.path().to_string(), error.into_inner());
        // The JSON is not the user's, so its columns mean nothing.
        let column = format!(" at line {} column {}", error.line(), error.column());
        let reason = error.to_string();
        ConversionError::new(place, reason.strip_suffix(&column).unwrap_or(&reason))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_error_names_the_place_in_both_directions() {
        let keys = BTreeMap::from([("totals", BTreeMap::from([(vec![1], 2)]))]);
        let error = to_json(&keys).expect_err("a list is not a key");
        assert_eq!((error.place(), error.reason()), ("totals", "key must be a string"));

        let error = from_json::<BTreeMap<String, Vec<u8>>>(br#"{"a": [1, "b"]}"#);
        let error = error.expect_err("not a number");
        assert_eq!(error.to_string(), "`a[1]`: invalid type: string \"b\", expected u8");

        let error = from_json::<u8>(b"300").expect_err("too large");
        assert_eq!(error.place(), ".");
    }

    #[test]
    fn the_text_of_an_error_of_the_users_own_is_whole() {
        const REASON: &str = "the recipe is wrong at line 3";
        struct Recipe;
        impl Serialize for Recipe {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom(REASON))
            }
        }
        impl<'de> serde::Deserialize<'de> for Recipe {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                bool::deserialize(json)?;
                Err(serde::de::Error::custom(REASON))
            }
        }
        let error = to_json(BTreeMap::from([("dinner", Recipe)])).expect_err("it is wrong");
        assert_eq!((error.place(), error.reason()), ("dinner", REASON));
        let error = from_json::<Vec<Recipe>>(b"[true]").err().expect("it is wrong");
        assert_eq!((error.place(), error.reason()), ("[0]", REASON));
    }
}
