//! A connection whose writes end with an error once the client has taken nothing for a time.
//!
//! For servers of someone else, and for streams of HTTP/2: the connections of our own have it
//! (`server::client_stream`), and know more about the client's progress.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The bytes that are written at once; the client has the limit for each part.
const MAX_PART: usize = 64 * 1024;

pub(super) struct TimedWrites<T> {
    inner: T,
    /// 0 for no limit.
    limit: Duration,
    /// Set while a write waits for the client.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> TimedWrites<T> {
    pub(super) fn new(inner: T, limit: Duration) -> Self {
        Self { inner, limit, deadline: None }
    }
}

impl<T> TimedWrites<T> {
    /// Passes a result on, or an error once the client has taken nothing for the limit.
    fn limited<R>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let limit = self.limit;
        if polled.is_ready() || limit.is_zero() {
            self.deadline = None;
            return polled;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(context));
        let text = format!("the client has read nothing for {limit:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedWrites<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A stream of HTTP/2 accepts any size at once, and a slow client needs longer for a large one.
        let part = &bytes[..bytes.len().min(MAX_PART)];
        let written = Pin::new(&mut self.inner).poll_write(context, part);
        self.limited(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It waits for the client on a stream of HTTP/2.
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.limited(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedWrites<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_write_ends_when_the_client_reads_nothing_for_the_limit() {
        let (server, _client) = duplex(4);
        let began = Instant::now();
        let error = TimedWrites::new(server, LIMIT).write_all(&[0; 8]).await.expect_err("it ends");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gets_everything() {
        let (server, mut client) = duplex(4);
        let reading = tokio::spawn(async move {
            let mut byte = [0];
            let mut count = 0;
            loop {
                sleep(LIMIT - Duration::from_secs(1)).await;
                match client.read(&mut byte).await.expect("it is in memory") {
                    0 => return count,
                    read => count += read,
                }
            }
        });
        let mut server = TimedWrites::new(server, LIMIT);
        server.write_all(&[0; 16]).await.expect("it reads");
        drop(server);
        assert_eq!(reading.await.expect("no panic"), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_ends_after_the_limit_too() {
        // A client that reads nothing takes nothing of a buffer, either.
        let (server, _client) = duplex(4);
        let buffered = tokio::io::BufWriter::new(server);
        let mut server = TimedWrites::new(buffered, LIMIT);
        server.write_all(&[0; 8]).await.expect("it is buffered");
        let began = Instant::now();
        let error = server.flush().await.expect_err("it ends");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn zero_sets_no_limit() {
        let (server, _client) = duplex(4);
        let mut server = TimedWrites::new(server, Duration::ZERO);
        let write = server.write_all(&[0; 8]);
        timeout(1000 * LIMIT, write).await.expect_err("it waits");
    }
}
