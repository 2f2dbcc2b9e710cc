//! A process that serves, as the parent of a production server starts it.
//!
//! Loads the code, checks it and waits for the order to serve. Accepts connections in turns with the
//! other processes, on the socket of the parent.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::HOST;
use futures_util::FutureExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use snaxum::config::{ServerProcess, SnaxumConfig, SnaxumConfigBuilder};
use snaxum::crash_record::CrashRecord;
use snaxum::dispatcher;
use snaxum::error::Error;
use snaxum::python_runtime::PythonRuntime;
use snaxum::server::{
    self, ConnectionLimits, Listener, LoadTable, LocalConnection, Passage, StopSignals, Turns,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::link::{self, Orders};
use super::measurements::ProcessMeter;
use super::protocol::{Parameters, ParametersOfAnyVersion, ProcessParameters, Report, protocol};
use crate::cli::operations::{reopen_logs_on_signal, warn};
use crate::cli::options::ProjectArgs;
use crate::cli::render::color;
use crate::cli::render::error::error_text;
use crate::cli::serve::{self, ReadyServer, StopCause};
use crate::cli::{descriptors, exit, invocation, log, project};

/// The size of the pipe for a request of its own.
const PIPE_BYTES: usize = 64 * 1024;
const NO_PARENT: &str = "cannot reach the parent process";
/// The time that Python has to stop in a process that was not needed.
const UNUSED_SHUTDOWN: Duration = Duration::from_millis(500);

/// The resources that a process gets from its parent.
pub(super) struct Given {
    inherited: ProcessParameters,
    listener: OwnedFd,
    control: UnixStream,
    crash_record: File,
    turns: &'static Turns,
    metrics: Option<UnixStream>,
}

/// The options of the project, and the warnings about them.
pub(super) struct ReadOptions {
    pub(super) builder: SnaxumConfigBuilder,
    warnings: Vec<String>,
}

impl ReadOptions {
    pub(super) fn read(args: ProjectArgs) -> Result<Self, Error> {
        let (_, builder, warnings) = project::read_quietly(args)?;
        Ok(Self { builder, warnings })
    }
}

/// Reads the parameters from the parent; `None` in a process that a person has started.
pub(super) fn parameters() -> Result<Option<Parameters>, Error> {
    let Some(handover) = invocation::handover() else { return Ok(None) };
    let unknown = |_| Error::OtherVersion;
    let any: ParametersOfAnyVersion = serde_json::from_str(handover).map_err(unknown)?;
    if any.protocol != protocol() {
        let (text, code) = (error_text(&Error::OtherVersion), Error::OtherVersion.exit_code());
        // SAFETY: the variable names descriptors that were opened for this process only.
        let control = UnixStream::from(unsafe { descriptors::take(any.control) });
        link::set(&control).map_err(Error::io(NO_PARENT))?;
        link::send(&Report::Failed { text, code }); // the parent prints it
        exit::exit(code.into());
    }
    serde_json::from_str(handover).map(Some).map_err(unknown)
}

/// Opens the resources from the parent.
pub(super) fn take_over(inherited: ProcessParameters) -> Result<Given, Error> {
    // SAFETY: the parameters name descriptors that were opened for this process only.
    let take = |descriptor| unsafe { descriptors::take(descriptor) };
    let control = UnixStream::from(take(inherited.control));
    let [entrance, exit] = inherited.passage.map(take);
    let metrics = inherited.metrics.map(|descriptor| UnixStream::from(take(descriptor)));
    let sockets = [control.as_fd(), entrance.as_fd(), exit.as_fd()];
    server::detach_from_children(sockets.into_iter().chain(metrics.as_ref().map(AsFd::as_fd)))
        .map_err(Error::io(NO_PARENT))?;
    let table = LoadTable::open(&File::from(take(inherited.table)));
    let table = table.map_err(Error::io("cannot map a file"))?;
    let passage = Passage::from_ends(entrance, exit);
    let bell = inherited.bell.map(take);
    let turns = Turns::join(table, inherited.place, passage, bell, inherited.count > 1);
    Ok(Given {
        listener: take(inherited.listener),
        control,
        crash_record: take(inherited.crash_record).into(),
        turns,
        metrics,
        inherited,
    })
}

/// Serves until a signal or the order to drain. The parent prints an error of the start.
///
/// Returns the exit code.
pub(super) fn run(
    given: Given,
    options: impl FnOnce() -> Result<ReadOptions, Error>,
) -> Result<u8, Error> {
    link::set(&given.control).map_err(Error::io(NO_PARENT))?;
    let outcome = options().and_then(|options| serve_project(options, given));
    let code = outcome.unwrap_or_else(|error| {
        let (text, code) = (error_text(&error), error.exit_code());
        link::send(&Report::Failed { text, code });
        code
    });
    link::send(&Report::Ending);
    Ok(code)
}

fn serve_project(options: ReadOptions, given: Given) -> Result<u8, Error> {
    let Given { inherited, listener, control, crash_record, turns, metrics } = given;
    let config = configure(options, &inherited, crash_record)?;
    let tokio = async_runtime(inherited.count)?;
    let result = tokio.block_on(async {
        let (signals, orders) =
            link::connect(control, register_signals()?).map_err(Error::io(NO_PARENT))?;
        reopen_logs_on_signal()?;
        let meter = metrics.map(|socket| ProcessMeter::start(socket, inherited.number));
        let meter = meter.transpose().map_err(Error::io(NO_PARENT))?;
        let max_requests = staggered(config.max_requests, &inherited);
        let smoke = config.smoke.clone();
        let listener = Listener::from_fd(listener).map_err(Error::io("cannot use the socket"))?;
        let listener = listener.with_options(&config)?.with_turns(turns);
        let mut server = serve::start(config, Some(listener), signals).await?;
        let runtime = Arc::clone(&server.runtime);
        if let Err(text) = check(&runtime, &inherited, smoke.as_deref()).await {
            link::send(&Report::Failed { text, code: 1 });
            runtime.shutdown(UNUSED_SHUTDOWN).await;
            return Ok(1);
        }
        if let Some(max) = max_requests {
            turns.limit_requests(max, || {
                link::send(&Report::Worn { why: "`max-requests`".to_owned() });
            });
        }
        if !inherited.is_quiet {
            project::log_warnings(&runtime);
        }
        orders.watch(&runtime);
        if let Some(meter) = &meter {
            meter.watch(&runtime);
        }
        let is_incomplete = !runtime.serving().last_reload.report.failures.is_empty();
        link::send(&Report::Loaded { is_incomplete });
        tokio::select! {
            biased; // connections wait for a process that is to serve, also if it is to stop
            () = orders.serve.cancelled() => {}
            _ = server.signals.next() => {
                runtime.shutdown(UNUSED_SHUTDOWN).await;
                exit::limit(0);
                return Ok(0);
            }
        }
        serve_in_turns(server, turns, orders).await;
        if let Some(meter) = &meter {
            meter.finish().await;
        }
        Ok(0)
    });
    tokio.shutdown_background(); // a thread that hangs does not delay the end
    result
}

fn configure(
    options: ReadOptions,
    inherited: &ProcessParameters,
    crash_record: File,
) -> Result<SnaxumConfig, Error> {
    let ReadOptions { builder, warnings } = options;
    let crash_record = CrashRecord::open(crash_record, inherited.parent)
        .map_err(Error::io("cannot map a file"))?;
    let mut process = ServerProcess::new(inherited.number, inherited.count);
    (process.is_checked, process.is_quiet) = (inherited.is_checked, inherited.is_quiet);
    let builder = builder.crash_record(crash_record).first_generation(inherited.generation);
    let config = builder.process(process).build()?;
    log::start_as("info", config.log_format);
    if !inherited.is_quiet {
        warnings.iter().for_each(|warning| warn(config.log_format, warning));
    }
    Ok(config)
}

/// The processes share the cores.
fn async_runtime(processes: usize) -> Result<tokio::runtime::Runtime, Error> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores / processes).max(1))
        .enable_all()
        .build()
        .map_err(Error::io("cannot start the async runtime"))
}

