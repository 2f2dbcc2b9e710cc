//! The manual reloads and the pause, until the reload thread reads them. Never reloads itself.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use crate::python_runtime::{ReloadOutcome, ReloadScope};
use crate::sync::Mutex;

/// The most reloads that may wait while another one runs.
const MAX_WAITING: usize = 64;

/// A requested reload, and where its outcome goes.
#[derive(Debug)]
pub(super) struct ManualReload {
    pub(super) scope: ReloadScope,
    pub(super) reply: oneshot::Sender<ReloadOutcome>,
}

/// The commands for the reload thread.
#[derive(Debug, Default)]
pub(super) struct ReloadCommands {
    reloads: Mutex<Vec<ManualReload>>,
    paused: AtomicBool,
    changing: Mutex<()>,
}

impl ReloadCommands {
    /// Requests a reload; the receiver gets its outcome. With too many waiting, the receiver closes.
    pub(super) fn request_reload(&self, scope: ReloadScope) -> oneshot::Receiver<ReloadOutcome> {
        let (reply, outcome) = oneshot::channel();
        let mut reloads = self.reloads.lock();
        if reloads.len() < MAX_WAITING {
            reloads.push(ManualReload { scope, reply });
        }
        outcome
    }

    /// Takes the requested reloads.
    pub(super) fn take(&self) -> Vec<ManualReload> {
        std::mem::take(&mut *self.reloads.lock())
    }

    /// Whether changes are stored instead of reloaded.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Starts or ends the pause. Calls `notify` before a change: subscribers learn of the end of a
    /// pause before the reload that follows it.
    pub(super) fn set_paused(&self, paused: bool, notify: impl FnOnce()) {
        let _changing = self.changing.lock();
        if self.is_paused() != paused {
            notify();
            self.paused.store(paused, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_active_pause_notifies_only_once() {
        let (commands, mut notified) = (ReloadCommands::default(), Vec::new());
        for paused in [false, true, true, false, false] {
            commands.set_paused(paused, || notified.push(paused));
        }
        assert_eq!(notified, [true, false]);
    }

    #[test]
    fn waiting_reloads_are_bounded_and_one_too_many_is_dropped() {
        let commands = ReloadCommands::default();
        let mut waiting: Vec<_> =
            (0..=MAX_WAITING).map(|_| commands.request_reload(ReloadScope::Differing)).collect();
        assert_eq!(commands.take().len(), MAX_WAITING);
        let one_too_many = waiting.pop().expect("it was requested").try_recv();
        assert_eq!(one_too_many.err(), Some(oneshot::error::TryRecvError::Closed));
    }
}
