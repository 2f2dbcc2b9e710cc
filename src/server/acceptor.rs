//! Accepts connections up to a limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fd_limit;
use super::listener::Socket;

/// How often a warning is repeated while its cause lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait after a connection could not be accepted.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Accepts connections; one over the limit waits in the socket's queue until another ends.
pub(super) struct Acceptor {
    listener: AsyncListener,
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

impl Acceptor {
    /// Takes the socket over; `max_connections` 0 is the limit of open files.
    pub(super) fn new(socket: Socket, max_connections: usize) -> io::Result<Self> {
        let listener = match socket {
            Socket::Tcp(socket) => AsyncListener::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket) => AsyncListener::Unix(UnixListener::from_std(socket)?),
        };
        let possible = fd_limit::max_connections();
        let limit = if max_connections == 0 { possible } else { possible.min(max_connections) };
        Ok(Self { listener, permits: Arc::new(Semaphore::new(limit)), last_warning: None })
    }

    pub(super) async fn accept(&mut self) -> (Accepted, OwnedSemaphorePermit) {
        if self.permits.available_permits() == 0 {
            self.warn_throttled(
                "connection limit reached: new connections are queued; raise `max-connections` or the \
                 limit of open files",
            );
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        loop {
            let accepted = match &self.listener {
                AsyncListener::Tcp(listener) => {
                    listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer))
                }
                AsyncListener::Unix(listener) => {
                    listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
                }
            };
            match accepted {
                Ok(accepted) => return (accepted, permit),
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
