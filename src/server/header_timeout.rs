//! The timer of a connection, for the head of one request after the other.
//!
//! A head has its time from its first byte on, and the first of a connection from the beginning.
//! Between two requests a client may be silent for longer. hyper knows one time for both, so the
//! stream tells the timer what comes.
//!
//! To set a timer takes a lock, twice, and to put it off takes none. So the one for a head that has
//! come is kept for the next head.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a client may take to send a request's head.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// For one connection: what it keeps is one timer.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTimer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Option<Pin<Box<tokio::time::Sleep>>>>,
    /// Whether anything has come since the timer was set.
    heard: AtomicBool,
}

impl HeadTimer {
    /// The stream whose heads it is for.
    pub(super) fn listen<T>(&self, stream: T) -> Heard<T> {
        Heard { stream, timer: self.clone() }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// Called by hyper when it begins to wait for a head, with the end of `HEAD_TIMEOUT`.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.heard.store(false, Ordering::Relaxed);
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_idle = kept.is_some();
        let inner = match kept {
            Some(mut kept) => {
                kept.as_mut().reset((deadline + (IDLE_TIMEOUT - HEAD_TIMEOUT)).into());
                kept
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
    /// There until it is dropped.
    inner: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Whether the next head had not begun when this was looked at last.
    is_idle: bool,
    timer: HeadTimer,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let has_begun = self.is_idle && self.timer.0.heard.load(Ordering::Relaxed);
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
        *self.timer.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.take();
    }
}

/// A stream that tells its timer when something comes.
pub(super) struct Heard<T> {
    stream: T,
    timer: HeadTimer,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.timer.0.heard.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
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
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
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
