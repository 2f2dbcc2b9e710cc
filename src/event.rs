//! What happened, for whoever listens.
//!
//! The core emits, listeners are told on the spot and must return at once: whoever has slow work
//! to do keeps a bounded queue of its own. With no listener an event is not even built.

mod early_log;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::message::{LoadReport, LogRecord, RequestRecord, StartRecord, WorkerEvent};
use early_log::EarlyLines;

/// The log's target for tracebacks of user code, for those who show them in another way.
pub const TRACEBACK: &str = "snaxum::traceback";

/// Something that an observer may want to know.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A request's head was read; told only as long as somebody holds a [`StartsWanted`].
    RequestStart(StartRecord<'a>),
    /// A request was answered.
    RequestEnd(RequestRecord<'a>),
    /// A line was printed or logged.
    Log(LogRecord<'a>),
    /// A reload began, because of these files.
    ReloadStart {
        /// Relative to the project.
        files: Vec<String>,
    },
    /// A reload ended, well or not.
    ReloadEnd(Arc<ReloadRecord>),
    /// Something happened to a process of the pool; told in dev mode.
    Worker(Arc<WorkerEvent>),
    /// From now on saves are noticed and not acted on, or (false) are acted on again.
    Paused(bool),
    /// A request was pinned or let go, or pinned ones were sent again after a reload.
    Pins {
        /// How many fail so far, and are sent again after the next reload.
        failing: usize,
        /// What came of those that were sent; `None` if none was.
        round: Option<PinRound>,
    },
}

/// What came of pinned requests that were sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRound {
    /// The newest that answered; `None` if Python was not reached.
    pub generation: Option<u64>,
    /// How many are answered well now.
    pub passing: usize,
    /// How many fail still.
    pub failing: usize,
}

/// One attempt to load the user's modules, with its cause.
#[derive(Clone, Debug)]
pub struct ReloadRecord {
    /// Counted from 1; attempts that fail count too.
    pub id: u64,
    /// When it began.
    pub time: std::time::SystemTime,
    /// `start`, `save`, or `manual` if somebody asked for it by hand.
    pub cause: &'static str,
    /// The files that changed, relative to the project.
    pub files: Vec<String>,
    /// From the first file event to the end.
    pub total: std::time::Duration,
    /// What Python reported.
    pub report: LoadReport,
}

type Listener = Box<dyn Fn(&Event<'_>) + Send + Sync>;

/// Passes events from the core to its listeners.
pub struct EventBus {
    // Set once and empty in production: the check on the request path is one load.
    listeners: OnceLock<RwLock<Vec<Listener>>>,
    /// `None` once somebody has heard them.
    early: Mutex<Option<EarlyLines>>,
    /// How many want to know of requests that begin.
    starts_wanted: Arc<AtomicUsize>,
}

/// Lets the listeners be told of requests that begin, until it is dropped.
#[derive(Debug)]
pub struct StartsWanted(Arc<AtomicUsize>);

impl Drop for StartsWanted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            listeners: OnceLock::new(),
            early: Mutex::new(Some(EarlyLines::default())),
            starts_wanted: Arc::default(),
        }
    }
}

impl EventBus {
    /// Tells `listener` of every event from now on. It runs on the emitting thread.
    pub fn listen(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let listeners = self.listeners.get_or_init(RwLock::default);
        listeners.write().expect("no listener panics while registering").push(Box::new(listener));
    }

    /// The same, and of the lines that were printed before: code prints while it first loads, and
    /// then nobody can listen yet. Who calls this next hears no earlier ones.
    pub fn listen_from_the_start(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = early.take() {
            lines.tell(&listener);
        }
        self.listen(listener);
    }

    /// Tells of a line that was printed.
    pub(crate) fn print(&self, line: LogRecord<'_>) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *early {
            // Held to the end: whoever begins to listen in this moment hears it once.
            Some(lines) => lines.keep(&line),
            None => drop(early),
        }
        self.emit(|| Event::Log(line));
    }

    /// Asks to be told of requests that begin, too. Few want to know, so others do not pay for it.
    pub fn want_starts(&self) -> StartsWanted {
        self.starts_wanted.fetch_add(1, Ordering::Relaxed);
        StartsWanted(Arc::clone(&self.starts_wanted))
    }

    /// Tells of a request that begins, if anybody wants to know: where nobody does, it is one load.
    pub(crate) fn start<'a>(&self, record: impl FnOnce() -> StartRecord<'a>) {
        if self.starts_wanted.load(Ordering::Relaxed) > 0 {
            self.emit(|| Event::RequestStart(record()));
        }
    }

    /// Whether anybody listens.
    pub fn is_observed(&self) -> bool {
        self.listeners.get().is_some()
    }

    /// Builds the event and passes it on, if anybody listens.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        let Some(listeners) = self.listeners.get() else { return };
        let event = event();
        for listener in listeners.read().expect("no listener panics while registering").iter() {
            listener(&event);
        }
    }
}

impl std::fmt::Debug for EventBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventBus").field("is_observed", &self.is_observed()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Head;

    #[test]
    fn an_event_is_built_only_if_someone_listens() {
        let bus = EventBus::default();
        bus.emit(|| unreachable!("nobody listens"));

        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        bus.listen(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        bus.emit(|| Event::ReloadStart { files: vec![] });

        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_request_that_begins_is_told_of_only_as_long_as_somebody_wants_to_know() {
        let bus = EventBus::default();
        let head = Head::new(axum::http::Request::new(()).into_parts().0);
        let record = || StartRecord { id: 1, time: std::time::SystemTime::now(), head: &head };
        let (told, heard) = std::sync::mpsc::channel();
        bus.listen(move |event| {
            if let Event::RequestStart(record) = event {
                told.send(record.id).expect("the test listens");
            }
        });

        bus.start(|| unreachable!("nobody wants to know"));
        let wanted = (bus.want_starts(), bus.want_starts());
        drop(wanted.0);
        bus.start(record);
        drop(wanted.1);
        bus.start(|| unreachable!("nobody wants to know any more"));

        assert_eq!(heard.try_iter().count(), 1);
    }
}
