//! The timeout of a connection for the headers of each request.
//!
//! A client has [`HEAD_TIMEOUT`] from the first byte of a head, or from the start of the connection.
//! Between two requests it may be silent for longer. hyper has one timeout for both, so the stream
//! reports activity to the timer.
//!
//! Setting a timer takes a lock twice, and resetting it takes none. So the timer of one head is
//! reused for the next.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sync::Mutex;

/// How long a client may take to send a request's head.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The timer of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderTimeout(Arc<TimerState>);

#[derive(Debug, Default)]
struct TimerState {
    /// The timer for the next head.
    unused: Mutex<Option<Pin<Box<tokio::time::Sleep>>>>,
    /// Whether any byte has arrived since the timer was set.
    has_activity: AtomicBool,
}

impl HeaderTimeout {
    /// Wraps the stream of the connection.
    pub(super) fn watch<T>(&self, stream: T) -> ActivityStream<T> {
        ActivityStream { stream, timer: self.clone() }
    }
}

impl Timer for HeaderTimeout {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// hyper calls it when it begins to wait for a head, with the end of `HEAD_TIMEOUT`.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.has_activity.store(false, Ordering::Relaxed);
        let unused = self.0.unused.lock().take();
        let is_idle = unused.is_some();
        let inner = match unused {
            Some(mut sleep) => {
                sleep.as_mut().reset((deadline + (IDLE_TIMEOUT - HEAD_TIMEOUT)).into());
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Box::pin(HeadSleep { inner: Some(inner), is_idle, timer: self.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct HeadSleep {
    /// `Some` until it is dropped.
    inner: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Whether the next head had not begun at the last poll.
    is_idle: bool,
    timer: HeaderTimeout,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let has_begun = self.is_idle && self.timer.0.has_activity.load(Ordering::Relaxed);
        self.is_idle &= !has_begun;
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(()) };
        if has_begun {
            inner.as_mut().reset(tokio::time::Instant::now() + HEAD_TIMEOUT);
        }
        inner.as_mut().poll(context)
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        *self.timer.0.unused.lock() = self.inner.take();
    }
}

/// A stream that reports received bytes to its timer.
pub(super) struct ActivityStream<T> {
    stream: T,
    timer: HeaderTimeout,
}

impl<T: AsyncRead + Unpin> AsyncRead for ActivityStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.timer.0.has_activity.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ActivityStream<T> {
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
