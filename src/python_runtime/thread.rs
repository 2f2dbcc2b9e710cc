//! The runtime thread: a loop over [`Control`] messages.
//!
//! Boots Python, reloads and shuts down. Never runs a handler, and releases the interpreter while it
//! waits for a message.

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Receiver;
use pyo3::Python;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::message::LoadReport;
use crate::telemetry::Identities;
use crate::venv::Venv;

use super::bridge::{self, Bridge, DocumentMaker};
use super::host::{HostApi, HostParts};
use super::in_flight::InFlight;
use super::interpreter::{self, Origin, keeping_signals};
use super::lent_thread;
use super::messages::{Calls, Control, OpenApiText, ReloadReply};
use super::preload::Preloaded;
use super::python_options::options;
use super::workers::{STACK_BYTES, WorkerContext, Workers};

/// How long workers, loop and pool have to end after the last handle was dropped.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

// A process has one interpreter.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// The interpreter of this process, for one runtime at a time: the drop makes it available again.
pub(crate) struct InterpreterClaim(());

impl InterpreterClaim {
    /// Claims it; `None` if another runtime has it.
    pub(crate) fn take() -> Option<Self> {
        (!RUNNING.swap(true, Ordering::SeqCst)).then_some(Self(()))
    }
}

impl Drop for InterpreterClaim {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::SeqCst);
    }
}

/// Whether the interpreter runs nothing but the server.
fn is_only_for_us(origin: Origin) -> bool {
    match origin {
        Origin::Ours => true,
        Origin::Adopted => false,
        Origin::Host => lent_thread::is_lent(),
    }
}

/// The parts of the runtime that its thread uses.
pub(crate) struct ThreadContext {
    pub(crate) config: SnaxumConfig,
    pub(crate) venv: Option<Venv>,
    /// The code, if it was loaded before this process was forked.
    pub(crate) preloaded: Option<Preloaded>,
    pub(crate) host: HostParts,
    pub(crate) control: Receiver<Control>,
    pub(crate) queue: Arc<Calls>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) identities: Identities,
    pub(crate) reply: mpsc::SyncSender<Result<LoadReport, Error>>,
}

/// The runtime thread, seen from others.
pub(crate) enum RuntimeThread {
    Own(JoinHandle<()>),
    /// The thread that a program has lent; the receiver ends with the work there.
    Lent(libc::pthread_t, mpsc::Receiver<()>),
}

