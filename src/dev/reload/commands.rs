//! What people ask of the reloader by hand, until its thread takes it: reloads, and pauses.
//!
//! Never reloads anything itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::python_runtime::{ReloadOutcome, ReloadScope};

/// Reloads that may be asked for while one runs.
const MAX_ASKS: usize = 64;

/// A reload that somebody waits for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) scope: ReloadScope,
    pub(super) reply: oneshot::Sender<ReloadOutcome>,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Orders {
    asks: Mutex<Vec<Ask>>,
    paused: AtomicBool,
    changing: Mutex<()>,
}

impl Orders {
    /// Asks for a reload; what became of it. With too many of them nobody answers.
    pub(super) fn ask(&self, scope: ReloadScope) -> oneshot::Receiver<ReloadOutcome> {
        let (reply, answer) = oneshot::channel();
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        if asks.len() < MAX_ASKS {
            asks.push(Ask { scope, reply });
        }
        answer
    }

    /// Takes what has been asked for.
    pub(super) fn take(&self) -> Vec<Ask> {
        std::mem::take(&mut *self.asks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether saves are noticed and not acted on.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Pauses, or ends the pause. If it was otherwise, `tell` runs before: whoever is told of the
    /// end of a pause is told of the reload afterwards.
    pub(super) fn set_paused(&self, paused: bool, tell: impl FnOnce()) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_paused() != paused {
            tell();
            self.paused.store(paused, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_on_is_not_told_again() {
        let (orders, mut told) = (Orders::default(), Vec::new());
        for paused in [false, true, true, false, false] {
            orders.set_paused(paused, || told.push(paused));
        }
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn asks_are_bounded_and_one_too_many_is_let_go() {
        let orders = Orders::default();
        let mut waiting: Vec<_> =
            (0..=MAX_ASKS).map(|_| orders.ask(ReloadScope::Differing)).collect();
        assert_eq!(orders.take().len(), MAX_ASKS);
        let one_too_many = waiting.pop().expect("it was asked for").try_recv();
        assert_eq!(one_too_many.err(), Some(oneshot::error::TryRecvError::Closed));
    }
}
