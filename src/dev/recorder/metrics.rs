//! Measures the current load of the server.
//!
//! Costs a request one addition; the other numbers are computed when a client reads them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::message::{ms, unix_ms};

use super::Recorder;
use crate::dev::protocol::{EventBody, Metrics, RunningRequest, encode};

/// Requests that ended within this time count for the percentiles.
const WINDOW: Duration = Duration::from_secs(10);
/// The time after which a running request is listed.
const SLOW: Duration = Duration::from_millis(500);
/// The most running requests that are listed.
const MAX_RUNNING: usize = 20;

/// Measures the time between two reads.
pub(in crate::dev) struct Meter {
    recorder: Arc<Recorder>,
    completed: u64,
    read_at: Instant,
}

impl Recorder {
    /// Starts to measure.
    pub(in crate::dev) fn meter(self: &Arc<Self>) -> Meter {
        let completed = self.lock().completed;
        Meter { recorder: Arc::clone(self), completed, read_at: Instant::now() }
    }
}

impl Meter {
    /// Writes the message that follows the event `seq`; `None` once the runtime has stopped.
    pub(in crate::dev) fn read(&mut self, seq: u64) -> Option<String> {
        let runtime = self.recorder.runtime.upgrade()?;
        let now = Instant::now();
        let (completed, mut totals) = self.recent();
        let new = completed - std::mem::replace(&mut self.completed, completed);
        let time = now.duration_since(std::mem::replace(&mut self.read_at, now));
        totals.sort_unstable();
        let within = |percent: usize| {
            let position = (totals.len() * percent).div_ceil(100).checked_sub(1)?;
            totals.get(position).copied().map(ms)
        };
        let workers = runtime.dispatch_workers();
        let slow = runtime.in_flight_since_before(now - SLOW);
        let redactor = self.recorder.redactor();
        let running = slow.iter().take(MAX_RUNNING).map(|(id, head, since)| RunningRequest {
            id: id.to_string(),
            method: head.method().to_owned(),
            path: redactor.path(&head.path()),
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
        Some(encode(seq, EventBody::Metrics { metrics }))
    }

    /// Returns the number of requests so far, and the durations of the recorded ones from the last
    /// seconds.
    fn recent(&self) -> (u64, Vec<Duration>) {
        let oldest = unix_ms(SystemTime::now() - WINDOW);
        let state = self.recorder.lock();
        let recent = state.requests.iter().rev().take_while(|request| request.ended_ms() >= oldest);
        (state.completed, recent.map(|request| request.total()).collect())
    }
}

/// Computes the rate each second, rounded to one decimal.
fn rate(count: u64, time: Duration) -> f64 {
    (count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE) * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_covers_the_time_between_two_reads() {
        assert_eq!(rate(31, Duration::from_millis(2000)), 15.5);
        assert_eq!(rate(0, Duration::ZERO), 0.0);
    }
}
