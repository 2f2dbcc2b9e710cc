//! Reads an OpenAPI document: its operations, and the targets of its references.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The methods of a path, as the document names them.
const METHODS: [&str; 9] =
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
/// Stands for a WebSocket, which OpenAPI cannot describe.
pub(super) const WEBSOCKET: &str = "WS";
/// The longest chain of references.
const MAX_CHAIN: usize = 32;

/// An OpenAPI 3 document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Value);

/// Why a text is not an OpenAPI document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Another format.
    #[error("is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("is JSON, but not an OpenAPI document: it has no `openapi` version")]
    NotOpenApi,
    /// Another version.
    #[error("is of OpenAPI {0}; only version 3 can be compared")]
    Version(String),
    /// `paths` is missing or not an object.
    #[error("is not a valid OpenAPI document: `paths` is not an object")]
    NoPaths,
}

/// One method of a path, or its WebSocket.
pub(super) struct Operation<'a> {
    /// In upper case; `WS` for a WebSocket.
    pub(super) method: String,
    pub(super) path: &'a str,
    /// The entry of the path, with what all of its methods share.
    pub(super) item: &'a Value,
    pub(super) value: &'a Value,
}

impl Document {
    /// Parses JSON.
    ///
    /// # Errors
    ///
    /// The text is not JSON, or not of an OpenAPI 3 document.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        Self::from_json(serde_json::from_str(text)?)
    }

    /// Checks that `value` is an OpenAPI document.
    ///
    /// # Errors
    ///
    /// It is not of an OpenAPI 3 document.
    pub fn from_json(value: Value) -> Result<Self, DocumentError> {
        let version = value.get("openapi").or_else(|| value.get("swagger"));
        let version = version.and_then(Value::as_str).ok_or(DocumentError::NotOpenApi)?;
        if !version.starts_with("3.") {
            return Err(DocumentError::Version(version.to_owned()));
        }
        // A document may have no paths but webhooks.
        if value.get("paths").is_some_and(|paths| !paths.is_object()) {
            return Err(DocumentError::NoPaths);
        }
        Ok(Self(value))
    }

    #[cfg(test)]
    pub(super) fn as_json(&self) -> &Value {
        &self.0
    }

    /// The operations, then the WebSockets.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let object = |name| self.0.get(name).and_then(Value::as_object);
        let paths = object("paths");
        let operations = paths.into_iter().flatten().flat_map(|(path, item)| {
            let item = self.target(item);
            METHODS.iter().filter_map(move |method| {
                let value = item.get(method).filter(|value| value.is_object())?;
                Some(Operation { method: method.to_uppercase(), path, item, value })
            })
        });
        let websockets = object("x-websockets").into_iter().flatten();
        let websockets = websockets.filter(|(_, value)| value.is_object()).map(|(path, value)| {
            Operation { method: WEBSOCKET.to_owned(), path, item: &Value::Null, value }
        });
        operations.chain(websockets).collect()
    }

    /// The `security` of operations without one of their own.
    pub(super) fn security(&self) -> Option<&Value> {
        self.0.get("security")
    }

    /// Follows `$ref`; returns `value` itself where it has none, or leads nowhere.
    pub(super) fn target<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..MAX_CHAIN {
            match self.referenced(value) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    /// Identifies a schema by its place in memory. A plain reference is what it refers to.
    pub(super) fn address(&self, schema: &Value) -> usize {
        let is_plain = schema.as_object().is_some_and(|map| map.len() == 1);
        std::ptr::from_ref(if is_plain { self.target(schema) } else { schema }).addr()
    }

    /// The target of a `$ref`, one step.
    pub(super) fn referenced<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        let reference = reference(value)?.strip_prefix('#')?;
        let pointer: Cow<'_, str> = percent_decode_str(reference).decode_utf8_lossy();
        self.0.pointer(&pointer)
    }
}

/// The text of a `$ref`.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

/// The path without the names of its parameters, which clients do not send.
pub(super) fn shape_of_path(path: &str) -> String {
    let (mut out, mut rest) = (String::new(), path);
    while let Some((text, after)) = rest.split_once('{') {
        let Some((_, tail)) = after.split_once('}') else { break };
        out += text;
        out += "{}";
        rest = tail;
    }
    out + rest
}

/// The names of the parameters of a path with their positions.
pub(super) fn path_parameters(path: &str) -> BTreeMap<&str, usize> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    names.enumerate().map(|(index, (name, _))| (name, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_of_openapi_3_is_rejected_with_the_reason() {
        for (text, reason) in [
            ("openapi: 3.1.0", "not JSON: expected value at line 1 column 1"),
            ("[]", "no `openapi` version"),
            (r#"{"routes": []}"#, "no `openapi` version"),
            (r#"{"swagger": "2.0", "paths": {}}"#, "OpenAPI 2.0"),
            (r#"{"openapi": "3.1.0", "paths": []}"#, "`paths` is not an object"),
        ] {
            let error = Document::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Document::parse(r#"{"openapi": "3.0.3", "paths": {}}"#).is_ok());
    }

    #[test]
    fn a_chain_of_references_ends_where_it_leads_nowhere() {
        let text = r##"{
            "openapi": "3.1.0",
            "a/b": {"$ref": "#/c"}, "c": {"type": "null"},
            "loop": {"$ref": "#/loop"}, "lost": {"$ref": "#/nowhere"}, "far": {"$ref": "x.json#/a"}
        }"##;
        let document = Document::parse(text).expect("a document");
        let json = document.as_json();
        let start = serde_json::json!({"$ref": "#/a~1b"});
        assert_eq!(document.target(&start), &json["c"]);
        for name in ["loop", "lost", "far"] {
            assert_eq!(document.target(&json[name]), &json[name], "{name}");
        }
    }
}
