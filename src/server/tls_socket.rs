//! A socket with TLS: whether its client is still there shows only in what it decrypts.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

pub(super) struct TlsSocket<T> {
    stream: TlsStream<T>,
    /// A byte that was read to see whether there is one.
    peeked: Option<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> TlsSocket<T> {
    pub(super) fn new(stream: TlsStream<T>) -> Self {
        Self { stream, peeked: None }
    }

    /// The socket below.
    pub(super) fn plain(&self) -> &T {
        self.stream.get_ref().0
    }

    /// Waits for input, and leaves it; 0 bytes are the end.
    pub(super) fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.peeked.is_none() {
            let mut byte = [0];
            let mut read = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.peeked = read.filled().first().copied();
        }
        let Some(byte) = self.peeked else { return Poll::Ready(Ok(0)) };
        buffer.put_slice(&[byte]);
        Poll::Ready(Ok(1))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsSocket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(byte) = self.peeked.take()
        {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsSocket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
