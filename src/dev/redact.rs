//! Masks secrets when they are captured: before they reach a list, a socket, the disk or a clipboard.
//!
//! Recognises them by name, by form and by value. Python masks its own captures with the same words
//! and patterns (`_debug/redact.json`).

mod build_errors;
mod events;
mod json;
mod names;
mod patterns;
mod rules;
mod tables;
pub(super) mod truncate;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use crate::message::{BodyStart, Secret};

use names::SecretNames;
pub(super) use patterns::MASK;
use patterns::{begin_of_secret, push_redacted};
use values::SecretValues;

/// The content type of CSV with tabs.
const TABS: &str = "text/tab-separated-values";
/// All content types of CSV.
const CSV: [&str; 3] = ["text/csv", "application/csv", TABS];
/// Parts of the content types whose lines are JSON.
const LINES: [&str; 5] = ["ndjson", "jsonl", "jsonlines", "json-lines", "json-seq"];

/// The secrets of this project. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    names: SecretNames,
    values: Arc<SecretValues>,
}

impl Redactor {
    /// Also treats values with these names as secrets.
    pub(super) fn new(extra: &[String]) -> Self {
        Self { names: SecretNames::new(extra), values: Arc::default() }
    }

    /// Also masks these values from now on, anywhere.
    pub(super) fn add_values(&mut self, values: &[Secret]) {
        if let Some(values) = self.values.with(values) {
            self.values = Arc::new(values);
        }
    }

    /// Adds a path to `text`.
    pub(super) fn push_path(&self, text: &mut String, path: &str) {
        push_redacted(text, &self.values.redact(path));
    }

    /// Returns a path for a list, redacted and truncated.
    pub(super) fn path(&self, path: &str) -> String {
        let mut text = String::new();
        self.push_path(&mut text, path);
        truncate::truncate(&mut text, 0);
        text
    }

    /// Adds a header's value to `text`.
    pub(super) fn push_header(&self, text: &mut String, name: &str, value: &str) {
        if self.names.is_secret(name) {
            return text.push_str(MASK);
        }
        let value = self.values.redact(value);
        match value.split_once('?') {
            // `location` and `referer` contain queries.
            Some((address, query)) => {
                push_redacted(text, address);
                text.push('?');
                self.push_pairs(text, query);
            }
            None => push_redacted(text, &value),
        }
    }

    /// Adds a query string to `text`.
    pub(super) fn push_query(&self, text: &mut String, query: &str) {
        self.push_pairs(text, &self.values.redact(query));
    }

    /// Adds a query string to `text`, and masks all its values.
    pub(super) fn push_names(text: &mut String, query: &str) {
        for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if index > 0 {
                text.push('&');
            }
            // Without a name, the whole pair is a value.
            if let Some((name, _)) = pair.split_once('=') {
                text.push_str(name);
                text.push('=');
            }
            text.push_str(MASK);
        }
    }

    fn push_pairs(&self, text: &mut String, query: &str) {
        for (index, pair) in query.split('&').enumerate() {
            if index > 0 {
                text.push('&');
            }
            match pair.split_once('=') {
                Some((name, _))
                    if self.names.is_secret(&percent_decode_str(name).decode_utf8_lossy()) =>
                {
                    text.push_str(name);
                    text.push('=');
                    text.push_str(MASK);
                }
                _ => push_redacted(text, pair),
            }
        }
    }

    /// Whether bytes that cannot be masked contain a known value, or with `in_texts` a secret of a
    /// known form.
    pub(super) fn has_secret(&self, bytes: &[u8], in_texts: bool) -> bool {
        if self.values.are_in(bytes) {
            return true;
        }
        let text = if in_texts { String::from_utf8_lossy(bytes) } else { "".into() };
        let mut redacted = String::with_capacity(text.len());
        push_redacted(&mut redacted, &text);
        redacted != text
    }

    /// The words that mark a name as that of a secret, for a table that only the page can read.
    pub(super) fn secret_words(&self) -> serde_json::Value {
        self.names.words()
    }

    /// Returns the end of the part of a cut text that is not the beginning of a secret.
    pub(super) fn end_of_certain(&self, text: &str) -> usize {
        let end = text.len() - self.values.cut_length(text);
        begin_of_secret(&text[..end]).unwrap_or(end)
    }

    /// Masks the positional arguments of a call from Rust that go to parameters with secret names.
    pub(super) fn arguments<'a>(
        &self,
        body: &BodyStart,
        parameters: impl Iterator<Item = &'a str>,
    ) -> BodyStart {
        let text = String::from_utf8_lossy(&body.bytes);
        let bytes = Bytes::from(json::mask_arguments(&text, parameters, &self.names));
        let is_whole = body.bytes.len() == body.size;
        // More is missing at the end of a truncated body.
        let size = if is_whole { bytes.len() } else { body.size.max(bytes.len() + 1) };
        BodyStart { bytes, size }
    }

    /// Redacts a body of this type (in lower case).
    pub(super) fn body(&self, text: &str, content_type: &str) -> String {
        let text = self.values.redact(text);
        let mut redacted = String::with_capacity(text.len());
        if content_type.starts_with("application/x-www-form-urlencoded") {
            self.push_pairs(&mut redacted, &text);
        } else if CSV.iter().any(|csv| content_type.starts_with(csv)) {
            let has_tabs = content_type.starts_with(TABS);
            push_redacted(&mut redacted, &tables::mask_csv(&text, has_tabs, &self.names));
        } else if content_type.starts_with("text/event-stream") {
            events::push_redacted_events(&mut redacted, &text, &self.names);
        } else if content_type.contains("json") || text.trim_start().starts_with(['{', '[']) {
            let is_lines = LINES.iter().any(|lines| content_type.contains(lines));
            tables::push_redacted_json(&mut redacted, &text, is_lines, &self.names);
        } else {
            push_redacted(&mut redacted, &text);
        }
        redacted
    }
}

