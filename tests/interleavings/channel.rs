//! Replaces `crossbeam_channel`, `tokio::sync::oneshot` and what the stop uses of `tokio_util`, made of
//! shuttle's locks. A limit of a send never passes, so that a send that hangs shows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sync::{Arc, Condvar, Mutex};

#[derive(Debug)]
pub enum SendTimeoutError<T> {
    Timeout(T),
    Disconnected(T),
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
}

#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { messages: VecDeque::new(), senders: 1, has_receiver: true };
    let shared =
        Arc::new(Shared { state: Mutex::new(state), changed: Condvar::default(), capacity });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    pub fn send_timeout(&self, message: T, _: Duration) -> Result<(), SendTimeoutError<T>> {
        let mut state = self.0.state.lock();
        while state.has_receiver && state.messages.len() == self.0.capacity {
            state = self.0.changed.wait(state);
        }
        if !state.has_receiver {
            return Err(SendTimeoutError::Disconnected(message));
        }
        state.messages.push_back(message);
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().senders -= 1;
        self.0.changed.notify_all();
    }
}

impl<T> Receiver<T> {
    /// Returns the next message; `None` if there is none, and no sender.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state.lock();
        while state.senders > 0 && state.messages.is_empty() {
            state = self.0.changed.wait(state);
        }
        let message = state.messages.pop_front();
        drop(state);
        self.0.changed.notify_all();
        message
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.has_receiver = false;
        // As crossbeam does: no client waits for the reply to a message that is never read.
        let unread = std::mem::take(&mut state.messages);
        drop(state);
        drop(unread);
        self.0.changed.notify_all();
    }
}

/// Replaces `tokio::sync::oneshot`.
pub mod oneshot {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use crate::sync::{Arc, Mutex};

    #[derive(Debug)]
    struct State<T> {
        value: Option<T>,
        is_over: bool,
        waker: Option<Waker>,
    }

    #[derive(Debug)]
    pub struct Sender<T>(Arc<Mutex<State<T>>>);

    #[derive(Debug)]
    pub struct Receiver<T>(Arc<Mutex<State<T>>>);

    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let state = Arc::new(Mutex::new(State { value: None, is_over: false, waker: None }));
        (Sender(Arc::clone(&state)), Receiver(state))
    }

    impl<T> Sender<T> {
        pub fn send(self, value: T) -> Result<(), T> {
            self.0.lock().value = Some(value);
            Ok(()) // dropped now, which wakes the receiver
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            let mut state = self.0.lock();
            state.is_over = true;
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, ()>;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            let mut state = self.0.lock();
            if state.is_over {
                return Poll::Ready(state.value.take().ok_or(()));
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        }
    }
}

/// Replaces `tokio_util::sync::CancellationToken`.
#[derive(Clone, Debug)]
pub struct CancellationToken(Arc<crate::watch::Sender<bool>>);

impl Default for CancellationToken {
    fn default() -> Self {
        Self(Arc::new(crate::watch::Sender::new(false)))
    }
}

impl CancellationToken {
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    pub async fn cancelled(&self) {
        let _ = self.0.subscribe().wait_for(|is_cancelled| *is_cancelled).await;
    }
}

/// Replaces `tokio_util::task::TaskTracker`: the number of its tokens, and whether it is closed.
#[derive(Debug)]
pub struct TaskTracker(Arc<Mutex<(usize, bool)>>, Arc<crate::watch::Sender<bool>>);

#[derive(Debug)]
pub struct TaskTrackerToken(Arc<Mutex<(usize, bool)>>, Arc<crate::watch::Sender<bool>>);

impl Default for TaskTracker {
    fn default() -> Self {
        Self(Arc::default(), Arc::new(crate::watch::Sender::new(false)))
    }
}

impl TaskTracker {
    pub fn token(&self) -> TaskTrackerToken {
        self.0.lock().0 += 1;
        TaskTrackerToken(Arc::clone(&self.0), Arc::clone(&self.1))
    }

    pub fn close(&self) {
        let mut state = self.0.lock();
        state.1 = true;
        self.1.send_replace(state.0 == 0);
    }

    pub async fn wait(&self) {
        let _ = self.1.subscribe().wait_for(|is_over| *is_over).await;
    }
}

impl Drop for TaskTrackerToken {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.0 -= 1;
        self.1.send_replace(*state == (0, true));
    }
}
