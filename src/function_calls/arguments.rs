//! The arguments of a call, as JSON: `{"args": [...], "kwargs": {...}}`, without the empty parts.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde::de::IgnoredAny;

use crate::message::ConversionError;
use crate::message::conversion::to_json;

/// Positional and keyword arguments of a Python function.
///
/// ```
/// use snaxum::prelude::*;
///
/// let arguments = CallArguments::new(("report.csv", 3)).keyword("encoding", "utf-8");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CallArguments {
    /// The JSON of each positional argument, separated by commas.
    positional: Vec<u8>,
    /// The same for names and values of keyword arguments.
    keywords: Vec<u8>,
    /// The names of the keyword arguments, once one is added.
    names: Option<HashSet<String>>,
    /// The first value that did not convert.
    error: Option<ConversionError>,
}

impl CallArguments {
    /// Makes them as [`call_function`](crate::python_runtime::PythonRuntime::call_function) does: a
    /// tuple, array or list has the positional ones, a struct or map those by name, and `()` is empty.
    ///
    /// A value without a JSON form is an error of the call.
    pub fn new(arguments: impl Serialize) -> Self {
        let mut made =
            Self { positional: Vec::new(), keywords: Vec::new(), names: None, error: None };
        match to_json(arguments) {
            Ok(json) => made.fill(&json),
            Err(error) => made.error = Some(error),
        }
        made
    }

    /// Adds a keyword argument. A name that is given twice is an error of the call.
    pub fn keyword(mut self, name: &str, value: impl Serialize) -> Self {
        let (name_json, value) = match (to_json(name), to_json(value)) {
            (Ok(name), Ok(value)) => (name, value),
            (Err(error), _) | (_, Err(error)) => {
                // The place is below this argument.
                let place = match error.place() {
                    "." => name.to_owned(),
                    inside if inside.starts_with('[') => format!("{name}{inside}"),
                    inside => format!("{name}.{inside}"),
                };
                let error = ConversionError::new(place, error.reason());
                self.error.get_or_insert(error);
                return self;
            }
        };
        let names = self.names.get_or_insert_with(|| names_in(&self.keywords));
        if !names.insert(name.to_owned()) {
            self.error.get_or_insert(ConversionError::new(name, "it is given twice"));
            return self;
        }
        if !self.keywords.is_empty() {
            self.keywords.push(b',');
        }
        self.keywords.extend_from_slice(&name_json);
        self.keywords.push(b':');
        self.keywords.extend_from_slice(&value);
        self
    }

    fn fill(&mut self, json: &[u8]) {
        match json {
            [b'[', inside @ .., b']'] => self.positional = inside.to_vec(),
            [b'{', inside @ .., b'}'] => self.keywords = inside.to_vec(),
            b"null" => {}
            _ => {
                let reason = "one value has no name and no position; pass a tuple: `(value,)`";
                self.error = Some(ConversionError::new(".", reason));
            }
        }
    }
}

/// Returns the names of keyword arguments, which are the inside of a JSON object.
fn names_in(keywords: &[u8]) -> HashSet<String> {
    let object = [b"{", keywords, b"}"].concat();
    let members: HashMap<String, IgnoredAny> =
        serde_json::from_slice(&object).expect("it was encoded here");
    members.into_keys().collect()
}

/// Converts to the arguments of a Python function: [`CallArguments`], and any value that serializes to
/// a list, a map or nothing.
pub trait IntoArguments: private::Sealed {
    /// Encodes them.
    #[doc(hidden)]
    fn into_json(self) -> Result<Vec<u8>, ConversionError>;
}

impl<T: Serialize> IntoArguments for T {
    fn into_json(self) -> Result<Vec<u8>, ConversionError> {
        CallArguments::new(self).into_json()
    }
}

impl IntoArguments for CallArguments {
    fn into_json(self) -> Result<Vec<u8>, ConversionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut json = Vec::with_capacity(self.positional.len() + self.keywords.len() + 24);
        json.push(b'{');
        if !self.positional.is_empty() {
            json.extend_from_slice(b"\"args\":[");
            json.extend_from_slice(&self.positional);
            json.push(b']');
        }
        if !self.keywords.is_empty() {
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend_from_slice(b"\"kwargs\":{");
            json.extend_from_slice(&self.keywords);
            json.push(b'}');
        }
        json.push(b'}');
        Ok(json)
    }
}

mod private {
    pub trait Sealed {}

    impl<T: serde::Serialize> Sealed for T {}
    impl Sealed for super::CallArguments {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn text(arguments: impl IntoArguments) -> String {
        String::from_utf8(arguments.into_json().expect("arguments")).expect("UTF-8")
    }

    #[test]
    fn lists_are_positional_and_maps_are_by_name() {
        #[derive(Serialize)]
        struct Named {
            left: i32,
            right: Option<i32>,
        }
        assert_eq!(text((1, "a", [2.5])), r#"{"args":[1,"a",[2.5]]}"#);
        assert_eq!(text([1, 2]), r#"{"args":[1,2]}"#);
        assert_eq!(text(json!([{"a": 1}])), r#"{"args":[{"a":1}]}"#);
        assert_eq!(text(Named { left: 1, right: None }), r#"{"kwargs":{"left":1,"right":null}}"#);
        assert_eq!([text(()), text([0; 0]), text(json!({}))], ["{}", "{}", "{}"]);
    }

    #[test]
    fn keywords_are_added_to_both() {
        let both = CallArguments::new((1,)).keyword("größe", [2]).keyword("c", ());
        assert_eq!(text(both), r#"{"args":[1],"kwargs":{"größe":[2],"c":null}}"#);
        let named = CallArguments::new(json!({"a": 1})).keyword("b", 2);
        assert_eq!(text(named), r#"{"kwargs":{"a":1,"b":2}}"#);
    }

    #[test]
    fn a_name_that_is_given_twice_is_an_error() {
        for twice in [
            CallArguments::new((1,)).keyword("b", 2).keyword("c", 3).keyword("b", 4),
            CallArguments::new(json!({"a": {"c": 1}, "b": 1})).keyword("c", 1).keyword("b", 2),
        ] {
            let error = twice.into_json().expect_err("`b` is given twice");
            assert_eq!(error.to_string(), "`b`: it is given twice");
        }
    }

    #[test]
    fn a_value_that_does_not_convert_is_named_with_its_place() {
        let error = "text".into_json().expect_err("not a list");
        assert!(error.reason().contains("`(value,)`"), "{error}");
        let keys = BTreeMap::from([(vec![1], 1)]);
        let error = (1, &keys).into_json().expect_err("a list is not a key");
        assert_eq!(error.place(), "[1]");
        let late = CallArguments::new(()).keyword("totals", &keys).keyword("more", 1);
        assert_eq!(late.into_json().expect_err("a list is not a key").place(), "totals");
    }
}
