//! The timeouts of a connection for the headers of each request.
//!
//! A client has the header timeout from the first byte of a head, or from the start of the connection.
//! Between two requests it may be silent for the idle timeout. hyper has one timeout for both, so the
//! stream reports activity to the timer.
//!
//! hyper creates a timer when it begins to wait for a head, so the timer knows the phase of the
//! connection too. Setting a timer takes a lock twice, and resetting it takes none. So the timer of
//! one head is reused for the next.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::sync::Mutex;

use super::limits::{ConnectionLimits, or_forever};

/// The current use of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// It waits for a head, or reads it.
    Head,
    /// A request of HTTP/1.1 is being handled; no byte of its response has been sent.
    Request,
    /// The same in HTTP/1.0, which has no interim responses.
    OldRequest,
    /// The response is being sent.
    Response,
    /// A rejection is being sent; no request follows.
    Rejected,
    /// It belongs to another protocol from now on.
    Upgraded,
}

impl Phase {
    /// Each at its own number.
    const ALL: [Self; 6] = [
        Self::Head,
        Self::Request,
        Self::OldRequest,
        Self::Response,
        Self::Rejected,
        Self::Upgraded,
    ];
}

/// The number of a [`Phase`].
#[derive(Debug, Default)]
struct AtomicPhase(AtomicU8);

/// The timer of one connection.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimeout(Arc<TimerState>);

#[derive(Debug)]
struct TimerState {
    header_timeout: Duration,
    idle_timeout: Duration,
    phase: AtomicPhase,
    /// The status of hyper's own response to a head; 0 if there is none.
    refused: AtomicU16,
    /// The timer for the next head.
    unused: Mutex<Option<Pin<Box<tokio::time::Sleep>>>>,
    /// Whether any byte has arrived since the timer was set.
    has_activity: AtomicBool,
    /// The length of the body of the last request; [`UNKNOWN`] if it is not known.
    body: AtomicU64,
}

/// A body without a length.
const UNKNOWN: u64 = u64::MAX;

impl HeaderTimeout {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        Self(Arc::new(TimerState {
            header_timeout: or_forever(limits.header_timeout),
            idle_timeout: or_forever(limits.idle_timeout),
            phase: AtomicPhase::default(),
            refused: AtomicU16::new(0),
            unused: Mutex::default(),
            has_activity: AtomicBool::new(false),
            body: AtomicU64::new(UNKNOWN),
        }))
    }

    /// The timer of a connection that has had a request before: it may be silent for the idle timeout.
    pub(super) fn between_requests(limits: &ConnectionLimits) -> Self {
        let timer = Self::new(limits);
        *timer.0.unused.lock() = Some(Box::pin(tokio::time::sleep(timer.0.idle_timeout)));
        timer
    }

    /// The time for hyper to wait for a head.
    pub(super) fn duration(&self) -> Duration {
        self.0.header_timeout
    }

    /// Records that bytes have arrived.
    pub(super) fn record_activity(&self) {
        self.0.has_activity.store(true, Ordering::Relaxed);
    }

    /// Records the use from now on. Only the connection's own task does so, and reads it.
    pub(super) fn enter(&self, phase: Phase) {
        self.0.phase.0.store(phase as u8, Ordering::Relaxed);
    }

    /// Whether it waits for a head of which no byte has arrived.
    pub(super) fn is_idle(&self) -> bool {
        self.phase() == Phase::Head && !self.0.has_activity.load(Ordering::Relaxed)
    }

    /// Records that hyper itself responds to a head, with this status.
    pub(super) fn refuse(&self, status: u16) {
        self.0.refused.store(status, Ordering::Relaxed);
        self.enter(Phase::Rejected);
    }

    /// The status of the response of hyper to a head that it has refused.
    pub(super) fn refused(&self) -> Option<u16> {
        Some(self.0.refused.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    /// Records the length of the body of a request.
    pub(super) fn set_body(&self, length: Option<u64>) {
        self.0.body.store(length.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// The length of the body of the last request, if it is known.
    pub(super) fn body(&self) -> Option<u64> {
        Some(self.0.body.load(Ordering::Relaxed)).filter(|length| *length != UNKNOWN)
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.0.phase.0.load(Ordering::Relaxed))]
    }
}

impl Timer for HeaderTimeout {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// hyper calls it when it begins to wait for a head, with the end of the header timeout.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.enter(Phase::Head);
        self.0.has_activity.store(false, Ordering::Relaxed);
        let unused = self.0.unused.lock().take();
        let is_idle = unused.is_some();
        let inner = match unused {
            Some(mut sleep) => {
                // Reading the clock costs as much as the reset.
                let now = deadline - self.0.header_timeout;
                sleep.as_mut().reset((now + self.0.idle_timeout).into());
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
        let header_timeout = self.timer.duration();
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(()) };
        if has_begun {
            inner.as_mut().reset(tokio::time::Instant::now() + header_timeout);
        }
        inner.as_mut().poll(context)
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        *self.timer.0.unused.lock() = self.inner.take();
    }
}
