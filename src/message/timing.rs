//! The timestamps of a request, and the durations of its phases.

use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

/// When a request passed each point; phases are the differences.
#[derive(Debug)]
pub struct Timestamps {
    /// When it was queued.
    pub queued: Instant,
    /// When a dispatch worker popped it, or when its handler began on another thread.
    pub taken: Instant,
    /// When its thread had the interpreter.
    pub attached: Instant,
    /// When the handler returned.
    pub returned: Instant,
    /// When the result was converted into a response.
    pub converted: Instant,
    /// Whether the dispatch worker itself runs the handler.
    pub is_on_worker: bool,
    /// The CPU time of the worker's thread when the handler began.
    pub cpu_time_before: Duration,
    /// The CPU time of the handler, if it was measured.
    pub cpu_time: Option<Duration>,
    /// The requests that occupied the threads while it was queued.
    pub blockers: Vec<BlockingRequest>,
    /// Its tasks in the process pool.
    pub pool: Option<PoolTime>,
    /// The same one by one, if requests have spans; the first ones.
    pub pool_tasks: Vec<PoolTaskTime>,
}

impl Timestamps {
    /// Sets all timestamps to `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            queued: now,
            taken: now,
            attached: now,
            returned: now,
            converted: now,
            is_on_worker: true,
            cpu_time_before: Duration::ZERO,
            cpu_time: None,
            blockers: Vec::new(),
            pool: None,
            pool_tasks: Vec::new(),
        }
    }

    /// Records the tasks in the process pool; of some the name, how many seconds ago each began, and for
    /// how many it ran.
    pub fn record_pool(&mut self, pool: PoolTime, tasks: Vec<(String, f64, f64)>) {
        self.pool = Some(pool);
        let now = Instant::now();
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.pool_tasks.extend(tasks.into_iter().map(|(name, ago, ran)| PoolTaskTime {
            name,
            began: now.checked_sub(time(ago)).unwrap_or(now),
            time: time(ran),
        }));
    }
}

/// A request that occupied a Python thread while another one waited.
#[derive(Clone, Debug)]
pub struct BlockingRequest {
    /// As in its `x-request-id` header.
    pub id: u64,
    /// `GET`.
    pub method: String,
    /// Percent-decoded.
    pub path: String,
    /// How long it did so while the other one waited.
    pub time: Duration,
}

/// The phases of a request, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phases {
    /// Reading the body, and waiting for a reload to end.
    pub read: f64,
    /// Waiting for a thread to run on: a dispatch worker, the asyncio loop.
    pub queue: f64,
    /// Waiting for the interpreter.
    pub gil: f64,
    /// In the handler.
    pub py: f64,
    /// Converting its result into a response.
    pub convert: f64,
    /// Describing an exception, or another failure, and building the response to it.
    #[serde(default)]
    pub error: f64,
    /// Streaming the response, from the return of the handler to the end.
    #[serde(default)]
    pub stream: f64,
    /// Passing the response to its connection.
    #[serde(default)]
    pub send: f64,
    /// The rest of the total time, such as that of a handler whose client has left.
    #[serde(default)]
    pub other: f64,
}

impl Phases {
    /// Sets `other`, so that the phases add up to `total`.
    pub(crate) fn complete(mut self, total: Duration) -> Self {
        let Self { read, queue, gil, py, convert, error, stream, send, .. } = self;
        let rest = ms(total) - (read + queue + gil + py + convert + error + stream + send);
        // Each phase is rounded to a microsecond.
        self.other = if rest < 0.01 { 0.0 } else { (rest * 1e3).round() / 1e3 };
        self
    }
}

/// The tasks of a request in the process pool; tasks may run in parallel, so the sums of their times
/// may exceed the time of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolTime {
    /// Tasks that have ended.
    pub tasks: u64,
    /// The total time that they waited for a worker, in milliseconds.
    pub wait_ms: f64,
    /// The total time that workers ran them, including the transfer, in milliseconds.
    pub run_ms: f64,
}

impl PoolTime {
    /// Makes it of times in seconds.
    pub fn new(tasks: u64, waited: f64, ran: f64) -> Self {
        Self { tasks, wait_ms: waited * 1e3, run_ms: ran * 1e3 }
    }
}

/// A task of a request in the process pool.
#[derive(Clone, Debug)]
pub struct PoolTaskTime {
    /// `module.function`.
    pub name: String,
    /// When a worker began it.
    pub began: Instant,
    /// How long it ran.
    pub time: Duration,
}

/// Converts to milliseconds, the unit of all durations that people and tools see.
pub fn ms(duration: Duration) -> f64 {
    let us = duration.as_secs() * 1_000_000 + u64::from((duration.subsec_nanos() + 500) / 1000);
    us as f64 / 1e3
}

/// Converts to milliseconds since 1970 (UTC).
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
