//! A call of a request to a database or an HTTP server, as the hooks of Python report it.

use serde::{Deserialize, Serialize};

/// A statement to a database, or a request to an HTTP server, that a handler has made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LibraryCall {
    /// When it began, in milliseconds since 1970 (UTC), with a fraction.
    pub time_ms: f64,
    /// How long it took: of a statement, up to its first rows.
    pub ms: f64,
    /// `sql` or `http`.
    pub kind: String,
    /// Such as `sqlite3` or `httpx`.
    pub library: String,
    /// The statement, or method and URL; secrets are masked, and a long text is truncated.
    pub text: String,
    /// The values of the statement, secrets masked; null without any.
    pub values: Option<String>,
    /// The user's file with the call, relative to the project; empty if there is none.
    pub file: String,
    /// The line of the call.
    pub line: u32,
    /// The function with it; qualified from Python 3.11 on.
    pub function: String,
    /// The status of an HTTP response.
    pub status: Option<u16>,
    /// The exception in one line.
    pub error: Option<String>,
    /// Counts the calls of the request, from 1. Not all of many calls are reported.
    pub number: u64,
    /// Calls of the request with the same text, but for its values, from the same line share a group.
    pub group: u64,
    /// Counts the calls of the group, from 1.
    pub nth: u64,
    /// The time of the group so far.
    pub group_ms: f64,
}

/// The calls of a request in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallSummary {
    /// The number of calls that have been reported of all.
    pub count: u64,
    /// The time of the reported calls; some may have run at the same time.
    pub ms: f64,
    /// The part of it in databases.
    pub sql_ms: f64,
    /// The part of it in HTTP servers.
    pub http_ms: f64,
    /// The call that was made most often from one line, if it was at least five times (N+1).
    pub repeated: Option<RepeatedCall>,
}

/// A call that a request has made many times from one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RepeatedCall {
    /// The newest statement, or method and URL.
    pub text: String,
    /// The user's file with the call.
    pub file: String,
    /// The line of the call.
    pub line: u32,
    /// How many times.
    pub count: u64,
    /// The time of all of them.
    pub ms: f64,
}
