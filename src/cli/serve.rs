//! `snaxum serve`: the routes, for production.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use snaxum::config::SnaxumConfig;
use snaxum::dispatcher;
use snaxum::error::Error;
use snaxum::python_runtime::PythonRuntime;
use snaxum::server::{self, DRAIN_TIMEOUT, MAX_HEADER_BYTES, StopSignals};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::render::color;
use super::options::ProjectArgs;
use super::project;

/// Serves until a signal comes.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    let config = project::read(args)?.1.build()?;
    project::tokio_runtime()?.block_on(async {
        let start = start(config, None).await?;
        let runtime = Arc::clone(&start.runtime);
        let answer = move |request, _| dispatcher::respond(Arc::clone(&runtime), request);
        let serve = |listener, stop| {
            server::serve_with(listener, answer, MAX_HEADER_BYTES, stop, DRAIN_TIMEOUT)
        };
        color::say(&format!("listening on http://{}\n", start.address));
        serve_until_end(start, serve, |_| (), std::future::pending()).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What a server consists of before it serves.
pub(crate) struct Start {
    pub(crate) signals: StopSignals,
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Arc<PythonRuntime>,
}

/// Binds the port, or takes over a socket that listens, then starts Python: a port in use is known
/// before anything is loaded.
pub(crate) async fn start(
    config: SnaxumConfig,
    socket: Option<std::net::TcpListener>,
) -> Result<Start, Error> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    server::raise_fd_limit();
    // Before Python, which takes SIGINT where nobody has it.
    let mut signals = StopSignals::register().map_err(io("cannot listen for signals"))?;
    let listener = match socket {
        Some(socket) => TcpListener::from_std(socket).map_err(io("cannot take the socket over"))?,
        None => server::bind(SocketAddr::new(config.host, config.port)).await?,
    };
    let address = listener.local_addr().map_err(io("cannot read the socket's address"))?;
    let loading = tokio::task::spawn_blocking(|| PythonRuntime::with_config(config));
    let runtime = tokio::select! {
        runtime = loading => runtime.map_err(|error| Error::RuntimeLost(error.to_string()))??,
        // Nothing is served yet, so nothing is lost: a module may be hanging.
        () = signals.received() => std::process::exit(130),
    };
    Ok(Start { signals, listener, address, runtime: Arc::new(runtime) })
}

/// What ended a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Signal,
    /// The future that was passed.
    Other,
}

/// Serves, and stops gracefully at the first signal or when `other` is ready, after `stopping`; a
/// second Ctrl-C ends the process at once.
pub(crate) async fn serve_until_end<S: Future<Output = usize> + Send + 'static>(
    start: Start,
    serve: impl FnOnce(TcpListener, CancellationToken) -> S,
    stopping: impl FnOnce(End),
    other: impl Future<Output = ()>,
) {
    let Start { mut signals, listener, runtime, .. } = start;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, stop.clone()));
    let end = tokio::select! {
        () = signals.received() => End::Signal,
        () = other => End::Other,
    };
    tracing::info!("stopping");
    stopping(end);
    let graceful = async {
        stop.cancel();
        if let Ok(open @ 1..) = serving.await {
            tracing::warn!("{open} connections were still open after {DRAIN_TIMEOUT:?}");
        }
        runtime.shutdown(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        () = graceful => {}
        () = signals.interrupted() => std::process::exit(130),
    }
}
