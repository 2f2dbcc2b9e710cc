//! An error with all its occurrences.

use serde::Serialize;

use crate::message::{ErrorSummary, Traceback};

/// All occurrences of one error; `GET /__snaxum/api/errors` lists them, the newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrackedError {
    /// Counted from 1.
    pub id: u64,
    /// `open`, or `mended` once its modules load and its requests pass.
    pub state: &'static str,
    /// The newest occurrence in short.
    pub error: ErrorSummary,
    /// How to fix it, if that is known.
    pub hint: Option<String>,
    /// The number of its occurrences: requests that failed, and reloads.
    pub count: u64,
    /// The time of the first.
    pub first_ms: u64,
    /// The time of the newest.
    pub last_ms: u64,
    /// The generation of the first; null if no code was serving.
    pub first_generation: Option<u64>,
    /// The generation of the newest.
    pub last_generation: Option<u64>,
    /// The newest request that failed with it; null if only reloads did. It is stored as long as the
    /// error.
    pub request: Option<String>,
    /// The method of this request.
    pub method: Option<String>,
    /// Its path, percent-decoded; secrets are masked.
    pub path: Option<String>,
    /// The path pattern of its route.
    pub route: Option<String>,
    /// The newest [`Reload::id`](crate::message::Reload) that failed because of it; null if only
    /// requests did.
    pub reload: Option<u64>,
    /// The modules that do not load because of it, and the modules that import them.
    pub modules: Vec<String>,
    /// The newest reload that changed its code, while no request has shown yet whether it is mended.
    pub changed_by: Option<u64>,
    /// The reload that mended it; null while it is open.
    pub mended_by: Option<u64>,
    /// The time when that was known.
    pub mended_ms: Option<u64>,
    /// How many times it has come back after it was mended.
    pub returns: u64,
}

/// `GET /__snaxum/api/errors/ID`: an error with its newest traceback.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrackedErrorDetail {
    /// The error as in the list.
    #[serde(flatten)]
    pub summary: TrackedError,
    /// The traceback of the newest occurrence.
    pub traceback: Traceback,
}
