//! Sends a response from a Python thread back to the task that waits for it.
//!
//! Waking a tokio thread is a system call, and on a busy core it suspends the caller. So a dispatch
//! worker with more to do defers its wakes: the next flush wakes one task, which then wakes the
//! others; that costs next to nothing on a tokio thread. A task that is dropped before it does so
//! forwards the wakes instead.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::message::PythonResponse;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, thread_local};

use super::ended_requests::EndedRequests;
use super::loop_signals::LoopSignals;

thread_local! {
    /// Whether this thread's wakes wait for [`WakeBatch::flush`].
    static DEFERS_WAKES: Cell<bool> = const { Cell::new(false) };
}

/// Defers the wakes of this thread until [`WakeBatch::flush`] from now on.
pub(super) fn defer_wakes() {
    DEFERS_WAKES.with(|defers| defers.set(true));
}

/// Why Python did not respond to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// `max-queue` requests are waiting already.
    #[error("too many requests are waiting")]
    QueueFull,
    /// Each thread for `def` handlers has one that hangs.
    #[error("no thread is free for `def` functions: one hangs in each")]
    AllStuck,
    /// The handler took longer than `request-timeout`.
    #[error("it took longer than `request-timeout`")]
    TimedOut,
    /// The runtime is stopping.
    #[error("the server is shutting down")]
    Stopped,
    /// The framework dropped the request: a bug in Snaxum, logged.
    #[error("internal error: the request was lost; see the log")]
    Lost,
}

/// Makes the two ends of a channel for one response.
pub(super) fn channel(wakes: &Arc<WakeBatch>) -> (Reply, ReplyFuture) {
    let slot = Arc::new(ReplySlot::default());
    let reply = Reply { slot: Arc::clone(&slot), wakes: Arc::clone(wakes) };
    (reply, ReplyFuture { slot, wakes: Arc::clone(wakes) })
}

/// The sending end. If it is dropped without a response, the receiver gets `None`.
#[derive(Debug)]
pub(crate) struct Reply {
    slot: Arc<ReplySlot>,
    wakes: Arc<WakeBatch>,
}

/// The receiving end: resolves to the response or the rejection, or to `None` if the sender was
/// dropped.
#[derive(Debug)]
pub(super) struct ReplyFuture {
    slot: Arc<ReplySlot>,
    wakes: Arc<WakeBatch>,
}

/// Wakes that are deferred, of tasks whose response has arrived.
#[derive(Debug)]
pub(super) struct WakeBatch {
    deferred: Mutex<Vec<Arc<ReplySlot>>>,
    /// The tasks that the woken task is to wake.
    forwarded: Mutex<Vec<Arc<ReplySlot>>>,
    is_forwarded: AtomicBool,
    loop_signals: Arc<LoopSignals>,
    ended_requests: Arc<EndedRequests>,
    /// Whether the asyncio loop is to be woken.
    is_loop_deferred: AtomicBool,
}

#[derive(Debug, Default)]
struct ReplySlot(Mutex<ReplyState>);

#[derive(Debug, Default)]
struct ReplyState {
    response: Option<Result<PythonResponse, CallError>>,
    waker: Option<Waker>,
    /// The sender was dropped.
    is_over: bool,
    /// The receiver was dropped.
    is_closed: bool,
    /// Its task is to wake others.
    wakes_others: bool,
}

impl Reply {
    /// Whether the receiver was dropped: the request is cancelled.
    pub(super) fn is_closed(&self) -> bool {
        self.slot.lock().is_closed
    }

    /// The channel that wakes the overseer.
    pub(super) fn ended_requests(&self) -> Arc<EndedRequests> {
        Arc::clone(&self.wakes.ended_requests)
    }

    /// Sends the response, now or with the next [`WakeBatch::flush`].
    pub(super) fn send(self, response: PythonResponse) {
        self.resolve(Ok(response), DEFERS_WAKES.with(Cell::get));
    }

    /// Sends the beginning of a response now: the handler may run on for long.
    pub(super) fn send_now(self, response: PythonResponse) {
        self.resolve(Ok(response), false);
    }

    /// Rejects the request, now or with the next [`WakeBatch::flush`].
    pub(super) fn fail(self, error: CallError) {
        self.resolve(Err(error), DEFERS_WAKES.with(Cell::get));
    }

    fn resolve(self, response: Result<PythonResponse, CallError>, is_deferred: bool) {
        let mut state = self.slot.lock();
        state.response = Some(response);
        state.is_over = true;
        if state.waker.is_none() || state.is_closed {
            return;
        }
        if is_deferred {
            drop(state);
            self.wakes.deferred.lock().push(Arc::clone(&self.slot));
        } else if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        if !std::mem::replace(&mut state.is_over, true)
            && let Some(waker) = state.waker.take()
        {
            drop(state);
            waker.wake();
        }
    }
}

impl Future for ReplyFuture {
    type Output = Option<Result<PythonResponse, CallError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        let wakes_others = std::mem::take(&mut state.wakes_others);
        let polled = if state.is_over {
            Poll::Ready(state.response.take())
        } else {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => state.waker = Some(context.waker().clone()),
            }
            Poll::Pending
        };
        drop(state);
        if wakes_others {
            self.wakes.forward();
        }
        polled
    }
}

