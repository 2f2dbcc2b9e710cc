//! `PythonRuntime`, the handle to Python, and how everything behind it works together.
//!
//! # Theory of operation
//!
//! One thread owns the interpreter's life: it initialises Python, loads the user's modules and
//! then waits for control messages ([`thread`]). Beside it a few dispatch workers take requests
//! from one bounded queue, each attached to the interpreter once and for all; a `def` handler runs
//! right there, an `async def` handler goes on to the asyncio loop, and one that uses the process
//! pool to a thread that may wait. Whoever runs it answers on the request's own one-shot channel.
//!
//! No tokio thread ever waits for the interpreter, so Rust endpoints in the same server do not
//! notice what Python does. What a request can suffer on its way (a full queue, its time limit, a
//! server that stops) is a [`CallError`], and becomes a response.

mod bridge;
mod cpu_time;
mod env_file;
mod exchange;
mod gate;
mod host;
mod in_flight;
mod interpreter;
mod introspection;
mod loop_signals;
mod queue;
mod reload;
mod reply;
mod thread;
mod thread_usage;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::event::{EventBus, ReloadRecord};
use crate::message::{LoadReport, PythonRequest, PythonResponse, Timestamps};
use crate::venv::Venv;

pub use gate::Gate;
use in_flight::InFlight;
use loop_signals::Notices;
use queue::{Queue, Refused};
use reload::log_failures;
pub use reload::{ReloadOutcome, ReloadParams, ReloadScope, Serving};
use reply::Wakes;
pub use thread::DispatchWorker;
use thread::{Boot, Call, Calls, Control, Workers};

/// The interpreter that the program was built against.
pub const BUILD_PYTHON: &str = env!("SNAXUM_BUILD_PYTHON");
/// The version of Python that the program was built for.
pub const BUILD_VERSION: &str = env!("SNAXUM_BUILD_PYTHON_VERSION");

/// Control messages that may wait while a module loads.
const MAX_CONTROL: usize = 64;

// The interpreter is one a process.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// A running Python: takes requests, reloads, stops. Share it in an `Arc`; dropping the last one
/// stops it too.
pub struct PythonRuntime {
    config: SnaxumConfig,
    queue: Arc<Calls>,
    wakes: Arc<Wakes>,
    in_flight: Arc<InFlight>,
    control: crossbeam_channel::Sender<Control>,
    workers: Arc<Workers>,
    notices: Arc<Notices>,
    serving: RwLock<Arc<Serving>>,
    stopped: AtomicBool,
    events: Arc<EventBus>,
    gate: Gate,
    started: Instant,
    last_request: AtomicU64,
    /// How many loads have ended.
    loads: Arc<AtomicU64>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Why a request got no answer from Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// `max-queue` requests wait already.
    QueueFull,
    /// The handler took longer than `request-timeout`.
    TimedOut,
    /// The runtime is stopping.
    Stopped,
    /// The framework dropped the request: a bug in Snaxum, logged.
    Lost,
}

impl PythonRuntime {
    /// Starts Python, loads the user's modules, and returns when they can be called.
    ///
    /// A module that does not load is logged; the others serve. Blocks while modules load.
    ///
    /// # Errors
    ///
    /// A venv or libpython that does not fit; a second runtime in one process; outside dev mode,
    /// that no module loads at all.
    pub fn with_config(config: SnaxumConfig) -> Result<Self, Error> {
        let venv = Venv::find(&config.project_dir)?;
        if RUNNING.swap(true, Ordering::SeqCst) {
            return Err(Error::SecondRuntime);
        }
        let result = Self::start(config, venv);
        if result.is_err() {
            RUNNING.store(false, Ordering::SeqCst);
        }
        result
    }

    fn start(config: SnaxumConfig, venv: Option<Venv>) -> Result<Self, Error> {
        let started = Instant::now();
        let time = SystemTime::now();
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| Error::Io { what, source }
        };
        let queue = Queue::new(config.max_queue);
        let (control, control_receiver) = crossbeam_channel::bounded(MAX_CONTROL);
        let (reply, booted) = mpsc::sync_channel(1);
        let notices = Arc::new(Notices::new().map_err(io("cannot make a pipe"))?);
        let wakes = Wakes::new(Arc::clone(&notices));
        let workers = Arc::new(Workers::default());
        let in_flight = Arc::<InFlight>::default();
        let events = Arc::<EventBus>::default();
        let loads = Arc::<AtomicU64>::default();
        let thread = thread::spawn(Boot {
            config: config.clone(),
            venv,
            notices: Arc::clone(&notices),
            control: control_receiver,
            queue: Arc::clone(&queue),
            wakes: Arc::clone(&wakes),
            workers: Arc::clone(&workers),
            in_flight: Arc::clone(&in_flight),
            events: Arc::clone(&events),
            loads: Arc::clone(&loads),
            reply,
        })
        .map_err(io("cannot start the Python thread"))?;
        let report =
            booted.recv().map_err(|_| Error::RuntimeLost("its thread panicked".to_owned()))??;

