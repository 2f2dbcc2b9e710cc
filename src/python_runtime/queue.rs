//! The queue in front of the dispatch workers, and which of them takes from it.
//!
//! One worker is hot: it keeps the interpreter and takes one item after the other. To wake a
//! resting one costs more than a short handler, so that is done only when no worker is awake, or
//! when none of them has come back for [`PATIENCE`], because its handler waits or computes. To
//! notice that without anybody's help, one resting worker, the deputy, looks by itself at that
//! interval while something waits. Who rested last is called first: its stack is in the cache.
//!
//! Knows neither requests nor Python.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long what waits is left to the workers that are awake.
const PATIENCE: Duration = Duration::from_millis(1);
/// How long a worker with nothing to do looks about before it rests: the next item often comes
/// soon, and on a busy core the thread that brings it needs the time.
const LINGER: Duration = Duration::from_micros(50);

/// A bounded queue that any number of [`Taker`]s share.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    /// Whether nothing waits, for those who look without the lock.
    is_empty: AtomicBool,
}

/// What a worker got.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken<T> {
    pub(super) item: T,
    pub(super) at: Instant,
    /// Whether nothing else waits.
    pub(super) is_last: bool,
}

/// Why an item was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// A worker's end of a [`Queue`].
#[derive(Debug)]
pub(super) struct Taker<T> {
    queue: Arc<Queue<T>>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// Workers that rest; the last one is called first.
    resting: Vec<Arc<Bell>>,
    /// The one among them that looks by itself.
    deputy: Option<Arc<Bell>>,
    /// Workers that do not rest, or have been called.
    awake: usize,
    /// When one of them last took something, or was called.
    last_sign: Instant,
    /// Whether one of them looks about.
    is_watched: bool,
    is_closed: bool,
}

