//! `GET /__snaxum/api/workers`: the requests that are running or queued, and their threads.
//!
//! Changes nothing, and costs nothing until it is requested. Secrets in paths are masked.

use std::time::Instant;

use axum::extract::State;
use axum::response::Json;
use serde::Serialize;
use serde_json::Value;

use crate::message::ms;
use crate::python_runtime::PythonRuntime;
use crate::telemetry::{RouteLoad, Snapshot};

use crate::dev::engine::Dev;
use crate::dev::redact::Redactor;

/// Requests in one list at most; `count` has their total.
const MAX_LISTED: usize = 100;
/// The routes that are listed at most.
const MAX_ROUTES: usize = 15;

#[derive(Serialize)]
pub(super) struct WorkersResponse {
    /// The serving one.
    generation: u64,
    /// The threads that run `def` handlers.
    dispatch: Vec<DispatchWorkerState>,
    /// Requests that wait for one of them.
    queue: RequestList,
    /// The most that may (`max-queue`).
    queue_capacity: u64,
    /// The slowest routes since the start of the server, as `snaxum top` shows them.
    slowest_routes: Vec<RouteLoad>,
    /// Requests on the asyncio loop; null before its first use, or if unknown.
    r#loop: Option<RequestList>,
    /// Requests of handlers that use the pool, each on a thread of its own; null if unknown.
    pool_requests: Option<RequestList>,
    /// Requests that `def` handlers stream a response to, likewise.
    stream_requests: Option<RequestList>,
    /// The functions that run after a response, or wait for it, oldest first; null if unknown.
    background: Value,
    /// The open WebSockets.
    websockets: RequestList,
    /// The process pool; null if unknown.
    pool: Value,
}

#[derive(Serialize)]
struct DispatchWorkerState {
    name: String,
    /// Null while it is idle.
    request: Option<ActiveRequest>,
    /// Whether its handler has exceeded the time limit, so that another worker has replaced it.
    replaced: bool,
}

/// The first requests of a list, and the total.
#[derive(Serialize)]
struct RequestList {
    count: usize,
    requests: Vec<ActiveRequest>,
}

/// A request that has not ended.
#[derive(Serialize)]
struct ActiveRequest {
    id: String,
    /// Null if it has just ended.
    method: Option<String>,
    /// Decoded, secrets masked.
    path: Option<String>,
    /// Since its arrival.
    age_ms: Option<f64>,
    /// The generation that runs it; null while it is queued, or if unknown.
    generation: Option<u64>,
}

pub(super) async fn workers(State(dev): State<Dev>) -> Json<WorkersResponse> {
    let runtime = &*dev.inner.runtime;
    let mut report = runtime.workers().await;
    let redactor = dev.inner.recorder.redactor();
    let lookup = RequestLookup { runtime, redactor, generations: report["generations"].take() };
    let dispatch = runtime.dispatch_workers().into_iter().map(|worker| DispatchWorkerState {
        name: worker.name,
        request: worker.request.map(|id| lookup.running(id)),
        replaced: worker.is_replaced,
    });
    let (waiting, count) = runtime.queued(MAX_LISTED);
    let snapshot = runtime.measure(1).await;
    let since_start = runtime.started().elapsed();
    let mut slowest_routes = snapshot.slowest_routes(&Snapshot::default(), since_start);
    slowest_routes.truncate(MAX_ROUTES);
    Json(WorkersResponse {
        generation: runtime.serving().generation,
        dispatch: dispatch.collect(),
        queue: RequestList { count, ..lookup.list(&waiting) },
        queue_capacity: snapshot.queue_capacity,
        slowest_routes,
        r#loop: lookup.list_named(&report["loop"]),
        pool_requests: lookup.list_named(&report["pool_requests"]),
        stream_requests: lookup.list_named(&report["stream_requests"]),
        background: report["background"].take(),
        websockets: lookup.list(&runtime.websockets()),
        pool: report["pool"].take(),
    })
}

/// Describes requests by their ids, at one moment.
struct RequestLookup<'a> {
    runtime: &'a PythonRuntime,
    redactor: Redactor,
    /// By the ids of requests.
    generations: Value,
}

impl RequestLookup<'_> {
    /// Lists the requests whose ids Python has reported.
    fn list_named(&self, ids: &Value) -> Option<RequestList> {
        let ids: Vec<u64> = ids.as_array()?.iter().filter_map(Value::as_u64).collect();
        Some(self.list(&ids))
    }

    fn list(&self, ids: &[u64]) -> RequestList {
        let requests = ids.iter().take(MAX_LISTED).map(|&id| self.running(id)).collect();
        RequestList { count: ids.len(), requests }
    }

    fn running(&self, id: u64) -> ActiveRequest {
        let known = self.runtime.in_flight(id);
        let id = id.to_string();
        ActiveRequest {
            generation: self.generations[&id].as_u64(),
            method: known.as_ref().map(|(head, _)| head.method().to_owned()),
            path: known.as_ref().map(|(head, _)| self.redactor.path(&head.path())),
            age_ms: known.map(|(_, since): (_, Instant)| ms(since.elapsed())),
            id,
        }
    }
}
