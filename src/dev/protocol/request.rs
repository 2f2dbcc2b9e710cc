//! Requests, their responses, and the current load.

use serde::Serialize;

use crate::message::{CallSummary, ErrorSummary, LibraryCall, Phases, PoolTime, Traceback};

use super::log_line::LogLine;
use super::websocket::WebSocketMessage;

/// A request that begins.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestStart {
    /// The number in `x-request-id`.
    pub id: String,
    /// When its head was read.
    pub time_ms: u64,
    /// The method in capitals.
    pub method: String,
    /// The path, percent-decoded; secrets are masked.
    pub path: String,
}

/// A request in short.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestSummary {
    /// The number in `x-request-id`.
    pub id: String,
    /// When its head was read.
    pub time_ms: u64,
    /// The method in capitals.
    pub method: String,
    /// The path, percent-decoded.
    pub path: String,
    /// The raw query; secrets are masked.
    pub query: String,
    /// Whether it is a call of a Python function from Rust, with `module:function` as its path.
    pub is_call: bool,
    /// The status of the response; 499 without a generation if the client disconnected before it.
    pub status: u16,
    /// The generation that responded; null if the request did not reach Python.
    pub generation: Option<u64>,
    /// The path pattern of the route.
    pub route: Option<String>,
    /// The handler of the route.
    pub handler: Option<String>,
    /// The mode of the handler.
    pub mode: Option<String>,
    /// The duration of each phase.
    pub phases: Phases,
    /// The time from the head to the response; for a stream that has ended, to its end.
    pub total_ms: f64,
    /// The body of a streamed response; null for any other.
    pub stream: Option<StreamTiming>,
    /// The CPU time of a `def` handler in `phases.py`; it waited for the rest. Null below 5 ms, or if
    /// it did not run on a dispatch worker.
    pub py_cpu_ms: Option<f64>,
    /// The requests that occupied the threads while this one waited in `phases.queue`, the longest
    /// first: at most three, and none below 5 ms.
    pub blocked_by: Vec<Blocker>,
    /// The time of its tasks in the process pool, inside `phases.py`; null without a task.
    pub pool: Option<PoolTime>,
    /// Its calls to databases and HTTP servers; null without any.
    pub call_summary: Option<CallSummary>,
    /// The request that it replays.
    pub replay_of: Option<String>,
    /// The exception of the handler in short.
    pub error: Option<ErrorSummary>,
    /// The content type of the response.
    pub response_type: Option<String>,
    /// The size of its body in bytes; null for a stream.
    pub response_size: Option<u64>,
}

/// The body of a streamed response.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamTiming {
    /// `open`, or what ended it: `complete`, `aborted` (by an exception), `client` (that left).
    pub state: &'static str,
    /// The time from the head of the request to the first bytes; null while it is open, and without
    /// bytes.
    pub first_byte_ms: Option<f64>,
    /// The number of its chunks; 0 while it is open.
    pub chunks: u64,
    /// The number of its bytes; 0 while it is open.
    pub bytes: u64,
}

/// A request that occupied a Python thread while another one waited.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Blocker {
    /// The number in `x-request-id`.
    pub id: String,
    /// The method in capitals.
    pub method: String,
    /// The path, percent-decoded.
    pub path: String,
    /// The blocked part of the other request's wait.
    pub ms: f64,
}

/// `GET /__snaxum/api/requests/ID`: a request with its bodies.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestDetail {
    /// The request as in the list.
    #[serde(flatten)]
    pub summary: RequestSummary,
    /// The headers of the request; secrets are masked.
    pub request_headers: Vec<(String, String)>,
    /// The headers of the response; secrets are masked.
    pub response_headers: Vec<(String, String)>,
    /// The cookies of the request; their values are masked.
    pub request_cookies: Vec<SentCookie>,
    /// Whether it has more: its head is larger than 16 KiB, or has more than 100 cookies.
    pub are_request_cookies_cut: bool,
    /// The cookies that the response sets; their values are masked.
    pub response_cookies: Vec<SetCookie>,
    /// Whether it sets more: more than 100, or more than 32 KiB of them.
    pub are_response_cookies_cut: bool,
    /// The body of the request; null if it could not be read.
    pub request_body: Option<BodyContent>,
    /// The body of the response, for a stream its start as far as it was sent; null for Snaxum's own error
    /// page.
    pub response_body: Option<BodyContent>,
    /// The traceback of the exception.
    pub traceback: Option<Traceback>,
    /// Whether `GET /__snaxum/api/requests/ID/profile` has a profile of it.
    pub has_profile: bool,
    /// Its reported calls to databases and HTTP servers, oldest first.
    pub calls: Vec<LibraryCall>,
    /// The recorded lines that it printed or logged, oldest first.
    pub logs: Vec<LogLine>,
    /// The recorded messages of its WebSocket, oldest first.
    pub messages: Vec<WebSocketMessage>,
}

