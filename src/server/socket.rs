//! What the server needs of a client's socket beside reading and writing.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of a response that wait in the kernel, beside those on their way. By default it holds
/// megabytes for a client that does not read, and a write would not show for minutes that a slow
/// client still reads.
const MAX_UNSENT: libc::c_int = 128 * 1024;

/// A connection to a client.
pub(super) trait ClientSocket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Waits for input, and leaves it; 0 bytes are the end.
    fn poll_peek(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>>;

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

    fn reset_on_drop(&self) {
        let _ = self.set_zero_linger();
    }
}

/// Sets the options of an accepted socket. None of them is vital.
pub(super) fn configure(stream: &TcpStream) {
    // Responses are small: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    limit_unsent(stream);
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn limit_unsent(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    #[cfg(target_os = "linux")]
    const TCP_NOTSENT_LOWAT: libc::c_int = libc::TCP_NOTSENT_LOWAT;
    #[cfg(not(target_os = "linux"))]
    const TCP_NOTSENT_LOWAT: libc::c_int = 0x201;
    let limit = MAX_UNSENT;
    // SAFETY: the descriptor is open, and the pointer is to a value of the size that is given.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_NOTSENT_LOWAT,
            (&raw const limit).cast(),
            size_of_val(&limit) as libc::socklen_t,
        );
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn limit_unsent(_: &TcpStream) {}

#[cfg(test)]
impl ClientSocket for tokio::io::DuplexStream {
    fn poll_peek(&self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn reset_on_drop(&self) {}
}
