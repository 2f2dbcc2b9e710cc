//! The runtime thread and the dispatch workers: each a loop over a closed enum.
//!
//! The runtime thread boots Python, reloads and shuts down; the workers run `def` handlers and
//! pass the others on. The interpreter is let go whenever a thread waits for a message.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use pyo3::Python;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::event::EventBus;
use crate::message::{LoadReport, PythonRequest, Timestamps};
use crate::venv::Venv;

use super::RUNNING;
use super::bridge::{self, Bridge};
use super::cpu_time;
use super::host::Border;
use super::in_flight::{InFlight, Ticket};
use super::interpreter::{self, Origin, keeping_signals};
use super::loop_signals::Notices;
use super::queue::{Queue, Taken, Taker};
use super::reload::ReloadScope;
use super::reply::{self, Reply, Wakes};
use super::thread_usage::Seat;

/// Deep recursion in user code should end in RecursionError, not in a crash.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Handlers that may hang at once before their threads are no longer replaced.
const MAX_STUCK: usize = 64;

/// Answers of handlers that take longer are not left for the next wake.
const LEFT_FOR: Duration = Duration::from_micros(50);

/// A request on its way to a dispatch worker.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: PythonRequest,
    pub(crate) reply: Reply,
    /// Where somebody wants to know.
    pub(crate) timestamps: Option<Timestamps>,
    /// Likewise.
    pub(crate) ticket: Option<Ticket>,
}

/// Requests that wait for a dispatch worker.
pub(crate) type Calls = Queue<Box<Call>>;

/// The outcome of a request to reload, as Python returns it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Loaded {
    /// The files hold what was last tried.
    Unchanged,
    /// A file does not parse, and may be half written.
    Held,
    Report(Box<LoadReport>),
}

/// Called when Python knows that a reload has something to do.
pub(crate) type OnBegin = Box<dyn Fn() + Send + Sync>;

/// Everything the runtime thread can be asked to do.
pub(crate) enum Control {
    Reload {
        paths: Option<Vec<PathBuf>>,
        is_partial: bool,
        scope: ReloadScope,
        on_begin: OnBegin,
        reply: mpsc::SyncSender<Result<Loaded, String>>,
    },
    Describe {
        what: &'static str,
        about: Vec<String>,
        reply: oneshot::Sender<serde_json::Value>,
    },
    Explain {
        method: String,
        path: String,
        reply: mpsc::SyncSender<Result<serde_json::Value, String>>,
    },
    Shutdown {
        timeout: Duration,
        reply: oneshot::Sender<()>,
    },
}

/// What the runtime thread needs to begin.
pub(crate) struct Boot {
    pub(crate) config: SnaxumConfig,
    pub(crate) venv: Option<Venv>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) control: Receiver<Control>,
    pub(crate) queue: Arc<Calls>,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) events: Arc<EventBus>,
    /// How many loads have ended.
    pub(crate) loads: Arc<AtomicU64>,
    pub(crate) reply: mpsc::SyncSender<Result<LoadReport, Error>>,
}

/// Starts the runtime thread.
pub(crate) fn spawn(boot: Boot) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("python".into()).stack_size(STACK_BYTES).spawn(|| {
        run(boot);
        // The interpreter is free for another runtime.
        RUNNING.store(false, Ordering::SeqCst);
    })
}

