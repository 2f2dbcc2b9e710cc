//! The timer of a connection, for the head of one request after the other.
//!
//! To set a timer takes a lock, twice, and to put it off takes none. So the one for a head that has
//! come is kept for the next head.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// For one connection: what it keeps is one timer.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTimer(Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inner = match kept {
            Some(mut kept) => {
                kept.as_mut().reset(deadline.into());
                kept
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Box::pin(HeadSleep { inner: Some(inner), timer: self.clone() })
    }
}

struct HeadSleep {
    /// There until it is dropped.
    inner: Option<Pin<Box<tokio::time::Sleep>>>,
    timer: HeadTimer,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.inner.as_mut().map_or(Poll::Ready(()), |inner| inner.as_mut().poll(context))
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        *self.timer.0.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.take();
    }
}
