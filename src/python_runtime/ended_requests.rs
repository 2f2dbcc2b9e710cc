//! Reports to Python which requests have ended. A request was cancelled, because its client has left or
//! its time is over, or its response has been sent and Python waits for that.
//!
//! A tokio thread must not wait for the interpreter, and the asyncio loop may be blocked by a handler.
//! So a thread of Python's own (`_runtime/overseer.py`) receives the ids and ends what they started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::message::Ended;

/// A channel for the ids of requests that were cancelled, or whose response has been sent.
#[derive(Debug)]
pub(crate) struct EndedRequests {
    sender: Sender<Ended>,
    receiver: Receiver<Ended>,
    /// Without a receiver, no id is stored.
    has_receiver: AtomicBool,
    /// Whether the receiver may wait for long, and is to be woken when a request begins on the loop.
    pub(super) is_asleep: AtomicBool,
    /// Whether so many requests hang that Python replaces no more threads or loops of some kind.
    pub(crate) is_exhausted: AtomicBool,
}

impl Default for EndedRequests {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        let [has_receiver, is_asleep, is_exhausted] = [const { AtomicBool::new(false) }; 3];
        Self { sender, receiver, has_receiver, is_asleep, is_exhausted }
    }
}

impl EndedRequests {
    /// Reports that the request `id` was cancelled.
    pub(crate) fn cancel(&self, id: u64) {
        self.send(Ended::Cancelled(id));
    }

    /// Wakes the receiver.
    pub(crate) fn wake(&self) {
        self.send(Ended::Nothing);
    }

    /// Wakes the receiver if it may wait for long: a request begins on the loop.
    pub(crate) fn rouse(&self) {
        if self.is_asleep.load(Ordering::Acquire) && self.is_asleep.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// The end that receives [`Ended::Sent`].
    pub(crate) fn sender(&self) -> Sender<Ended> {
        self.sender.clone()
    }

    fn send(&self, ended: Ended) {
        if self.has_receiver.load(Ordering::Acquire) {
            // Never fails: the other end is in `self`.
            let _ = self.sender.send(ended);
        }
    }

    /// Waits for requests that have ended, or for [`Self::wake`]; without a limit if there is none.
    /// Returns each with whether its response has been sent.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Vec<(u64, bool)> {
        self.has_receiver.store(true, Ordering::Release);
        let first = match limit {
            Some(limit) => self.receiver.recv_timeout(limit).ok(),
            None => self.receiver.recv().ok(),
        };
        let all = first.into_iter().chain(self.receiver.try_iter());
        let requests = all.filter_map(|ended| match ended {
            Ended::Cancelled(id) => Some((id, false)),
            Ended::Sent(id) => Some((id, true)),
            Ended::Nothing => None,
        });
        requests.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_arrive_once_there_is_a_receiver_and_a_wake_has_none() {
        let requests = EndedRequests::default();
        requests.cancel(1);
        assert!(requests.wait(Some(Duration::ZERO)).is_empty());
        requests.cancel(2);
        requests.wake();
        requests.sender().send(Ended::Sent(3)).expect("a receiver");
        assert_eq!(requests.wait(None), [(2, false), (3, true)]);
        requests.wake();
        assert!(requests.wait(None).is_empty());
    }
}
