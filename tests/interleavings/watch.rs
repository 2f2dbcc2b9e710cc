//! Replaces `tokio::sync::watch`, as far as the gate uses it. Drops no sender before its receivers.

use std::future::poll_fn;
use std::ops::Deref;
use std::task::{Poll, Waker};

use crate::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug)]
struct Shared<T> {
    value: T,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
pub struct Sender<T>(Arc<Mutex<Shared<T>>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Mutex<Shared<T>>>);

#[derive(Debug)]
pub struct Ref<'a, T>(MutexGuard<'a, Shared<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Sender<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Shared { value, waiting: Vec::new() })))
    }

    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.lock())
    }

    pub fn send_replace(&self, value: T) {
        let mut shared = self.0.lock();
        shared.value = value;
        let waiting = std::mem::take(&mut shared.waiting);
        drop(shared);
        for waker in waiting {
            waker.wake();
        }
    }

    pub fn subscribe(&self) -> Receiver<T> {
        Receiver(Arc::clone(&self.0))
    }
}

impl<T> Receiver<T> {
    pub async fn wait_for(&mut self, mut holds: impl FnMut(&T) -> bool) -> Result<(), ()> {
        poll_fn(|context| {
            let mut shared = self.0.lock();
            if holds(&shared.value) {
                return Poll::Ready(Ok(()));
            }
            shared.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