/// Checks a body: its secrets are masked, and valid JSON stays valid.
#[cfg(any(test, fuzzing))]
pub fn fuzz_json(text: &str) {
    let mut redactor = Redactor::default();
    redactor.add_values(&["swordfish".into()]);
    for kind in [
        "application/json",
        "application/x-ndjson",
        "text/plain",
        "text/csv",
        "text/event-stream",
        "application/x-www-form-urlencoded",
    ] {
        let shown = redactor.body(text, kind);
        assert!(!shown.contains("swordfish"), "{shown}");
        let end = redactor.end_of_certain(&shown);
        assert!(shown.is_char_boundary(end), "{shown}");
    }
    // Valid JSON stays valid, and a secret field has no value.
    if let Ok(sent) = serde_json::from_str::<serde_json::Value>(text) {
        let shown: serde_json::Value =
            serde_json::from_str(&redactor.body(text, "application/json")).expect("JSON");
        assert!(sent["password"].is_null() || shown["password"] == MASK, "{shown}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        push(&mut text);
        text
    }

    #[test]
    fn the_words_of_a_project_apply_to_queries_and_bodies() {
        let redactor = Redactor::new(&["iban".into(), "National-ID".into(), "пароль".into()]);
        assert_eq!(
            text(|text| redactor
                .push_query(text, "a=1&%69ban=DE1&%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C=x")),
            format!("a=1&%69ban={MASK}&%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C={MASK}")
        );
        assert_eq!(
            redactor.body(r#"{"nationalId": 7, "b": 1}"#, "application/json"),
            format!(r#"{{"nationalId": "{MASK}", "b": 1}}"#)
        );
    }

    #[test]
    fn fuzz_json() {
        const WORDS: [&str; 20] = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"password\"",
            "\"a\"",
            "\"swordfish\"",
            "\\",
            "\"",
            "&",
            "=",
            "token",
            "swordfish",
            " ",
            "\"token\": \"swordfish\"",
            "eyJ",
            "://",
            "%73wordfish",
        ];
        crate::fuzz::check("json", &WORDS, super::fuzz_json);
    }

    #[test]
    fn a_known_value_is_masked_anywhere() {
        let mut redactor = Redactor::default();
        redactor.add_values(&["a?b&c=\"d\"".into()]);
        assert_eq!(
            text(|text| redactor.push_header(text, "x-note", "use a?b&c=\"d\" twice")),
            format!("use {MASK} twice")
        );
        assert_eq!(
            redactor.body(r#"{"x": "a?b&c=\"d\""}"#, "text/plain"),
            format!(r#"{{"x": "{MASK}"}}"#)
        );
        assert_eq!(
            text(|text| redactor.push_query(text, "q=a%3Fb%26c%3D%22d%22&r=1")),
            format!("q={MASK}&r=1")
        );
        assert_eq!(text(|text| redactor.push_path(text, "/a?b&c=\"d\"/x")), format!("/{MASK}/x"));
    }

    #[test]
    fn a_secret_is_found_in_bytes() {
        let mut redactor = Redactor::default();
        redactor.add_values(&["correct horse".into()]);
        assert!(redactor.has_secret(b"\xff\xfecorrect horse\0", false));
        assert!(redactor.has_secret(b"\xff\xfecorrect%20horse\0", false));
        let key = b"\xff AKIAIOSFODNN7EXAMPLE \0";
        assert!(redactor.has_secret(key, true));
        assert!(!redactor.has_secret(key, false));
        assert!(!redactor.has_secret(b"\xff\xfe\0", true));
    }

    #[test]
    fn only_the_secrets_of_a_query_are_masked() {
        let redactor = Redactor::default();
        assert_eq!(
            text(|text| redactor.push_query(text, "a=1&token=abc&b")),
            format!("a=1&token={MASK}&b")
        );
        assert_eq!(
            text(|text| redactor.push_header(text, "location", "/x?accessToken=abc")),
            format!("/x?accessToken={MASK}")
        );
        assert_eq!(text(|text| redactor.push_header(text, "cookie", "a=b")), MASK);
        assert_eq!(
            text(|text| Redactor::push_names(text, "a=1&b=2=3&c")),
            format!("a={MASK}&b={MASK}&{MASK}")
        );
        assert_eq!(text(|text| Redactor::push_names(text, "")), "");
    }
}
