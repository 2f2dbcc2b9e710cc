//! Delays requests for the few milliseconds between a save and its reload.
//!
//! The watcher calls [`Gate::mark_dirty`] for a change, and the reload thread [`Gate::release`] when
//! it has handled the change. A probe can be set: each request calls it to find out whether a file
//! has just changed. Knows nothing of files or reloads; always open if no change is marked.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock, timeout_at, watch};

/// Counts the changes, and the changes that are handled.
pub struct Gate {
    dirty: AtomicU64,
    /// When the newest change was marked, until all changes are handled.
    newest: Mutex<Option<Instant>>,
    handled: watch::Sender<u64>,
    probe: OnceLock<(Duration, Probe)>,
}

type Probe = Box<dyn Fn(&Gate) + Send + Sync>;

impl Default for Gate {
    fn default() -> Self {
        Self {
            dirty: AtomicU64::new(0),
            newest: Mutex::new(None),
            handled: watch::Sender::new(0),
            probe: OnceLock::new(),
        }
    }
}

impl Gate {
    /// Sets the function that marks a change which no other code has marked yet. Every request calls
    /// it, so it must return at once; only the first call of this function counts. A request waits
    /// at most `max_wait` for a reload; with zero, none waits.
    pub fn set_probe(&self, max_wait: Duration, probe: impl Fn(&Self) + Send + Sync + 'static) {
        let _ = self.probe.set((max_wait, Box::new(probe)));
    }

    /// Records a change: requests wait from now on.
    pub fn mark_dirty(&self) {
        let mut newest = self.newest.lock();
        self.dirty.fetch_add(1, Ordering::SeqCst);
        *newest = Some(Instant::now());
    }

    /// The number of changes so far, for [`Gate::release`].
    pub fn changes(&self) -> u64 {
        self.dirty.load(Ordering::SeqCst)
    }

    /// Marks the first `changes` as handled; requests pass again unless there are newer changes.
    pub fn release(&self, changes: u64) {
        let mut newest = self.newest.lock();
        if self.changes() <= changes {
            *newest = None;
        }
        self.handled.send_replace(changes);
    }

    /// Waits until every change so far is handled, for a limited time after the newest.
    pub async fn wait(&self) {
        let Some((max_wait, probe)) = self.probe.get() else { return };
        if max_wait.is_zero() {
            return;
        }
        probe(self);
        let changes = self.changes();
        // The common case is one load and one compare.
        if *self.handled.borrow() >= changes {
            return;
        }
        let newest = *self.newest.lock();
        let Some(newest) = newest else { return };
        let mut handled = self.handled.subscribe();
        let until = newest + *max_wait;
        let _ = timeout_at(until, handled.wait_for(|done| *done >= changes)).await;
    }

    /// Waits until every change so far is handled, without a time limit.
    pub async fn wait_idle(&self) {
        if let Some((_, probe)) = self.probe.get() {
            probe(self);
        }
        let changes = self.changes();
        let mut handled = self.handled.subscribe();
        // The sender is a field of `self`, so it outlives the wait.
        let _ = handled.wait_for(|done| *done >= changes).await;
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let handled = *self.handled.borrow();
        f.debug_struct("Gate").field("dirty", &self.dirty).field("handled", &handled).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    fn gate(max_wait: Duration) -> Arc<Gate> {
        let gate = Gate::default();
        gate.set_probe(max_wait, |_| ());
        Arc::new(gate)
    }

    #[tokio::test]
    async fn an_untouched_gate_is_open() {
        Gate::default().wait().await;
        gate(LONG).wait().await;
    }

    #[tokio::test]
    async fn a_request_waits_until_the_change_is_handled() {
        let gate = gate(LONG);
        gate.mark_dirty();
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.wait().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());

        gate.release(gate.changes());

        waiting.await.expect("it passed");
    }

    #[tokio::test]
    async fn a_request_also_waits_for_a_change_that_only_the_probe_has_found() {
        let gate = Gate::default();
        gate.set_probe(Duration::from_millis(1), Gate::mark_dirty);
        gate.wait().await;
        assert_eq!(gate.changes(), 1);
    }

    // If the wait had no limit, the test would never end.
    #[tokio::test]
    async fn a_request_waits_for_a_limited_time_for_a_change_that_is_never_handled() {
        let gate = gate(Duration::from_millis(1));
        gate.mark_dirty();
        gate.wait().await;
    }

    #[tokio::test]
    async fn a_gate_without_waiting_time_does_not_call_the_probe() {
        let gate = Gate::default();
        gate.set_probe(Duration::ZERO, Gate::mark_dirty);
        gate.wait().await;
        assert_eq!(gate.changes(), 0);
    }
}
