//! The start and the graceful stop of a process that serves, in production and in dev mode.

use std::sync::Arc;
use std::time::{Duration, Instant};

use snaxum::config::SnaxumConfig;
use snaxum::error::Error;
use snaxum::python_runtime::PythonRuntime;
use snaxum::server::{self, DRAIN_TIMEOUT, Listener, StopSignal, StopSignals};
use tokio_util::sync::CancellationToken;

use super::exit::{self, exit};

/// The least and the most time that Python has to stop, once no request is waited for.
const MIN_SHUTDOWN: Duration = Duration::from_millis(500);
const MAX_SHUTDOWN: Duration = DRAIN_TIMEOUT;

/// The parts of a server that is ready to serve.
pub(crate) struct ReadyServer {
    pub(crate) signals: StopSignals,
    pub(crate) listener: Listener,
    pub(crate) runtime: Arc<PythonRuntime>,
}

/// Registers the signal handlers; before Python, which installs a SIGINT handler unless there is one.
pub(crate) fn register_signals() -> Result<StopSignals, Error> {
    StopSignals::register().map_err(Error::io("cannot register signal handlers"))
}

/// Opens the socket, unless this process has inherited one, then starts Python: a port in use is an
/// error before any module loads.
pub(crate) async fn start(
    config: SnaxumConfig,
    inherited: Option<Listener>,
    mut signals: StopSignals,
) -> Result<ReadyServer, Error> {
    server::raise_fd_limit();
    let listener = match inherited {
        Some(listener) => listener,
        None => Listener::open(&config)?,
    };
    let loading = tokio::task::spawn_blocking(|| PythonRuntime::with_config(config));
    let runtime = tokio::select! {
        runtime = loading => runtime.map_err(|error| Error::RuntimeLost(error.to_string()))??,
        // A module may hang, and there are no requests to finish yet.
        signal = signals.next() => exit(signal.exit_code()),
    };
    let listener = listener.with_telemetry(runtime.telemetry());
    Ok(ReadyServer { signals, listener, runtime: Arc::new(runtime) })
}

/// Why a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    Signal,
    #[allow(dead_code, reason = "only dev mode restarts")]
    Restart,
    /// Another process serves in its place.
    Replaced,
}

/// Serves until a signal or another cause, calls `on_stop` and stops gracefully. A second SIGTERM ends
/// the wait for requests; a second Ctrl-C, and any third signal, exits at once.
pub(crate) async fn serve_until_end<S: Future<Output = usize> + Send + 'static>(
    server: ReadyServer,
    serve: impl FnOnce(Listener, CancellationToken) -> S,
    on_stop: impl FnOnce(StopCause),
    other: impl Future<Output = StopCause>,
) {
    let ReadyServer { mut signals, listener, runtime, .. } = server;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, stop.clone()));
    let cause = tokio::select! {
        _ = signals.next() => StopCause::Signal,
        cause = other => cause,
    };
    if cause == StopCause::Signal {
        let delay = runtime.config().shutdown_delay;
        if !delay.is_zero() {
            tracing::info!("stopping in {delay:?}; the server is no longer ready");
            runtime.announce_stop();
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = signals.next() => {}
            }
        }
        if !runtime.config().process.is_quiet {
            tracing::info!("stopping");
        }
    }
    if cause != StopCause::Signal {
        runtime.announce_replacement();
    }
    on_stop(cause);
    let hurry = CancellationToken::new();
    let graceful = async {
        stop.cancel();
        runtime.begin_shutdown();
        let limit = runtime.config().drain_limit();
        let began = Instant::now();
        tokio::select! {
            open = serving => if let Ok(open @ 1..) = open {
                tracing::warn!("{open} connections were still open after {limit:?}");
            },
            () = hurry.cancelled() => {}
        }
        let left = limit.saturating_sub(began.elapsed());
        let left = if hurry.is_cancelled() { Duration::ZERO } else { left };
        runtime.shutdown(left.clamp(MIN_SHUTDOWN, MAX_SHUTDOWN)).await;
    };
    let impatient = async {
        // It ends anyway, and its requests have their time.
        if cause == StopCause::Replaced {
            signals.next().await;
        }
        loop {
            match signals.next().await {
                StopSignal::Terminate if !hurry.is_cancelled() => hurry.cancel(),
                signal => exit(signal.exit_code()),
            }
        }
    };
    tokio::select! {
        () = graceful => {}
        () = impatient => {}
    }
    if cause == StopCause::Signal {
        exit::limit(0);
    }
}
