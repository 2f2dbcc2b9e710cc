//! The event schema: the only types that the outside sees.
//!
//! One schema for the socket and the HTTP API. Durations are milliseconds, times are milliseconds
//! since 1970 (UTC), absent is null. Messages carry summaries; what is large is fetched by id.

pub(in crate::dev) mod event_types;
mod request;
#[cfg(test)]
mod schema;

use serde::Serialize;
use serde_json::Value;

pub use crate::message::{ErrorSummary, Reload};
use crate::message::{RouteDiff, RouteInfo, Traceback, WorkerEvent};

pub use request::{
    Content, Holder, Metrics, Pin, RequestDetail, RequestStart, RequestSummary, Running,
};

/// The version in `"v"` of every message.
pub const VERSION: u32 = 2;

/// One text frame of the socket.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Message<'a> {
    /// [`VERSION`].
    pub v: u32,
    /// Counts the events of this run; a client resumes with `?since=`.
    pub seq: u64,
    /// What it is, with its fields beside.
    #[serde(flatten)]
    pub body: Body<'a>,
}

/// The kinds of message.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Body<'a> {
    /// The first frame.
    #[serde(rename = "hello")]
    Hello {
        /// Another value means another process.
        run_id: &'a str,
        /// What serves now.
        generation: u64,
        /// Of Snaxum.
        version: &'a str,
        /// Of Python.
        python: String,
        /// How much the lists hold.
        limits: Limits,
    },
    /// Everything, after `hello`.
    #[serde(rename = "snapshot")]
    Snapshot {
        /// The state of the server.
        status: Box<Status>,
        /// The whole table.
        routes: &'a [RouteInfo],
        /// Newest first.
        requests: Vec<&'a RequestSummary>,
        /// Newest first.
        reloads: Vec<&'a Reload>,
        /// Newest first.
        logs: Vec<&'a LogLine>,
        /// In the order they were pinned.
        pins: &'a [Pin],
        /// The newest traceback of a failed reload or request.
        last_failure: Option<&'a Traceback>,
    },
    /// A request's head was read. Only for who asks for it: `request.end` says all of this, later.
    #[serde(rename = "request.start")]
    RequestStart {
        /// As far as it is known then.
        request: &'a RequestStart,
    },
    /// A request was answered.
    #[serde(rename = "request.end")]
    RequestEnd {
        /// In short.
        request: &'a RequestSummary,
    },
    /// A line was printed or logged.
    #[serde(rename = "log")]
    Log {
        /// Whole.
        log: &'a LogLine,
    },
    /// A request or a reload failed, and there is a traceback. Only for who asks for it: it has the
    /// number of the `request.end`, `reload.ok` or `reload.fail` that says the same, and follows it.
    /// A reload has one for each module that raised.
    #[serde(rename = "error")]
    Error {
        /// The request that failed, or null.
        request: Option<&'a str>,
        /// The [`Reload::id`] of the reload that failed, or null.
        reload: Option<u64>,
        /// That answered the request, or serves after the reload.
        generation: Option<u64>,
        /// What was raised, in short.
        error: &'a ErrorSummary,
    },
    /// A reload began.
    #[serde(rename = "reload.start")]
    ReloadStart {
        /// What changed.
        files: &'a [String],
    },
    /// A new generation serves.
    #[serde(rename = "reload.ok")]
    ReloadOk {
        /// Whole.
        reload: &'a Reload,
        /// Afterwards.
        status: Box<Status>,
    },
    /// The last good generation serves on.
    #[serde(rename = "reload.fail")]
    ReloadFail {
        /// Whole.
        reload: &'a Reload,
        /// Afterwards.
        status: Box<Status>,
    },
    /// The state of the server is another without a reload: it was paused, or goes on.
    #[serde(rename = "status")]
    Status {
        /// Afterwards.
        status: Box<Status>,
    },
    /// The table after a reload.
    #[serde(rename = "routes")]
    Routes {
        /// The whole table.
        routes: &'a [RouteInfo],
    },
    /// What a reload changed in the table. Only for who asks for it: it has the number of the
    /// `reload.ok` that says the same, and follows it.
    #[serde(rename = "route.diff")]
    RouteDiff {
        /// The [`Reload::id`] of the reload.
        reload: u64,
        /// That serves now.
        generation: u64,
        /// Empty lists where nothing changed.
        diff: &'a RouteDiff,
    },
    /// A request was pinned or let go, or pinned ones were sent again.
    #[serde(rename = "pins")]
    Pins {
        /// All of them, in the order they were pinned.
        pins: &'a [Pin],
    },
    /// Something happened to a process of the pool.
    #[serde(rename = "worker")]
    Worker {
        /// Whole.
        worker: &'a WorkerEvent,
    },
    /// Each second, to who asks for it, as with `?metrics=1`. A message of the moment: it has
    /// the number of the event before it, and none is sent again.
    #[serde(rename = "metrics")]
    Metrics {
        /// As it is now.
        metrics: Metrics,
    },
    /// Events that this client missed of those that it asked for: it was too slow, or there were too
    /// many. If the routes or the state of the server may be others now, `hello` and a snapshot
    /// follow.
    #[serde(rename = "dropped")]
    Dropped {
        /// How many.
        count: u64,
    },
    /// The server ends the connection.
    #[serde(rename = "bye")]
    Bye {
        /// `shutdown` or `limit`.
        reason: &'static str,
    },
    /// The answer to a `ping`, with the number of the last event that this client was told of.
    #[serde(rename = "pong")]
    Pong {
        /// As the ping had it, or null.
        id: &'a Value,
    },
    /// What this client has sent is not understood, and without effect.
    #[serde(rename = "problem")]
    Problem {
        /// The type of what it sent: `ping`, `subscribe` or `ack`; null if it is none of these.
        about: Option<&'static str>,
        /// Why.
        detail: &'a str,
        /// The names in it that mean nothing, the first few, cut.
        unknown: &'a [String],
        /// Those that it could have named instead.
        known: &'static [&'static str],
    },
}

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// Newest requests.
    pub requests: usize,
    /// Newest reloads.
    pub reloads: usize,
    /// Newest lines.
    pub logs: usize,
}

