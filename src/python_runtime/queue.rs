//! The queue in front of the dispatch workers, and the choice of the worker that pops.
//!
//! One worker is hot: it retains the interpreter and pops one item after the other. Waking a parked
//! worker costs more than a short handler, so that happens only when no worker runs, or when none has
//! come back for [`STALL_AFTER`], because its handler waits or computes. One parked worker, the
//! standby, checks that at intervals while an item waits. The worker that was parked last is woken
//! first: its stack is in the cache (`parking`).
//!
//! An item that blocks must not delay the others, so there is one worker more than slots (`slots`). The
//! worker that pops while all slots are taken is the spare: it sets an item that may block aside.
//!
//! Knows neither requests nor Python.

mod parking;
mod slots;

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};

use parking::{Parker, Parking, STALL_AFTER, Wakeup};
use slots::Slots;
pub(super) use slots::{SetAsideError, Slot};

/// How long an idle worker spins before it parks: the next item often comes soon, and on a busy core
/// the thread that brings it needs the time.
const SPIN: Duration = Duration::from_micros(50);

/// A bounded queue that any number of [`Consumer`]s share.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<QueueState<T>>,
    capacity: usize,
    /// Whether no item waits; read without the lock.
    is_empty: AtomicBool,
}

/// An item, and the state of the queue when it was popped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Popped<T> {
    pub(super) item: T,
    pub(super) at: Instant,
    /// Whether no other item waits.
    pub(super) is_last: bool,
    /// Whether all slots are taken: the item must not block.
    pub(super) is_spare: bool,
}

/// Why an item was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushError {
    Full,
    Closed,
}

/// A worker's end of a [`Queue`].
#[derive(Debug)]
pub(super) struct Consumer<T> {
    queue: Arc<Queue<T>>,
    parker: Arc<Parker>,
    slot: Slot,
}

#[derive(Debug)]
struct QueueState<T> {
    waiting: VecDeque<T>,
    slots: Slots<T>,
    parking: Parking,
    is_spinning: bool,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// Makes a queue for `slots + 1` workers; `capacity` items may wait, and as many more for a slot.
    pub(super) fn new(capacity: usize, slots: usize) -> Arc<Self> {
        let state = QueueState {
            waiting: VecDeque::new(),
            slots: Slots::new(slots, capacity),
            parking: Parking::new(),
            is_spinning: false,
            is_closed: false,
        };
        Arc::new(Self { state: Mutex::new(state), capacity, is_empty: AtomicBool::new(true) })
    }

    /// Appends an item, and wakes a worker if none is running.
    pub(super) fn push(&self, item: T, now: Instant) -> Result<(), PushError> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(PushError::Closed);
        }
        if state.waiting.len() >= self.capacity {
            return Err(PushError::Full);
        }
        state.waiting.push_back(item);
        self.is_empty.store(false, Ordering::Relaxed);
        let parker = state.parking.wake_one(now);
        drop(state);
        if let Some(parker) = parker {
            parker.condvar.notify_one();
        }
        Ok(())
    }

    /// Rejects further items; items that wait can still be popped.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.parking.notify_all();
    }

    /// Maps the first `limit` waiting items, and counts all of them.
    pub(super) fn peek<R>(&self, limit: usize, map: impl FnMut(&T) -> R) -> (Vec<R>, usize) {
        let state = self.state.lock();
        let set_aside = &state.slots.set_aside;
        let both = set_aside.iter().chain(&state.waiting);
        (both.take(limit).map(map).collect(), set_aside.len() + state.waiting.len())
    }

    /// Whether a further item, or one that may block, would be rejected.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.lock();
        state.waiting.len().max(state.slots.set_aside.len()) >= self.capacity
    }

    /// Removes the first waiting item that `is_it` accepts.
    pub(super) fn remove(&self, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let QueueState { waiting, slots, .. } = &mut *self.state.lock();
        let mut both = [&mut slots.set_aside, waiting].into_iter();
        both.find_map(|items| items.remove(items.iter().position(&is_it)?))
    }

    /// Frees the slot of a worker whose item may never end: another worker replaces it.
    pub(super) fn free(&self, slot: &Slot) {
        self.state.lock().slots.leave(slot);
    }

    /// Records that the item in a slot may never end. If that is so in all slots, returns the items
    /// that wait for one.
    pub(super) fn mark_stuck(&self, slot: &Slot) -> VecDeque<T> {
        self.state.lock().slots.mark_stuck(slot)
    }

    /// Adds a running worker.
    pub(super) fn consumer(self: &Arc<Self>) -> Consumer<T> {
        self.state.lock().parking.running += 1;
        Consumer { queue: Arc::clone(self), parker: Arc::default(), slot: Slot::default() }
    }

    fn pop(&self, state: &mut QueueState<T>, slot: &Slot) -> Option<Popped<T>> {
        let QueueState { waiting, slots, parking, .. } = state;
        slots.leave(slot);
        let is_spare = slots.are_taken();
        let item = if is_spare { None } else { slots.set_aside.pop_front() };
        // Other responses do not wait for an item that was set aside: it may be slow.
        let is_last = item.is_some() || waiting.len() == 1;
        let item = item.or_else(|| waiting.pop_front())?;
        let now = Instant::now();
        parking.last_progress = now;
        slots.take(slot);
        if waiting.is_empty() {
            self.is_empty.store(true, Ordering::Relaxed);
        } else if let Some(parker) = parking.wake_one(now) {
            parker.condvar.notify_one();
        }
        Some(Popped { item, at: now, is_last, is_spare })
    }
}

