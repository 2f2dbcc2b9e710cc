//! From the thread that has an answer back to the task that waits for it.
//!
//! To wake a tokio thread is a system call, and on a busy core it ends the turn of whoever makes
//! it. So a dispatch worker with more to do leaves its answers, and wakes one task for all of
//! them; that one wakes the others, which costs next to nothing where it runs. A task that goes
//! instead of waking passes that on.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::message::PythonResponse;

use super::loop_signals::Notices;

thread_local! {
    /// Whether answers of this thread are left until it says [`Wakes::wake`].
    static LEAVES: Cell<bool> = const { Cell::new(false) };
}

/// Lets answers that this thread gives from now on wait for [`Wakes::wake`].
pub(super) fn leave_answers() {
    LEAVES.set(true);
}

/// Makes the two ends for one answer.
pub(super) fn channel(wakes: &Arc<Wakes>) -> (Reply, Pending) {
    let slot = Arc::new(Slot::default());
    let reply = Reply { slot: Arc::clone(&slot), wakes: Arc::clone(wakes) };
    (reply, Pending { slot, wakes: Arc::clone(wakes) })
}

/// The sending end. Dropped without an answer, it says that there will be none.
#[derive(Debug)]
pub(crate) struct Reply {
    slot: Arc<Slot>,
    wakes: Arc<Wakes>,
}

/// The receiving end: an answer, or `None` if there will be none.
#[derive(Debug)]
pub(super) struct Pending {
    slot: Arc<Slot>,
    wakes: Arc<Wakes>,
}

/// Tasks that have an answer and do not know it yet.
#[derive(Debug)]
pub(super) struct Wakes {
    left: Mutex<Vec<Arc<Slot>>>,
    /// What the task that was woken is to wake.
    passed_on: Mutex<Vec<Arc<Slot>>>,
    is_passed_on: AtomicBool,
    /// The asyncio loop, and whether it has work that it does not know of.
    bell: Arc<Notices>,
    is_loop_left: AtomicBool,
}

#[derive(Debug, Default)]
struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answer: Option<PythonResponse>,
    waker: Option<Waker>,
    /// The sender has gone.
    is_over: bool,
    /// The receiver has gone.
    is_closed: bool,
    /// Its task was woken for others too.
    wakes_others: bool,
}

impl Reply {
    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.slot.lock().is_closed
    }

    /// Gives the answer, now or with the next [`Wakes::wake`].
    pub(super) fn send(self, answer: PythonResponse) {
        let mut state = self.slot.lock();
        state.answer = Some(answer);
        state.is_over = true;
        if state.waker.is_none() || state.is_closed {
            return;
        }
        if LEAVES.get() {
            drop(state);
            lock(&self.wakes.left).push(Arc::clone(&self.slot));
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

impl Future for Pending {
    type Output = Option<PythonResponse>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        let wakes_others = std::mem::take(&mut state.wakes_others);
        let polled = if state.is_over {
            Poll::Ready(state.answer.take())
        } else {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => state.waker = Some(context.waker().clone()),
            }
            Poll::Pending
        };
        drop(state);
        if wakes_others {
            self.wakes.pass_on();
        }
        polled
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.is_closed = true;
        let unread = state.answer.take();
        let wakes_others = state.wakes_others;
        drop(state);
        drop(unread);
        if wakes_others {
            self.wakes.pass_on();
        }
    }
}

impl Wakes {
    /// With `bell` for the asyncio loop.
    pub(super) fn new(bell: Arc<Notices>) -> Arc<Self> {
        Arc::new(Self {
            left: Mutex::default(),
            passed_on: Mutex::default(),
            is_passed_on: AtomicBool::new(false),
            bell,
            is_loop_left: AtomicBool::new(false),
        })
    }

    /// Lets the asyncio loop know that there is something, now or with the next [`Self::wake`].
    pub(super) fn ring(&self) {
        if LEAVES.get() {
            self.is_loop_left.store(true, Ordering::Release);
        } else {
            self.bell.ring();
        }
    }

    /// Lets all know who have been left something: the loop, and the tasks with an answer.
    pub(super) fn wake(&self) {
        if self.is_loop_left.load(Ordering::Relaxed)
            && self.is_loop_left.swap(false, Ordering::AcqRel)
        {
            self.bell.ring();
        }
        let mut left = std::mem::take(&mut *lock(&self.left));
        while let Some(slot) = left.pop() {
            let mut state = slot.lock();
            if state.is_closed {
                continue;
            }
            let Some(waker) = state.waker.take() else { continue };
            if !left.is_empty() {
                lock(&self.passed_on).append(&mut left);
                self.is_passed_on.store(true, Ordering::Release);
                // Seen when it is polled, or dropped: one of these will be.
                state.wakes_others = true;
            }
            drop(state);
            waker.wake();
            return;
        }
    }

    fn pass_on(&self) {
        if !self.is_passed_on.swap(false, Ordering::AcqRel) {
            return;
        }
        for slot in std::mem::take(&mut *lock(&self.passed_on)) {
            let waker = slot.lock().waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::message::{Failure, HandlerOutcome};

    fn wakes() -> Arc<Wakes> {
        Wakes::new(Arc::new(Notices::new().expect("a pipe")))
    }

    fn answer(generation: u64) -> PythonResponse {
        let outcome = HandlerOutcome::Failure(Failure::default());
        PythonResponse { generation, route: None, outcome, timestamps: None }
    }

    #[tokio::test]
    async fn answers_that_are_left_come_with_one_wake_even_if_some_of_the_tasks_go() {
        let wakes = wakes();
        let (replies, pending): (Vec<_>, Vec<_>) = (0..6).map(|_| channel(&wakes)).unzip();
        let tasks: Vec<_> = pending.into_iter().map(tokio::spawn).collect();
        tokio::task::yield_now().await; // all wait now
        let worker = thread::spawn({
            let wakes = Arc::clone(&wakes);
            move || {
                leave_answers();
                for (number, reply) in (0..).zip(replies) {
                    reply.send(answer(number));
                }
                wakes
            }
        });
        let wakes = worker.join().expect("no panic");
        assert!(tasks.iter().all(|task| !task.is_finished()));
        tasks[5].abort(); // the one that would be woken first
        wakes.wake();
        tasks[3].abort();

        for (number, task) in (0..).zip(tasks) {
            match task.await {
                Ok(answer) => assert_eq!(answer.expect("sent").generation, number),
                Err(error) => assert!(error.is_cancelled() && [3, 5].contains(&number)),
            }
        }
    }

    #[tokio::test]
    async fn a_reply_that_is_dropped_says_so() {
        let (reply, pending) = channel(&wakes());
        let waiting = tokio::spawn(pending);
        tokio::task::yield_now().await;
        drop(reply);
        assert!(waiting.await.expect("no panic").is_none());
    }

    #[test]
    fn whoever_waits_no_more_closes_the_channel() {
        let (reply, pending) = channel(&wakes());
        assert!(!reply.is_closed());
        drop(pending);
        assert!(reply.is_closed());
        reply.send(answer(1));
    }
}
