//! Reports that a response has been sent, to the part of Python that waits for it.
//!
//! Only requests that have asked for it have a [`Delivery`]. Every end of a response counts, also that
//! of a client that has left: the guard reports it when it is dropped.

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::sync::Mutex;

/// A message to the overseer about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its client has left, or its time is over.
    Cancelled(u64),
    /// Its response has been sent.
    Sent(u64),
    /// No request: it only wakes the receiver.
    Nothing,
}

/// Whether the response to a request has been sent.
#[derive(Debug, Default)]
pub(crate) struct Delivery(Mutex<DeliveryState>);

#[derive(Debug, Default, PartialEq, Eq)]
enum DeliveryState {
    #[default]
    Open,
    /// Python waits for the end.
    Awaited,
    Over,
}

impl Delivery {
    /// Asks for a report; false if the response has been sent already.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.0.lock();
        if *state == DeliveryState::Over {
            return false;
        }
        *state = DeliveryState::Awaited;
        true
    }
}

/// Is dropped with the body of a response.
#[derive(Debug)]
pub struct DeliveryGuard {
    id: u64,
    delivery: Arc<Delivery>,
    ended: Sender<Ended>,
}

impl DeliveryGuard {
    pub(crate) fn new(id: u64, delivery: Arc<Delivery>, ended: Sender<Ended>) -> Self {
        Self { id, delivery, ended }
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.delivery.0.lock(), DeliveryState::Over);
        if before == DeliveryState::Awaited {
            let _ = self.ended.send(Ended::Sent(self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_reported_once_and_only_if_it_is_awaited() {
        let (sender, ended) = crossbeam_channel::unbounded();
        let delivery = Arc::new(Delivery::default());
        let guard = DeliveryGuard::new(7, Arc::clone(&delivery), sender.clone());
        assert!(delivery.wait() && delivery.wait());
        drop(guard);
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), [Ended::Sent(7)]);
        assert!(!delivery.wait());

        drop(DeliveryGuard::new(8, Arc::default(), sender));
        assert!(ended.try_recv().is_err());
    }
}