/// How a resting worker is woken.
#[derive(Debug, Default)]
struct Bell {
    condvar: Condvar,
    /// Set when it has been called. Only touched with the queue locked.
    is_called: AtomicBool,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            resting: Vec::new(),
            deputy: None,
            awake: 0,
            last_sign: Instant::now(),
            is_watched: false,
            is_closed: false,
        };
        Arc::new(Self { state: Mutex::new(state), capacity, is_empty: AtomicBool::new(true) })
    }

    /// Puts an item at the end, and sees to it that somebody takes it.
    pub(super) fn push(&self, item: T, now: Instant) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.capacity {
            return Err(Refused::Full);
        }
        state.waiting.push_back(item);
        self.is_empty.store(false, Ordering::Relaxed);
        let bell = state.rouse(now);
        drop(state);
        if let Some(bell) = bell {
            bell.condvar.notify_one();
        }
        Ok(())
    }

    /// Takes nothing in any more; what waits is still given out.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for bell in &state.resting {
            bell.condvar.notify_one();
        }
    }

    /// What `look` makes of the first `limit` that wait, and how many wait in all.
    pub(super) fn look<R>(&self, limit: usize, look: impl FnMut(&T) -> R) -> (Vec<R>, usize) {
        let state = self.lock();
        (state.waiting.iter().take(limit).map(look).collect(), state.waiting.len())
    }

    /// One more worker, which is awake.
    pub(super) fn taker(self: &Arc<Self>) -> Taker<T> {
        self.lock().awake += 1;
        Taker { queue: Arc::clone(self), bell: Arc::default() }
    }

    fn pop(&self, state: &mut State<T>, now: Instant) -> Option<Taken<T>> {
        let item = state.waiting.pop_front()?;
        let is_last = state.waiting.is_empty();
        state.last_sign = now;
        if is_last {
            self.is_empty.store(true, Ordering::Relaxed);
        } else if let Some(bell) = state.rouse(now) {
            bell.condvar.notify_one();
        }
        Some(Taken { item, at: now, is_last })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Taker<T> {
    /// What has waited longest, if something does.
    pub(super) fn try_take(&self) -> Option<Taken<T>> {
        self.queue.pop(&mut self.queue.lock(), Instant::now())
    }

    /// Waits until there is something; `None` once the queue is closed and empty. While it rests as
    /// the deputy, it calls `meanwhile` each time it looks.
    pub(super) fn take(&self, meanwhile: &dyn Fn()) -> Option<Taken<T>> {
        let queue = &*self.queue;
        let mut state = self.look_about(queue.lock());
        if !state.waiting.is_empty() || state.is_closed {
            return queue.pop(&mut state, Instant::now());
        }
        state.lie_down(&self.bell);
        loop {
            state = if state.is_deputy(&self.bell) {
                let waited = self.bell.condvar.wait_timeout(state, PATIENCE);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.bell.condvar.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
            let now = Instant::now();
            if self.bell.is_called.swap(false, Ordering::Relaxed) {
                if !state.waiting.is_empty() || state.is_closed {
                    return queue.pop(&mut state, now);
                }
                // Somebody was faster.
                state.lie_down(&self.bell);
            } else if state.is_closed {
                state.get_up(&self.bell);
                return queue.pop(&mut state, now);
            } else if state.is_deputy(&self.bell) {
                if state.waiting.is_empty() {
                    state.deputy = None;
                } else if state.is_left_alone(now) {
                    state.get_up(&self.bell);
                    return queue.pop(&mut state, now);
                }
                drop(state);
                meanwhile();
                state = queue.lock();
            }
        }
    }

    /// Lets others run for a moment, if nobody else does so, and sees whether they bring something.
    fn look_about<'a>(&'a self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        if state.is_watched || !state.waiting.is_empty() || state.is_closed {
            return state;
        }
        let began = Instant::now();
        state.is_watched = true;
        state.last_sign = began;
        drop(state);
        while self.queue.is_empty.load(Ordering::Relaxed) && began.elapsed() < LINGER {
            thread::yield_now();
        }
        let mut state = self.queue.lock();
        state.is_watched = false;
        state
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.awake -= 1;
        if !state.waiting.is_empty()
            && let Some(bell) = state.rouse(Instant::now())
        {
            bell.condvar.notify_one();
        }
    }
}

impl<T> State<T> {
    /// Calls a worker if what waits is left alone, or makes one the deputy; gives the bell to ring.
    fn rouse(&mut self, now: Instant) -> Option<Arc<Bell>> {
        if self.is_left_alone(now) {
            let bell = Arc::clone(self.resting.last()?);
            self.get_up(&bell);
            bell.is_called.store(true, Ordering::Relaxed);
            self.last_sign = now;
            return Some(bell);
        }
        if self.deputy.is_some() {
            return None;
        }
        self.deputy = self.resting.last().cloned();
        self.deputy.clone()
    }

    fn is_left_alone(&self, now: Instant) -> bool {
        self.awake == 0 || now.saturating_duration_since(self.last_sign) >= PATIENCE
    }

    fn is_deputy(&self, bell: &Arc<Bell>) -> bool {
        self.deputy.as_ref().is_some_and(|deputy| Arc::ptr_eq(deputy, bell))
    }

    fn lie_down(&mut self, bell: &Arc<Bell>) {
        self.awake -= 1;
        self.resting.push(Arc::clone(bell));
    }

    fn get_up(&mut self, bell: &Arc<Bell>) {
        self.awake += 1;
        self.resting.retain(|other| !Arc::ptr_eq(other, bell));
        if self.is_deputy(bell) {
            self.deputy = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use super::*;

    /// Does what a worker takes: says who it is, and waits until it may go on.
    struct Job {
        done: mpsc::Sender<ThreadId>,
        go: Option<mpsc::Receiver<()>>,
    }

    fn worker(queue: &Arc<Queue<Job>>) -> thread::JoinHandle<()> {
        let taker = queue.taker();
        thread::spawn(move || {
            while let Some(Taken { item: job, .. }) = taker.take(&|| ()) {
                let _ = job.done.send(thread::current().id());
                if let Some(go) = job.go {
                    let _ = go.recv();
                }
            }
        })
    }

    #[test]
    fn a_worker_that_waits_holds_up_nobody() {
        let queue = Queue::new(8);
        let workers = [worker(&queue), worker(&queue), worker(&queue)];
        let (done, who) = mpsc::channel();
        let mut gates = Vec::new();
        for _ in 0..2 {
            let (gate, go) = mpsc::channel();
            gates.push(gate);
            queue.push(Job { done: done.clone(), go: Some(go) }, Instant::now()).expect("room");
        }
        for _ in 0..3 {
            queue.push(Job { done: done.clone(), go: None }, Instant::now()).expect("room");
        }

        let order: Vec<_> = (0..5).map(|_| who.recv().expect("a worker")).collect();

        assert_eq!(order[2..], [order[2]; 3], "one worker is left for the short ones");
        assert!(order[0] != order[1] && !order[..2].contains(&order[2]));
        drop(gates);
        queue.close();
        for worker in workers {
            worker.join().expect("no panic");
        }
    }

    #[test]
    fn what_waits_is_given_out_after_the_queue_was_closed() {
        let queue = Queue::new(2);
        let (done, who) = mpsc::channel();
        let job = || Job { done: done.clone(), go: None };
        queue.push(job(), Instant::now()).expect("room");
        queue.push(job(), Instant::now()).expect("room");
        assert_eq!(queue.push(job(), Instant::now()), Err(Refused::Full));
        queue.close();
        assert_eq!(queue.push(job(), Instant::now()), Err(Refused::Closed));

        worker(&queue).join().expect("no panic");

        assert_eq!(who.try_iter().count(), 2);
    }

    #[test]
    fn a_worker_that_ends_leaves_what_waits_to_another() {
        let queue = Queue::new(8);
        let (done, who) = mpsc::channel();
        let first = queue.taker();
        let second = worker(&queue);
        for _ in 0..2 {
            queue.push(Job { done: done.clone(), go: None }, Instant::now()).expect("room");
        }
        drop(first);

        assert_eq!(who.recv(), Ok(second.thread().id()));
        assert_eq!(who.recv(), Ok(second.thread().id()));
        queue.close();
        second.join().expect("no panic");
    }
}
