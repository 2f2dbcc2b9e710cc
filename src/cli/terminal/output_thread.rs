//! The thread that writes to the terminal, behind a bounded queue.
//!
//! A slow or stopped terminal loses lines, and shows their number, but never delays a request.

use std::thread;
use std::time::{Duration, Instant};

use snaxum::event::Event;
use snaxum::message::{RequestRecord, ms, unix_ms};
use snaxum::python_runtime::PythonRuntime;
use snaxum::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::raw_mode;
use super::update::{KeyAction, Update};
use super::writer::{Writer, view_of, view_of_close};
use crate::cli::render::RequestView;
use crate::cli::render::color::print;

/// The maximum number of waiting updates.
const MAX_WAITING: usize = 1024;
/// The time between two writes: people read no faster, and waking the thread for each request would
/// slow down a busy server.
const FRAME: Duration = Duration::from_millis(50);
/// The maximum number of requests listed per frame; further successful ones are counted by their kind.
const MAX_REQUESTS: usize = 20;
/// The maximum number of kinds.
const MAX_KINDS: usize = 32;
/// The limit for the last lines of a stopping server.
const LAST_LINES: Duration = Duration::from_millis(500);

/// A handle to the terminal's thread.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<OutputQueue>);

#[derive(Default)]
struct OutputQueue {
    state: Mutex<OutputState>,
    condvar: Condvar,
}

#[derive(Default)]
struct OutputState {
    waiting: Vec<Update>,
    requests: usize,
    /// Requests that are counted and not listed, by their kind.
    counted: Vec<RequestView>,
    /// Requests of further kinds.
    more: usize,
    /// Updates that did not fit into the queue.
    dropped: usize,
    /// Whether the banner is above: before, updates wait.
    is_open: bool,
    /// Whether the thread waits for an update.
    is_parked: bool,
    /// Whether the server is stopping.
    is_ending: bool,
    has_ended: bool,
}

impl Terminal {
    /// Starts the thread; `shows_phases` adds the phases to each reload.
    pub(crate) fn start(runtime: &Arc<PythonRuntime>, shows_phases: bool) -> std::io::Result<Self> {
        let terminal = Self(Arc::default());
        let queue = Arc::clone(&terminal.0);
        let writer = Writer::new(Arc::clone(runtime), shows_phases);
        thread::Builder::new().name("terminal".into()).spawn(move || queue.write(writer))?;
        Ok(terminal)
    }

    /// Queues an event.
    pub(crate) fn on_event(&self, event: &Event<'_>) {
        self.change(|state| state.add_event(event));
    }

    /// Queues the banner above the updates so far, and begins to print.
    pub(crate) fn open(&self, banner: String) {
        self.change(|state| {
            state.waiting.insert(0, Update::Text(banner));
            state.is_open = true;
        });
    }

    /// Queues a text.
    pub(crate) fn print(&self, text: String) {
        self.change(|state| state.add(Update::Text(text)));
    }

    /// Draws the status line from now on.
    pub(crate) fn enable_status_line(&self) {
        self.change(|state| state.add(Update::Interactive));
    }

    pub(super) fn press(&self, key: KeyAction) {
        self.change(|state| state.add(Update::Key(key)));
    }

    fn change(&self, change: impl FnOnce(&mut OutputState)) {
        let mut state = self.0.lock();
        change(&mut state);
        if state.has_updates() && std::mem::take(&mut state.is_parked) {
            drop(state);
            self.0.condvar.notify_all();
        }
    }

    /// Waits for the queued lines within a time limit, and restores the terminal mode.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock();
        state.is_ending = true;
        self.0.condvar.notify_all();
        let ended = self.0.condvar.wait_timeout_while(state, LAST_LINES, |state| !state.has_ended);
        drop(ended);
        raw_mode::restore();
    }
}

