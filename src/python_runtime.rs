//! `PythonRuntime`, the handle to Python, and how everything behind it works together.
//!
//! # Theory of operation
//!
//! One thread owns the interpreter's life: it initialises Python, loads the user's modules and then
//! waits for control messages ([`thread`]). A few dispatch workers ([`workers`]) pop requests from
//! one bounded queue, each attached to the interpreter permanently; a `def` handler runs right
//! there, an `async def` handler on the asyncio loop, and a handler that uses the process pool on a
//! thread that may wait. That thread sends the response through the request's own one-shot channel.
//! Outside dev mode, a request for an ASGI application goes right to the loop if the project has nothing
//! but applications ([`loop_calls`]).
//!
//! No tokio thread ever waits for the interpreter, so Python code does not delay Rust endpoints in
//! the same server. A request that Python does not respond to (a full queue, its time limit, a
//! server that stops) is a [`CallError`], and becomes a response.

mod asgi;
#[cfg_attr(feature = "extension-module", path = "python_runtime/no_boot.rs")]
mod boot;
mod bridge;
mod calls;
mod cancel_on_drop;
mod cpu_time;
mod ended_requests;
mod exchange;
mod freed_memory;
mod gate;
mod host;
mod hosted_api;
mod in_flight;
mod in_process_connection;
mod interpreter;
mod introspection;
mod json;
mod json_decoding;
mod json_encoding;
mod lent_thread;
mod loop_calls;
mod loop_signals;
mod measurements;
mod messages;
#[cfg_attr(Py_LIMITED_API, path = "python_runtime/limited_own_context.rs")]
mod own_context;
mod pool_counts;
mod preload;
mod profile_demand;
mod project_tests;
mod python_options;
mod queue;
mod reading_limit;
mod reload;
mod reply;
mod request_parts;
mod response_stream;
mod route_index;
mod serving_generation;
mod shutdown;
mod shutdown_state;
mod thread;
mod thread_usage;
mod websocket;
mod workers;
mod wsgi;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwapOption;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::event::{EventBus, ReloadRecord};
use crate::http_layers::HttpLayers;
use crate::message::{LoadReport, RouteInfo};
use crate::static_files::StaticFiles;
use crate::supervision::BuilderLink;
use crate::supervision::protocol::ProgramReport;
use crate::sync::{Mutex, RwLock};
use crate::telemetry::{Identities, Telemetry};
use crate::venv::Venv;

use ended_requests::EndedRequests;
pub use freed_memory::limit_arenas;
pub use gate::Gate;
use host::HostParts;
use in_flight::InFlight;
pub use in_process_connection::Connect;
pub use lent_thread::LentThread;
use loop_calls::LoopCalls;
use messages::{Calls, Control};
pub use messages::{NewerPaths, OpenApiText, ReloadOutcome, ReloadParams, ReloadScope};
use pool_counts::LastPoolCounts;
use preload::Preloaded;
pub use preload::{fork_interpreter, fork_preloaded, preload};
use queue::Queue;
pub use reply::CallError;
use reply::WakeBatch;
use route_index::ServingIndex;
pub use serving_generation::ServingGeneration;
use serving_generation::{failure_text, log_failures, log_tracebacks};
use shutdown_state::ShutdownState;
use thread::{InterpreterClaim, RuntimeThread, ThreadContext};
pub use workers::DispatchWorker;
use workers::Workers;

/// Control messages that may wait while a module loads.
const MAX_CONTROL: usize = 64;