fn register_signals() -> Result<StopSignals, Error> {
    // It is for the parent. Without a handler it would end this process.
    let hangup = signal(SignalKind::hangup());
    drop(hangup.map_err(Error::io("cannot register signal handlers"))?);
    serve::register_signals()
}

/// The number of requests after which this process is replaced: not the same in all of them, or all
/// would be replaced at once.
fn staggered(max_requests: u64, inherited: &ProcessParameters) -> Option<u64> {
    let (index, count) = (inherited.number as u64 - 1, inherited.count as u64);
    let extra = max_requests / 4 * index / count;
    (max_requests > 0).then(|| max_requests.saturating_add(extra))
}

/// Checks that the code can serve; the error is for people.
async fn check(
    runtime: &Arc<PythonRuntime>,
    inherited: &ProcessParameters,
    smoke: Option<&str>,
) -> Result<(), String> {
    let failures = &runtime.serving().last_reload.report.failures;
    if inherited.is_checked && !failures.is_empty() {
        let texts: Vec<String> = failures
            .iter()
            .map(|failed| {
                let text = failed.traceback.text.trim_end();
                let text = match text.is_empty() {
                    true => format!("{}: {}", failed.traceback.kind, failed.traceback.message),
                    false => text.to_owned(),
                };
                color::escape_lines(&format!("module `{}` does not load\n{text}", failed.module))
            })
            .collect();
        return Err(texts.join("\n"));
    }
    match smoke {
        Some(path) => smoke_test(runtime, path).await,
        None => Ok(()),
    }
}

