//! What crosses between Rust and Python, and between the core and whoever observes it.
//!
//! Plain, owned data: no `PyObject`, no connection, no lock but a stream's. The JSON of these types
//! is what the console, the API and `snaxum routes --format json` show.

pub(crate) mod body_stream;
mod load_report;
mod reload;
mod request_head;
mod timing;
mod traceback;
mod worker;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use body_stream::{BodyReceiver, Chunk};
pub use load_report::{
    LoadOutcome, LoadPhases, LoadReport, ModuleFailure, ModuleRun, RouteDiff, RouteRef, Secret,
};
pub use reload::Reload;
pub use request_head::{Head, header_texts};
pub use timing::{BlockingRequest, Phases, PoolTime, Timestamps};
pub use traceback::{ErrorSummary, Frame, Local, SourceLine, Traceback};
pub use worker::{WorkerChange, WorkerEvent};

/// A request on its way to Python, its body read to the end.
#[derive(Debug)]
pub struct PythonRequest {
    /// Unique in this process, counted from 1.
    pub id: u64,
    /// Everything but the body.
    pub head: Head,
    /// The whole body.
    pub body: Bytes,
}

/// What Python made of a request.
#[derive(Debug)]
pub struct PythonResponse {
    /// The generation of user code that answered.
    pub generation: u64,
    /// The [`RouteInfo::id`] that matched, if one did.
    pub route: Option<String>,
    /// The answer itself.
    pub outcome: HandlerOutcome,
    /// When what happened, where somebody wants to know.
    pub timestamps: Option<Timestamps>,
}

/// A response, or what kept the handler from giving one.
#[derive(Debug)]
pub enum HandlerOutcome {
    /// What the handler returned.
    Response {
        /// 200 to 599.
        status: u16,
        /// `content-type`, where it is not among the headers.
        content_type: Option<HeaderValue>,
        /// Names in lower case.
        headers: Vec<(String, String)>,
        /// Whole or in pieces.
        body: ResponseBody,
    },
    /// Becomes an error page or a problem document, whichever the client reads.
    Failure(Failure),
}

/// The body of a response.
#[derive(Debug)]
pub enum ResponseBody {
    /// All of it.
    Full(Bytes),
    /// Chunk by piece; their bound is the back-pressure.
    Stream(BodyReceiver),
}

/// An answer that is an error (RFC 9457).
#[derive(Debug, Default)]
pub struct Failure {
    /// 400 to 599.
    pub status: u16,
    /// One sentence for the client; empty for an exception, whose text stays inside.
    pub detail: String,
    /// Besides the content type.
    pub headers: Vec<(String, String)>,
    /// Where a handler raised.
    pub traceback: Option<Box<Traceback>>,
}

/// A route as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteInfo {
    /// The version of this object's shape.
    pub v: u32,
    /// Stable for a method and path across generations.
    pub id: String,
    /// As declared, sorted.
    pub methods: Vec<String>,
    /// As written: `/users/<int:id>`.
    pub path: String,
    /// As axum writes it: `/users/{id}`.
    pub pattern: String,
    /// The path's parameters, in order.
    pub params: Vec<Param>,
    /// `module.function`.
    pub handler: String,
    /// The handler's module.
    pub module: String,
    /// Relative to the project.
    pub file: String,
    /// 1-based, of the first decorator.
    pub line: u32,
    /// 1-based.
    pub end_line: u32,
    /// The handler's docstring.
    pub doc: Option<String>,
    /// Whether it takes the process pool.
    pub pool: bool,
    /// Whether it is an `async def`.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// `in-thread`, `async` or `process pool`.
    pub mode: String,
    /// Whether nothing of what it gets and gives is kept, or shown.
    #[serde(default)]
    pub no_capture: bool,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// The generation that serves it.
    pub generation: u64,
}

/// A parameter of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Param {
    /// The key in `request.path_params`.
    pub name: String,
    /// The converter.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A request that begins, lent to observers.
#[derive(Clone, Copy, Debug)]
pub struct StartRecord<'a> {
    /// As in the `x-request-id` header.
    pub id: u64,
    /// When the head had been read.
    pub time: SystemTime,
    /// What is asked.
    pub head: &'a Head,
}

/// A finished request, lent to observers.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord<'a> {
    /// As in the `x-request-id` header.
    pub id: u64,
    /// When the head had been read.
    pub time: SystemTime,
    /// What was asked.
    pub head: &'a Head,
    /// Its body; `None` if it could not be read.
    pub request_body: Option<&'a Bytes>,
    /// The answer's body; `None` if it is a stream, or not the handler's.
    pub response_body: Option<&'a Bytes>,
    /// The answer's headers.
    pub response_headers: &'a HeaderMap,
    /// The answer's status; [`CLIENT_CLOSED_REQUEST`] if nobody waited for it any more.
    pub status: u16,
    /// The generation that answered; `None` if Python was not reached.
    pub generation: Option<u64>,
    /// The route that matched.
    pub route: Option<&'a str>,
    /// From the head to the answer.
    pub total: Duration,
    /// Where that time went.
    pub phases: Phases,
    /// What the handler computed itself, where that was measured; the rest of `phases.py` it waited.
    pub computed: Option<Duration>,
    /// Who held the threads while it was queued, the longest first.
    pub blockers: &'a [BlockingRequest],
    /// What it had the process pool do.
    pub pool: Option<PoolTime>,
    /// What the handler raised.
    pub traceback: Option<&'a Arc<Traceback>>,
}

/// The status of a request whose client went away before the answer, as nginx writes it in its log.
/// Nobody is sent it.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A line that code has printed or logged, lent to observers.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// When it ended.
    pub time: SystemTime,
    /// The [`RequestRecord::id`] it was written for.
    pub request: Option<u64>,
    /// The [`Reload::id`](crate::event::ReloadRecord::id) of the load that wrote it.
    pub reload: Option<u64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Without its end; secrets masked, cut.
    pub line: &'a str,
}

/// Milliseconds, as all that is shown to people and tools gives durations.
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Milliseconds since 1970 (UTC).
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
