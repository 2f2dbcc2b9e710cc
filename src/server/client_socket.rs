//! A client's socket: its state in the kernel, beside reading and writing.
//!
//! TCP without TLS has a type of its own, for speed; all other kinds share [`AnySocket`].

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use super::tls_socket::TlsSocket;

/// A socket of any kind, without TLS.
pub(super) type PlainSocket = Either<TcpStream, Either<UnixStream, DuplexStream>>;
/// A socket of any kind.
pub(super) type AnySocket = Either<PlainSocket, Box<TlsSocket<PlainSocket>>>;

/// A connection to a client.
pub(super) trait ClientSocket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Waits for input, and leaves it; 0 bytes are the end.
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>>;

    /// The number of sent bytes that the client has not acknowledged; 0 where the system has no count.
    fn unacknowledged(&self) -> usize;

    /// Lets the kernel drop what the client has not read when the socket is dropped.
    fn reset_on_drop(&self);

    /// The descriptor, if another process can continue the connection.
    fn movable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Makes it a socket of the common type.
    fn into_any(self) -> AnySocket;
}

impl ClientSocket for TcpStream {
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_peek(self, context, buffer)
    }

    fn unacknowledged(&self) -> usize {
        unacknowledged(self.as_raw_fd())
    }

    fn reset_on_drop(&self) {
        let _ = self.set_zero_linger();
    }

    fn movable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn into_any(self) -> AnySocket {
        Either::Left(Either::Left(self))
    }
}

#[cfg(target_os = "linux")]
fn unacknowledged(socket: RawFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the pointer is to a number of our own.
    let result = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut count) };
    if result == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

#[cfg(target_vendor = "apple")]
fn unacknowledged(socket: RawFd) -> usize {
    let mut count: libc::c_int = 0;
    let mut size = size_of_val(&count) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the pointers are to a number of our own and its size.
    let result = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_NWRITE,
            (&raw mut count).cast(),
            &raw mut size,
        )
    };
    if result == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn unacknowledged(_: RawFd) -> usize {
    0
}

/// Connections of `uds`, and of another server in this process.
impl ClientSocket for UnixStream {
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_read_ready(context))?;
            match self.try_io(Interest::READABLE, || peek(self.as_raw_fd(), buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Unlike TCP, it shows whether its client still reads.
                Ok(0) if is_closed(self.as_raw_fd()) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                peeked => return Poll::Ready(peeked),
            }
        }
    }

    fn unacknowledged(&self) -> usize {
        0
    }

    fn reset_on_drop(&self) {}

    fn movable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn into_any(self) -> AnySocket {
        Either::Left(Either::Right(Either::Left(self)))
    }
}

fn peek(socket: RawFd, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    let unfilled = buffer.initialize_unfilled();
    let (start, size) = (unfilled.as_mut_ptr().cast(), unfilled.len());
    // SAFETY: the descriptor is open, and the pointer is to so many bytes of our own.
    let count = unsafe { libc::recv(socket, start, size, libc::MSG_PEEK) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Whether the other end is closed in both directions.
fn is_closed(socket: RawFd) -> bool {
    let mut state = libc::pollfd { fd: socket, events: 0, revents: 0 };
    // SAFETY: the pointer is to one structure of our own; the call does not wait.
    unsafe { libc::poll(&raw mut state, 1, 0) };
    state.revents & (libc::POLLHUP | libc::POLLERR) != 0
}

/// Connections within the process; a client that leaves shows with the next write.
impl ClientSocket for DuplexStream {
    fn poll_peek(&mut self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn unacknowledged(&self) -> usize {
        0
    }

    fn reset_on_drop(&self) {}

    fn into_any(self) -> AnySocket {
        Either::Left(Either::Right(Either::Right(self)))
    }
}

impl ClientSocket for PlainSocket {
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Either::Left(socket) => ClientSocket::poll_peek(socket, context, buffer),
            Either::Right(Either::Left(socket)) => socket.poll_peek(context, buffer),
            Either::Right(Either::Right(socket)) => socket.poll_peek(context, buffer),
        }
    }

    fn unacknowledged(&self) -> usize {
        match self {
            Either::Left(socket) => socket.unacknowledged(),
            Either::Right(_) => 0,
        }
    }

    fn reset_on_drop(&self) {
        if let Either::Left(socket) = self {
            socket.reset_on_drop();
        }
    }

    fn movable(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Either::Left(socket) => socket.movable(),
            Either::Right(Either::Left(socket)) => socket.movable(),
            Either::Right(Either::Right(_)) => None,
        }
    }

    fn into_any(self) -> AnySocket {
        Either::Left(self)
    }
}

impl ClientSocket for AnySocket {
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Either::Left(socket) => socket.poll_peek(context, buffer),
            Either::Right(socket) => socket.poll_peek(context, buffer),
        }
    }

    fn unacknowledged(&self) -> usize {
        match self {
            Either::Left(socket) => socket.unacknowledged(),
            Either::Right(socket) => socket.plain().unacknowledged(),
        }
    }

    fn reset_on_drop(&self) {
        match self {
            Either::Left(socket) => socket.reset_on_drop(),
            Either::Right(socket) => socket.plain().reset_on_drop(),
        }
    }

    fn movable(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Either::Left(socket) => socket.movable(),
            Either::Right(_) => None, // the keys of TLS stay here
        }
    }

    fn into_any(self) -> AnySocket {
        self
    }
}