fn run(boot: Boot) {
    let origin = match interpreter::initialize(boot.venv.as_ref()) {
        Ok(origin) => origin,
        Err(error) => {
            let _ = boot.reply.send(Err(error));
            return;
        }
    };
    Python::attach(|py| {
        let options = options(&boot.config, boot.venv.as_ref(), origin);
        let Boot { notices, events, loads, .. } = boot;
        let border = Border { notices, wakes: Arc::clone(&boot.wakes), events, loads };
        let started = keeping_signals(|| Bridge::start(py, &options, border));
        let (bridge, report) = match started {
            Ok((bridge, report)) => (Arc::new(bridge), report),
            Err(error) => {
                let _ = boot.reply.send(Err(Error::RuntimeLost(bridge::error_text(py, &error))));
                return;
            }
        };
        let source = Source {
            bridge: Arc::clone(&bridge),
            queue: Arc::clone(&boot.queue),
            wakes: Arc::clone(&boot.wakes),
            in_flight: boot.in_flight,
        };
        for _ in 0..boot.config.dispatch_workers {
            boot.workers.spawn(&source);
        }
        boot.workers.set_source(source);
        let _ = boot.reply.send(Ok(report));

        let mut done = None;
        let mut deadline = Duration::from_secs(10);
        // The interpreter is let go while waiting; an error means that the last handle is gone.
        while let Ok(message) = py.detach(|| boot.control.recv()) {
            match message {
                Control::Reload { paths, is_partial, scope, on_begin, reply } => {
                    let result =
                        keeping_signals(|| bridge.reload(py, paths, is_partial, scope, on_begin));
                    let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
                }
                Control::Explain { method, path, reply } => {
                    let result = bridge.explain(py, &method, &path);
                    let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
                }
                Control::Describe { what, about, reply } => {
                    let told = bridge.describe(py, what, about).unwrap_or_else(|error| {
                        tracing::error!("no word of {what}: {}", bridge::error_text(py, &error));
                        serde_json::Value::Null
                    });
                    let _ = reply.send(told);
                }
                Control::Shutdown { timeout, reply } => {
                    (deadline, done) = (timeout, Some(reply));
                    break;
                }
            }
        }
        py.detach(|| boot.workers.stop(&boot.queue, deadline));
        if let Err(error) = bridge.stop(py, deadline) {
            tracing::error!("while stopping Python: {}", bridge::error_text(py, &error));
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    });
}

fn options(config: &SnaxumConfig, venv: Option<&Venv>, origin: Origin) -> String {
    serde_json::json!({
        "python_dir": config.python_dir,
        "project_dir": config.project_dir,
        "modules": config.modules,
        "pool_workers": config.pool_workers,
        "max_queue": config.max_queue,
        "request_timeout_s": config.request_timeout.as_secs_f64(),
        "import_warning_s": config.import_warning.as_secs_f64(),
        "import_timeout_s": config.import_timeout.as_secs_f64(),
        "watch_dirs": config.watch_dirs,
        "env_file": config.env_file,
        "first_generation": config.first_generation,
        "dev": config.dev,
        "raw_output": config.raw_output,
        "redact_extra": config.redact_extra,
        "load_only": config.load_only,
        "adopted": origin == Origin::Adopted,
        "venv": venv.map(|venv| &venv.root),
        "build_python": super::BUILD_PYTHON,
    })
    .to_string()
}

/// The dispatch workers: started, replaced where a handler hangs, joined at the end.
#[derive(Default)]
pub(crate) struct Workers {
    slots: Mutex<Vec<Slot>>,
    source: Mutex<Option<Source>>,
}

/// What a dispatch worker works with.
#[derive(Clone)]
struct Source {
    bridge: Arc<Bridge>,
    queue: Arc<Calls>,
    wakes: Arc<Wakes>,
    in_flight: Arc<InFlight>,
}

/// What a dispatch worker is at.
#[derive(Clone, Debug)]
pub struct DispatchWorker {
    /// Its thread's.
    pub name: String,
    /// The id of the request whose handler it runs.
    pub request: Option<u64>,
    /// Whether another one has taken its place: the handler outlived its time limit.
    pub is_replaced: bool,
}

struct Slot {
    state: Arc<SlotState>,
    thread: JoinHandle<()>,
}

/// What a worker shows of itself.
struct SlotState {
    seat: Arc<Seat>,
    /// Set when another worker has taken its place: it ends once its handler does.
    replaced: AtomicBool,
}

impl Workers {
    /// Starts one more worker.
    fn spawn(&self, source: &Source) {
        let (seat, replaced) = (source.in_flight.runs.seat(), AtomicBool::new(false));
        let state = Arc::new(SlotState { seat, replaced });
        let (source, taker, shown) = (source.clone(), source.queue.taker(), Arc::clone(&state));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were replaced and have come back since.
        slots.retain(|slot| !slot.thread.is_finished());
        let started = thread::Builder::new()
            .name(format!("dispatch-{}", slots.len()))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&source, &taker, &shown));
        match started {
            Ok(thread) => slots.push(Slot { state, thread }),
            Err(error) => tracing::error!("no further dispatch worker: {error}"),
        }
    }

    /// What each of them is at now.
    pub(crate) fn look(&self) -> Vec<DispatchWorker> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let live = slots.iter().filter(|slot| !slot.thread.is_finished());
        live.map(|slot| DispatchWorker {
            name: slot.thread.thread().name().unwrap_or_default().to_owned(),
            request: slot.state.seat.request(),
            is_replaced: slot.state.replaced.load(Ordering::Acquire),
        })
        .collect()
    }

    fn set_source(&self, source: Source) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// Puts a fresh worker in the place of the one that is stuck in the handler of `id`, if one is.
    pub(crate) fn replace_stuck(&self, id: u64) {
        {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let is_replaced = |slot: &&Slot| slot.state.replaced.load(Ordering::Acquire);
            let stuck = slots.iter().filter(is_replaced).filter(|slot| !slot.thread.is_finished());
            if stuck.count() >= MAX_STUCK {
                tracing::error!("{MAX_STUCK} handlers hang; the next one keeps its worker");
                return;
            }
            let is_at_it = |slot: &&Slot| slot.state.seat.request() == Some(id);
            match slots.iter().find(is_at_it) {
                Some(slot) if !slot.state.replaced.swap(true, Ordering::AcqRel) => {}
                _ => return,
            }
        }
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = source.as_ref() {
            self.spawn(source);
        }
    }

    /// Lets the workers finish what is queued, and joins those that end within `timeout`.
    fn stop(&self, queue: &Calls, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        // Lets go of the bridge before the threads do.
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        queue.close();
        // A thread cannot be joined with a deadline: one more waits for all and reports.
        let (done, all_joined) = crossbeam_channel::bounded(1);
        let joiner = thread::Builder::new().name("dispatch-join".into()).spawn(move || {
            for slot in slots {
                let replaced = slot.state.replaced.load(Ordering::Acquire);
                if !replaced && slot.thread.join().is_err() {
                    tracing::error!("a dispatch worker panicked");
                }
            }
            let _ = done.send(());
        });
        if joiner.is_ok() && all_joined.recv_deadline(deadline).is_err() {
            tracing::warn!("a handler still runs after {timeout:?}; it ends with the process");
        }
    }
}

