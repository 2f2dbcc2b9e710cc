//! What an assistant gives a tool: read, and held to its bounds. The errors are for it to read.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::catalog::{MAX_LIMIT, MAX_WAIT, USUAL_WAIT};

/// Reads the arguments of a tool.
pub(super) fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments)
        .map_err(|error| format!("{error}; `tools/list` has the arguments of each tool"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Which part of a list is asked for.
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) skip: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    limit: Option<usize>,
    skip: Option<usize>,
}

impl Page {
    pub(super) fn read(arguments: Value, usual: usize) -> Result<Self, String> {
        let Part { limit, skip } = read(arguments)?;
        Self::of(limit, skip, usual)
    }

    pub(super) fn of(
        limit: Option<usize>,
        skip: Option<usize>,
        usual: usize,
    ) -> Result<Self, String> {
        let limit = limit.unwrap_or(usual);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(format!(
                "`limit` is {limit}; give 1 to {MAX_LIMIT}, and go on with `skip`"
            ));
        }
        Ok(Self { limit, skip: skip.unwrap_or_default() })
    }
}

/// The number of a request; assistants write it as either.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    pub(super) fn text(self) -> String {
        match self {
            Self::Number(id) => id.to_string(),
            Self::Text(id) => id,
        }
    }
}

/// How long to wait at most.
pub(super) fn wait(timeout_ms: Option<u64>) -> Result<Duration, String> {
    let wait = timeout_ms.map_or(USUAL_WAIT, Duration::from_millis);
    if wait > MAX_WAIT {
        let most = MAX_WAIT.as_millis();
        return Err(format!("`timeout_ms` is {}; give at most {most}", wait.as_millis()));
    }
    Ok(wait)
}
