//! The event schema: the types of every message and API response.
//!
//! One schema for the socket and the HTTP API. Durations are milliseconds, times are milliseconds
//! since 1970 (UTC), and a missing value is null. Messages have summaries; clients fetch large data
//! by id.

pub(in crate::dev) mod event_types;
mod log_line;
mod request;
#[cfg(test)]
mod schema;
mod tracked_error;
mod websocket;

use serde::Serialize;
use serde_json::Value;

pub use crate::message::{ContractDiff, ErrorSummary, Reload};
use crate::message::{RouteDiff, RouteInfo, Traceback, WorkerEvent};

pub use log_line::LogLine;
pub use request::{
    Blocker, BodyContent, Metrics, Pin, RequestDetail, RequestStart, RequestSummary,
    RunningRequest, SentCookie, SetCookie, StreamPiece, StreamTiming,
};
pub use tracked_error::{TrackedError, TrackedErrorDetail};
pub use websocket::{WebSocketClose, WebSocketMessage};

/// The version in `"v"` of every message.
pub const VERSION: u32 = 2;

/// One text message of the socket.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventMessage<'a> {
    /// The schema version.
    pub v: u32,
    /// The number of the event in this run of the server; a client resumes with `?since=`.
    pub seq: u64,
    /// The type and its fields.
    #[serde(flatten)]
    pub body: EventBody<'a>,
}

/// The types of message.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum EventBody<'a> {
    /// The first message.
    #[serde(rename = "hello")]
    Hello {
        /// Random; another value means another process.
        run_id: &'a str,
        /// The generation that serves.
        generation: u64,
        /// The version of Snaxum.
        version: &'a str,
        /// The version of Python.
        python: String,
        /// The sizes of the lists.
        limits: Limits,
    },
    /// All recorded data; follows `hello`.
    #[serde(rename = "snapshot")]
    Snapshot {
        /// The state of the server.
        status: Box<ServerStatus>,
        /// The route table.
        routes: &'a [RouteInfo],
        /// Newest first.
        requests: Vec<&'a RequestSummary>,
        /// Newest first.
        reloads: Vec<&'a Reload>,
        /// Newest first.
        logs: Vec<&'a LogLine>,
        /// The pinned requests, oldest pin first.
        pins: &'a [Pin],
        /// The newest first.
        errors: Vec<&'a TrackedError>,
        /// The requests that have a profile, the newest profile last.
        profiled: Vec<String>,
        /// The newest traceback of a failed reload or request.
        last_failure: Option<&'a Traceback>,
    },
    /// A request's head was read. Sent on demand: `request.end` repeats all of it later.
    #[serde(rename = "request.start")]
    RequestStart {
        /// The data known so far.
        request: &'a RequestStart,
    },
    /// A response was sent.
    #[serde(rename = "request.end")]
    RequestEnd {
        /// The request in short.
        request: &'a RequestSummary,
    },
    /// The body of a streamed response has ended, after its `request.end`.
    #[serde(rename = "stream.end")]
    StreamEnd {
        /// The request in short, with the times of the stream.
        request: &'a RequestSummary,
    },
    /// A line was printed or logged.
    #[serde(rename = "log")]
    Log {
        /// The line.
        log: &'a LogLine,
    },
    /// A request or a reload failed with a traceback. Sent on demand: it repeats a part of the
    /// `request.end`, `websocket.close`, `reload.ok` or `reload.fail` before it, and has the same `seq`. A reload has one
    /// for each module that raised.
    #[serde(rename = "error")]
    Error {
        /// The request that failed, or null.
        request: Option<&'a str>,
        /// The [`Reload::id`] of the reload that failed, or null.
        reload: Option<u64>,
        /// The generation of the response, or the generation that serves after the reload.
        generation: Option<u64>,
        /// The exception in short.
        error: &'a ErrorSummary,
    },
    /// An error is new, has happened again, was mended, or its code has changed. Sent on demand. It
    /// follows the `request.end`, `websocket.close`, `reload.ok` or `reload.fail` that shows it, and
    /// has the same `seq`.
    #[serde(rename = "error.state")]
    ErrorState {
        /// The error with all its occurrences.
        error: &'a TrackedError,
    },
    /// A reload began.
    #[serde(rename = "reload.start")]
    ReloadStart {
        /// The changed files.
        files: &'a [String],
    },
    /// A new generation serves.
    #[serde(rename = "reload.ok")]
    ReloadOk {
        /// The reload.
        reload: &'a Reload,
        /// The status after it.
        status: Box<ServerStatus>,
    },
    /// A reload failed; the last good generation is still serving.
    #[serde(rename = "reload.fail")]
    ReloadFail {
        /// The reload.
        reload: &'a Reload,
        /// The status after it.
        status: Box<ServerStatus>,
    },
    /// Reloading was paused or resumed.
    #[serde(rename = "status")]
    Status {
        /// The status after it.
        status: Box<ServerStatus>,
    },
    /// The route table after a reload.
    #[serde(rename = "routes")]
    Routes {
        /// The route table.
        routes: &'a [RouteInfo],
    },
    /// The changes of a reload to the route table. Sent on demand: it repeats a part of the `reload.ok`
    /// before it, and has the same `seq`.
    #[serde(rename = "route.diff")]
    RouteDiff {
        /// The [`Reload::id`] of the reload.
        reload: u64,
        /// The generation that serves.
        generation: u64,
        /// The changes; lists without a change are empty.
        diff: &'a RouteDiff,
    },
    /// A reload has changed the API for clients. Follows the `reload.ok` when the documents of both
    /// generations have been compared; the reload has the changes from then on.
    #[serde(rename = "contract.diff")]
    ContractDiff {
        /// The [`Reload::id`] of the reload.
        reload: u64,
        /// The generation that serves.
        generation: u64,
        /// The changes since the last generation that was compared.
        contract: &'a ContractDiff,
    },
    /// A request was pinned or unpinned, or pinned requests were sent again.
    #[serde(rename = "pins")]
    Pins {
        /// All pinned requests, oldest pin first.
        pins: &'a [Pin],
    },
    /// A process of the pool started, exited, or was updated.
    #[serde(rename = "worker")]
    Worker {
        /// The event.
        worker: &'a WorkerEvent,
    },
    /// A request has a profile, or a newer one. Sent on demand. The profile is at
    /// `GET /__snaxum/api/requests/ID/profile`.
    #[serde(rename = "profile")]
    Profile {
        /// The id of the request.
        request: &'a str,
        /// Whether the request was still sampled.
        is_running: bool,
        /// The number of samples.
        samples: u64,
    },
    /// A WebSocket of the app has received or sent a message.
    #[serde(rename = "websocket.message")]
    WebSocketMessage {
        /// The message.
        message: &'a WebSocketMessage,
    },
    /// A WebSocket of the app was closed, and its handler has ended.
    #[serde(rename = "websocket.close")]
    WebSocketClose {
        /// The end.
        close: &'a WebSocketClose,
    },
    /// The current load, each second. Sent on demand, as with `?metrics=1`. It has the `seq` of the
    /// event before it, and is not sent again to a client that resumes.
    #[serde(rename = "metrics")]
    Metrics {
        /// The current values.
        metrics: Metrics,
    },
    /// This client missed events of its types: it was too slow, or there were too many. If the routes
    /// or the state of the server may have changed, `hello` and a snapshot follow.
    #[serde(rename = "dropped")]
    Dropped {
        /// The number of missed events.
        count: u64,
    },
    /// The server ends the connection.
    #[serde(rename = "bye")]
    Bye {
        /// `shutdown` or `limit`.
        reason: &'static str,
    },
    /// The response to a `ping`, with the `seq` of the last event that this client was sent.
    #[serde(rename = "pong")]
    Pong {
        /// The id of the ping, or null.
        id: &'a Value,
    },
    /// A message of this client was not understood, and has no effect.
    #[serde(rename = "problem")]
    Problem {
        /// The type of the message: `ping`, `subscribe`, or `ack`, which was removed; null for any
        /// other.
        about: Option<&'static str>,
        /// The reason.
        detail: &'a str,
        /// The first few unknown names in it, truncated.
        unknown: &'a [String],
        /// The known names.
        known: &'static [&'static str],
    },
}

