//! Records the newest events, and wakes the clients that subscribe to them.
//!
//! Every list is bounded, secrets are masked before anything is stored, and nothing is serialized
//! without a client. Each event has a number, and a client continues after the last event that
//! it was sent: a slow client loses events, and never delays the server. Knows nothing of sockets.

mod body;
mod body_kind;
mod cookies;
mod errors;
mod event;
mod late_work;
mod library_calls;
mod log;
pub(super) mod metrics;
mod raw_request;
mod recorded_stream;
mod request;
mod route_index;
mod sequence;
mod state;
mod stream_pieces;
pub(super) mod subscription;
mod websocket;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;

use crate::event::{Event, ReloadRecord};
use crate::message::{LoadOutcome, Profile};
use crate::python_runtime::PythonRuntime;
use crate::sync::{Mutex, MutexGuard};

use super::editor::Editor;
use super::protocol::{
    LogLine, Pin, Reload, RequestDetail, RequestSummary, ServerStatus, TrackedError,
    TrackedErrorDetail, WebSocketMessage,
};
use super::redact::Redactor;
use super::token;

pub(super) use body::redacted_body;
pub(super) use body_kind::BodyKind;
use event::ServerChange;
pub(super) use raw_request::{ReplayOf, SentRequest};
use state::RecorderState;

/// The recorded events, and the clients that wait for more.
pub(super) struct Recorder {
    runtime: Weak<PythonRuntime>,
    is_in_flight: Box<dyn Fn(u64) -> bool + Send + Sync>,
    /// Random: another value means another run of the server.
    run_id: String,
    editor: OnceLock<Editor>,
    state: Mutex<RecorderState>,
    new_event: Notify,
}

impl Recorder {
    pub(super) fn new(runtime: &Arc<PythonRuntime>) -> Self {
        Self {
            runtime: Arc::downgrade(runtime),
            is_in_flight: Box::new(runtime.in_flight_check()),
            run_id: token::random_text(12),
            editor: OnceLock::new(),
            state: Mutex::new(RecorderState::new(runtime)),
            new_event: Notify::new(),
        }
    }

    /// The id of this run of the server.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Sets the editor, unless one is set.
    pub(super) fn use_editor(&self, editor: Editor) {
        self.editor.get_or_init(|| editor);
    }

    /// The editor that opens places in the code.
    pub(super) fn editor(&self) -> Editor {
        self.editor.get().cloned().unwrap_or_default()
    }

