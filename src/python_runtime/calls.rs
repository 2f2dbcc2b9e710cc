//! Sends a request to Python, and waits for its response.
//!
//! Owns the choice of the queue, and the time limit. Never waits for the interpreter.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::message::{PythonRequest, PythonResponse, Timestamps};

use super::PythonRuntime;
use super::cancel_on_drop::CancelOnDrop;
use super::loop_calls::LoopCall;
use super::messages::Call;
use super::queue::PushError;
use super::reading_limit;
use super::reply::{self, CallError};

impl PythonRuntime {
    /// Sends a request to Python and waits for the response. Dropping the future cancels the request.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; an exception in the handler is not an error here.
    pub async fn call(&self, request: PythonRequest) -> Result<PythonResponse, CallError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(CallError::Stopped);
        }
        let id = request.id;
        let chunks = request.body.chunks().cloned();
        let now = Instant::now();
        let (reply, response) = reply::channel(&self.wakes);
        let is_dev = self.config.dev;
        let is_timed = is_dev || self.telemetry.is_some();
        let timestamps = is_timed.then(|| Box::new(Timestamps::new(now)));
        let in_flight_guard = is_dev.then(|| self.in_flight.add(id, request.head.clone(), now));
        let call = Box::new(Call { request, reply, timestamps, in_flight_guard });
        self.push(call, now).map_err(|error| match error {
            PushError::Full => CallError::QueueFull,
            PushError::Closed => CallError::Stopped,
        })?;
        let limit = self.config.request_timeout;
        let mut cancel = CancelOnDrop {
            id,
            queue: &self.queue,
            loop_calls: &self.loop_calls,
            index: &self.index,
            workers: &self.workers,
            ended_requests: &self.ended_requests,
            deadline: now + limit,
            has_deadline: !limit.is_zero(),
            is_armed: true,
        };
        let response = match &chunks {
            _ if limit.is_zero() => Some(response.await),
            None => tokio::time::timeout_at((now + limit).into(), response).await.ok(),
            // Boxed: its state would enlarge that of every request.
            Some(chunks) => {
                Box::pin(reading_limit::wait(response, chunks, limit, &mut cancel.deadline)).await
            }
        };
        let response = response.ok_or(CallError::TimedOut)?;
        cancel.is_armed = false;
        response.unwrap_or_else(|| {
            let is_stopped = self.stopped.load(Ordering::Acquire);
            Err(if is_stopped { CallError::Stopped } else { CallError::Lost })
        })
    }

    /// Sends a request to the dispatch workers, or right to the loop.
    fn push(&self, call: Box<Call>, now: Instant) -> Result<(), PushError> {
        let index = self.index.load();
        let found =
            index.as_ref().and_then(|index| Some((index, index.application(&call.request.head)?)));
        match found {
            // A loop that is blocked rejects requests, which Python does.
            Some((index, place))
                if place.is_asgi && !self.ended_requests.is_exhausted.load(Ordering::Acquire) =>
            {
                let (index, identities) = (Arc::clone(index), self.identities);
                let call = LoopCall { call, identities, index, place };
                self.loop_calls.push(call, self.config.max_queue)
            }
            _ => self.queue.push(call, now),
        }
    }

    /// Ends what the request `id` has begun: its coroutine, its pool tasks, its stream.
    pub(crate) fn cancel(&self, id: u64) {
        self.ended_requests.cancel(id);
    }
}
