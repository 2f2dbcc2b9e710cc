//! Sockets, timers, limits and the graceful end: what `axum::serve` leaves open.
//!
//! `axum::serve` sets no timer, so a client that never finishes its headers stays for ever, and
//! at shutdown it waits without end for open streams. Knows nothing of Python.

mod fd_limit;
mod header_timeout;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::error::Error;

use header_timeout::{HEAD_TIMEOUT, HeadTimer};

pub use fd_limit::raise_limit as raise_fd_limit;

/// Clients that may wait to be let in; the system may allow fewer. One for whom there is no room
/// tries again after a second, so a burst should fit.
const MOST_WAITING: u32 = 4096;
/// Bytes of a request's head, which is its address and its headers; a longer one is a 431.
pub const MAX_HEADER_BYTES: usize = 400 * 1024;
/// How long a stopping server waits for open requests and streams.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a trouble that goes on is not told of again.
const SILENCE: Duration = Duration::from_secs(60);
/// How long to wait before a socket that could not be opened is tried again.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Listens on `address`.
///
/// # Errors
///
/// Names the port if it is taken, and the way out.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port that is left can be taken again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(MOST_WAITING)
    };
    listen().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken(address),
        _ => Error::Listen { address, source },
    })
}

/// Serves `app` until `stop` is cancelled, then drains for at most `drain`.
///
/// Each request carries `ConnectInfo<SocketAddr>`. Connections leave some file descriptors to
/// everything else; one for which there is no room waits in the socket's queue until another ends.
/// Returns the number of connections that were still open when the time was up.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    let answer = move |mut request: hyper::Request<Incoming>, peer: SocketAddr| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = app.clone().oneshot(request);
        async { answered.await.unwrap_or_else(|never| match never {}) }
    };
    serve_with(listener, answer, MAX_HEADER_BYTES, stop, drain).await
}

/// The same for one function that answers everything: without a router in front of it. Stops to
/// read a head at about `max_head` bytes.
pub async fn serve_with<F: Future<Output = Response> + Send + 'static>(
    listener: TcpListener,
    answer: impl Fn(hyper::Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    max_head: usize,
    stop: CancellationToken,
    drain: Duration,
) -> usize {
    let connections = TaskTracker::new();
    let mut door = Door::new(listener);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = door.accept() => accepted,
        };
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answered = answer(request, peer);
            async { Ok::<_, Infallible>(answered.await) }
        });
        // Answers are small: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let conversation = converse(stream, peer, service, max_head, stop.clone());
        connections.spawn(async move {
            conversation.await;
            drop(place);
        });
    }
    drop(door);
    connections.close();
    let _ = tokio::time::timeout(drain, connections.wait()).await;
    connections.len()
}

/// Lets in one client after the other, as long as there is room.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    last_told: Option<Instant>,
}

impl Door {
    fn new(listener: TcpListener) -> Self {
        let places = Arc::new(Semaphore::new(fd_limit::room_for_connections()));
        Self { listener, places, last_told: None }
    }

    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        if self.places.available_permits() == 0 {
            self.tell("all connections that the limit of open files allows are taken; others wait");
        }
        let place = Arc::clone(&self.places).acquire_owned().await.expect("it is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                // The client was gone at once.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of file descriptors: those who are here go on, and may end.
                Err(error) => {
                    self.tell(&format!("cannot accept a connection: {error}"));
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    fn tell(&mut self, what: &str) {
        if self.last_told.is_none_or(|told| told.elapsed() > SILENCE) {
            self.last_told = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }
}

/// Serves one connection to its end; after `stop` it finishes the request at hand.
async fn converse<T, S>(
    stream: T,
    peer: SocketAddr,
    service: S,
    max_head: usize,
    stop: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Send
        + 'static,
{
    static TOO_LONG: Once = Once::new();
    let timer = HeadTimer::default();
    let stream = TokioIo::new(timer.listen(stream));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(timer)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(max_head)
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
            let most = max_head / 1024;
            TOO_LONG.call_once(|| {
                tracing::warn!("a request was refused: address and headers have over {most} KiB; large cookies are a usual cause");
            });
        }
        // A client that leaves in the middle is no event for the log.
        tracing::debug!(%peer, "connection ended: {error}");
    }
}

/// SIGINT and SIGTERM, received by Rust.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Registers both. Do so before Python starts, which takes SIGINT where nobody has it.
    ///
    /// # Errors
    ///
    /// What the system says; needs a tokio runtime.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for either.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for SIGINT alone.
    pub async fn interrupted(&mut self) {
        self.interrupt.recv().await;
    }
}

#[cfg(test)]
mod tests;
