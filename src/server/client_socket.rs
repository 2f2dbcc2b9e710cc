//! A client's socket: its state in the kernel, beside reading and writing.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection to a client.
pub(super) trait ClientSocket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Waits for input, and leaves it; 0 bytes are the end.
    fn poll_peek(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>>;

    /// The number of sent bytes that the client has not acknowledged; 0 where the system has no count.
    fn unacknowledged(&self) -> usize;

    /// Lets the kernel drop what the client has not read when the socket is dropped.
    fn reset_on_drop(&self);
}

impl ClientSocket for TcpStream {
    fn poll_peek(
        &self,
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

/// Connections in memory; a client that leaves shows with the next write.
impl ClientSocket for tokio::io::DuplexStream {
    fn poll_peek(&self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn unacknowledged(&self) -> usize {
        0
    }

    fn reset_on_drop(&self) {}
}
