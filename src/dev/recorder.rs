//! Keeps the newest requests and reloads, and tells open consoles of them.
//!
//! Every list is bounded, secrets are masked before anything is kept, and nothing is written for a
//! console that is not there. Each event has a number, and a console reads on from the last one it
//! was told: one that does not read loses events, never the server time. Knows nothing of HTTP.

mod body;
mod event;
mod log;
mod metrics;
mod raw_request;
mod request;
mod sequence;
mod subscription;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde_json::Value;
use tokio::sync::Notify;

use crate::event::Event;
use crate::message::{LoadOutcome, RequestRecord, StartRecord, Traceback, WorkerEvent, unix_ms};
use crate::python_runtime::PythonRuntime;

use super::editor::Editor;
use super::protocol::event_types::Types;
use super::protocol::{
    Limits, LogLine, Pin, Reload, RequestDetail, RequestStart, RequestSummary, Status,
};
use super::redact::Masking;
use super::token;

pub(super) use body::shown as shown_body;
use event::Change;
pub(super) use raw_request::Sent;
use request::{Kept, Routes};
use sequence::Ledger;
pub(super) use subscription::{Follower, encode};

/// What is kept.
pub(super) const LIMITS: Limits = Limits { requests: 500, reloads: 100, logs: 5000 };
/// Bytes of bodies that are kept, however few they are.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Routes whose requests are counted, those of old generations included.
const MAX_COUNTED: usize = 10_000;
/// Changes of the server that are kept for consoles that read on.
const MAX_CHANGES: usize = 64;
/// Beginnings of requests that are kept, likewise.
const MAX_STARTS: usize = 500;
/// Events of the pool's processes that are kept, likewise.
const MAX_WORKER_EVENTS: usize = 200;

/// The rings, and what consoles wait for.
pub(super) struct Recorder {
    runtime: Weak<PythonRuntime>,
    /// Tells two runs of the server apart.
    run_id: String,
    editor: OnceLock<Editor>,
    state: Mutex<State>,
    news: Notify,
}

struct State {
    ledger: Ledger,
    /// How many requests there were.
    answered: u64,
    /// In boxes: to move one from the front to the back is to move an address.
    requests: VecDeque<Box<Kept>>,
    /// Of the bodies in `requests`.
    body_bytes: usize,
    /// What is a secret, as far as it is known.
    masking: Masking,
    /// Whether bodies are kept at all.
    keeps_bodies: bool,
    changes: VecDeque<(u64, Change)>,
    starts: VecDeque<(u64, Arc<RequestStart>)>,
    workers: VecDeque<(u64, Arc<WorkerEvent>)>,
    logs: VecDeque<(u64, Arc<LogLine>)>,
    /// Of the lines in `logs`.
    log_bytes: usize,
    reloads: VecDeque<Arc<Reload>>,
    last_failure: Option<Arc<Traceback>>,
    routes: Arc<Routes>,
    pins: Arc<[Pin]>,
    /// How many requests each route has answered, by its id.
    hits: HashMap<String, u64>,
    /// Whether saves are not acted on.
    is_paused: bool,
    is_closed: bool,
    /// Whether a console has read everything and waits.
    is_awaited: bool,
}

impl Recorder {
    pub(super) fn new(runtime: &Arc<PythonRuntime>) -> Self {
        let serving = runtime.serving();
        let first = Reload::from(&serving.last_reload);
        let mut masking = Masking::new(&runtime.config().redact_extra);
        masking.learn(&serving.last_reload.report.secrets);
        let state = State {
            ledger: Ledger::new(),
            answered: 0,
            requests: VecDeque::with_capacity(LIMITS.requests),
            body_bytes: 0,
            masking,
            keeps_bodies: !runtime.config().no_capture_bodies,
            changes: VecDeque::new(),
            starts: VecDeque::new(),
            workers: VecDeque::new(),
            logs: VecDeque::new(),
            log_bytes: 0,
            last_failure: first.traceback.clone().map(Arc::new),
            reloads: VecDeque::from([Arc::new(first)]),
            routes: Arc::new(Routes::new(serving, None)),
            pins: Arc::new([]),
            hits: HashMap::new(),
            is_paused: false,
            is_closed: false,
            is_awaited: false,
        };
        Self {
            runtime: Arc::downgrade(runtime),
            run_id: token::random_text(12),
            editor: OnceLock::new(),
            state: Mutex::new(state),
            news: Notify::new(),
        }
    }