/// Sends a request to this process, without a socket.
async fn smoke_test(runtime: &Arc<PythonRuntime>, path: &str) -> Result<(), String> {
    let (limits, stop) = (ConnectionLimits::new(runtime.config()), CancellationToken::new());
    let respond = {
        let runtime = Arc::clone(runtime);
        move |request, _| dispatcher::respond_through_layers(Arc::clone(&runtime), request)
    };
    let connect = server::serve_in_process(respond, limits, stop.clone());
    let (client, socket) = tokio::io::duplex(PIPE_BYTES);
    connect(LocalConnection::Pipe(socket));
    let failed = |error: &dyn std::fmt::Display| {
        color::escape(&format!("the smoke request GET {path} has failed: {error}"))
    };
    let request = Request::get(path).header(HOST, "localhost").body(Body::empty());
    let request = request.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(client)).await.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    stop.cancel();
    match status.is_client_error() || status.is_server_error() {
        true => Err(failed(&format!("the status is {status}"))),
        false => Ok(()),
    }
}

async fn serve_in_turns(server: ReadyServer, turns: &'static Turns, orders: Orders) {
    let runtime = Arc::clone(&server.runtime);
    let (limits, limit) = (ConnectionLimits::new(runtime.config()), runtime.config().drain_limit());
    let respond = move |request, _| {
        let running = turns.begin_request();
        let responding = dispatcher::respond_through_layers(Arc::clone(&runtime), request);
        responding.inspect(move |_| drop(running))
    };
    let serve = |listener, stop| server::serve_with(listener, respond, limits, stop, limit);
    let on_stop = |cause| {
        if cause == StopCause::Replaced {
            turns.leave();
        }
    };
    tokio::spawn(async {
        turns.end_of_accepting().await;
        link::send(&Report::Closing);
    });
    let replaced = orders.drain.cancelled().map(|()| StopCause::Replaced);
    serve::serve_until_end(server, serve, on_stop, replaced).await;
    exit::limit(0);
}