fn work(source: &Source, queue: &Taker<Box<Call>>, slot: &SlotState) {
    let Source { bridge, wakes, in_flight, .. } = source;
    reply::leave_answers();
    let wake = || wakes.wake();
    Python::attach(|py| {
        let mut before = Instant::now();
        let mut computed = cpu_time::Computed::new(before);
        loop {
            let mut has_waited = false;
            // Attached once and for all: only the wait lets the interpreter go.
            let taken = queue.try_take().or_else(|| {
                has_waited = true;
                wakes.wake();
                py.detach(|| queue.take(&wake))
            });
            let Some(Taken { item: mut call, at, is_last }) = taken else { return };
            // What is left must not wait for a handler that takes its time.
            if is_last || at - before > LEFT_FOR {
                wakes.wake();
            }
            before = at;
            if call.reply.is_closed() {
                continue; // nobody waits for it: the client went away, or the time limit passed
            }
            let mut began = at;
            if let (Some(timestamps), Some(ticket)) = (&mut call.timestamps, &call.ticket) {
                if has_waited {
                    began = Instant::now(); // it may have waited for the interpreter, too
                }
                (timestamps.taken, timestamps.attached) = (at, began);
                timestamps.computed_before = computed.by(began);
                timestamps.blockers = ticket.blockers(timestamps.queued, at);
            }
            in_flight.runs.enter(&slot.seat, call.request.id, began);
            bridge.dispatch(py, *call);
            slot.seat.leave();
            if slot.replaced.load(Ordering::Acquire) {
                break;
            }
        }
        wakes.wake();
    });
}