    /// Tells two runs of the server apart.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Takes this editor; the first one stays.
    pub(super) fn use_editor(&self, editor: Editor) {
        self.editor.get_or_init(|| editor);
    }

    /// How places in the code are opened.
    pub(super) fn editor(&self) -> Editor {
        self.editor.get().cloned().unwrap_or_default()
    }

    /// Notes an event; runs where it was emitted and returns at once.
    pub(super) fn record(&self, event: &Event<'_>) {
        match event {
            Event::RequestStart(record) => {
                let mut state = self.lock();
                state.keep_start(record);
                self.tell(state);
            }
            Event::RequestEnd(record) => {
                let mut state = self.lock();
                state.keep(record);
                self.tell(state);
            }
            Event::Log(record) => {
                let mut state = self.lock();
                state.keep_line(record);
                self.tell(state);
            }
            Event::Worker(event) => {
                let mut state = self.lock();
                let seq = state.ledger.add(Types::WORKER);
                push(&mut state.workers, (seq, Arc::clone(event)), MAX_WORKER_EVENTS);
                self.tell(state);
            }
            Event::ReloadStart { files } => self.note(Change::ReloadStart(files.clone())),
            Event::Paused(is_paused) => {
                self.lock().is_paused = *is_paused;
                if let Some(status) = self.status_now() {
                    self.note(Change::Status(status));
                }
            }
            Event::Pins { .. } => {} // `keep_pins` tells more
            Event::ReloadEnd(reload) => {
                self.lock().masking.learn(&reload.report.secrets);
                self.keep_reload(Reload::from(reload));
            }
        }
    }

    fn keep_reload(&self, reload: Reload) {
        let (Some(runtime), Some(status)) = (self.runtime.upgrade(), self.status_now()) else {
            return;
        };
        let has_failed = reload.outcome == LoadOutcome::Failed;
        let reload = Arc::new(reload);
        let mut state = self.lock();
        if let Some(traceback) = &reload.traceback {
            state.last_failure = Some(Arc::new(traceback.clone()));
        }
        push(&mut state.reloads, Arc::clone(&reload), LIMITS.reloads);
        state.note(Change::Reload(reload, status));
        if !has_failed {
            let serving = runtime.serving();
            state.routes = Arc::new(Routes::new(Arc::clone(&serving), Some(&state.routes)));
            state.note(Change::Routes(serving));
        }
        self.tell(state);
    }

