//! Passes events from the core to its listeners.
//!
//! Listeners run on the emitting thread and must return at once: one with slow work needs a bounded
//! queue of its own. Without a listener no event is built.

mod early_log;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::message::{
    ContractDiff, LibraryCall, LoadReport, LogRecord, Profile, Reload, RequestRecord, RustBuild,
    SocketCloseRecord, SocketMessageRecord, StartRecord, StreamEndRecord, WorkerEvent, ms, unix_ms,
};
use crate::sync::{Mutex, RwLock};

use early_log::EarlyLog;

/// The log target of tracebacks of user code, which the terminal renders itself.
pub const TRACEBACK: &str = "snaxum::traceback";
/// The target of tracebacks that do not reach the program around a loaded project as an exception.
pub const HANDLED_TRACEBACK: &str = "snaxum::traceback::handled";

/// Something that happened in the core.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A request's head was read; emitted only while a [`StartsWanted`] exists.
    RequestStart(StartRecord<'a>),
    /// A request has ended.
    RequestEnd(RequestRecord<'a>),
    /// The body of a streamed response has ended.
    StreamEnd(StreamEndRecord),
    /// A message of a WebSocket was received or sent.
    SocketMessage(SocketMessageRecord<'a>),
    /// A WebSocket and its handler have ended.
    SocketClose(SocketCloseRecord<'a>),
    /// A line was printed or logged.
    Log(LogRecord<'a>),
    /// Routes in Rust were added to the table.
    RustRoutes,
    /// A reload began, because of these files.
    ReloadStart {
        /// Relative to the project.
        files: Vec<String>,
    },
    /// A reload ended, well or not.
    ReloadEnd(Arc<ReloadRecord>),
    /// A reload has changed the API for clients; in dev mode only, some time after its end.
    Contract(Arc<ContractRecord>),
    /// A call of a request to a database or an HTTP server, by the id of the request; in dev mode only.
    LibraryCall(u64, Arc<LibraryCall>),
    /// The profile of a request so far, by the id of the request; in dev mode only.
    Profile(u64, Arc<Profile>),
    /// An event of a pool process; in dev mode only.
    Worker(Arc<WorkerEvent>),
    /// Code of this process opens a file of the project for writing; in dev mode only, once a file.
    Written(&'a str),
    /// Reloading was paused, or (false) resumed.
    Paused(bool),
    /// A request was pinned or unpinned, or pinned requests were sent again after a reload.
    Pins {
        /// The number that fail, and are sent again after the next reload.
        failing: usize,
        /// The result of sending them again; `None` if none was sent.
        round: Option<PinRound>,
    },
}

/// The changes of a reload for clients.
#[derive(Clone, Debug)]
pub struct ContractRecord {
    /// The [`ReloadRecord::id`] of the reload.
    pub reload: u64,
    /// The generation that it made.
    pub generation: u64,
    /// The changes since the last generation that was compared.
    pub diff: ContractDiff,
}

/// The result of sending pinned requests again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRound {
    /// The newest generation that responded; `None` if Python was not reached.
    pub generation: Option<u64>,
    /// The number that succeed now.
    pub passing: usize,
    /// The number that still fail.
    pub failing: usize,
}

/// One attempt to load the user's modules, with its cause.
#[derive(Clone, Debug)]
pub struct ReloadRecord {
    /// Counted from 1; attempts that fail count too.
    pub id: u64,
    /// When it began.
    pub time: std::time::SystemTime,
    /// `start`, `save`, or `manual` for a reload on request.
    pub cause: &'static str,
    /// The files that changed, relative to the project.
    pub files: Vec<String>,
    /// From the first file event to the end.
    pub total: std::time::Duration,
    /// The report of Python.
    pub report: LoadReport,
    /// The build of the program, if Rust code was saved.
    pub build: Option<RustBuild>,
}

impl From<&Arc<ReloadRecord>> for Reload {
    fn from(reload: &Arc<ReloadRecord>) -> Self {
        let report = &reload.report;
        Self {
            id: reload.id,
            time_ms: unix_ms(reload.time),
            generation: report.generation,
            outcome: report.outcome,
            summary: String::new(),
            cause: reload.cause.to_owned(),
            strategy: report.strategy.clone(),
            reason: report.reason.clone(),
            files: reload.files.clone(),
            save: report.save,
            modules: report.modules.clone(),
            phases: report.phases.clone(),
            total_ms: ms(reload.total),
            diff: report.diff.clone(),
            contract: None,
            state_reset: report.state_reset.clone(),
            warnings: report.warnings.clone(),
            notes: report.notes.clone(),
            traceback: report.failures.first().map(|failure| failure.traceback.clone()),
            build: reload.build.clone(),
            others: report.failures.iter().skip(1).map(|other| (&other.traceback).into()).collect(),
        }
        .summarized()
    }
}

type EventListener = Box<dyn Fn(&Event<'_>) + Send + Sync>;

/// Passes events from the core to its listeners.
pub struct EventBus {
    // Set once and empty in production: the check on the request path is one load.
    listeners: OnceLock<RwLock<Vec<EventListener>>>,
    /// `None` once a listener has received them.
    early: Mutex<Option<EarlyLog>>,
    /// The number of [`StartsWanted`].
    starts_wanted: Arc<AtomicUsize>,
}

/// Enables events of requests that begin, until it is dropped.
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
            early: Mutex::new(Some(EarlyLog::default())),
            starts_wanted: Arc::default(),
        }
    }
}

impl EventBus {
    /// Calls `listener` for every event from now on. It runs on the emitting thread.
    pub fn listen(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let listeners = self.listeners.get_or_init(RwLock::default);
        listeners.write().push(Box::new(listener));
    }

    /// Also passes the lines that were printed before: code prints while it first loads, when there
    /// is no listener yet. Only the first call gets them.
    pub fn listen_from_the_start(&self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let mut early = self.early.lock();
        if let Some(lines) = early.take() {
            lines.replay(|line| listener(&Event::Log(line)));
        }
        self.listen(listener);
    }

    /// Emits a line that was printed.
    pub(crate) fn print(&self, line: LogRecord<'_>) {
        let mut early = self.early.lock();
        match &mut *early {
            // Locked to the end: a listener that registers now receives the line once.
            Some(lines) => lines.record(&line),
            None => drop(early),
        }
        self.emit(|| Event::Log(line));
    }

    /// Enables [`Event::RequestStart`]. Few listeners need it, so other requests do not pay for it.
    pub fn want_starts(&self) -> StartsWanted {
        self.starts_wanted.fetch_add(1, Ordering::Relaxed);
        StartsWanted(Arc::clone(&self.starts_wanted))
    }

    /// Emits the start of a request, if that is enabled; otherwise it is one load.
    pub(crate) fn start<'a>(&self, record: impl FnOnce() -> StartRecord<'a>) {
        if self.starts_wanted.load(Ordering::Relaxed) > 0 {
            self.emit(|| Event::RequestStart(record()));
        }
    }

    /// Whether there is a listener.
    pub fn is_observed(&self) -> bool {
        self.listeners.get().is_some()
    }

    /// Builds the event and calls each listener, if there is one.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        let Some(listeners) = self.listeners.get() else { return };
        let event = event();
        for listener in listeners.read().iter() {
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
    fn an_event_is_built_only_if_there_is_a_listener() {
        let bus = EventBus::default();
        bus.emit(|| unreachable!("there is no listener"));

        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        bus.listen(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        bus.emit(|| Event::ReloadStart { files: vec![] });

        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_start_of_a_request_is_emitted_only_while_it_is_wanted() {
        let bus = EventBus::default();
        let head = Head::new(axum::http::Request::new(()).into_parts().0);
        let record = || StartRecord { id: 1, time: std::time::SystemTime::now(), head: &head };
        let (sender, receiver) = std::sync::mpsc::channel();
        bus.listen(move |event| {
            if let Event::RequestStart(record) = event {
                sender.send(record.id).expect("the test receives");
            }
        });

        bus.start(|| unreachable!("it is not wanted"));
        let wanted = (bus.want_starts(), bus.want_starts());
        drop(wanted.0);
        bus.start(record);
        drop(wanted.1);
        bus.start(|| unreachable!("it is no longer wanted"));

        assert_eq!(receiver.try_iter().count(), 1);
    }
}
