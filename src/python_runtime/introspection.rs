//! Reads the state of the runtime: pool, modules, workers, sources, matching routes.
//!
//! Never changes anything, and no request waits for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::message::Head;

use super::PythonRuntime;
use super::messages::{Control, OpenApiText};
use super::workers::DispatchWorker;

/// How long the runtime thread has to reply.
const TIMEOUT: Duration = Duration::from_secs(1);

impl PythonRuntime {
    /// The state of the process pool, as JSON; null while a module loads or Python is stopping.
    pub async fn pool_status(&self) -> serde_json::Value {
        self.describe("pool", &[]).await
    }

    /// The user's modules and their files, as JSON; null while a module loads or Python is stopping.
    pub async fn modules(&self) -> serde_json::Value {
        self.describe("modules", &[]).await
    }

    /// The ids of the routes that serve, in the order of matching; empty while a module loads or
    /// Python is stopping.
    pub async fn matching_order(&self) -> Vec<String> {
        serde_json::from_value(self.describe("order", &[]).await).unwrap_or_default()
    }

    /// The source of a route's handler as it was loaded, as JSON; null if it is not known, a module
    /// loads, or Python is stopping.
    pub async fn source(&self, route_id: &str) -> serde_json::Value {
        self.describe("source", &[route_id]).await
    }

    /// The diff of a save by its number in a report, as JSON; null while a module loads or Python is
    /// stopping.
    pub async fn save_diff(&self, number: u64) -> serde_json::Value {
        self.describe("save", &[&number.to_string()]).await
    }

    /// The result of [`explain`](Self::explain); null while a module loads or Python is stopping.
    pub async fn explain_soon(&self, method: &str, path: &str) -> serde_json::Value {
        self.describe("match", &[method, path]).await
    }

    /// The requests on the loop and at the pool, and the pool's processes, as JSON; null while a
    /// module loads or Python is stopping.
    pub async fn workers(&self) -> serde_json::Value {
        self.describe("workers", &[]).await
    }

    /// The dispatch workers, and the request that each runs.
    pub fn dispatch_workers(&self) -> Vec<DispatchWorker> {
        self.workers.snapshot()
    }

    /// Whether `max-stuck` handlers of one kind hang: their threads, or their event loops, are no longer
    /// replaced, so that another process should replace this one.
    pub fn is_exhausted(&self) -> bool {
        self.workers.is_exhausted() || self.ended_requests.is_exhausted.load(Ordering::Acquire)
    }

    /// The ids of the first `limit` requests that wait for a dispatch worker, and how many wait for one
    /// or for the loop.
    pub fn queued(&self, limit: usize) -> (Vec<u64>, usize) {
        let (first, count) = self.queue.peek(limit, |call| call.request.id);
        (first, count + self.loop_calls.len())
    }

    /// Returns a function that reports whether a request is in flight; only in dev mode. It does not
    /// prolong the life of the runtime.
    pub fn in_flight_check(&self) -> impl Fn(u64) -> bool + Send + Sync + 'static {
        let in_flight = Arc::clone(&self.in_flight);
        move |id| in_flight.has(id)
    }

    /// A request in flight, and when it came in; only in dev mode.
    pub fn in_flight(&self, id: u64) -> Option<(Head, Instant)> {
        self.in_flight.find(id)
    }

    /// Profiles each request to a route from now on, or no longer; false if too many routes are
    /// profiled. Only in dev mode.
    pub fn switch_profile(&self, route_id: &str, is_on: bool) -> bool {
        self.in_flight.profile.switch(route_id, is_on)
    }

    /// The ids of the routes whose requests are all profiled; only in dev mode.
    pub fn profiled_routes(&self) -> Vec<String> {
        self.in_flight.profile.switched()
    }

    /// The ids of the open WebSockets, oldest first; only in dev mode.
    pub fn websockets(&self) -> Vec<u64> {
        self.in_flight.websockets()
    }

    /// The requests in flight that came in before `time`, oldest first, but for WebSockets; only in
    /// dev mode.
    pub fn in_flight_since_before(&self, time: Instant) -> Vec<(u64, Head, Instant)> {
        self.in_flight.since_before(time)
    }

    /// Explains as JSON which route matches `method` and the decoded `path`, and why similar routes
    /// do not; `None` if Python is stopping. Blocks while a module loads.
    pub fn explain(&self, method: &str, path: &str) -> Option<serde_json::Value> {
        let (reply, replies) = mpsc::sync_channel(1);
        let (method, path) = (method.to_owned(), path.to_owned());
        self.control.send(Control::Explain { method, path, reply }).ok()?;
        let explained = replies.recv().ok()?;
        explained
            .inspect_err(|text| tracing::error!("cannot match the path in Python: {text}"))
            .ok()
    }

    /// Makes the OpenAPI document of the serving generation. Blocks while a module loads.
    ///
    /// # Errors
    ///
    /// The exception that it raised, in one line, or that Python is stopping.
    pub fn openapi_document(&self) -> Result<OpenApiText, String> {
        self.request_openapi_document().recv().unwrap_or_else(|_| Err("Python is stopping".into()))
    }

    /// Requests the document, after all reloads that were requested before. Never blocks; if Python
    /// is stopping or too busy, nothing is sent.
    pub fn request_openapi_document(&self) -> mpsc::Receiver<Result<OpenApiText, String>> {
        let (reply, document) = mpsc::sync_channel(1);
        let _ = self.control.try_send(Control::OpenApi { reply }); // dropped: the receiver ends
        document
    }

    async fn describe(&self, what: &'static str, about: &[&str]) -> serde_json::Value {
        let (reply, description) = oneshot::channel();
        let about = about.iter().map(|&each| each.to_owned()).collect();
        if self.control.try_send(Control::Describe { what, about, reply }).is_err() {
            return serde_json::Value::Null;
        }
        // The runtime thread does not reply while a module loads, which may take long.
        let description = tokio::time::timeout(TIMEOUT, description).await;
        description.ok().and_then(Result::ok).unwrap_or_default()
    }
}