impl OutputQueue {
    fn write(&self, mut writer: Writer) {
        let mut state = self.lock();
        loop {
            state = self.wait(state, writer.next_deadline());
            let updates = std::mem::take(&mut state.waiting);
            let counted = std::mem::take(&mut state.counted);
            let more = std::mem::take(&mut state.more);
            let dropped = std::mem::take(&mut state.dropped);
            let is_ending = state.is_ending;
            state.requests = 0;
            drop(state);

            print(&writer.frame(updates, counted, more, dropped, is_ending));

            state = self.lock();
            if is_ending && !state.has_updates() {
                state.has_ended = true;
                self.condvar.notify_all();
                return;
            }
            state = self.condvar.wait_timeout_while(state, FRAME, |state| !state.is_ending);
        }
    }

    /// Waits for an update, at most until `deadline`.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, OutputState>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, OutputState> {
        state.is_parked = true;
        let is_idle = |state: &mut OutputState| !state.is_ending && !state.has_updates();
        let mut state = match deadline {
            None => self.condvar.wait_while(state, is_idle),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.condvar.wait_timeout_while(state, left, is_idle)
            }
        };
        state.is_parked = false;
        state
    }

    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock()
    }
}

impl OutputState {
    fn has_updates(&self) -> bool {
        let has_counts = !self.counted.is_empty() || self.more > 0 || self.dropped > 0;
        self.is_open && (!self.waiting.is_empty() || has_counts)
    }

    fn add_event(&mut self, event: &Event<'_>) {
        match event {
            Event::RequestEnd(record) if self.requests >= MAX_REQUESTS && record.status < 400 => {
                self.count(record);
            }
            Event::RequestEnd(record) => {
                self.requests += 1;
                self.add(Update::Request(Box::new(view_of(record))));
            }
            Event::SocketClose(record) => {
                self.add(Update::Request(Box::new(view_of_close(record))));
            }
            Event::ReloadEnd(reload) => self.add(Update::Reload(Arc::clone(reload))),
            Event::Contract(record) => self.add(Update::Contract(Arc::clone(record))),
            Event::Paused(is_paused) => self.add(Update::Pause(*is_paused)),
            Event::Pins { failing, round } => self.add(Update::Pins(*failing, *round)),
            // Printed lines and the log of workers reach the terminal directly.
            Event::RequestStart(_)
            | Event::RustRoutes
            | Event::ReloadStart { .. }
            | Event::StreamEnd(_)
            | Event::SocketMessage(_)
            | Event::LibraryCall(..)
            | Event::Profile(..)
            | Event::Log(_)
            | Event::Written(_)
            | Event::Worker(_) => {}
        }
    }

    fn count(&mut self, record: &RequestRecord<'_>) {
        if let Some(kind) = self.counted.iter_mut().find(|kind| is_of_kind(kind, record)) {
            count_one(kind, record);
        } else if self.counted.len() < MAX_KINDS {
            self.counted.push(view_of(record));
        } else {
            self.more += 1;
        }
    }

    fn add(&mut self, update: Update) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(update);
        } else {
            self.dropped += 1;
        }
    }
}

/// Whether a successful request can share the line of others: as `RequestView::is_similar`, from borrowed fields.
/// Counts a request that gets no line of its own.
fn count_one(kind: &mut RequestView, record: &RequestRecord<'_>) {
    let mut repeats = kind.take_repeats();
    repeats.count += 1;
    repeats.slowest_ms = repeats.slowest_ms.max(ms(record.total));
    repeats.is_one_path = repeats.is_one_path && record.head.path() == kind.path;
    kind.repeats = Some(repeats);
    (kind.id, kind.time_ms) = (record.id.to_string(), unix_ms(record.time));
    kind.total_ms = ms(record.total);
}

fn is_of_kind(kind: &RequestView, record: &RequestRecord<'_>) -> bool {
    let same_target = match (kind.route.as_deref(), record.route) {
        (Some(one), Some(another)) => one == another,
        (None, None) => record.head.path() == kind.path,
        _ => false,
    };
    same_target
        && (kind.status, kind.generation) == (record.status, record.generation)
        && kind.method == record.head.method()
        && kind.error.is_none()
        && record.traceback.is_none()
}
