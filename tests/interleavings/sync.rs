//! Replaces `src/sync.rs`: the same types, made of shuttle's. A thread's wait with a time limit ends at
//! any moment, as if the limit had passed; a future's limit never passes, so that a lost wake-up shows.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use shuttle::sync::{self, PoisonError};
pub use shuttle::sync::{Arc, atomic};
pub use shuttle::thread_local;
/// No scenario writes it twice.
pub use std::sync::OnceLock;

pub use crate::channel::{CancellationToken, oneshot};
pub use crate::watch;

pub async fn timeout_at<F: Future>(_: Instant, wait: F) -> Result<F::Output, ()> {
    Ok(wait.await)
}

#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    guard: sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard { mutex: self, guard }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { mutex, guard } = guard;
        let guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        MutexGuard { mutex, guard }
    }

    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _: Duration,
    ) -> (MutexGuard<'a, T>, ()) {
        let mutex = guard.mutex;
        drop(guard);
        shuttle::thread::yield_now();
        (mutex.lock(), ())
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