/// A running Python: runs handlers, reloads, stops. Share it in an `Arc`; dropping the last one also
/// stops Python.
pub struct PythonRuntime {
    config: SnaxumConfig,
    queue: Arc<Calls>,
    wakes: Arc<WakeBatch>,
    in_flight: Arc<InFlight>,
    control: crossbeam_channel::Sender<Control>,
    workers: Arc<Workers>,
    ended_requests: Arc<EndedRequests>,
    /// The routes that are found without Python.
    index: ServingIndex,
    loop_calls: Arc<LoopCalls>,
    serving: RwLock<Arc<ServingGeneration>>,
    /// The static files of the serving generation, if it has any.
    static_files: ArcSwapOption<StaticFiles>,
    /// The layers around responses, if there are any.
    http_layers: Option<Arc<HttpLayers>>,
    shutdown_state: ShutdownState,
    /// Whether it takes no new clients, because it is about to stop.
    is_retiring: AtomicBool,
    stopped: AtomicBool,
    /// Whether the runtime thread loads modules.
    is_loading: AtomicBool,
    events: Arc<EventBus>,
    gate: Gate,
    identities: Identities,
    /// Records requests, if an option needs it.
    telemetry: Option<Arc<Telemetry>>,
    pool_counts: LastPoolCounts,
    started: Instant,
    last_request: AtomicU64,
    /// The number of loads that have ended.
    loads: Arc<AtomicU64>,
    /// Set while tests run.
    connect: Arc<OnceLock<(tokio::runtime::Handle, Connect)>>,
    thread: Mutex<Option<RuntimeThread>>,
}

impl PythonRuntime {
    /// Starts Python, loads the user's modules, and returns when they can be called.
    ///
    /// Logs a module that does not load, and serves the others. Blocks while modules load.
    ///
    /// # Errors
    ///
    /// A venv or libpython of another version; a second runtime in one process; outside dev mode, also
    /// if no module loads.
    pub fn with_config(config: SnaxumConfig) -> Result<Self, Error> {
        let (venv, warning) = Venv::find_to_run(&config.project_dir)?;
        let identities = Identities::new(config.is_recorded() && !config.dev);
        let telemetry = Telemetry::new(&config, identities)?;
        let claim = InterpreterClaim::take().ok_or(Error::SecondRuntime)?;
        if config.dev {
            limit_arenas();
        }
        let time = SystemTime::now();
        let (control, control_receiver) = crossbeam_channel::bounded(MAX_CONTROL);
        let preloaded = preload::take();
        let host = match &preloaded {
            Some(preloaded) => preloaded.host.clone(),
            None => HostParts::new()?,
        };
        let runtime = Self::new(config, control, &host, (identities, telemetry));
        let report = runtime.start_thread((venv, preloaded), claim, control_receiver, host);
        let mut report = match report.and_then(|report| runtime.log_start(&report).map(|()| report))
        {
            Ok(report) => report,
            Err(error) => {
                runtime.join();
                return Err(error);
            }
        };
        report.warnings.extend(warning);
        let loaded = runtime.publish(ReloadRecord {
            id: runtime.next_load(),
            time,
            cause: "start",
            files: Vec::new(),
            total: runtime.started.elapsed(),
            report,
            build: None,
        });
        if let Some(builder) = BuilderLink::get() {
            let LoadReport { generation, failures, .. } = loaded.report.clone();
            builder.report(&ProgramReport::Loaded { generation, failures });
        }
        Ok(runtime)
    }

    /// Makes the parts of a runtime; nothing runs yet.
    fn new(
        config: SnaxumConfig,
        control: crossbeam_channel::Sender<Control>,
        host: &HostParts,
        (identities, telemetry): (Identities, Option<Arc<Telemetry>>),
    ) -> Self {
        let in_flight = Arc::new(InFlight::new(config.crash_record.clone()));
        let _ = host.in_flight.set(Arc::clone(&in_flight)); // this is the first of the process
        Self {
            queue: Queue::new(config.max_queue, config.dispatch_workers),
            wakes: Arc::clone(&host.wakes),
            in_flight,
            control,
            workers: Workers::new(config.dispatch_workers, config.max_stuck),
            ended_requests: Arc::clone(&host.ended_requests),
            index: Arc::clone(&host.index),
            loop_calls: Arc::clone(&host.loop_calls),
            serving: RwLock::new(Arc::new(ServingGeneration::none())),
            static_files: ArcSwapOption::empty(),
            http_layers: HttpLayers::new(&config).map(Arc::new),
            shutdown_state: ShutdownState::default(),
            is_retiring: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            is_loading: AtomicBool::new(false),
            events: Arc::clone(&host.events),
            gate: Gate::default(),
            identities,
            telemetry,
            pool_counts: LastPoolCounts::default(),
            started: Instant::now(),
            last_request: AtomicU64::new(0),
            loads: Arc::clone(&host.loads),
            connect: Arc::clone(&host.connect),
            thread: Mutex::new(None),
            config,
        }
    }