    /// The state of the server as the API tells it.
    pub(super) fn status(&self, runtime: &PythonRuntime, pool: Value) -> Status {
        let serving = runtime.serving();
        let editor = self.editor();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            pid: std::process::id(),
            run_id: self.run_id.clone(),
            generation: serving.generation,
            state: if serving.failing { "failing" } else { "ok" },
            paused: self.lock().is_paused,
            routes: serving.routes.len(),
            uptime_s: runtime.started().elapsed().as_secs_f64(),
            last_reload: Some(Reload::from(&serving.last_reload)),
            editor: editor.link(&runtime.config().project_dir),
            opens_editor: editor.program().is_some(),
            pool,
        }
    }

    /// Newest first.
    pub(super) fn requests(&self) -> Vec<RequestSummary> {
        self.lock().requests.iter().rev().map(|kept| kept.summary()).collect()
    }

    /// One request, while it is among the newest.
    pub(super) fn request(&self, id: &str) -> Option<RequestDetail> {
        let id: u64 = id.parse().ok()?;
        let state = self.lock();
        let kept = state.requests.iter().rev().find(|kept| kept.id() == id)?.clone();
        let (masking, name) = (state.masking.clone(), id.to_string());
        let lines = state.logs.iter().map(|(_, line)| line);
        let its = lines.filter(|line| line.request.as_ref() == Some(&name));
        let its: Vec<_> = its.map(Arc::clone).collect();
        // To mask large bodies takes its time, and each request that ends needs the lock.
        drop(state);
        let mut detail = kept.detail(&masking);
        detail.logs = its.iter().map(|line| LogLine::clone(line)).collect();
        Some(detail)
    }

    /// Whether what that request carried must not be shown: its handler is marked.
    pub(super) fn is_private(&self, id: &str) -> bool {
        let Ok(id) = id.parse::<u64>() else { return false };
        let state = self.lock();
        state
            .requests
            .iter()
            .rev()
            .find(|kept| kept.id() == id)
            .is_some_and(|kept| kept.is_private())
    }

    /// What was sent as the request `id`, while it is among the newest; `Some(None)` if that is not
    /// kept from end to end.
    pub(super) fn sent(&self, id: u64) -> Option<Option<Sent>> {
        let state = self.lock();
        state.requests.iter().rev().find(|kept| kept.id() == id).map(|kept| kept.sent())
    }

    /// What is a secret, as far as it is known now.
    pub(super) fn masking(&self) -> Masking {
        self.lock().masking.clone()
    }

    /// How many requests each route has answered, by its id; routes that have none are not there.
    pub(super) fn hits(&self) -> HashMap<String, u64> {
        self.lock().hits.clone()
    }

    /// Newest first.
    pub(super) fn logs(&self) -> Vec<Arc<LogLine>> {
        self.lock().logs.iter().rev().map(|(_, line)| Arc::clone(line)).collect()
    }

    /// Newest first.
    pub(super) fn reloads(&self) -> Vec<Arc<Reload>> {
        self.lock().reloads.iter().rev().cloned().collect()
    }

    /// The pins are others now.
    pub(super) fn keep_pins(&self, pins: Arc<[Pin]>) {
        let mut state = self.lock();
        state.pins = Arc::clone(&pins);
        state.note(Change::Pins(pins));
        self.tell(state);
    }

    /// Tells every console that the server stops.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.news.notify_waiters();
    }

    fn status_now(&self) -> Option<Box<Status>> {
        let runtime = self.runtime.upgrade()?;
        Some(Box::new(self.status(&runtime, Value::Null)))
    }

    fn note(&self, change: Change) {
        let mut state = self.lock();
        state.note(change);
        self.tell(state);
    }

    /// Wakes the consoles that wait, if there are any.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        if is_awaited {
            self.news.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep_start(&mut self, record: &StartRecord<'_>) {
        let start = RequestStart {
            id: record.id.to_string(),
            time_ms: unix_ms(record.time),
            method: record.head.method().to_owned(),
            path: self.masking.path(&record.head.path()),
        };
        let seq = self.ledger.add(Types::REQUEST_START);
        push(&mut self.starts, (seq, Arc::new(start)), MAX_STARTS);
    }

    fn keep(&mut self, record: &RequestRecord<'_>) {
        let types = match record.traceback {
            Some(_) => Types::REQUEST_END.or(Types::ERROR),
            None => Types::REQUEST_END,
        };
        let seq = self.ledger.add(types);
        self.answered += 1;
        // The oldest gives its place, and its memory, to the newest.
        let is_full = self.requests.len() == LIMITS.requests;
        let oldest = if is_full { self.requests.pop_front() } else { None };
        let mut kept = oldest.unwrap_or_default();
        self.body_bytes -= kept.body_bytes();
        kept.fill(seq, record, &self.routes, &self.masking, self.keeps_bodies);
        self.body_bytes += kept.body_bytes();
        if let Some(traceback) = record.traceback {
            self.last_failure = Some(Arc::clone(traceback));
        }
        self.requests.push_back(kept);
        if self.body_bytes > MAX_BODY_BYTES {
            self.forget_oldest_bodies();
        }
        let Some(id) = record.route else { return };
        if let Some(hits) = self.hits.get_mut(id) {
            *hits += 1;
        } else if self.hits.len() < MAX_COUNTED {
            self.hits.insert(id.to_owned(), 1);
        }
    }

    fn forget_oldest_bodies(&mut self) {
        for kept in &mut self.requests {
            if self.body_bytes <= MAX_BODY_BYTES {
                break;
            }
            self.body_bytes -= kept.body_bytes();
            kept.forget_bodies();
        }
    }

    fn note(&mut self, change: Change) {
        let seq = self.ledger.add(change.types());
        push(&mut self.changes, (seq, change), MAX_CHANGES);
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, limit: usize) {
    if ring.len() == limit {
        ring.pop_front();
    }
    ring.push_back(item);
}