/// The sizes of the recorded lists.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// The most requests.
    pub requests: usize,
    /// The most reloads.
    pub reloads: usize,
    /// The most lines.
    pub logs: usize,
    /// The most errors.
    pub errors: usize,
}

/// `GET /__snaxum/api/status`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerStatus {
    /// The version of Snaxum.
    pub version: &'static str,
    /// The version of Python.
    pub python: String,
    /// The process id of the server.
    pub pid: u32,
    /// Random; another value means another process.
    pub run_id: String,
    /// The generation that serves; 0 before the first load.
    pub generation: u64,
    /// `ok` or `failing`.
    pub state: &'static str,
    /// Whether reloading is paused.
    pub paused: bool,
    /// The number of routes.
    pub routes: usize,
    /// The time since the start, in seconds.
    pub uptime_s: f64,
    /// The newest reload, successful or not.
    pub last_reload: Option<Reload>,
    /// The URL that opens a file in the editor, with `{file}` and `{line}` to fill in. The file is
    /// relative to the project, and percent-encoded. Null if the editor has no such URL.
    pub editor: Option<String>,
    /// Whether the server starts an editor at `POST /__snaxum/api/open`.
    pub opens_editor: bool,
    /// The process pool; null in messages of the socket.
    pub pool: Value,
}

/// The outcome of `POST /__snaxum/api/reload`, `restart`, `pause` and `resume`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandOutcome {
    /// The status afterwards. During a restart, it is the status of the old process.
    pub status: ServerStatus,
    /// The outcome in one line, safe for a terminal.
    pub summary: String,
    /// The reload; null if nothing was reloaded.
    pub reload: Option<Reload>,
    /// The outcome of the restart; null if none was needed.
    pub restart: Option<RestartOutcome>,
}

/// The outcome of a requested restart.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RestartOutcome {
    /// Whether a new process takes over once the response is sent.
    pub accepted: bool,
    /// The reason if not: the output of the trial process.
    pub refusal: String,
}

/// Writes a message as the socket sends it.
pub(in crate::dev) fn encode(seq: u64, body: EventBody<'_>) -> String {
    serde_json::to_string(&EventMessage { v: VERSION, seq, body }).expect("plain data")
}