impl<T> Consumer<T> {
    /// Pops the oldest item, if there is one.
    pub(super) fn try_pop(&self) -> Option<Popped<T>> {
        self.queue.pop(&mut self.queue.state.lock(), &self.slot)
    }

    /// Makes an item that this worker has popped as the spare wait for a slot.
    pub(super) fn set_aside(&self, item: T) -> Result<(), SetAsideError<T>> {
        self.queue.state.lock().slots.set_aside(&self.slot, item)
    }

    /// The slot that this worker has while it runs an item.
    pub(super) fn slot(&self) -> Slot {
        self.slot.clone()
    }

    /// Waits for an item; `None` once the queue is closed and empty. Calls `on_tick` at each
    /// interval in which this worker is the standby.
    pub(super) fn pop(&self, on_tick: &dyn Fn()) -> Option<Popped<T>> {
        let mut state = self.spin(self.queue.state.lock());
        if !state.is_ready() {
            state = self.park(state, on_tick);
        }
        self.queue.pop(&mut state, &self.slot)
    }

    /// Yields to other threads for a moment, unless another worker does so, in case they push.
    fn spin<'a>(
        &'a self,
        mut state: MutexGuard<'a, QueueState<T>>,
    ) -> MutexGuard<'a, QueueState<T>> {
        if state.is_spinning || state.is_ready() {
            return state;
        }
        let began = Instant::now();
        state.is_spinning = true;
        state.parking.last_progress = began;
        drop(state);
        while self.queue.is_empty.load(Ordering::Relaxed) && began.elapsed() < SPIN {
            thread::yield_now();
        }
        let mut state = self.queue.state.lock();
        state.is_spinning = false;
        state
    }

    /// Parks until this worker is to pop, or the queue is closed; returns with the worker unparked.
    fn park<'a>(
        &'a self,
        mut state: MutexGuard<'a, QueueState<T>>,
        on_tick: &dyn Fn(),
    ) -> MutexGuard<'a, QueueState<T>> {
        state.parking.park(&self.parker);
        loop {
            if state.parking.is_standby(&self.parker) {
                drop(self.parker.condvar.wait_timeout(state, STALL_AFTER));
                on_tick();
                state = self.queue.state.lock();
            } else {
                state = self.parker.condvar.wait(state);
            }
            // From here to the next wait the lock is held, so no call is lost.
            let (has_work, is_closed) = (!state.waiting.is_empty(), state.is_closed);
            match state.parking.wakeup(&self.parker, has_work, is_closed) {
                Wakeup::Called if state.is_ready() => return state,
                Wakeup::Called => state.parking.park(&self.parker), // another worker was faster
                Wakeup::Closed | Wakeup::Stalled => {
                    state.parking.unpark(&self.parker);
                    return state;
                }
                Wakeup::Idle => {}
            }
        }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.parking.running -= 1;
        state.slots.leave(&self.slot);
        if !state.waiting.is_empty()
            && let Some(parker) = state.parking.wake_one(Instant::now())
        {
            parker.condvar.notify_one();
        }
    }
}

