//! The runtime thread and the dispatch workers: each a loop over a closed enum.
//!
//! The runtime thread boots Python, reloads and shuts down; the workers run `def` handlers and
//! pass the others on. The interpreter is let go whenever a thread waits for a message.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use pyo3::Python;
use tokio::sync::oneshot;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::message::{LoadReport, Marks, Reply, Request};
use crate::venv::Venv;

use super::RUNNING;
use super::abandoned::Abandoned;
use super::bridge::{self, Bridge, Prepared};
use super::interpreter::{self, Origin, keeping_signals};
use super::reloading::Extent;

/// Deep recursion in user code should end in RecursionError, not in a crash.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Handlers that may hang at once before their threads are no longer replaced.
const MAX_STUCK: usize = 64;

/// A request on its way to a dispatch worker.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
    pub(crate) marks: Marks,
}

/// Everything a dispatch worker can be asked to do.
#[derive(Debug)]
pub(crate) enum Work {
    Call(Box<Call>),
    Stop,
}

/// What became of a request to reload.
#[derive(Debug)]
pub(crate) enum Loaded {
    Unchanged,
    Held,
    Report(Box<LoadReport>),
}

/// Everything the runtime thread can be asked to do.
pub(crate) enum Control {
    Reload {
        paths: Option<Vec<PathBuf>>,
        is_partial: bool,
        extent: Extent,
        /// Called once it is known that there is something to do.
        began: Box<dyn FnOnce() + Send>,
        reply: mpsc::SyncSender<Result<Loaded, String>>,
    },
    Describe {
        what: &'static str,
        reply: oneshot::Sender<serde_json::Value>,
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
    pub(crate) abandoned: Arc<Abandoned>,
    pub(crate) control: Receiver<Control>,
    pub(crate) queue: (Sender<Work>, Receiver<Work>),
    pub(crate) workers: Arc<Workers>,
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
        let started = keeping_signals(|| Bridge::start(py, &options, &boot.abandoned));
        let (bridge, report) = match started {
            Ok((bridge, report)) => (Arc::new(bridge), report),
            Err(error) => {
                let _ = boot.reply.send(Err(Error::RuntimeLost(bridge::error_text(py, &error))));
                return;
            }
        };
        for _ in 0..boot.config.dispatch_workers {
            boot.workers.spawn(&bridge, &boot.queue.1);
        }
        boot.workers.set_source(Arc::clone(&bridge), boot.queue.1.clone());
        let _ = boot.reply.send(Ok(report));

        let mut done = None;
        let mut deadline = Duration::from_secs(10);
        // The interpreter is let go while waiting; an error means that the last handle is gone.
        while let Ok(message) = py.detach(|| boot.control.recv()) {
            match message {
                Control::Reload { paths, is_partial, extent, began, reply } => {
                    let prepared = bridge.prepare(py, paths, is_partial, extent);
                    let result = prepared.and_then(|prepared| match prepared {
                        Prepared::Unchanged => Ok(Loaded::Unchanged),
                        Prepared::Held => Ok(Loaded::Held),
                        Prepared::Ready => {
                            began();
                            let report = keeping_signals(|| bridge.reload(py))?;
                            Ok(Loaded::Report(Box::new(report)))
                        }
                    });
                    let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
                }
                Control::Describe { what, reply } => {
                    let _ = reply.send(bridge.describe(py, what).unwrap_or_default());
                }
                Control::Shutdown { timeout, reply } => {
                    (deadline, done) = (timeout, Some(reply));
                    break;
                }
            }
        }
        py.detach(|| boot.workers.stop(&boot.queue.0, deadline));
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
    source: Mutex<Option<(Arc<Bridge>, Receiver<Work>)>>,
}

struct Slot {
    state: Arc<SlotState>,
    thread: JoinHandle<()>,
}

/// What a worker shows of itself.
#[derive(Default)]
struct SlotState {
    /// The id of the request it is at; 0 while it waits.
    busy_with: AtomicU64,
    /// Set when another worker has taken its place: it ends once its handler does.
    replaced: AtomicBool,
}

impl Workers {
    /// Starts one more worker.
    fn spawn(&self, bridge: &Arc<Bridge>, queue: &Receiver<Work>) {
        let state = Arc::new(SlotState::default());
        let (bridge, queue, shown) = (Arc::clone(bridge), queue.clone(), Arc::clone(&state));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were replaced and have come back since.
        slots.retain(|slot| !slot.thread.is_finished());
        let started = thread::Builder::new()
            .name(format!("dispatch-{}", slots.len()))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&bridge, &queue, &shown));
        match started {
            Ok(thread) => slots.push(Slot { state, thread }),
            Err(error) => tracing::error!("no further dispatch worker: {error}"),
        }
    }

    fn set_source(&self, bridge: Arc<Bridge>, queue: Receiver<Work>) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some((bridge, queue));
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
            let is_at_it = |slot: &&Slot| slot.state.busy_with.load(Ordering::Acquire) == id;
            match slots.iter().find(is_at_it) {
                Some(slot) if !slot.state.replaced.swap(true, Ordering::AcqRel) => {}
                _ => return,
            }
        }
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bridge, queue)) = source.as_ref() {
            self.spawn(bridge, queue);
        }
    }

    /// Lets the workers finish what is queued, and joins those that end within `timeout`.
    fn stop(&self, queue: &Sender<Work>, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        // Lets go of the bridge before the threads do.
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        let waiting = slots.iter().filter(|slot| !slot.state.replaced.load(Ordering::Acquire));
        for _ in waiting {
            if queue.send_deadline(Work::Stop, deadline).is_err() {
                break;
            }
        }
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

fn work(bridge: &Bridge, queue: &Receiver<Work>, slot: &SlotState) {
    Python::attach(|py| {
        loop {
            // Attached once and for all: only the wait lets the interpreter go.
            let (work, taken) = match queue.try_recv() {
                Ok(work) => (work, Instant::now()),
                Err(_) => match py.detach(|| queue.recv().map(|work| (work, Instant::now()))) {
                    Ok(received) => received,
                    Err(_) => return,
                },
            };
            match work {
                Work::Stop => return,
                // Nobody waits for it: the client went away, or the time limit passed.
                Work::Call(call) if call.reply.is_closed() => {}
                Work::Call(call) => {
                    slot.busy_with.store(call.request.id, Ordering::Release);
                    bridge.dispatch(py, *call, taken);
                    slot.busy_with.store(0, Ordering::Release);
                    if slot.replaced.load(Ordering::Acquire) {
                        return;
                    }
                }
            }
        }
    });
}
