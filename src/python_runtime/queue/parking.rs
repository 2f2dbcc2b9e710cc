//! The workers of a queue: how many run, which are parked, and which of these to wake.
//!
//! Never waits, and never sees an item.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Condvar};

/// How long items wait for the running workers before another one is woken.
pub(super) const STALL_AFTER: Duration = Duration::from_millis(1);

/// Wakes one parked worker.
#[derive(Debug, Default)]
pub(super) struct Parker {
    pub(super) condvar: Condvar,
    /// Whether the worker is to pop an item; only accessed with the queue locked.
    is_called: AtomicBool,
}

/// Why a parked worker wakes up.
pub(super) enum Wakeup {
    /// Another thread has called it, which unparks it.
    Called,
    /// The queue is closed.
    Closed,
    /// It is the standby, and the running workers make no progress.
    Stalled,
    /// It has nothing to do.
    Idle,
}

#[derive(Debug)]
pub(super) struct Parking {
    /// Parked workers; the last one is woken first.
    parked: Vec<Arc<Parker>>,
    /// The parked worker that wakes up at intervals.
    standby: Option<Arc<Parker>>,
    /// Workers that are not parked, or have been called.
    pub(super) running: usize,
    /// When one of them last popped an item, or was called.
    pub(super) last_progress: Instant,
}

impl Parking {
    pub(super) fn new() -> Self {
        Self { parked: Vec::new(), standby: None, running: 0, last_progress: Instant::now() }
    }

    /// Calls a worker if the queue is stalled, or else makes one the standby; returns the worker to
    /// notify.
    pub(super) fn wake_one(&mut self, now: Instant) -> Option<Arc<Parker>> {
        if self.is_stalled(now) {
            let parker = Arc::clone(self.parked.last()?);
            self.unpark(&parker);
            parker.is_called.store(true, Ordering::Relaxed);
            self.last_progress = now;
            return Some(parker);
        }
        if self.standby.is_some() {
            return None;
        }
        self.standby = self.parked.last().cloned();
        self.standby.clone()
    }

    /// Wakes every parked worker.
    pub(super) fn notify_all(&self) {
        for parker in &self.parked {
            parker.condvar.notify_one();
        }
    }

    /// Finds out why a worker has woken up; a standby without work retires.
    pub(super) fn wakeup(
        &mut self,
        parker: &Arc<Parker>,
        has_work: bool,
        is_closed: bool,
    ) -> Wakeup {
        if parker.is_called.swap(false, Ordering::Relaxed) {
            return Wakeup::Called;
        }
        if is_closed {
            return Wakeup::Closed;
        }
        if !self.is_standby(parker) {
            return Wakeup::Idle;
        }
        if !has_work {
            self.standby = None;
        } else if self.is_stalled(Instant::now()) {
            return Wakeup::Stalled;
        }
        Wakeup::Idle
    }

    fn is_stalled(&self, now: Instant) -> bool {
        self.running == 0 || now.saturating_duration_since(self.last_progress) >= STALL_AFTER
    }

    pub(super) fn is_standby(&self, parker: &Arc<Parker>) -> bool {
        self.standby.as_ref().is_some_and(|standby| Arc::ptr_eq(standby, parker))
    }

    pub(super) fn park(&mut self, parker: &Arc<Parker>) {
        self.running -= 1;
        self.parked.push(Arc::clone(parker));
    }

    pub(super) fn unpark(&mut self, parker: &Arc<Parker>) {
        self.running += 1;
        self.parked.retain(|other| !Arc::ptr_eq(other, parker));
        if self.is_standby(parker) {
            self.standby = None;
        }
    }
}
