//! Accepts and serves connections, with timeouts, limits and a graceful shutdown.
//!
//! `axum::serve` sets no timer, so a client that never finishes its headers stays connected, and at
//! shutdown it waits for open streams without a limit. Knows nothing of Python.

mod acceptor;
mod client_socket;
mod client_stream;
mod connection;
mod entry;
mod fd_limit;
mod forked_child;
mod forwarded;
pub(crate) mod framing;
mod header_timeout;
mod http2;
mod http2_streams;
mod http2_websocket;
mod invalid_request;
mod limits;
mod listener;
mod preface;
mod refusals;
mod stop_signals;
mod takeover;
mod tls;
mod tls_socket;
mod turns;
mod unix_socket;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::either::Either;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

use crate::config::TrustedPeers;
use crate::error::Error;
use crate::message::ConnectionAddresses;

use acceptor::{Accepted, Acceptor};
use client_socket::{ClientSocket, PlainSocket};
use entry::Protocol;
use forked_child::Listening;
use limits::or_forever;
use listener::Entry;
use refusals::Refusals;
use takeover::Takeover;
use turns::{Mobility, OpenConnection};

pub use fd_limit::raise_limit as raise_fd_limit;
pub(crate) use forked_child::detach_child;
pub use forked_child::detach_from_children;
#[cfg(any(test, fuzzing))]
pub use framing::fuzz_host;
pub use limits::ConnectionLimits;
pub use listener::{ListenAddress, Listener};
pub use stop_signals::{StopSignal, StopSignals};
pub use tls::Tls;
/// Ends [`serve`].
pub use tokio_util::sync::CancellationToken;
pub use turns::{CountedRequest, LoadTable, Passage, Turns};
pub use unix_socket::SocketFile;

/// How long a stopping server waits for open requests and streams.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The address of a client that has none: in this process, or of a Unix socket.
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Binds a listener to `address`. In a program that `snaxum dev` runs, the first call returns its socket
/// instead, whatever the address is.
///
/// # Errors
///
/// The port is taken, or the address is not available.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let given = takeover::take_socket().map_err(Error::io("cannot take over the socket"))?;
    let Listener { socket, .. } = match given {
        Some(listener) => listener,
        None => Listener::bind(address)?,
    };
    let listener::Socket::Tcp(socket) = socket else { unreachable!("it listens on a port") };
    TcpListener::from_std(socket).map_err(|source| Error::Listen { address, source })
}

/// Serves `app` until `stop` is cancelled, then drains for at most `drain`.
///
/// Each request has a `ConnectInfo<SocketAddr>`, which is 127.0.0.1:0 on a Unix socket. Some file
/// descriptors are reserved for other uses; a connection over the limit waits in the socket's queue
/// until another ends. Returns the number of connections that were still open after `drain`.
///
/// In a program that `snaxum dev` runs, it also ends once a newer build of the program replaces it: then
/// idle connections move there.
pub async fn serve(
    listener: impl Into<Listener>,
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
    listener: impl Into<Listener>,
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    limits: ConnectionLimits,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    serve_all(listener.into(), respond, limits, (stop.clone(), stop), drain).await
}

/// Does the same, but each connection ends by itself after `stop`, also one that has just been opened.
pub async fn serve_to_the_end<F: Future<Output = Response> + Send + 'static>(
    listener: impl Into<Listener>,
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    limits: ConnectionLimits,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    serve_all(listener.into(), respond, limits, (stop, CancellationToken::new()), drain).await
}