    /// Drops this handle and waits until its thread has stopped, so that another runtime can start.
    fn join(self) {
        let thread = self.thread.lock().take();
        drop(self);
        if let Some(thread) = thread {
            thread.join();
        }
    }

    /// Starts the runtime thread, waits until it has loaded the modules, and returns its report.
    fn start_thread(
        &self,
        (venv, preloaded): (Option<Venv>, Option<Preloaded>),
        claim: InterpreterClaim,
        control: crossbeam_channel::Receiver<Control>,
        host: HostParts,
    ) -> Result<LoadReport, Error> {
        let (reply, loaded) = mpsc::sync_channel(1);
        let context = ThreadContext {
            config: self.config.clone(),
            venv,
            preloaded,
            host,
            control,
            queue: Arc::clone(&self.queue),
            workers: Arc::clone(&self.workers),
            in_flight: Arc::clone(&self.in_flight),
            identities: self.identities,
            reply,
        };
        let thread =
            thread::spawn(context, claim).map_err(Error::io("cannot start the Python thread"))?;
        *self.thread.lock() = Some(thread);
        loaded.recv().map_err(|_| Error::RuntimeLost("its thread panicked".to_owned()))?
    }

    /// Logs the modules that did not load, and the routes; an error outside dev mode if none loaded.
    fn log_start(&self, report: &LoadReport) -> Result<(), Error> {
        let process = self.config.process;
        if !self.config.dev && !process.is_checked && report.generation == 0 {
            if !process.is_quiet {
                log_tracebacks(report);
            }
            return Err(Error::NothingLoads(failure_text(report)));
        }
        if process.is_quiet {
            return Ok(());
        }
        if !process.is_checked {
            log_failures(report);
        }
        if BuilderLink::get().is_some_and(|builder| builder.start().generation > 0) {
            return Ok(()); // the program before has logged them
        }
        for RouteInfo { methods, path, handler, mode, .. } in &report.routes {
            tracing::info!("route {} {path} -> {handler} ({mode})", methods.join(","));
        }
        Ok(())
    }

    /// The id of a load that has ended.
    fn next_load(&self) -> u64 {
        self.loads.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Records the serving generation for the process that reports a crash of this one.
    fn record_generation(&self) {
        if let Some(record) = &self.config.crash_record {
            record.set_generation(self.serving().generation);
        }
    }

    /// The configuration at its start.
    pub fn config(&self) -> &SnaxumConfig {
        &self.config
    }

    /// The generation that serves now.
    pub fn serving(&self) -> Arc<ServingGeneration> {
        Arc::clone(&self.serving.read())
    }

    /// The static files of the generation that serves now, if it has any.
    pub(crate) fn static_files(&self) -> Option<Arc<StaticFiles>> {
        self.static_files.load_full()
    }

    /// The layers around its responses, if the options turn one on.
    pub(crate) fn http_layers(&self) -> Option<&Arc<HttpLayers>> {
        self.http_layers.as_ref()
    }

    /// The events of this runtime.
    pub fn events(&self) -> &EventBus {
        &self.events
    }

    /// The same, for a body that outlives the caller.
    pub(crate) fn shared_events(&self) -> Arc<EventBus> {
        Arc::clone(&self.events)
    }

    /// Delays requests while a change is being handled.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The version of the running Python.
    pub fn python_version(&self) -> String {
        interpreter::version()
    }

    /// The id of the newest request.
    pub fn last_request_id(&self) -> u64 {
        self.last_request.load(Ordering::Relaxed)
    }

    /// Continues the ids of the program before this one.
    pub fn continue_requests(&self, last: u64) {
        self.last_request.fetch_max(last, Ordering::Relaxed);
    }

    /// A new request id, counted from 1.
    pub fn next_request_id(&self) -> u64 {
        self.last_request.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl std::fmt::Debug for PythonRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonRuntime").field("config", &self.config).finish_non_exhaustive()
    }
}
