//! A line of output.

use serde::Serialize;

/// A line that code has printed or logged; `GET /__snaxum/api/logs` lists them, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogLine {
    /// When it ended.
    pub time_ms: u64,
    /// The request that printed it; null from a minute after the end of the request on.
    pub request: Option<String>,
    /// Whether the request had ended: a thread, a task or a function that it has started printed it. Missing
    /// if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_late: bool,
    /// The [`Reload::id`](crate::message::Reload) of the load that printed it, in a module or a
    /// start-up hook.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The line without its end; secrets are masked, and a long line is truncated.
    pub line: String,
    /// The level of the record of `logging` in lower case; missing for a printed line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The name of its logger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logger: Option<String>,
    /// The file of your code that printed or logged it, relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_line: Option<u32>,
}
