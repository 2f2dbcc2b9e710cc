//! Requests, what came of them, and what runs now.

use serde::Serialize;

use crate::message::{ErrorSummary, Phases, PoolTime, Traceback};

use super::LogLine;

/// A request that begins.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestStart {
    /// As in `x-request-id`.
    pub id: String,
    /// When its head had been read.
    pub time_ms: u64,
    /// In capitals.
    pub method: String,
    /// Percent-decoded, secrets masked.
    pub path: String,
}

/// A request in short.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestSummary {
    /// As in `x-request-id`.
    pub id: String,
    /// When its head had been read.
    pub time_ms: u64,
    /// In capitals.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// Raw, secrets masked.
    pub query: String,
    /// Of the answer; 499 without a generation if the client went away before it.
    pub status: u16,
    /// That answered; null if Python was not reached.
    pub generation: Option<u64>,
    /// The pattern that matched.
    pub route: Option<String>,
    /// Its handler.
    pub handler: Option<String>,
    /// Its mode.
    pub mode: Option<String>,
    /// Where the time went.
    pub phases: Phases,
    /// From head to answer.
    pub total_ms: f64,
    /// Of `phases.py`, what a `def` handler computed itself; it waited for the rest. Null if it took
    /// less than 5 ms, or did not run on a dispatch worker.
    pub py_cpu_ms: Option<f64>,
    /// Who held the threads while it waited in `phases.queue`, the longest first: three at most, and
    /// none if that was less than 5 ms.
    pub blocked_by: Vec<Holder>,
    /// What it had the process pool do, inside of `phases.py`; null if it gave it no task.
    pub pool: Option<PoolTime>,
    /// The request that it repeats.
    pub replay_of: Option<String>,
    /// What the handler raised, in short.
    pub error: Option<ErrorSummary>,
}

/// A request that held a Python thread while another one waited.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    /// As in `x-request-id`.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// For how long, of the other one's wait.
    pub ms: f64,
}

/// `GET /__snaxum/api/requests/ID`: a request whole.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: RequestSummary,
    /// Secrets masked.
    pub request_headers: Vec<(String, String)>,
    /// Secrets masked.
    pub response_headers: Vec<(String, String)>,
    /// Null if it could not be read.
    pub request_body: Option<Content>,
    /// Null if it was a stream, or Snaxum's own: an error page.
    pub response_body: Option<Content>,
    /// Where the handler raised.
    pub traceback: Option<Traceback>,
    /// What was printed and logged for it, oldest first, as far as it is kept.
    pub logs: Vec<LogLine>,
}

/// A request that is sent again after each reload until its answer is below 400.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pin {
    /// Of the request that was pinned.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// `failing`, or `passing` since a response was below 400.
    pub state: &'static str,
    /// Of the newest answer.
    pub status: u16,
    /// That gave it; null if Python was not reached.
    pub generation: Option<u64>,
    /// The newest replay; null before the first.
    pub replay: Option<String>,
    /// How often it was sent again.
    pub replays: u64,
}

/// A body as far as it is kept: 64 KiB at most.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Content {
    /// Of the whole, in bytes.
    pub size: u64,
    /// Secrets masked; null if it cannot be shown.
    pub text: Option<String>,
    /// Why there is no text, or not all of it; null if there is.
    pub note: Option<&'static str>,
}

/// What the server does at this moment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metrics {
    /// Requests answered each second since the last message of this kind.
    pub requests_per_s: f64,
    /// The time that half of the requests of the last 10 s stayed within, of the newest that are
    /// kept; null if there were none.
    pub p50_ms: Option<f64>,
    /// The same of 95 %.
    pub p95_ms: Option<f64>,
    /// The same of 99 %.
    pub p99_ms: Option<f64>,
    /// Requests that wait for a dispatch worker.
    pub queued: usize,
    /// Dispatch workers that run a handler.
    pub busy: usize,
    /// All of them.
    pub dispatch_workers: usize,
    /// How many requests came in half a second ago or earlier, and have not ended.
    pub slow: usize,
    /// Those, the oldest first; 20 at most.
    pub running: Vec<Running>,
}

/// A request that has not ended.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    /// As in `x-request-id`.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// Since it came in.
    pub age_ms: f64,
}