/// A cookie of a request.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SentCookie {
    /// Its name.
    pub name: String,
    /// Always a mask.
    pub value: &'static str,
}

/// A cookie that a response sets.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SetCookie {
    /// Its name.
    pub name: String,
    /// Always a mask.
    pub value: &'static str,
    /// Its attributes in their order, such as `["Path", "/"]`; the value of `HttpOnly` is empty.
    pub attributes: Vec<(String, String)>,
}

/// A request that is sent again after each reload until its status is below 400.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pin {
    /// The number of the pinned request.
    pub id: String,
    /// The method in capitals.
    pub method: String,
    /// The path, percent-decoded.
    pub path: String,
    /// `failing`, or `passing` once a status is below 400.
    pub state: &'static str,
    /// The status of the newest response.
    pub status: u16,
    /// The generation that responded; null if the request did not reach Python.
    pub generation: Option<u64>,
    /// The newest replay; null before the first.
    pub replay: Option<String>,
    /// The number of replays.
    pub replays: u64,
}

/// The recorded part of a body: at most 64 KiB, or a response of at most 2 MiB that is not a stream.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BodyContent {
    /// The size of the whole body in bytes.
    pub size: u64,
    /// The text; secrets are masked. Null if it cannot be shown.
    pub text: Option<String>,
    /// Why the text is missing or truncated; null if it is complete.
    pub note: Option<&'static str>,
    /// `png`, `jpeg`, `gif`, `webp`, `pdf`, `parquet` or `arrow`, by the first bytes of a whole body
    /// that is not text; null for any other. Its bytes are at
    /// `/__snaxum/api/requests/ID/body/request` and `/response`.
    pub kind: Option<&'static str>,
    /// The pieces of the text of a stream; missing for any other body, and if masks hide the lines in which
    /// they begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Vec<StreamPiece>>,
}

impl BodyContent {
    /// A body without text.
    pub(in crate::dev) fn without_text(
        size: u64,
        kind: Option<&'static str>,
        note: Option<&'static str>,
    ) -> Self {
        Self { size, text: None, note, kind, pieces: None }
    }
}

/// A piece of a stream.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamPiece {
    /// The line of the text in which it begins, from 0.
    pub line: u64,
    /// The place in the text at which it begins, in UTF-16 code units; null if a part of the text is masked.
    pub at: Option<u64>,
    /// When it was sent, after the head of the request was read.
    pub after_ms: f64,
}

/// The current load of the server.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metrics {
    /// Responses each second since the last message of this type.
    pub requests_per_s: f64,
    /// The median time of the recorded requests of the last 10 s; null if there were none.
    pub p50_ms: Option<f64>,
    /// The 95th percentile of the same times.
    pub p95_ms: Option<f64>,
    /// The 99th percentile of the same times.
    pub p99_ms: Option<f64>,
    /// The number of requests that wait for a dispatch worker.
    pub queued: usize,
    /// The number of dispatch workers that run a handler.
    pub busy: usize,
    /// The number of dispatch workers.
    pub dispatch_workers: usize,
    /// The number of requests that have run for half a second or longer.
    pub slow: usize,
    /// These requests, the oldest first; at most 20.
    pub running: Vec<RunningRequest>,
}

/// A request that has not ended.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunningRequest {
    /// The number in `x-request-id`.
    pub id: String,
    /// The method in capitals.
    pub method: String,
    /// The path, percent-decoded.
    pub path: String,
    /// The time since its head was read.
    pub age_ms: f64,
}
