//! Accepts connections up to a limit.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::fd_limit;
use super::listener::Socket;
use super::turns::{Turn, TurnWaiter, Turns};

/// How often a warning is repeated while its cause lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait after a connection could not be accepted.
const BACK_OFF: Duration = Duration::from_millis(50);
/// How long a process waits for a connection that another one may have taken.
const ACCEPT_TIME: Duration = Duration::from_millis(1);

/// Accepts connections; one over the limit waits in the socket's queue until another ends.
pub(super) struct Acceptor {
    listener: AsyncListener,
    /// Set if other processes accept from the same socket.
    waiter: Option<TurnWaiter>,
    permits: Arc<Semaphore>,
    last_warning: Option<Instant>,
}

enum AsyncListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl AsyncListener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer))
            }
            Self::Unix(listener) => {
                listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
            }
        }
    }

    /// Takes a connection that another process has accepted.
    fn adopt(&self, connection: OwnedFd) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(_) => {
                let stream = TcpStream::from_std(connection.into())?;
                let peer = stream.peer_addr()?;
                Accepted::Tcp(stream, peer)
            }
            Self::Unix(_) => Accepted::Unix(UnixStream::from_std(connection.into())?),
        })
    }
}

impl Acceptor {
    /// Takes the socket over; `max_connections` 0 is the limit of open files. With `turns`, accepts in
    /// turns with other processes.
    pub(super) fn new(
        socket: Socket,
        max_connections: usize,
        turns: Option<&'static Turns>,
    ) -> io::Result<Self> {
        let waiter = turns.map(|turns| TurnWaiter::new(turns, socket.as_fd())).transpose()?;
        let listener = match socket {
            Socket::Tcp(socket) => AsyncListener::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket) => AsyncListener::Unix(UnixListener::from_std(socket)?),
        };
        let possible = fd_limit::max_connections();
        let limit = if max_connections == 0 { possible } else { possible.min(max_connections) };
        Ok(Self { listener, waiter, permits: Arc::new(Semaphore::new(limit)), last_warning: None })
    }

    /// Waits for a connection; the last part is whether it has begun in another process.
    pub(super) async fn accept(&mut self) -> (Accepted, OwnedSemaphorePermit, bool) {
        if self.permits.available_permits() == 0 {
            self.warn_throttled(
                "connection limit reached: new connections are queued; raise `max-connections` or the \
                 limit of open files",
            );
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        loop {
            let turn = match &mut self.waiter {
                Some(waiter) => Some(waiter.next().await),
                None => None,
            };
            let accepted = match turn {
                None => self.listener.accept().await,
                // The runtime may still be about to notice the connection, or another process has it.
                Some(Turn::Accept) => match timeout(ACCEPT_TIME, self.listener.accept()).await {
                    Ok(accepted) => accepted,
                    Err(_) => continue,
                },
                Some(Turn::Moved { connection, is_new }) => {
                    match self.listener.adopt(connection) {
                        Ok(accepted) => return (accepted, permit, !is_new),
                        Err(_) => continue, // its client has left
                    }
                }
            };
            match accepted {
                Ok(accepted) => return (accepted, permit, false),
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