/// `GET /__snaxum/api/status`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// Of Snaxum.
    pub version: &'static str,
    /// Of Python.
    pub python: String,
    /// Of the server.
    pub pid: u32,
    /// Another value means another process.
    pub run_id: String,
    /// What serves now; 0 while nothing has ever loaded.
    pub generation: u64,
    /// `ok` or `failing`.
    pub state: &'static str,
    /// Whether saves are noticed, and not acted on until somebody resumes.
    pub paused: bool,
    /// How many there are.
    pub routes: usize,
    /// Since the start, in seconds.
    pub uptime_s: f64,
    /// The newest attempt.
    pub last_reload: Option<Reload>,
    /// Opens a file of the project in an editor, once `{file}` and `{line}` are put in; the file is
    /// relative to the project and percent-encoded. Null if the editor has no such addresses.
    pub editor: Option<String>,
    /// Whether the server starts an editor at `POST /__snaxum/api/open`.
    pub opens_editor: bool,
    /// The process pool; null in messages of the socket.
    pub pool: Value,
}

/// `POST /__snaxum/api/reload`, `restart`, `pause` and `resume`: what came of it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ByHand {
    /// Afterwards; of the process that serves while another one takes over.
    pub status: Status,
    /// What was reloaded; null if there was nothing to do, or another thing was asked for.
    pub reload: Option<Reload>,
    /// Whether a new process takes over; null if none was wanted.
    pub restart: Option<Restart>,
}

/// What became of the wish for a new process.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Restart {
    /// Whether it takes over, as soon as the answer is sent.
    pub accepted: bool,
    /// Why not: what a trial process printed.
    pub refusal: String,
}

/// A line that code has printed or logged; `GET /__snaxum/api/logs` lists them, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogLine {
    /// When it ended.
    pub time_ms: u64,
    /// The request that it was written for.
    pub request: Option<String>,
    /// The [`Reload::id`] of the load that wrote it, by a module that ran or a start-up hook.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Without its end; secrets masked, and cut if it is long.
    pub line: String,
}
