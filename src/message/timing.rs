//! When what happened to a request, and where its time went.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// When a request passed which point; phases are the differences.
#[derive(Debug)]
pub struct Timestamps {
    /// Put in the queue.
    pub queued: Instant,
    /// Taken by a dispatch worker; begun, if it is not the worker that runs the handler.
    pub taken: Instant,
    /// Its thread held the interpreter.
    pub attached: Instant,
    /// The handler returned.
    pub returned: Instant,
    /// The result was turned into a response.
    pub converted: Instant,
    /// Whether the dispatch worker itself runs the handler.
    pub is_on_worker: bool,
    /// What the worker's thread had computed when the handler began.
    pub computed_before: Duration,
    /// What the handler computed itself, where that was measured.
    pub computed: Option<Duration>,
    /// Who held the threads while it was queued.
    pub blockers: Vec<BlockingRequest>,
    /// What it had the process pool do.
    pub pool: Option<PoolTime>,
}

impl Timestamps {
    /// All at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            queued: now,
            taken: now,
            attached: now,
            returned: now,
            converted: now,
            is_on_worker: true,
            computed_before: Duration::ZERO,
            computed: None,
            blockers: Vec::new(),
            pool: None,
        }
    }
}

/// A request that held a Python thread while another one waited.
#[derive(Clone, Debug)]
pub struct BlockingRequest {
    /// As in its `x-request-id` header.
    pub id: u64,
    /// `GET`.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// For how long, of the time that the other one waited.
    pub time: Duration,
}

/// Where the time of a request went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phases {
    /// Reading the body, and waiting for a reload to settle.
    pub read: f64,
    /// Waiting for a thread to run on: a dispatch worker, the asyncio loop.
    pub queue: f64,
    /// Waiting for the interpreter.
    pub gil: f64,
    /// In the handler.
    pub py: f64,
    /// Turning its result into a response.
    pub convert: f64,
    /// Handing the response over to its connection; of a stream, its head.
    #[serde(default)]
    pub send: f64,
}

/// What a request had the process pool do; tasks may run side by side, so sums of their times may be
/// longer than the handler ran.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolTime {
    /// Tasks that have ended.
    pub tasks: u64,
    /// How long they waited for a worker, in milliseconds, summed up.
    pub wait_ms: f64,
    /// How long a worker was at them, the way there and back included, in milliseconds, summed up.
    pub run_ms: f64,
}