impl RuntimeThread {
    /// Waits until it has stopped Python.
    pub(crate) fn join(self) {
        match self {
            Self::Own(thread) => drop(thread.join()),
            Self::Lent(_, ended) => drop(ended.recv()),
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        let thread = match self {
            Self::Own(thread) => thread.as_pthread_t(),
            Self::Lent(thread, _) => *thread,
        };
        // SAFETY: one of our own has not been joined, and a lent one is the process's main thread.
        unsafe { libc::pthread_kill(thread, signal) };
    }
}

/// Starts the runtime thread, or uses the lent thread; it has the interpreter until it has stopped.
pub(crate) fn spawn(
    context: ThreadContext,
    claim: InterpreterClaim,
) -> std::io::Result<RuntimeThread> {
    let run = || {
        run(context);
        drop(claim);
    };
    match lent_thread::run(run) {
        Ok((thread, ended)) => Ok(RuntimeThread::Lent(thread, ended)),
        Err(run) => {
            let thread = thread::Builder::new().name("python".into()).stack_size(STACK_BYTES);
            thread.spawn(run).map(RuntimeThread::Own)
        }
    }
}

fn run(context: ThreadContext) {
    let origin = match &context.preloaded {
        Some(preloaded) => Ok(preloaded.origin),
        None => interpreter::initialize(context.venv.as_ref()),
    };
    let origin = match origin {
        Ok(origin) => origin,
        Err(error) => {
            let _ = context.reply.send(Err(error));
            return;
        }
    };
    Python::attach(|py| {
        let options = options(&context.config, context.venv.as_ref(), origin, false);
        let ThreadContext { host, control, queue, workers, reply, identities, .. } = context;
        let (wakes, loop_calls) = (Arc::clone(&host.wakes), Arc::clone(&host.loop_calls));
        let started = keeping_signals(origin, || match context.preloaded {
            Some(preloaded) => preloaded.bridge.begin(py, &options, identities),
            None => {
                // In dev mode `gc.get_referrers` names what refers to old code, also where it is older.
                let is_kept = !context.config.dev && is_only_for_us(origin);
                Bridge::start(py, &options, HostApi(host), identities, is_kept)
            }
        });
        let (bridge, report) = match started {
            Ok((bridge, report)) => (Arc::new(bridge), report),
            Err(error) => {
                let _ = reply.send(Err(bridge::start_error(py, &error, &context.config.places)));
                return;
            }
        };
        let worker_context = WorkerContext {
            bridge: Arc::clone(&bridge),
            queue: Arc::clone(&queue),
            wakes,
            in_flight: context.in_flight,
        };
        workers.start(worker_context);
        let generation = report.generation;
        let _ = reply.send(Ok(report));

        let stop = serve_control(py, &bridge, &control, generation, origin);
        let timeout = stop.as_ref().map_or(STOP_TIMEOUT, |(timeout, _)| *timeout);
        py.detach(|| workers.stop(&queue, timeout));
        if let Err(error) = bridge.stop(py, timeout) {
            tracing::error!("while stopping Python: {}", bridge::error_text(py, &error));
        }
        loop_calls.close();
        if let Some((_, done)) = stop {
            let _ = done.send(());
        }
    });
}

/// Handles messages until the shutdown, whose parameters it returns; `None` if the last handle was
/// dropped.
fn serve_control(
    py: Python<'_>,
    bridge: &Bridge,
    control: &Receiver<Control>,
    mut generation: u64,
    origin: Origin,
) -> Option<(Duration, tokio::sync::oneshot::Sender<()>)> {
    while let Ok(message) = py.detach(|| control.recv()) {
        match message {
            Control::Reload { paths, is_partial, scope, on_begin, newer, reply } => {
                let result = keeping_signals(origin, || {
                    bridge.reload(py, paths, is_partial, scope, on_begin, newer)
                });
                if let Ok(ReloadReply::Report(report)) = &result {
                    generation = report.generation;
                }
                let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
                if let Err(error) = bridge.end_replaced(py) {
                    let error = bridge::error_text(py, &error);
                    tracing::error!("internal error; please report this: {error}");
                }
            }
            Control::Explain { method, path, reply } => {
                let result = bridge.explain(py, &method, &path);
                let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
            }
            Control::Describe { what, about, reply } => {
                let description = bridge.describe(py, what, about).unwrap_or_else(|error| {
                    let error = bridge::error_text(py, &error);
                    tracing::error!("cannot read `{what}` from Python: {error}");
                    serde_json::Value::Null
                });
                let _ = reply.send(description);
            }
            Control::OpenApi { reply } => match bridge.openapi_document(py) {
                Ok(document) => make_document(document, generation, reply),
                Err(error) => {
                    let _ = reply.send(Err(bridge::error_line(py, &error)));
                }
            },
            Control::RunTests { args, reply } => {
                let result = keeping_signals(origin, || bridge.run_tests(py, args));
                let _ = reply.send(result.map_err(|error| bridge::error_text(py, &error)));
            }
            Control::Probe { reply } => drop(reply.send(())),
            Control::Shutdown { timeout, began, reply } => {
                let _ = began.send(());
                return Some((timeout, reply));
            }
        }
    }
    None
}

/// Makes the OpenAPI document in a thread of its own: it may take a second, and the next save must
/// not wait for it.
fn make_document(
    document: DocumentMaker,
    generation: u64,
    reply: mpsc::SyncSender<Result<OpenApiText, String>>,
) {
    let run = move || {
        Python::attach(|py| {
            let result = document.make(py).map(|text| OpenApiText { generation, text });
            let _ = reply.send(result.map_err(|error| bridge::error_line(py, &error)));
        });
    };
    let thread = thread::Builder::new().name("openapi".into()).stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(run) {
        // The receiver of the reply ends with it.
        tracing::error!("cannot start the thread of the OpenAPI document: {error}");
    }
}