impl Drop for ReplyFuture {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.is_closed = true;
        let unread = state.response.take();
        let wakes_others = state.wakes_others;
        drop(state);
        drop(unread);
        if wakes_others {
            self.wakes.forward();
        }
    }
}

impl WakeBatch {
    /// Makes an empty batch that wakes the asyncio loop through `loop_signals`, and whose replies
    /// wake the overseer through `ended_requests`.
    pub(super) fn new(
        loop_signals: Arc<LoopSignals>,
        ended_requests: Arc<EndedRequests>,
    ) -> Arc<Self> {
        Arc::new(Self {
            deferred: Mutex::default(),
            forwarded: Mutex::default(),
            is_forwarded: AtomicBool::new(false),
            loop_signals,
            ended_requests,
            is_loop_deferred: AtomicBool::new(false),
        })
    }

    /// Wakes the asyncio loop, now or with the next [`Self::flush`].
    pub(super) fn wake_loop(&self) {
        if DEFERS_WAKES.with(Cell::get) {
            self.is_loop_deferred.store(true, Ordering::Release);
        } else {
            self.loop_signals.wake();
        }
    }

    /// Sends the deferred wakes, of the loop and of the tasks.
    pub(super) fn flush(&self) {
        if self.is_loop_deferred.load(Ordering::Relaxed)
            && self.is_loop_deferred.swap(false, Ordering::AcqRel)
        {
            self.loop_signals.wake();
        }
        let mut deferred = std::mem::take(&mut *self.deferred.lock());
        while let Some(slot) = deferred.pop() {
            let mut state = slot.lock();
            if state.is_closed {
                continue;
            }
            let Some(waker) = state.waker.take() else { continue };
            if !deferred.is_empty() {
                self.forwarded.lock().append(&mut deferred);
                self.is_forwarded.store(true, Ordering::Release);
                // Read when the task is polled or dropped, and one of these happens.
                state.wakes_others = true;
            }
            drop(state);
            waker.wake();
            return;
        }
    }

    fn forward(&self) {
        if !self.is_forwarded.swap(false, Ordering::AcqRel) {
            return;
        }
        for slot in std::mem::take(&mut *self.forwarded.lock()) {
            let waker = slot.lock().waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl ReplySlot {
    fn lock(&self) -> MutexGuard<'_, ReplyState> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::message::{ErrorResponse, HandlerOutcome};

    fn wakes() -> Arc<WakeBatch> {
        WakeBatch::new(Arc::new(LoopSignals::new().expect("a pipe")), Arc::default())
    }

    fn response(generation: u64) -> PythonResponse {
        let outcome = HandlerOutcome::Failure(ErrorResponse::default());
        PythonResponse {
            generation,
            is_routed: false,
            route: None,
            outcome,
            raised: None,
            timestamps: None,
            delivery: None,
        }
    }

    #[tokio::test]
    async fn one_wake_delivers_all_deferred_responses_even_if_some_tasks_are_aborted() {
        let wakes = wakes();
        let (replies, futures): (Vec<_>, Vec<_>) = (0..6).map(|_| channel(&wakes)).unzip();
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        tokio::task::yield_now().await; // all wait now
        let worker = thread::spawn({
            let wakes = Arc::clone(&wakes);
            move || {
                defer_wakes();
                for (number, reply) in (0..).zip(replies) {
                    reply.send(response(number));
                }
                wakes
            }
        });
        let wakes = worker.join().expect("no panic");
        assert!(tasks.iter().all(|task| !task.is_finished()));
        tasks[5].abort(); // the task that would be woken first
        wakes.flush();
        tasks[3].abort();

        for (number, task) in (0..).zip(tasks) {
            match task.await {
                Ok(response) => {
                    let response = response.expect("sent").expect("a response");
                    assert_eq!(response.generation, number);
                }
                Err(error) => assert!(error.is_cancelled() && [3, 5].contains(&number)),
            }
        }
    }

    #[tokio::test]
    async fn a_dropped_reply_resolves_to_none() {
        let (reply, future) = channel(&wakes());
        let waiting = tokio::spawn(future);
        tokio::task::yield_now().await;
        drop(reply);
        assert!(waiting.await.expect("no panic").is_none());
    }

    #[tokio::test]
    async fn the_beginning_of_a_response_is_not_deferred() {
        let wakes = wakes();
        let (reply, future) = channel(&wakes);
        let waiting = tokio::spawn(future);
        tokio::task::yield_now().await;
        thread::spawn(move || {
            defer_wakes();
            reply.send_now(response(1)); // and no flush
        })
        .join()
        .expect("no panic");
        let received = waiting.await.expect("no panic").expect("a response");
        assert_eq!(received.expect("no rejection").generation, 1);
    }

    #[test]
    fn a_dropped_receiver_closes_the_channel() {
        let (reply, future) = channel(&wakes());
        assert!(!reply.is_closed());
        drop(future);
        assert!(reply.is_closed());
        reply.send(response(1));
    }
}
