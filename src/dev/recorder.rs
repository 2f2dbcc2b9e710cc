//! Keeps the newest requests and reloads, and passes them on to open consoles.
//!
//! Every list is bounded, secrets are masked before anything is kept, and a console that does not
//! read loses events, never the server time. Knows nothing of HTTP.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::extract::ws::Utf8Bytes;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::event::Event;
use crate::message::{LoadOutcome, Traceback};
use crate::python_runtime::PythonRuntime;

use super::guard;
use super::protocol::{self, Body, Limits, Message, Reload, RequestDetail, RequestSummary, Status};

/// What is kept.
pub(super) const LIMITS: Limits = Limits { requests: 500, reloads: 100 };
/// Events that a console may be behind before it loses some.
const BACKLOG: usize = 1024;

/// The rings, and the consoles that follow them.
pub(super) struct Recorder {
    runtime: Weak<PythonRuntime>,
    /// Tells two runs of the server apart.
    run_id: String,
    /// Whether saves are not acted on.
    paused: AtomicBool,
    state: Mutex<State>,
    frames: broadcast::Sender<Frame>,
}

/// What goes to every console.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    Text(Utf8Bytes),
    /// The server stops.
    Close,
}

#[derive(Default)]
struct State {
    seq: u64,
    requests: VecDeque<Arc<RequestDetail>>,
    reloads: VecDeque<Arc<Reload>>,
    last_failure: Option<Traceback>,
}

impl Recorder {
    pub(super) fn new(runtime: &Arc<PythonRuntime>) -> Self {
        let first = Reload::from(&runtime.serving().last_reload);
        let state = State {
            last_failure: first.traceback.clone(),
            reloads: VecDeque::from([Arc::new(first)]),
            ..State::default()
        };
        Self {
            runtime: Arc::downgrade(runtime),
            run_id: guard::random_text(12),
            paused: AtomicBool::new(false),
            state: Mutex::new(state),
            frames: broadcast::Sender::new(BACKLOG),
        }
    }

    /// Notes an event; runs where it was emitted and returns at once.
    pub(super) fn record(&self, event: &Event) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        match event {
            Event::RequestEnd(record) => {
                let detail = RequestDetail::of(record, &runtime.serving().routes);
                let detail = Arc::new(detail);
                let mut state = self.lock();
                if let Some(traceback) = &detail.traceback {
                    state.last_failure = Some(traceback.clone());
                }
                push(&mut state.requests, Arc::clone(&detail), LIMITS.requests);
                self.send(&mut state, Body::RequestEnd { request: &detail.summary });
            }
            Event::ReloadStart { files } => {
                self.send(&mut self.lock(), Body::ReloadStart { files });
            }
            Event::Paused(paused) => {
                self.paused.store(*paused, Ordering::Release);
                let status = Box::new(self.status(&runtime, Value::Null));
                self.send(&mut self.lock(), Body::Status { status });
            }
            Event::ReloadEnd(reload) => {
                let reload = Arc::new(Reload::from(reload));
                let status = Box::new(self.status(&runtime, Value::Null));
                let mut state = self.lock();
                if reload.traceback.is_some() {
                    state.last_failure.clone_from(&reload.traceback);
                }
                push(&mut state.reloads, Arc::clone(&reload), LIMITS.reloads);
                let body = match reload.outcome {
                    LoadOutcome::Failed => Body::ReloadFail { reload: &reload, status },
                    _ => Body::ReloadOk { reload: &reload, status },
                };
                self.send(&mut state, body);
                if reload.outcome != LoadOutcome::Failed {
                    self.send(&mut state, Body::Routes { routes: &runtime.serving().routes });
                }
            }
        }
    }

    /// Everything so far as two frames, and what comes after them: nothing between is lost.
    pub(super) fn follow(&self) -> Option<(Vec<Utf8Bytes>, broadcast::Receiver<Frame>)> {
        let runtime = self.runtime.upgrade()?;
        let serving = runtime.serving();
        let state = self.lock();
        let receiver = self.frames.subscribe();
        let hello = Body::Hello {
            run_id: &self.run_id,
            generation: serving.generation,
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            limits: LIMITS,
        };
        let summaries: Vec<&RequestSummary> =
            state.requests.iter().rev().map(|request| &request.summary).collect();
        let snapshot = Body::Snapshot {
            status: Box::new(self.status(&runtime, Value::Null)),
            routes: &serving.routes,
            requests: summaries,
            reloads: state.reloads.iter().rev().map(|reload| &**reload).collect(),
            last_failure: state.last_failure.as_ref(),
        };
        let frames = [hello, snapshot].map(|body| encode(state.seq, body));
        Some((frames.into(), receiver))
    }

    /// The state of the server as the API tells it.
    pub(super) fn status(&self, runtime: &PythonRuntime, pool: Value) -> Status {
        let serving = runtime.serving();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            pid: std::process::id(),
            run_id: self.run_id.clone(),
            generation: serving.generation,
            state: if serving.failing { "failing" } else { "ok" },
            paused: self.paused.load(Ordering::Acquire),
            routes: serving.routes.len(),
            uptime_s: runtime.started().elapsed().as_secs_f64(),
            last_reload: Some(Reload::from(&serving.last_reload)),
            pool,
        }
    }

    /// Newest first.
    pub(super) fn requests(&self) -> Vec<RequestSummary> {
        self.lock().requests.iter().rev().map(|request| request.summary.clone()).collect()
    }

    /// One request, while it is among the newest.
    pub(super) fn request(&self, id: &str) -> Option<Arc<RequestDetail>> {
        self.lock().requests.iter().rev().find(|request| request.summary.id == id).cloned()
    }

    /// Newest first.
    pub(super) fn reloads(&self) -> Vec<Arc<Reload>> {
        self.lock().reloads.iter().rev().cloned().collect()
    }

    /// Tells every console that the server stops.
    pub(super) fn close(&self) {
        let seq = self.lock().seq;
        let _ = self.frames.send(Frame::Text(encode(seq, Body::Bye { reason: "shutdown" })));
        let _ = self.frames.send(Frame::Close);
    }

    fn send(&self, state: &mut State, body: Body<'_>) {
        state.seq += 1;
        // With no console open nothing is written.
        if self.frames.receiver_count() > 0 {
            let _ = self.frames.send(Frame::Text(encode(state.seq, body)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a message as it goes over the socket.
pub(super) fn encode(seq: u64, body: Body<'_>) -> Utf8Bytes {
    let message = Message { v: protocol::VERSION, seq, body };
    serde_json::to_string(&message).expect("plain data").into()
}

fn push<T>(ring: &mut VecDeque<T>, item: T, limit: usize) {
    if ring.len() == limit {
        ring.pop_front();
    }
    ring.push_back(item);
}
