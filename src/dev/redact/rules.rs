//! The words and patterns of secrets, from the file that Rust and Python share.

use std::sync::LazyLock;

use serde::Deserialize;

/// The shared file. A pattern uses only syntax that has the same meaning in Rust and in Python.
#[derive(Deserialize)]
pub(super) struct SecretData {
    /// A name with one of these words has a secret value.
    pub(super) words: Vec<String>,
    /// A name with both words in this order has one too.
    pub(super) phrases: Vec<[String; 2]>,
    /// Secrets that are recognised by their form.
    pub(super) patterns: Vec<SecretPattern>,
    /// The password in a URL.
    pub(super) url_password: String,
}

#[derive(Deserialize)]
pub(super) struct SecretPattern {
    pub(super) regex: String,
    /// The texts that a match can begin with.
    pub(super) starts_with: Vec<String>,
}

pub(super) static SECRET_DATA: LazyLock<SecretData> = LazyLock::new(|| {
    let text = include_str!("../../../python/snaxum/_debug/redact.json");
    serde_json::from_str(text).expect("a test reads the file")
});