/// Accepts until the first token is cancelled; the second one stops the connections.
async fn serve_all<F: Future<Output = Response> + Send + 'static>(
    Listener { socket, mut entry, file }: Listener,
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    limits: ConnectionLimits,
    (mut stop, mut stop_connections): (CancellationToken, CancellationToken),
    drain: Duration,
) -> usize {
    let takeover = Takeover::of(socket.as_fd());
    if let Some(takeover) = takeover {
        entry.turns = Some(takeover.turns);
        (stop, stop_connections) = takeover.follow(&stop, &stop_connections);
    }
    let connections = TaskTracker::new();
    // Until the connections have ended, too.
    let _listening = Listening::new(&socket);
    let mut acceptor = match Acceptor::new(socket, limits.max_connections, entry.turns) {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!("cannot accept connections: {error}");
            return 0;
        }
    };
    if let Some(takeover) = takeover {
        takeover.serves();
    }
    if let Some(tls) = entry.tls.clone() {
        tokio::spawn(stop.clone().run_until_cancelled_owned(tls.follow_files()));
    }
    loop {
        let (accepted, permit, has_begun) = tokio::select! {
            biased; // after the stop, connections are for the process that follows
            () = stop.cancelled() => break,
            accepted = acceptor.accept() => accepted,
        };
        let respond = respond.clone();
        let counts = ConnectionCounts {
            permit: Arc::new(permit),
            tasks: connections.clone(),
            open: entry.turns.map(Turns::open_connection),
        };
        let mobility = Mobility::new(entry.turns, entry.is_plain());
        let (socket, addresses) = match accepted {
            Accepted::Tcp(stream, peer) => {
                // Responses are small: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr().ok();
                let client = Some(peer);
                let addresses = ConnectionAddresses { client, local, ..Default::default() };
                if entry.is_plain() {
                    let refusals = Refusals { telemetry: entry.telemetry.clone(), client };
                    let trusted = entry.trusted.clone();
                    let respond = for_connection(respond, addresses, trusted, counts.clone());
                    let protocol = protocol_of(has_begun);
                    let connection = connection::serve(
                        stream,
                        protocol,
                        respond,
                        limits,
                        stop_connections.clone(),
                        (mobility, refusals),
                    );
                    connections.spawn(async move {
                        connection.await;
                        drop(counts);
                    });
                    continue;
                }
                (Either::Left(stream), addresses)
            }
            Accepted::Unix(stream) => {
                (Either::Right(Either::Left(stream)), ConnectionAddresses::default())
            }
        };
        let (entry, stop) = (entry.clone(), stop_connections.clone());
        connections.spawn(async move {
            let start = (entry, addresses, has_begun);
            serve_entering(socket, start, respond, counts, limits, stop).await;
        });
    }
    drop((acceptor, file));
    if let Some(takeover) = takeover {
        let _ = tokio::task::spawn_blocking(move || takeover.has_stopped()).await;
    }
    connections.close();
    let _ = tokio::time::timeout(drain, connections.wait()).await;
    connections.len()
}

/// Serves a connection that begins with something else than a request, or comes by a Unix socket.
async fn serve_entering<F: Future<Output = Response> + Send + 'static>(
    mut socket: PlainSocket,
    (entry, mut addresses, has_begun): (Entry, ConnectionAddresses, bool),
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F,
    counts: ConnectionCounts,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let deadline = Instant::now() + or_forever(limits.header_timeout);
    if !entry.is_plain() {
        tokio::select! {
            biased;
            () = entry::begin(&mut socket, deadline) => {}
            // It has sent nothing: another process continues it, or it ends.
            () = stop.cancelled() => {
                let mobility = Mobility::new(entry.turns, true);
                if mobility.is_leaving() {
                    mobility.pass_on(&socket, true);
                }
                return;
            }
        }
    }
    match entry::enter(socket, &entry, &mut addresses, deadline).await {
        Ok((socket, protocol)) => {
            let mobility = Mobility::new(entry.turns, entry.is_plain());
            // Only plain connections move.
            let protocol = if has_begun { protocol_of(true) } else { protocol };
            let refusals = Refusals { telemetry: entry.telemetry, client: addresses.client };
            let respond = for_connection(respond, addresses, entry.trusted, counts);
            let ways = (mobility, refusals);
            connection::serve(socket, protocol, respond, limits, stop, ways).await;
        }
        Err(error) => tracing::debug!("connection ended before its first request: {error}"),
    }
}

