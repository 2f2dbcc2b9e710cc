//! Ends a request that its caller gives up: its client has left, or its time is over.

use std::sync::Arc;
use std::time::Instant;

use super::ended_requests::EndedRequests;
use super::loop_calls::LoopCalls;
use super::messages::{Call, Calls};
use super::route_index::ServingIndex;
use super::workers::Workers;

/// Cancels a request when it is dropped, unless the response has come.
pub(super) struct CancelOnDrop<'a> {
    pub(super) id: u64,
    pub(super) queue: &'a Calls,
    pub(super) loop_calls: &'a LoopCalls,
    pub(super) index: &'a ServingIndex,
    pub(super) workers: &'a Arc<Workers>,
    pub(super) ended_requests: &'a EndedRequests,
    /// The end of the time limit, if there is one.
    pub(super) deadline: Instant,
    pub(super) has_deadline: bool,
    pub(super) is_armed: bool,
}

impl CancelOnDrop<'_> {
    /// Records the route of a request that is observed and that Python has not seen.
    fn record_route(&self, call: &Call) {
        let index = call.timestamps.as_ref().and_then(|_| self.index.load_full());
        if let Some(id) = index.and_then(|index| index.route_id(&call.request.head)) {
            call.request.head.set_route(id);
        }
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if !self.is_armed {
            return;
        }
        let (workers, id) = (Arc::clone(self.workers), self.id);
        // Not after the time limit: its body may be large.
        let waiting = self.loop_calls.remove(id).map(|waiting| waiting.call);
        let waiting = waiting.or_else(|| self.queue.remove(|call| call.request.id == id));
        if let Some(call) = waiting {
            self.record_route(&call);
        }
        self.ended_requests.cancel(id);
        if !workers.mark_cancelled(id) || !self.has_deadline {
            return;
        }
        let deadline = self.deadline;
        // A handler that exceeds its time limit blocks its thread; another thread replaces it.
        if Instant::now() >= deadline {
            workers.replace_stuck(id);
        } else if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            tokio.spawn(async move {
                tokio::time::sleep_until(deadline.into()).await;
                workers.replace_stuck(id);
            });
        }
    }
}
