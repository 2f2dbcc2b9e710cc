//! The requests that were abandoned: their client has left, or their time is over.
//!
//! A tokio thread must not wait for the interpreter, and the asyncio loop may be blocked by a handler.
//! So a thread of Python's own (`_runtime/overseer.py`) receives the ids and ends what they started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

/// The id of no request: it only wakes the receiver.
const NO_REQUEST: u64 = 0;

/// A channel for the ids of requests that were abandoned.
#[derive(Debug)]
pub(crate) struct Abandoned {
    sender: Sender<u64>,
    receiver: Receiver<u64>,
    /// Without a receiver, no id is stored.
    has_receiver: AtomicBool,
    /// Whether so many requests hang that Python replaces no more threads or loops of some kind.
    pub(crate) is_exhausted: AtomicBool,
}

impl Default for Abandoned {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        let (has_receiver, is_exhausted) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { sender, receiver, has_receiver, is_exhausted }
    }
}

impl Abandoned {
    /// Reports that the request `id` was abandoned.
    pub(crate) fn add(&self, id: u64) {
        if self.has_receiver.load(Ordering::Acquire) {
            // Never fails: the other end is in `self`.
            let _ = self.sender.send(id);
        }
    }

    /// Wakes the receiver.
    pub(crate) fn wake(&self) {
        self.add(NO_REQUEST);
    }

    /// Waits for requests that were abandoned, or for [`Self::wake`]; without a limit if there is none.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Vec<u64> {
        self.has_receiver.store(true, Ordering::Release);
        let first = match limit {
            Some(limit) => self.receiver.recv_timeout(limit).ok(),
            None => self.receiver.recv().ok(),
        };
        first.into_iter().chain(self.receiver.try_iter()).filter(|id| *id != NO_REQUEST).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_arrive_once_there_is_a_receiver_and_a_wake_has_none() {
        let abandoned = Abandoned::default();
        abandoned.add(1);
        assert!(abandoned.wait(Some(Duration::ZERO)).is_empty());
        abandoned.add(2);
        abandoned.wake();
        abandoned.add(3);
        assert_eq!(abandoned.wait(None), [2, 3]);
        abandoned.wake();
        assert!(abandoned.wait(None).is_empty());
    }
}
