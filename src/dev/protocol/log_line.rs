//! A line of output.

use serde::Serialize;

/// A line that code has printed or logged; `GET /__snaxum/api/logs` lists them, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogLine {
    /// When it ended.
    pub time_ms: u64,
    /// The request that printed it.
    pub request: Option<String>,
    /// The [`Reload::id`](crate::message::Reload) of the load that printed it, in a module or a
    /// start-up hook.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The line without its end; secrets are masked, and a long line is truncated.
    pub line: String,
}
