//! The slots of a queue: each is for one item that may block, and other items wait for one.
//!
//! One item more may run, on the spare. Never waits, and never wakes a worker.

use std::collections::VecDeque;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Why an item was not set aside.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::python_runtime) enum SetAsideError<T> {
    /// A slot is free: the caller runs this item, which has waited longest.
    SlotFree(T),
    /// Enough items wait.
    Full(T),
    /// Each slot has an item that may never end.
    AllStuck(T),
}

/// The slot that a worker has while it runs an item, for threads that watch it.
#[derive(Clone, Debug, Default)]
pub(in crate::python_runtime) struct Slot(Arc<SlotFlags>);

/// Only accessed with the queue locked.
#[derive(Debug, Default)]
struct SlotFlags {
    is_taken: AtomicBool,
    /// Whether the item in it may never end.
    is_stuck: AtomicBool,
}

/// The slots of all workers, and the items that wait for one.
#[derive(Debug)]
pub(super) struct Slots<T> {
    /// The number of items that may block at once.
    count: usize,
    /// The slots that are taken, one more while the spare has an item; how many may never be free.
    taken: usize,
    stuck: usize,
    /// Empty while a slot is free.
    pub(super) set_aside: VecDeque<T>,
    /// The maximum number of items that wait.
    capacity: usize,
}

impl<T> Slots<T> {
    pub(super) fn new(count: usize, capacity: usize) -> Self {
        Self { count, taken: 0, stuck: 0, set_aside: VecDeque::new(), capacity }
    }

    /// Whether an item must not block now.
    pub(super) fn are_taken(&self) -> bool {
        self.taken >= self.count
    }

    /// Gives a worker a slot for its item.
    pub(super) fn take(&mut self, slot: &Slot) {
        self.taken += 1;
        slot.0.is_taken.store(true, Ordering::Relaxed);
    }

    /// Frees the slot of a worker, if it has one.
    pub(super) fn leave(&mut self, slot: &Slot) {
        if slot.0.is_taken.swap(false, Ordering::Relaxed) {
            self.taken -= 1;
            self.stuck -= usize::from(slot.0.is_stuck.swap(false, Ordering::Relaxed));
        }
    }

    /// Makes the item of the spare, whose slot this is, wait for another slot.
    pub(super) fn set_aside(&mut self, slot: &Slot, item: T) -> Result<(), SetAsideError<T>> {
        // Its own item counts too.
        if self.taken <= self.count {
            self.set_aside.push_back(item);
            let oldest = self.set_aside.pop_front().expect("one was just added");
            return Err(SetAsideError::SlotFree(oldest));
        }
        if self.stuck >= self.count {
            return Err(SetAsideError::AllStuck(item));
        }
        if self.set_aside.len() >= self.capacity {
            return Err(SetAsideError::Full(item));
        }
        self.set_aside.push_back(item);
        self.leave(slot);
        Ok(())
    }

    /// Records that the item in a slot may never end. If that is so in all slots, returns the items
    /// that wait for one.
    pub(super) fn mark_stuck(&mut self, slot: &Slot) -> VecDeque<T> {
        if slot.0.is_taken.load(Ordering::Relaxed) {
            self.stuck += usize::from(!slot.0.is_stuck.swap(true, Ordering::Relaxed));
        }
        if self.stuck < self.count {
            return VecDeque::new();
        }
        std::mem::take(&mut self.set_aside)
    }
}
