//! `GET /__snaxum/api/workers`: what runs now, and where.
//!
//! Only looks, and only when somebody asks. Names of requests have their secrets masked.

use std::time::Instant;

use axum::extract::State;
use axum::response::Json;
use serde::Serialize;
use serde_json::Value;

use crate::message::ms;
use crate::python_runtime::PythonRuntime;

use crate::dev::engine::Dev;
use crate::dev::redact::Masking;

/// Requests that a list holds at most; how many there are is told beside.
const MAX_LISTED: usize = 100;

/// `GET /__snaxum/api/workers`.
#[derive(Serialize)]
pub(in crate::dev) struct Workers {
    /// That serves now.
    generation: u64,
    /// The threads that run `def` handlers.
    dispatch: Vec<Dispatch>,
    /// What waits for one of them.
    queue: Listed,
    /// Requests on the asyncio loop; null as long as nothing has needed it, or nobody can tell.
    r#loop: Option<Listed>,
    /// Handlers that use the pool, each on a thread that may wait; null if nobody can tell.
    pool_requests: Option<Listed>,
    /// Streams of `def` handlers, likewise.
    stream_requests: Option<Listed>,
    /// The process pool; null if nobody can tell.
    pool: Value,
}

/// A dispatch worker.
#[derive(Serialize)]
struct Dispatch {
    name: String,
    /// What it runs.
    request: Option<Running>,
    /// Whether its handler has outlived the time limit, and another worker has taken its place.
    replaced: bool,
}

/// Some requests, and how many there are.
#[derive(Serialize)]
struct Listed {
    count: usize,
    requests: Vec<Running>,
}

/// A request that has not ended.
#[derive(Serialize)]
struct Running {
    id: String,
    /// Null if it ended just now.
    method: Option<String>,
    /// Decoded, secrets masked.
    path: Option<String>,
    /// Since it came in.
    age_ms: Option<f64>,
    /// That runs it; null while it waits, or if nobody can tell.
    generation: Option<u64>,
}

pub(in crate::dev) async fn workers(State(dev): State<Dev>) -> Json<Workers> {
    let runtime = &*dev.inner.runtime;
    let mut told = runtime.workers().await;
    let masking = dev.inner.recorder.masking();
    let looks = Look { runtime, masking, generations: told["generations"].take() };
    let dispatch = runtime.dispatch_workers().into_iter().map(|worker| Dispatch {
        name: worker.name,
        request: worker.request.map(|id| looks.running(id)),
        replaced: worker.is_replaced,
    });
    let (waiting, count) = runtime.queued(MAX_LISTED);
    Json(Workers {
        generation: runtime.serving().generation,
        dispatch: dispatch.collect(),
        queue: Listed { count, ..looks.listed(&waiting) },
        r#loop: looks.named(&told["loop"]),
        pool_requests: looks.named(&told["pool_requests"]),
        stream_requests: looks.named(&told["stream_requests"]),
        pool: told["pool"].take(),
    })
}

/// What is known of requests at one moment.
struct Look<'a> {
    runtime: &'a PythonRuntime,
    masking: Masking,
    /// By the ids of requests.
    generations: Value,
}

impl Look<'_> {
    /// Requests that Python names by their ids.
    fn named(&self, ids: &Value) -> Option<Listed> {
        let ids: Vec<u64> = ids.as_array()?.iter().filter_map(Value::as_u64).collect();
        Some(self.listed(&ids))
    }

    fn listed(&self, ids: &[u64]) -> Listed {
        let requests = ids.iter().take(MAX_LISTED).map(|&id| self.running(id)).collect();
        Listed { count: ids.len(), requests }
    }

    fn running(&self, id: u64) -> Running {
        let known = self.runtime.in_flight(id);
        let id = id.to_string();
        Running {
            generation: self.generations[&id].as_u64(),
            method: known.as_ref().map(|(head, _)| head.method().to_owned()),
            path: known.as_ref().map(|(head, _)| self.masking.path(&head.path())),
            age_ms: known.map(|(_, since): (_, Instant)| ms(since.elapsed())),
            id,
        }
    }
}