/// The protocol of a plain connection: only one of HTTP/1 moves after its first request.
fn protocol_of(has_begun: bool) -> Protocol {
    if has_begun { Protocol::Http1Idle } else { Protocol::Unknown }
}

/// Adds to each request what its connection knows.
fn for_connection<F, R: Fn(hyper::Request<Incoming>, SocketAddr) -> F>(
    respond: R,
    addresses: ConnectionAddresses,
    trusted: Option<Arc<TrustedPeers>>,
    counts: ConnectionCounts,
) -> impl Fn(hyper::Request<Incoming>) -> F {
    let peer = addresses.client;
    let trusted = trusted.filter(|trusted| trusted.contains(peer.map(|peer| peer.ip())));
    move |mut request| {
        if request.extensions().get::<OnUpgrade>().is_some() {
            let guard = ConnectionGuard(Arc::clone(&counts.permit), counts.tasks.token());
            request.extensions_mut().insert(guard);
        }
        let mut addresses = addresses.clone();
        if let Some(trusted) = &trusted {
            forwarded::apply(&mut addresses, request.headers(), trusted);
        }
        request.extensions_mut().insert(addresses);
        let response = respond(request, peer.unwrap_or(NO_ADDRESS));
        if let Some(open) = &counts.open {
            open.has_arrived();
        }
        response
    }
}

/// Counts a connection, in the ways that have a limit or a reader.
#[derive(Clone)]
struct ConnectionCounts {
    permit: Arc<OwnedSemaphorePermit>,
    tasks: TaskTracker,
    /// Set if other processes accept from the same socket.
    open: Option<OpenConnection>,
}

/// Counts a connection as open; the protocol that takes it over stores it.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "they are only dropped")]
pub(crate) struct ConnectionGuard(Arc<OwnedSemaphorePermit>, TaskTrackerToken);

/// Marks a request whose connection has no limit for the time of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnlimitedWrites;

/// The connection of a request to another server.
#[derive(Clone, Copy, Debug, Default)]
pub struct OuterConnection {
    /// The address of the client.
    pub client: Option<SocketAddr>,
    /// The address of the server.
    pub server: Option<SocketAddr>,
    /// Whether the client has used TLS.
    pub is_https: bool,
}

/// The server's end of a connection within this process.
#[derive(Debug)]
pub enum LocalConnection {
    /// A pipe of this process, without a descriptor.
    Pipe(DuplexStream),
    /// A socket, for the requests of another server, which has these.
    Socket(UnixStream, OuterConnection),
}

/// Returns a function that serves a connection within this process until `stop` is cancelled.
///
/// The function must be called within a tokio runtime.
pub fn serve_in_process<F: Future<Output = Response> + Send + 'static>(
    respond: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    limits: ConnectionLimits,
    stop: CancellationToken,
) -> impl Fn(LocalConnection) + Send + Sync {
    move |connection| {
        let (respond, stop) = (respond.clone(), stop.clone());
        // Another server limits the time of its clients itself.
        let mut limits = limits;
        let mut is_unlimited = false;
        let (socket, outer) = match connection {
            LocalConnection::Pipe(socket) => (
                socket.into_any(),
                OuterConnection { client: Some(NO_ADDRESS), ..Default::default() },
            ),
            LocalConnection::Socket(socket, outer) => {
                (limits.send_timeout, is_unlimited) = (Duration::ZERO, true);
                (socket.into_any(), outer)
            }
        };
        let OuterConnection { client, server: local, is_https } = outer;
        let addresses = ConnectionAddresses { client, local, is_https, host: None };
        let respond = move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(addresses.clone());
            if is_unlimited {
                request.extensions_mut().insert(UnlimitedWrites);
            }
            respond(request, client.unwrap_or(NO_ADDRESS))
        };
        tokio::spawn(connection::serve(
            socket,
            Protocol::Http1,
            respond,
            limits,
            stop,
            (Mobility::NONE, Refusals::default()),
        ));
    }
}

#[cfg(test)]
mod tests;