impl<T> QueueState<T> {
    /// Whether a worker has no reason to wait.
    fn is_ready(&self) -> bool {
        !self.waiting.is_empty() || self.is_closed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use super::*;

    /// Reports the thread that popped it, and blocks that thread until `go` is dropped.
    struct Job {
        done: mpsc::Sender<ThreadId>,
        go: Option<mpsc::Receiver<()>>,
    }

    fn worker(queue: &Arc<Queue<Job>>) -> thread::JoinHandle<()> {
        let consumer = queue.consumer();
        thread::spawn(move || {
            while let Some(Popped { item: job, .. }) = consumer.pop(&|| ()) {
                let _ = job.done.send(thread::current().id());
                if let Some(go) = job.go {
                    let _ = go.recv();
                }
            }
        })
    }

    #[test]
    fn a_worker_that_waits_does_not_block_the_others() {
        let queue = Queue::new(8, 2);
        let workers = [worker(&queue), worker(&queue), worker(&queue)];
        let (done, threads) = mpsc::channel();
        let mut gates = Vec::new();
        for _ in 0..2 {
            let (gate, go) = mpsc::channel();
            gates.push(gate);
            queue.push(Job { done: done.clone(), go: Some(go) }, Instant::now()).expect("room");
        }
        for _ in 0..3 {
            queue.push(Job { done: done.clone(), go: None }, Instant::now()).expect("room");
        }

        let order: Vec<_> = (0..5).map(|_| threads.recv().expect("a worker")).collect();

        assert_eq!(order[2..], [order[2]; 3], "one worker is left for the short jobs");
        assert!(order[0] != order[1] && !order[..2].contains(&order[2]));
        drop(gates);
        queue.close();
        for worker in workers {
            worker.join().expect("no panic");
        }
    }

    #[test]
    fn items_can_be_popped_after_the_queue_was_closed() {
        let queue = Queue::new(2, 1);
        let (done, threads) = mpsc::channel();
        let job = || Job { done: done.clone(), go: None };
        queue.push(job(), Instant::now()).expect("room");
        queue.push(job(), Instant::now()).expect("room");
        assert_eq!(queue.push(job(), Instant::now()), Err(PushError::Full));
        queue.close();
        assert_eq!(queue.push(job(), Instant::now()), Err(PushError::Closed));

        worker(&queue).join().expect("no panic");

        assert_eq!(threads.try_iter().count(), 2);
    }

    #[test]
    fn another_worker_pops_the_items_of_one_that_ends() {
        let queue = Queue::new(8, 2);
        let (done, threads) = mpsc::channel();
        let first = queue.consumer();
        let second = worker(&queue);
        for _ in 0..2 {
            queue.push(Job { done: done.clone(), go: None }, Instant::now()).expect("room");
        }
        drop(first);

        assert_eq!(threads.recv(), Ok(second.thread().id()));
        assert_eq!(threads.recv(), Ok(second.thread().id()));
        queue.close();
        second.join().expect("no panic");
    }

    fn pushed(capacity: usize, count: u32) -> Arc<Queue<u32>> {
        let queue = Queue::new(capacity, 1);
        for item in 1..=count {
            queue.push(item, Instant::now()).expect("room");
        }
        queue
    }

    /// Pops an item, and whether all slots are taken.
    fn popped(worker: &Consumer<u32>) -> Option<(u32, bool)> {
        worker.try_pop().map(|popped| (popped.item, popped.is_spare))
    }

    #[test]
    fn while_all_slots_are_taken_items_are_set_aside_for_the_next_worker_that_is_done() {
        let queue = pushed(5, 5);
        let (worker, spare) = (queue.consumer(), queue.consumer());
        assert_eq!(popped(&worker), Some((1, false)));
        assert_eq!(popped(&spare), Some((2, true)));
        assert_eq!(spare.set_aside(2), Ok(()));
        assert_eq!(popped(&spare), Some((3, true)));
        assert_eq!(queue.peek(9, |item| *item), (vec![2, 4, 5], 3));
        assert_eq!(spare.set_aside(3), Ok(()));

        assert_eq!(popped(&worker), Some((2, false)));
        assert_eq!(popped(&spare), Some((4, true)));
        assert_eq!(queue.remove(|item| *item == 3), Some(3));
        assert_eq!(queue.remove(|item| *item == 3), None);
        assert_eq!(popped(&worker), Some((5, true)), "the spare still has its item");
        assert_eq!(worker.set_aside(5), Ok(()));
        assert_eq!(popped(&spare), Some((5, false)));
    }

    #[test]
    fn the_spare_runs_an_item_if_a_slot_has_become_free() {
        let queue = pushed(2, 2);
        let (worker, spare) = (queue.consumer(), queue.consumer());
        assert_eq!(popped(&worker), Some((1, false)));
        assert_eq!(popped(&spare), Some((2, true)));
        assert_eq!(popped(&worker), None);
        assert_eq!(spare.set_aside(2), Err(SetAsideError::SlotFree(2)));
    }

    #[test]
    fn items_are_set_aside_up_to_the_capacity_and_not_while_all_slots_are_stuck() {
        let queue = pushed(3, 3);
        let (worker, spare) = (queue.consumer(), queue.consumer());
        assert_eq!(popped(&worker), Some((1, false)));
        for item in 2..=3 {
            assert_eq!(popped(&spare), Some((item, true)));
            assert_eq!(spare.set_aside(item), Ok(()));
        }
        for item in 4..=5 {
            queue.push(item, Instant::now()).expect("room");
        }
        assert_eq!(popped(&spare), Some((4, true)));
        assert_eq!(spare.set_aside(4), Ok(()));
        assert_eq!(popped(&spare), Some((5, true)));
        assert_eq!(spare.set_aside(5), Err(SetAsideError::Full(5)));

        assert_eq!(queue.mark_stuck(&worker.slot()), [2, 3, 4]);
        assert_eq!(spare.set_aside(5), Err(SetAsideError::AllStuck(5)));
        queue.free(&worker.slot());
        assert_eq!(spare.set_aside(5), Err(SetAsideError::SlotFree(5)));
    }
}
