//! Holds requests back for the few milliseconds between a save and its reload.
//!
//! Whoever learns of a change calls [`Gate::mark_dirty`], whoever has dealt with it
//! [`Gate::release`]. A probe may be posted, who is asked by each request whether something has
//! just changed. Knows nothing of files or reloads; open for ever where nobody timestamps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Counts changes, and how many of them are dealt with.
pub struct Gate {
    dirty: AtomicU64,
    /// When the newest change was marked, while one is not dealt with.
    newest: Mutex<Option<Instant>>,
    settled: watch::Sender<u64>,
    probe: OnceLock<(Duration, Probe)>,
}

type Probe = Box<dyn Fn(&Gate) + Send + Sync>;

impl Default for Gate {
    fn default() -> Self {
        Self {
            dirty: AtomicU64::new(0),
            newest: Mutex::new(None),
            settled: watch::Sender::new(0),
            probe: OnceLock::new(),
        }
    }
}

impl Gate {
    /// Lets `probe` mark a change that nobody has marked yet. Every request calls it, and it must
    /// return at once; only the first one posted is heard. No request is held for longer than
    /// `max_hold`: a reload that takes longer is not waited for, and zero waits for none.
    pub fn set_probe(&self, max_hold: Duration, probe: impl Fn(&Self) + Send + Sync + 'static) {
        let _ = self.probe.set((max_hold, Box::new(probe)));
    }

    /// Notes a change: requests wait from now on.
    pub fn mark_dirty(&self) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.dirty.fetch_add(1, Ordering::SeqCst);
        *newest = Some(Instant::now());
    }

    /// Counts the changes so far; pass it to [`Gate::release`] once they are dealt with.
    pub fn changes(&self) -> u64 {
        self.dirty.load(Ordering::SeqCst)
    }

    /// Lets requests through again, unless there were changes after the first `changes`.
    pub fn release(&self, changes: u64) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changes() <= changes {
            *newest = None;
        }
        self.settled.send_replace(changes);
    }

    /// Waits until every change up to now is dealt with, for a bounded time from the newest.
    pub async fn wait(&self) {
        let Some((max_hold, probe)) = self.probe.get() else { return };
        if max_hold.is_zero() {
            return;
        }
        probe(self);
        let changes = self.changes();
        // The common case is one load and one compare.
        if *self.settled.borrow() >= changes {
            return;
        }
        let newest = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = newest else { return };
        let mut settled = self.settled.subscribe();
        let until = tokio::time::Instant::from_std(newest + *max_hold);
        let _ = tokio::time::timeout_at(until, settled.wait_for(|done| *done >= changes)).await;
    }

    /// Waits until every change up to now is dealt with, however long that takes.
    pub async fn wait_idle(&self) {
        if let Some((_, probe)) = self.probe.get() {
            probe(self);
        }
        let changes = self.changes();
        let mut settled = self.settled.subscribe();
        // The sender is ours, so it outlives the wait.
        let _ = settled.wait_for(|done| *done >= changes).await;
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settled = *self.settled.borrow();
        f.debug_struct("Gate").field("dirty", &self.dirty).field("settled", &settled).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    fn gate(max_hold: Duration) -> Arc<Gate> {
        let gate = Gate::default();
        gate.set_probe(max_hold, |_| ());
        Arc::new(gate)
    }

    #[tokio::test]
    async fn an_untouched_gate_is_open() {
        Gate::default().wait().await;
        gate(LONG).wait().await;
    }

    #[tokio::test]
    async fn a_request_waits_until_the_change_is_dealt_with() {
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
    async fn a_change_that_only_the_lookout_has_seen_holds_a_request_too() {
        let gate = Gate::default();
        gate.set_probe(Duration::from_millis(1), Gate::mark_dirty);
        gate.wait().await;
        assert_eq!(gate.changes(), 1);
    }

    // Where these do not hold, the test never ends.
    #[tokio::test]
    async fn a_change_that_is_never_dealt_with_holds_a_request_for_a_bounded_time() {
        let gate = gate(Duration::from_millis(1));
        gate.mark_dirty();
        gate.wait().await;
    }

    #[tokio::test]
    async fn a_gate_that_holds_for_no_time_does_not_even_look() {
        let gate = Gate::default();
        gate.set_probe(Duration::ZERO, Gate::mark_dirty);
        gate.wait().await;
        assert_eq!(gate.changes(), 0);
    }
}
