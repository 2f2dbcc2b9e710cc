//! Spans of requests for a collector of OpenTelemetry (cargo feature `otel`).
//!
//! No request waits for the collector: spans go through a bounded queue to a thread, and while it is full
//! new ones are dropped and counted. Owns the queue and the thread. The environment has the variables of
//! OpenTelemetry (`environment`); the format is OTLP's JSON over HTTP (`otlp`, `exporter`).

mod environment;
mod exporter;
mod otlp;
mod sampler;

use std::sync::Weak;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Condvar, Mutex};

use super::request_span::RequestSpan;
use super::snapshot::SpanCounts;

use environment::SpanSettings;
use exporter::Exporter;
pub(super) use sampler::Sampler;

/// The limit for the last spans of a process.
const LAST_SPANS: Duration = Duration::from_secs(1);
/// How often a failure is logged while it lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The queue of this process.
static QUEUE: Mutex<Weak<SpanQueue>> = Mutex::new(Weak::new());

/// Records the spans of requests.
#[derive(Debug)]
pub(super) struct Spans(Arc<SpanQueue>);

#[derive(Debug)]
struct SpanQueue {
    max_waiting: usize,
    max_batch: usize,
    state: Mutex<WaitingSpans>,
    changed: Condvar,
    exported: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct WaitingSpans {
    requests: Vec<RequestSpan>,
    /// The number of their spans.
    count: usize,
    is_exporting: bool,
    is_ending: bool,
}

impl Spans {
    /// Starts the thread that exports them, if the environment names a collector; logs why not.
    pub(super) fn start() -> Option<Self> {
        if !crate::config::exports_spans() {
            return None;
        }
        let started = SpanSettings::from_environment().and_then(|settings| {
            let queue = Arc::new(SpanQueue {
                max_waiting: settings.max_waiting,
                max_batch: settings.max_batch,
                state: Mutex::default(),
                changed: Condvar::default(),
                exported: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            });
            let (of_thread, delay) = (Arc::clone(&queue), settings.delay);
            let exporter = Exporter::new(settings)?;
            let thread = thread::Builder::new().name("spans".into());
            let started = thread.spawn(move || of_thread.export(delay, exporter));
            started.map_err(|error| error.to_string())?;
            Ok(queue)
        });
        match started {
            Ok(queue) => {
                *QUEUE.lock() = Arc::downgrade(&queue);
                Some(Self(queue))
            }
            Err(problem) => {
                tracing::warn!("spans are not exported: {problem}");
                None
            }
        }
    }

    /// Records a request; without room it is dropped.
    pub(super) fn record(&self, request: impl FnOnce() -> RequestSpan) {
        let queue = &*self.0;
        let request = request();
        let count = otlp::span_count(&request);
        let mut state = queue.state.lock();
        if state.count + count > queue.max_waiting {
            drop(state);
            queue.dropped.fetch_add(count as u64, Ordering::Relaxed);
            return;
        }
        let (was_empty, was_small) = (state.requests.is_empty(), state.count < queue.max_batch);
        state.requests.push(request);
        state.count += count;
        let is_batch = was_small && state.count >= queue.max_batch;
        drop(state);
        if was_empty || is_batch {
            queue.changed.notify_all();
        }
    }

    pub(super) fn counts(&self) -> SpanCounts {
        SpanCounts {
            exported: self.0.exported.load(Ordering::Relaxed),
            dropped: self.0.dropped.load(Ordering::Relaxed),
        }
    }
}

/// Waits until the last spans have been exported, within a time limit.
pub(super) fn finish() {
    let queue = QUEUE.lock().upgrade();
    if let Some(queue) = queue {
        let mut state = queue.state.lock();
        state.is_ending = true;
        queue.changed.notify_all();
        let is_open = |state: &mut WaitingSpans| state.is_exporting || !state.requests.is_empty();
        drop(queue.changed.wait_timeout_while(state, LAST_SPANS, is_open));
    }
}

impl SpanQueue {
    fn export(&self, delay: Duration, mut exporter: Exporter) {
        let mut last_warning: Option<Instant> = None;
        loop {
            let state = self.state.lock();
            let state = self.changed.wait_while(state, |state| state.requests.is_empty());
            let mut state = self.changed.wait_timeout_while(state, delay, |state| {
                state.count < self.max_batch && !state.is_ending
            });
            let mut size = 0;
            let end = state.requests.iter().position(|request| {
                size += otlp::span_count(request);
                size >= self.max_batch
            });
            let end = end.map_or(state.requests.len(), |last| last + 1);
            let batch: Vec<_> = state.requests.drain(..end).collect();
            let count: usize = batch.iter().map(otlp::span_count).sum();
            state.count -= count;
            state.is_exporting = true;
            let is_ending = state.is_ending;
            drop(state);
            let (rejected, problem) = match exporter.export(&batch, is_ending) {
                Ok(None) => (0, None),
                Ok(Some((rejected, problem))) => (rejected.min(count as u64), Some(problem)),
                Err(problem) => (count as u64, Some(problem)),
            };
            self.dropped.fetch_add(rejected, Ordering::Relaxed);
            self.exported.fetch_add(count as u64 - rejected, Ordering::Relaxed);
            if let Some(problem) = problem
                && last_warning.is_none_or(|last| last.elapsed() > LOG_INTERVAL)
            {
                last_warning = Some(Instant::now());
                tracing::warn!("{rejected} spans were not exported: {problem}");
            }
            self.state.lock().is_exporting = false;
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_without_room_are_dropped_and_counted() {
        let spans = Spans(Arc::new(SpanQueue {
            max_waiting: 5,
            max_batch: 4,
            state: Mutex::default(),
            changed: Condvar::default(),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }));
        for _ in 0..3 {
            spans.record(otlp::tests::request); // each has two spans
        }
        assert_eq!((spans.0.state.lock().count, spans.counts().dropped), (4, 2));
    }
}
