//! Parses the arguments of tools and checks their bounds. The errors are for the assistant.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::catalog::{DEFAULT_TIMEOUT, MAX_LIMIT, MAX_TIMEOUT};

/// Parses the arguments of a tool.
pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments)
        .map_err(|error| format!("invalid arguments: {error}; see `tools/list`"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

/// The requested part of a list.
pub(super) struct ListRange {
    pub(super) limit: usize,
    pub(super) skip: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeArguments {
    limit: Option<usize>,
    skip: Option<usize>,
}

impl ListRange {
    pub(super) fn parse(arguments: Value, default_limit: usize) -> Result<Self, String> {
        let RangeArguments { limit, skip } = parse(arguments)?;
        Self::new(limit, skip, default_limit)
    }

    pub(super) fn new(
        limit: Option<usize>,
        skip: Option<usize>,
        default_limit: usize,
    ) -> Result<Self, String> {
        let limit = limit.unwrap_or(default_limit);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(format!(
                "`limit` is {limit}; give 1 to {MAX_LIMIT}, and use `skip` for the next items"
            ));
        }
        Ok(Self { limit, skip: skip.unwrap_or_default() })
    }
}

/// The number of a request; assistants send either form.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RequestId {
    Number(u64),
    Text(String),
}

impl RequestId {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Number(id) => id.to_string(),
            Self::Text(id) => id,
        }
    }
}

/// Returns the timeout of a tool that waits.
pub(super) fn parse_timeout(timeout_ms: Option<u64>) -> Result<Duration, String> {
    let timeout = timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    if timeout > MAX_TIMEOUT {
        let most = MAX_TIMEOUT.as_millis();
        return Err(format!("`timeout_ms` is {}; give at most {most}", timeout.as_millis()));
    }
    Ok(timeout)
}
