//! What people who look on ask the runtime: pool, modules, workers, sources, matches.
//!
//! Never changes anything, and no request waits for an answer of these.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::message::Head;

use super::PythonRuntime;
use super::thread::{Control, DispatchWorker};

/// How long a question waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(1);

impl PythonRuntime {
    /// What the process pool does, as JSON; null while a module loads or Python is stopping.
    pub async fn pool_status(&self) -> serde_json::Value {
        self.describe("pool", &[]).await
    }

    /// The user's modules and what each was made from, as JSON; null while a module loads or
    /// Python is stopping.
    pub async fn modules(&self) -> serde_json::Value {
        self.describe("modules", &[]).await
    }

    /// The ids of the routes that serve, in the order in which they are tried; empty while a module
    /// loads or Python is stopping.
    pub async fn matching_order(&self) -> Vec<String> {
        serde_json::from_value(self.describe("order", &[]).await).unwrap_or_default()
    }

    /// The source of a route's handler as it was loaded, as JSON; null if it is not known, a module
    /// loads, or Python is stopping.
    pub async fn source(&self, route_id: &str) -> serde_json::Value {
        self.describe("source", &[route_id]).await
    }

    /// What [`explain`](Self::explain) says; null while a module loads or Python is stopping.
    pub async fn explain_soon(&self, method: &str, path: &str) -> serde_json::Value {
        self.describe("match", &[method, path]).await
    }

    /// Which requests are on the loop and at the pool, and what the pool does, as JSON; null while
    /// a module loads or Python is stopping.
    pub async fn workers(&self) -> serde_json::Value {
        self.describe("workers", &[]).await
    }

    /// What the dispatch workers are at.
    pub fn dispatch_workers(&self) -> Vec<DispatchWorker> {
        self.workers.look()
    }

    /// The ids of the first `limit` requests that wait for a dispatch worker, and how many wait.
    pub fn queued(&self, limit: usize) -> (Vec<u64>, usize) {
        self.queue.look(limit, |call| call.request.id)
    }

    /// A request on its way through Python, and when it came in; only in dev mode.
    pub fn in_flight(&self, id: u64) -> Option<(Head, Instant)> {
        self.in_flight.find(id)
    }

    /// Requests that came in before `time` and have not ended, the oldest first; only in dev mode.
    pub fn in_flight_since_before(&self, time: Instant) -> Vec<(u64, Head, Instant)> {
        self.in_flight.since_before(time)
    }

    /// Which route answers `method` on the decoded `path`, and why those near it do not, as JSON;
    /// `None` if Python is stopping. Blocks while a module loads.
    pub fn explain(&self, method: &str, path: &str) -> Option<serde_json::Value> {
        let (reply, answer) = mpsc::sync_channel(1);
        let (method, path) = (method.to_owned(), path.to_owned());
        self.control.send(Control::Explain { method, path, reply }).ok()?;
        let answer = answer.recv().ok()?;
        answer.inspect_err(|text| tracing::error!("the framework failed to match: {text}")).ok()
    }

    async fn describe(&self, what: &'static str, about: &[&str]) -> serde_json::Value {
        let (reply, answer) = oneshot::channel();
        let about = about.iter().map(|&each| each.to_owned()).collect();
        if self.control.try_send(Control::Describe { what, about, reply }).is_err() {
            return serde_json::Value::Null;
        }
        // While a module loads, however long, the runtime thread has no time.
        let answer = tokio::time::timeout(TIMEOUT, answer).await;
        answer.ok().and_then(Result::ok).unwrap_or_default()
    }
}