        log_failures(&report);
        if !config.dev && report.generation == 0 {
            return Err(Error::NothingLoads(failure_text(&report)));
        }
        for route in &report.routes {
            tracing::info!(
                "route {} {} -> {} ({})",
                route.methods.join(","),
                route.path,
                route.handler,
                route.mode
            );
        }
        let first = ReloadRecord {
            id: loads.fetch_add(1, Ordering::AcqRel) + 1,
            time,
            cause: "start",
            files: Vec::new(),
            total: started.elapsed(),
            report,
        };
        Ok(Self {
            config,
            queue,
            wakes,
            in_flight,
            control,
            workers,
            notices,
            serving: RwLock::new(Arc::new(Serving::after(first))),
            stopped: AtomicBool::new(false),
            events,
            gate: Gate::default(),
            started,
            last_request: AtomicU64::new(0),
            loads,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &SnaxumConfig {
        &self.config
    }

    /// What serves now.
    pub fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where to listen for what happens.
    pub fn events(&self) -> &EventBus {
        &self.events
    }

    /// What holds requests back while a change is being dealt with.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The version of the Python that runs.
    pub fn python_version(&self) -> String {
        interpreter::version()
    }

    /// A number for the next request, counted from 1.
    pub fn next_request_id(&self) -> u64 {
        self.last_request.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sends a request to Python and waits for the answer. Dropping the future gives it up.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; what the handler does is never one.
    pub async fn call(&self, request: PythonRequest) -> Result<PythonResponse, CallError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(CallError::Stopped);
        }
        let id = request.id;
        let now = Instant::now();
        let (reply, answer) = reply::channel(&self.wakes);
        let is_watched = self.config.dev;
        let timestamps = is_watched.then(|| Timestamps::new(now));
        let ticket = is_watched.then(|| self.in_flight.add(id, request.head.clone(), now));
        let call = Box::new(Call { request, reply, timestamps, ticket });
        self.queue.push(call, now).map_err(|refused| match refused {
            Refused::Full => CallError::QueueFull,
            Refused::Closed => CallError::Stopped,
        })?;
        let limit = self.config.request_timeout;
        let mut given_up = GivenUp { runtime: self, id, deadline: now + limit, armed: true };
        let answer = if limit.is_zero() {
            answer.await
        } else {
            match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(_) => return Err(CallError::TimedOut),
            }
        };
        given_up.armed = false;
        answer.ok_or_else(|| {
            if self.stopped.load(Ordering::Acquire) { CallError::Stopped } else { CallError::Lost }
        })
    }

    /// Tells the asyncio loop that nobody waits for the answer to `id` any more.
    pub(crate) fn abandon(&self, id: u64) {
        self.notices.give_up(id);
    }

    /// Finishes what is queued, ends loop and pool, runs Python's `atexit` functions, and joins
    /// the threads; gives up on what still runs after `timeout`. Later calls are refused.
    pub async fn shutdown(&self, timeout: Duration) {
        self.stopped.store(true, Ordering::Release);
        let (reply, done) = oneshot::channel();
        if self.control.try_send(Control::Shutdown { timeout, reply }).is_err() {
            return;
        }
        // Workers, loop and pool each have `timeout`; a module that hangs while loading has none.
        if tokio::time::timeout(timeout * 3, done).await.is_err() {
            tracing::warn!("Python does not stop (is a module still loading?); leaving it behind");
            return;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl std::fmt::Debug for PythonRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonRuntime").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Takes care of a request whose future ends before its answer comes.
struct GivenUp<'a> {
    runtime: &'a PythonRuntime,
    id: u64,
    deadline: Instant,
    armed: bool,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.runtime.abandon(self.id);
        if self.runtime.config.request_timeout.is_zero() {
            return;
        }
        // A handler that outlives its time limit keeps its thread; another takes over its work.
        let (workers, id) = (Arc::clone(&self.runtime.workers), self.id);
        if Instant::now() >= self.deadline {
            workers.replace_stuck(id);
        } else if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            let deadline = tokio::time::Instant::from_std(self.deadline);
            tokio.spawn(async move {
                tokio::time::sleep_until(deadline).await;
                workers.replace_stuck(id);
            });
        }
    }
}

fn failure_text(report: &LoadReport) -> String {
    let lines: Vec<String> = report
        .failures
        .iter()
        .map(|failure| {
            let place = failure.traceback.culprit();
            let place =
                place.map_or(String::new(), |frame| format!("{}:{}: ", frame.file, frame.line));
            format!("  {place}{}: {}", failure.traceback.kind, failure.traceback.message)
        })
        .collect();
    lines.join("\n")
}
