//! What the server does at this moment, as numbers.
//!
//! Costs a request one addition; all else is counted when somebody asks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::ws::Utf8Bytes;

use crate::message::{ms, unix_ms};

use super::{Recorder, encode};
use crate::dev::protocol::{Body, Metrics, Running};

/// Requests that ended within this time count for the percentiles.
const WINDOW: Duration = Duration::from_secs(10);
/// A request that has run for so long is named.
const SLOW: Duration = Duration::from_millis(500);
/// Requests that are named.
const MAX_RUNNING: usize = 20;

/// Measures from one reading to the next.
pub(in crate::dev) struct Meter {
    recorder: Arc<Recorder>,
    answered: u64,
    read_at: Instant,
}

impl Recorder {
    /// Measures from now on.
    pub(in crate::dev) fn meter(self: &Arc<Self>) -> Meter {
        let answered = self.lock().answered;
        Meter { recorder: Arc::clone(self), answered, read_at: Instant::now() }
    }
}

impl Meter {
    /// What is now, as a message after the event `seq`; `None` once the runtime is gone.
    pub(in crate::dev) fn read(&mut self, seq: u64) -> Option<Utf8Bytes> {
        let runtime = self.recorder.runtime.upgrade()?;
        let now = Instant::now();
        let (answered, mut totals) = self.recent();
        let new = answered - std::mem::replace(&mut self.answered, answered);
        let time = now.duration_since(std::mem::replace(&mut self.read_at, now));
        totals.sort_unstable();
        let within = |percent: usize| {
            let place = (totals.len() * percent).div_ceil(100).checked_sub(1)?;
            totals.get(place).copied().map(ms)
        };
        let workers = runtime.dispatch_workers();
        let slow = runtime.in_flight_since_before(now - SLOW);
        let masking = self.recorder.masking();
        let running = slow.iter().take(MAX_RUNNING).map(|(id, head, since)| Running {
            id: id.to_string(),
            method: head.method().to_owned(),
            path: masking.path(&head.path()),
            age_ms: ms(now.duration_since(*since)),
        });
        let metrics = Metrics {
            requests_per_s: rate(new, time),
            p50_ms: within(50),
            p95_ms: within(95),
            p99_ms: within(99),
            queued: runtime.queued(0).1,
            busy: workers.iter().filter(|worker| worker.request.is_some()).count(),
            dispatch_workers: workers.len(),
            slow: slow.len(),
            running: running.collect(),
        };
        Some(encode(seq, Body::Metrics { metrics }))
    }

    /// How many requests were answered so far, and how long those of the last seconds took that are
    /// kept.
    fn recent(&self) -> (u64, Vec<Duration>) {
        let oldest = unix_ms(SystemTime::now() - WINDOW);
        let state = self.recorder.lock();
        let recent = state.requests.iter().rev().take_while(|kept| kept.ended_ms() >= oldest);
        (state.answered, recent.map(|kept| kept.total()).collect())
    }
}

/// A second, to one digit after the point.
fn rate(count: u64, time: Duration) -> f64 {
    (count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE) * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_time_between_two_readings() {
        assert_eq!(rate(31, Duration::from_millis(2000)), 15.5);
        assert_eq!(rate(0, Duration::ZERO), 0.0);
    }
}