    /// Records an event; runs on the thread that emitted it, and returns at once.
    pub(super) fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::RequestStart(record) => {
                let mut state = self.lock();
                state.add_start(record);
                self.notify(state);
            }
            Event::RequestEnd(record) => {
                let mut state = self.lock();
                state.add_request(record);
                self.notify(state);
            }
            Event::StreamEnd(record) => {
                let mut state = self.lock();
                state.add_stream_end(record);
                self.notify(state);
            }
            Event::Log(record) => {
                let has_ended = record.request.is_some_and(|id| !(self.is_in_flight)(id));
                let mut state = self.lock();
                state.add_line(record, has_ended);
                self.notify(state);
            }
            Event::SocketMessage(record) => {
                let mut state = self.lock();
                state.add_message(record);
                self.notify(state);
            }
            Event::SocketClose(record) => {
                let mut state = self.lock();
                state.add_close(record);
                self.notify(state);
            }
            Event::Worker(event) => {
                let mut state = self.lock();
                state.add_worker_event(event);
                self.notify(state);
            }
            Event::LibraryCall(request, call) => {
                let has_ended = !(self.is_in_flight)(*request);
                self.lock().add_call(*request, call, has_ended);
            }
            Event::Profile(request, profile) => {
                let mut state = self.lock();
                state.add_profile(*request, profile);
                self.notify(state);
            }
            Event::ReloadStart { files } => {
                self.record_change(ServerChange::ReloadStart(files.clone()));
            }
            Event::Paused(is_paused) => {
                self.lock().is_paused = *is_paused;
                if let Some(status) = self.current_status() {
                    self.record_change(ServerChange::Status(status));
                }
            }
            Event::Written(_) | Event::Pins { .. } => {} // `set_pins` records more
            Event::Contract(record) => {
                let mut state = self.lock();
                state.add_contract(record);
                self.notify(state);
            }
            Event::RustRoutes => {
                let Some(runtime) = self.runtime.upgrade() else { return };
                let mut state = self.lock();
                state.set_routes(runtime.serving());
                self.notify(state);
            }
            Event::ReloadEnd(reload) => {
                self.lock().redactor.add_values(&reload.report.secrets);
                self.record_reload(reload);
            }
        }
    }

    fn record_reload(&self, record: &Arc<ReloadRecord>) {
        let (Some(runtime), Some(status)) = (self.runtime.upgrade(), self.current_status()) else {
            return;
        };
        let has_failed = record.report.outcome == LoadOutcome::Failed;
        let mut state = self.lock();
        state.add_reload(record, status);
        if !has_failed {
            state.set_routes(runtime.serving());
        }
        self.notify(state);
    }

    /// The state of the server, as the API returns it.
    pub(super) fn status(&self, runtime: &PythonRuntime, pool: Value) -> ServerStatus {
        let serving = runtime.serving();
        let editor = self.editor();
        // Before the value below, which has the lock.
        let last_reload = self.with_contract(Reload::from(&serving.last_reload));
        ServerStatus {
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            pid: runtime.config().server_pid(),
            run_id: self.run_id.clone(),
            generation: serving.generation,
            state: if serving.failing { "failing" } else { "ok" },
            paused: self.lock().is_paused,
            routes: serving.routes.len(),
            uptime_s: runtime.started().elapsed().as_secs_f64(),
            last_reload: Some(last_reload),
            editor: editor.link(&runtime.config().project_dir),
            opens_editor: editor.program().is_some(),
            pool,
        }
    }

    /// Adds what the reload changed for clients, if that is known.
    fn with_contract(&self, mut reload: Reload) -> Reload {
        let state = self.lock();
        let recorded = state.reloads.iter().rev().find(|recorded| recorded.id == reload.id);
        reload.contract = recorded.and_then(|recorded| recorded.contract.clone());
        reload
    }

    /// The recorded requests, newest first.
    pub(super) fn requests(&self) -> Vec<RequestSummary> {
        self.lock().requests.iter().rev().map(|request| request.summary()).collect()
    }

    /// A request with its bodies and lines, while it is recorded.
    pub(super) fn request(&self, id: &str) -> Option<RequestDetail> {
        let id: u64 = id.parse().ok()?;
        let state = self.lock();
        let request = state.request(id)?.clone();
        let (redactor, name) = (state.redactor.clone(), id.to_string());
        let lines = state.logs.iter().map(|(_, line)| line);
        let its = lines.filter(|line| line.request.as_ref() == Some(&name));
        let its: Vec<_> = its.map(Arc::clone).collect();
        let messages = state.messages.iter().map(|(_, message)| message);
        let messages = messages.filter(|message| message.request == name);
        let messages: Vec<_> = messages.map(Arc::clone).collect();
        let (has_profile, calls) = (state.profile(id).is_some(), state.calls.of(id));
        // Redacting large bodies takes time, and each request that ends needs the lock.
        drop(state);
        let mut detail = request.detail(&redactor);
        detail.has_profile = has_profile;
        detail.calls = calls.iter().map(|call| request.shown_call(call)).collect();
        detail.logs = its.iter().map(|line| LogLine::clone(line)).collect();
        detail.messages = messages.iter().map(|each| WebSocketMessage::clone(each)).collect();
        Some(detail)
    }

    /// The requests with a stored profile, oldest first.
    pub(super) fn profiled(&self) -> Vec<String> {
        self.lock().profiled().map(|id| id.to_string()).collect()
    }

    /// The newest profile of a request, which may still run.
    pub(super) fn profile(&self, id: &str) -> Option<Arc<Profile>> {
        let id: u64 = id.parse().ok()?;
        self.lock().profile(id).cloned()
    }

    /// The bytes of a body, or the reason why they are not shown; `None` if the request is not
    /// recorded.
    pub(super) fn body(
        &self,
        id: &str,
        is_response: bool,
    ) -> Option<Result<(BodyKind, Bytes), &'static str>> {
        let state = self.lock();
        let request = state.request(id.parse().ok()?)?.clone();
        let redactor = state.redactor.clone();
        drop(state);
        Some(request.shown_body(is_response, &redactor))
    }

    /// The values of headers of the request, then of the response, for each recorded request after
    /// `after`, newest first; with `has_cookies` also the names of both kinds of cookies.
    pub(super) fn headers(
        &self,
        after: u64,
        of_request: &[String],
        of_response: &[String],
        has_cookies: bool,
    ) -> Vec<(String, Vec<Option<String>>)> {
        let state = self.lock();
        // A request that began before others may end after them.
        let newer = state.requests.iter().rev().filter(|request| request.id() > after);
        let values = newer.map(|request| {
            let sent = of_request.iter().map(|name| request.request_header(name));
            let received = of_response.iter().map(|name| request.response_header(name));
            let values = sent.chain(received).map(|value| value.map(str::to_owned));
            let names = has_cookies.then(|| request.cookie_names(&state.redactor));
            let values = values.chain(names.into_iter().flatten()).collect();
            (request.id().to_string(), values)
        });
        values.collect()
    }

    /// Whether a request's content must not be shown, because its handler is marked.
    pub(super) fn is_private(&self, id: &str) -> bool {
        let Ok(id) = id.parse::<u64>() else { return false };
        self.lock().request(id).is_some_and(|request| request.is_private())
    }

    /// Whether the request `id` is a call of a Python function from Rust.
    pub(super) fn is_call(&self, id: u64) -> bool {
        self.lock().request(id).is_some_and(|request| request.is_call())
    }

    /// Returns the request `id` for a replay, while it is recorded; `Some(None)` if it is too large
    /// to be recorded completely.
    pub(super) fn sent_request(&self, id: u64) -> Option<Option<SentRequest>> {
        self.lock().request(id).map(|request| request.sent_request())
    }

    /// The errors, the newest first.
    pub(super) fn errors(&self) -> Vec<Arc<TrackedError>> {
        self.lock().errors.list()
    }

    /// An error with its newest traceback.
    pub(super) fn error(&self, id: u64) -> Option<TrackedErrorDetail> {
        self.lock().errors.detail(id)
    }

    /// The secrets known so far.
    pub(super) fn redactor(&self) -> Redactor {
        self.lock().redactor.clone()
    }

    /// The number of requests to each route, by its id; routes without requests are missing.
    pub(super) fn hits(&self) -> HashMap<String, u64> {
        self.lock().hits.clone()
    }

    /// The recorded lines, newest first.
    pub(super) fn logs(&self) -> Vec<Arc<LogLine>> {
        self.lock().logs.iter().rev().map(|(_, line)| Arc::clone(line)).collect()
    }

    /// The recorded reloads, newest first.
    pub(super) fn reloads(&self) -> Vec<Arc<Reload>> {
        self.lock().reloads.iter().rev().cloned().collect()
    }

    /// Replaces the recorded reloads by the reloads of the program before this one, oldest first.
    pub(super) fn replace_reloads(&self, reloads: Vec<Reload>) {
        self.lock().reloads = reloads.into_iter().map(Arc::new).collect();
    }

    /// Replaces the pins.
    pub(super) fn set_pins(&self, pins: Arc<[Pin]>) {
        let mut state = self.lock();
        state.pins = Arc::clone(&pins);
        state.add_change(ServerChange::Pins(pins));
        self.notify(state);
    }

    /// Ends every subscription: the server stops.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.new_event.notify_waiters();
    }

    fn current_status(&self) -> Option<Box<ServerStatus>> {
        let runtime = self.runtime.upgrade()?;
        Some(Box::new(self.status(&runtime, Value::Null)))
    }

    fn record_change(&self, change: ServerChange) {
        let mut state = self.lock();
        state.add_change(change);
        self.notify(state);
    }

    /// Wakes the waiting clients, if there are any.
    fn notify(&self, mut state: MutexGuard<'_, RecorderState>) {
        let has_waiter = std::mem::take(&mut state.has_waiter);
        drop(state);
        if has_waiter {
            self.new_event.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, RecorderState> {
        self.state.lock()
    }
}
