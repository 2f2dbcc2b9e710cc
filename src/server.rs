//! Accepts and serves connections, with timeouts, limits and a graceful shutdown.
//!
//! `axum::serve` sets no timer, so a client that never finishes its headers stays connected, and at
//! shutdown it waits for open streams without a limit. Knows nothing of Python.

mod client_socket;
mod client_stream;
mod fd_limit;
mod forked_child;
pub(crate) mod framing;
mod header_timeout;
mod invalid_request;
mod limits;
mod stop_signals;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, Version};
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::{self, Either};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

use crate::error::Error;
use crate::message::ConnectionAddresses;

use client_socket::ClientSocket;
use client_stream::ClientStream;
use forked_child::Listening;
use header_timeout::{HeaderTimeout, Phase};

pub use fd_limit::raise_limit as raise_fd_limit;
pub(crate) use forked_child::detach_child;
#[cfg(any(test, fuzzing))]
pub use framing::fuzz_host;
pub use limits::ConnectionLimits;
pub use stop_signals::{StopSignal, StopSignals};

/// Connections that may wait to be accepted; the system may allow fewer. A client that finds no room
/// tries again after a second, so a burst should fit.
const LISTEN_BACKLOG: u32 = 4096;
/// How long a stopping server waits for open requests and streams.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a warning is repeated while its cause lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait after a connection could not be accepted.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Binds a listener to `address`.
///
/// # Errors
///
/// The port is taken, or the address is not available.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Allows a restart on the same port at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    listen().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken(address),
        _ => Error::Listen { address, source },
    })
}

/// Serves `app` until `stop` is cancelled, then drains for at most `drain`.
///
/// Each request has a `ConnectInfo<SocketAddr>`. Some file descriptors are reserved for other uses; a
/// connection over the limit waits in the socket's queue until another ends. Returns the number of
/// connections that were still open after `drain`.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    let respond = move |mut request: hyper::Request<Incoming>, peer: SocketAddr| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = app.clone().oneshot(request);
        async { response.await.unwrap_or_else(|never| match never {}) }
    };
    serve_with(listener, respond, ConnectionLimits::default(), stop, drain).await
}

/// Serves one function instead of a router, with these limits.
pub async fn serve_with<F: Future<Output = Response> + Send + 'static>(
    listener: TcpListener,
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    limits: ConnectionLimits,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    let connections = TaskTracker::new();
    // Until the connections have ended, too.
    let _listening = Listening::new(&listener);
    let mut acceptor = Acceptor::new(listener);
    loop {
        let (stream, peer, permit) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = acceptor.accept() => accepted,
        };
        // Responses are small: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let respond = respond.clone();
        let addresses = ConnectionAddresses { peer, local: stream.local_addr().ok() };
        let permit = Arc::new(permit);
        let guard = (Arc::clone(&permit), connections.clone());
        let respond = move |mut request: hyper::Request<Incoming>| {
            if request.extensions().get::<OnUpgrade>().is_some() {
                let (permit, connections) = &guard;
                let guard = ConnectionGuard(Arc::clone(permit), connections.token());
                request.extensions_mut().insert(guard);
            }
            request.extensions_mut().insert(addresses);
            respond(request, peer)
        };
        let connection = serve_connection(stream, peer, respond, limits, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(acceptor);
    connections.close();
    let _ = tokio::time::timeout(drain, connections.wait()).await;
    connections.len()
}

/// Counts a connection as open; the protocol that takes it over stores it.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "they are only dropped")]
pub(crate) struct ConnectionGuard(Arc<OwnedSemaphorePermit>, TaskTrackerToken);

/// Marks a request whose connection has no limit for the time of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnlimitedWrites;

/// The server's end of a connection within this process.
#[derive(Debug)]
pub enum LocalConnection {
    /// In memory.
    Memory(DuplexStream),
    /// A socket, for the requests of another server: with the address of its client and, if it is
    /// known, that of the server.
    Socket(UnixStream, Option<(SocketAddr, Option<SocketAddr>)>),
}

