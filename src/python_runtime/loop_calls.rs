//! The requests that go to the asyncio loop without a dispatch worker: those for ASGI applications of a
//! project that has nothing but applications.
//!
//! Outside dev mode only. Bounded; the loop takes all of them at once. Never calls Python.

use std::collections::VecDeque;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};
use crate::telemetry::Identities;

use super::ended_requests::EndedRequests;
use super::loop_signals::LoopSignals;
use super::messages::Call;
use super::queue::PushError;
use super::route_index::{ApplicationPlace, PathIndex};

/// A request, and the application that it is for.
pub(super) struct LoopCall {
    pub(super) call: Box<Call>,
    pub(super) identities: Identities,
    pub(super) index: Arc<PathIndex>,
    pub(super) place: ApplicationPlace,
}

/// The requests that wait for the loop.
pub(super) struct LoopCalls {
    waiting: Mutex<VecDeque<LoopCall>>,
    is_closed: AtomicBool,
    loop_signals: Arc<LoopSignals>,
    ended_requests: Arc<EndedRequests>,
}

impl LoopCalls {
    /// Makes an empty queue, which wakes the loop through `loop_signals`, and the overseer of the loop
    /// through `ended_requests`.
    pub(super) fn new(
        loop_signals: Arc<LoopSignals>,
        ended_requests: Arc<EndedRequests>,
    ) -> Arc<Self> {
        let (waiting, is_closed) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { waiting, is_closed, loop_signals, ended_requests })
    }

    /// Appends a request, of which `capacity` may wait, and wakes the loop for the first one.
    pub(super) fn push(&self, call: LoopCall, capacity: usize) -> Result<(), PushError> {
        let mut waiting = self.waiting.lock();
        if self.is_closed.load(Ordering::Acquire) {
            return Err(PushError::Closed);
        }
        if waiting.len() >= capacity {
            return Err(PushError::Full);
        }
        waiting.push_back(call);
        let is_first = waiting.len() == 1;
        drop(waiting);
        if is_first {
            self.loop_signals.wake();
        }
        // A loop that is blocked does not take it.
        self.ended_requests.rouse();
        Ok(())
    }

    /// Takes all requests that wait.
    pub(super) fn take(&self) -> VecDeque<LoopCall> {
        std::mem::take(&mut *self.waiting.lock())
    }

    /// Removes a request.
    pub(super) fn remove(&self, id: u64) -> Option<LoopCall> {
        let mut waiting = self.waiting.lock();
        let place = waiting.iter().position(|waits| waits.call.request.id == id)?;
        waiting.remove(place)
    }

    /// The number of requests that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Rejects further requests, and the waiting ones.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        self.is_closed.store(true, Ordering::Release);
        let rejected = std::mem::take(&mut *waiting);
        drop(waiting);
        drop(rejected);
    }
}
