//! The state of the runtime for load balancers and metrics.
//!
//! Reads it when asked, and changes nothing but what a stop announces.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::telemetry::{
    Identities, Member, MetricsSource, Readiness, Snapshot, Telemetry, WorkerCounts,
};

use super::PythonRuntime;
use super::messages::Control;

impl PythonRuntime {
    /// The ids of requests and traces.
    pub(crate) fn identities(&self) -> Identities {
        self.identities
    }

    /// The record of requests, if an option needs it.
    pub fn telemetry(&self) -> Option<&Arc<Telemetry>> {
        self.telemetry.as_ref()
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Returns once Python's main thread has the interpreter: code that never releases it prevents that.
    pub async fn responds(&self) {
        let (reply, answer) = oneshot::channel();
        if self.control.try_send(Control::Probe { reply }).is_ok() {
            let _ = answer.await; // an error: it stops
        }
    }

    /// Makes `/readyz` respond with 503 from now on, while requests are still served: load balancers
    /// should send no more of them before the server stops.
    pub fn announce_stop(&self) {
        self.is_retiring.store(true, Ordering::Release);
    }

    /// Lets `/readyz` respond as before while this process stops: another one serves in its place, and the
    /// requests that it still gets are for the server.
    pub fn announce_replacement(&self) {
        self.shutdown_state.replace();
    }

    /// Whether this server should get requests, and the reasons if not. Takes no lock for longer than a
    /// request does, and never waits for Python.
    pub fn readiness(&self) -> Readiness {
        let serving = self.serving();
        let broken = &serving.last_reload.report.broken;
        let is_stopping = self.is_retiring.load(Ordering::Acquire)
            || self.stopped.load(Ordering::Acquire)
            || self.stopping().is_cancelled() && !self.shutdown_state.is_replaced();
        let reasons = [
            (is_stopping, "the server is stopping".to_owned()),
            (serving.generation == 0, "no code is loaded".to_owned()),
            (!broken.is_empty(), format!("not loaded: {}", broken.join(", "))),
            (self.queue.is_full(), "the queue is full".to_owned()),
            (self.is_exhausted(), "`max-stuck` handlers hang".to_owned()),
        ];
        let reasons = reasons.into_iter().filter(|(applies, _)| *applies);
        Readiness { reasons: reasons.map(|(_, reason)| reason).collect() }
    }

    /// The counters and the state of this process, which is the one with this number. Without the option
    /// `metrics`, requests are counted only for an access log.
    pub async fn measure(&self, number: u64) -> Snapshot {
        let pool = self.pool_counts.ask(&self.control).await;
        let workers = self.dispatch_workers();
        let count = |is_it: &dyn Fn(&super::DispatchWorker) -> bool| {
            workers.iter().filter(|worker| is_it(worker)).count() as u64
        };
        let workers = WorkerCounts {
            count: count(&|worker| !worker.is_replaced),
            busy: count(&|worker| !worker.is_replaced && worker.request.is_some()),
            stuck: count(&|worker| worker.is_replaced),
        };
        let started = SystemTime::now() - self.started.elapsed();
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            python: self.python_version(),
            processes: 1,
            generation: self.serving().generation,
            started: started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            queued: self.queued(0).1 as u64,
            queue_capacity: self.config.max_queue as u64,
            workers,
            pool,
            ..Snapshot::default()
        };
        if let Some(telemetry) = &self.telemetry {
            telemetry.fill(&mut snapshot);
        }
        snapshot.members = vec![Member {
            number,
            pid: std::process::id(),
            generation: snapshot.generation,
            requests: snapshot.requests(),
            in_progress: snapshot.in_progress,
            queued: snapshot.queued,
            workers,
            usage: snapshot.usage,
        }];
        snapshot
    }
}

/// A server of one process.
impl MetricsSource for Arc<PythonRuntime> {
    async fn snapshot(&self) -> Snapshot {
        self.measure(1).await
    }

    async fn readiness(&self) -> Readiness {
        PythonRuntime::readiness(self)
    }
}