/// Returns a function that serves a connection within this process until `stop` is cancelled.
///
/// The function must be called within a tokio runtime.
pub fn serve_in_memory<F: Future<Output = Response> + Send + 'static>(
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    limits: ConnectionLimits,
    stop: CancellationToken,
) -> impl Fn(LocalConnection) + Send + Sync {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    move |connection| {
        let (respond, stop) = (respond.clone(), stop.clone());
        match connection {
            LocalConnection::Memory(socket) => {
                let respond = move |request| respond(request, here);
                tokio::spawn(serve_connection(socket, here, respond, limits, stop));
            }
            LocalConnection::Socket(socket, addresses) => {
                let peer = addresses.map_or(here, |(peer, _)| peer);
                // The other server limits the time of its clients.
                let limits = ConnectionLimits { send_timeout: Duration::ZERO, ..limits };
                let respond = move |mut request: hyper::Request<Incoming>| {
                    request.extensions_mut().insert(UnlimitedWrites);
                    if let Some((peer, local)) = addresses {
                        request.extensions_mut().insert(ConnectionAddresses { peer, local });
                    }
                    respond(request, peer)
                };
                tokio::spawn(serve_connection(socket, peer, respond, limits, stop));
            }
        }
    }
}

/// Accepts connections up to the limit.
struct Acceptor {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    last_warning: Option<Instant>,
}

impl Acceptor {
    fn new(listener: TcpListener) -> Self {
        let permits = Arc::new(Semaphore::new(fd_limit::max_connections()));
        Self { listener, permits, last_warning: None }
    }

    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        if self.permits.available_permits() == 0 {
            self.warn_throttled(
                "connection limit reached: new connections are queued; raise the limit of open files",
            );
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, permit),
                // The client has disconnected already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of file descriptors: open connections may end meanwhile.
                Err(error) => {
                    self.warn_throttled(&format!("cannot accept a connection: {error}"));
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    fn warn_throttled(&mut self, text: &str) {
        if self.last_warning.is_none_or(|last| last.elapsed() > LOG_INTERVAL) {
            self.last_warning = Some(Instant::now());
            tracing::warn!("{text}");
        }
    }
}

/// Serves one connection to its end; after `stop` it finishes the current request.
async fn serve_connection<T: ClientSocket, F: Future<Output = Response> + Send>(
    socket: T,
    peer: SocketAddr,
    respond: impl Fn(hyper::Request<Incoming>) -> F,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    static TOO_LARGE: Once = Once::new();
    let timer = HeaderTimeout::new(&limits);
    let stream = TokioIo::new(ClientStream::new(socket, timer.clone(), &limits));
    let timer = &timer;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let rejection = framing::check(&request);
        timer.enter(match request.version() {
            _ if rejection.is_some() => Phase::Rejected,
            Version::HTTP_11 => Phase::Request,
            _ => Phase::OldRequest,
        });
        // An `async` block would store the future, which is large, more than once.
        let responding = match rejection {
            None => Either::Left(respond(request)),
            Some(rejection) => Either::Right(future::ready(rejection.response())),
        };
        responding.map(move |response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                timer.enter(Phase::Upgraded);
            }
            Ok::<_, Infallible>(response)
        })
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(timer.duration())
        .max_header_size(limits.max_header_size)
        // `ClientStream` notices a client that leaves.
        .half_close(true)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        if error.is_parse_too_large() {
            let limit = limits.max_header_size / 1024;
            TOO_LARGE.call_once(|| {
                tracing::warn!("a request was rejected: its target and headers exceed {limit} KiB; check its cookies");
            });
        }
        // A client that disconnects during a request is not worth a warning.
        tracing::debug!(%peer, "connection ended: {error}");
    }
}

#[cfg(test)]
mod tests;
