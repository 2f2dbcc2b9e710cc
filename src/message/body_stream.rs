//! A streamed body on its way from a handler to its client.
//!
//! Bounded: who sends more than the client reads is told so, and woken when there is room. Knows
//! nothing of asyncio; whoever sends brings what wakes it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;

/// Bytes that may wait for the client; a larger piece waits alone.
const MAX_BYTES: usize = 1024 * 1024;
/// What a piece counts at least: very many small ones are no better.
const MIN_PIECE: usize = 4 * 1024;

/// Makes the two ends of a body.
pub(crate) fn channel() -> (BodySender, BodyReceiver) {
    let shared = Arc::new(Shared::default());
    (BodySender(Arc::clone(&shared)), BodyReceiver(shared))
}

/// The receiving end.
#[derive(Debug)]
pub struct BodyReceiver(Arc<Shared>);

/// A piece of a streamed body.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Some bytes.
    Data(Bytes),
    /// The body is complete.
    End,
}

/// The sending end. Dropped before [`BodySender::finish`], it cuts the body off.
#[derive(Debug)]
pub(crate) struct BodySender(Arc<Shared>);

/// Why a piece was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TrySendError {
    /// There is no room for it; whoever asked will be woken.
    Full,
    /// The client is gone.
    Closed,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    /// What those count.
    bytes: usize,
    /// The body is complete.
    is_whole: bool,
    /// The sender has gone.
    is_over: bool,
    /// The receiver has gone.
    is_closed: bool,
    /// Waits for a piece.
    receiver: Option<Waker>,
    /// Waits for room, and for how much.
    sender: Option<(usize, Waker)>,
}

impl BodySender {
    /// Sends `size` bytes if there is room. If not, what `waker` makes is woken once there is.
    pub(crate) fn try_send(
        &self,
        size: usize,
        chunk: impl FnOnce() -> Bytes,
        waker: impl FnOnce() -> Waker,
    ) -> Result<(), TrySendError> {
        let size = size.max(MIN_PIECE);
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(TrySendError::Closed);
        }
        if !state.has_room(size) {
            state.sender = Some((size, waker()));
            return Err(TrySendError::Full);
        }
        state.bytes += size;
        state.waiting.push_back(chunk());
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
        Ok(())
    }

    /// Sends, and keeps this thread until there is room; false when the client is gone.
    pub(crate) fn send(&self, chunk: &Bytes) -> bool {
        let waker = || Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match self.try_send(chunk.len(), || chunk.clone(), waker) {
                Ok(()) => return true,
                Err(TrySendError::Full) => thread::park(), // may end early: then it tries in vain
                Err(TrySendError::Closed) => return false,
            }
        }
    }

    /// Ends the body as complete.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock();
        state.is_whole = true;
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_over = true;
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }
}

impl BodyReceiver {
    /// The next piece; `None` when the body has broken off.
    pub async fn recv(&mut self) -> Option<Chunk> {
        poll_fn(|context| {
            let mut state = self.0.lock();
            let Some(chunk) = state.waiting.pop_front() else {
                if state.is_whole {
                    return Poll::Ready(Some(Chunk::End));
                }
                if state.is_over {
                    return Poll::Ready(None);
                }
                state.receiver = Some(context.waker().clone());
                return Poll::Pending;
            };
            state.bytes -= chunk.len().max(MIN_PIECE);
            let sender = state.sender_to_wake();
            drop(state);
            wake(sender);
            Poll::Ready(Some(Chunk::Data(chunk)))
        })
        .await
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let (unread, sender) = (std::mem::take(&mut state.waiting), state.sender.take());
        drop(state);
        drop(unread);
        wake(sender.map(|(_, waker)| waker));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, size: usize) -> bool {
        self.waiting.is_empty() || self.bytes + size <= MAX_BYTES
    }

    /// Not for each piece that was taken: to wake the sender costs more than to send.
    fn sender_to_wake(&mut self) -> Option<Waker> {
        let size = self.sender.as_ref()?.0;
        if self.bytes > MAX_BYTES / 2 || !self.has_room(size) {
            return None;
        }
        self.sender.take().map(|(_, waker)| waker)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As many pieces of one byte may wait.
    const SMALL: usize = MAX_BYTES / MIN_PIECE;

    fn send(sender: &BodySender, woken: &Arc<Woken>) -> Result<(), TrySendError> {
        send_sized(1, sender, woken)
    }

    fn send_sized(
        size: usize,
        sender: &BodySender,
        woken: &Arc<Woken>,
    ) -> Result<(), TrySendError> {
        sender.try_send(size, || Bytes::from(vec![0; size]), || Waker::from(Arc::clone(woken)))
    }

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn whoever_found_no_room_is_woken_once_when_half_of_it_is_free() {
        let woken = Arc::new(Woken::default());
        let (sender, mut pieces) = channel();
        for _ in 0..SMALL {
            assert_eq!(send(&sender, &woken), Ok(()));
        }
        assert_eq!(send(&sender, &woken), Err(TrySendError::Full));

        for taken in 1..=SMALL {
            pieces.recv().await;
            let expected = usize::from(taken >= SMALL / 2);
            assert_eq!(woken.times(), expected, "{taken}");
        }
        assert_eq!(send(&sender, &woken), Ok(()));
    }

    #[tokio::test]
    async fn large_pieces_wait_together_up_to_the_bound_and_one_beyond_it_alone() {
        let woken = Arc::new(Woken::default());
        let (sender, mut pieces) = channel();
        for _ in 0..4 {
            assert_eq!(send_sized(MAX_BYTES / 4, &sender, &woken), Ok(()));
        }
        assert_eq!(send_sized(10 * MAX_BYTES, &sender, &woken), Err(TrySendError::Full));

        for _ in 0..4 {
            assert_eq!(woken.times(), 0);
            pieces.recv().await;
        }
        assert_eq!(woken.times(), 1);
        assert_eq!(send_sized(10 * MAX_BYTES, &sender, &woken), Ok(()));
        assert_eq!(send(&sender, &woken), Err(TrySendError::Full));
        pieces.recv().await;
        assert_eq!(woken.times(), 2);
    }

    #[tokio::test]
    async fn whoever_found_no_room_hears_that_the_client_goes() {
        let woken = Arc::new(Woken::default());
        let (sender, pieces) = channel();
        while send(&sender, &woken).is_ok() {}

        drop(pieces);

        assert_eq!(woken.times(), 1);
        assert_eq!(send(&sender, &woken), Err(TrySendError::Closed));
    }

    #[tokio::test]
    async fn a_full_body_can_end_and_one_that_does_not_has_broken_off() {
        for is_whole in [true, false] {
            let woken = Arc::new(Woken::default());
            let (sender, mut pieces) = channel();
            let mut sent = 0;
            while send(&sender, &woken).is_ok() {
                sent += 1;
            }
            if is_whole {
                sender.finish();
            }
            drop(sender);

            for _ in 0..sent {
                assert!(matches!(pieces.recv().await, Some(Chunk::Data(_))));
            }
            assert_eq!(pieces.recv().await, is_whole.then_some(Chunk::End));
        }
    }

    #[tokio::test]
    async fn a_client_that_waits_gets_what_is_sent() {
        let (sender, mut pieces) = channel();
        let waiting = tokio::spawn(async move { pieces.recv().await });
        tokio::task::yield_now().await;

        assert_eq!(send(&sender, &Arc::default()), Ok(()));

        let piece = waiting.await.expect("no panic");
        assert_eq!(piece, Some(Chunk::Data(Bytes::from(vec![0]))));
    }
}
