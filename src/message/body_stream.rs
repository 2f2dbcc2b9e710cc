//! The channel of a streamed body, from a handler to its client.
//!
//! Bounded: a sender that is faster than the client is rejected, and woken when there is room. Until
//! the response has begun, the sender can still replace it by a failure. Knows nothing of asyncio; the
//! sender provides its waker.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::error_response::ErrorResponse;
use crate::sync::{Mutex, thread_waker};

/// Bytes that may wait for the client; a larger chunk waits alone.
const MAX_BYTES: usize = 1024 * 1024;
/// The minimum that a chunk counts: it limits the number of small chunks.
const MIN_CHUNK: usize = 4 * 1024;

/// Makes the two ends of a channel; see [`BodyReceiver::keep_alive`].
pub(crate) fn channel(keep_alive: Option<Duration>) -> (BodySender, BodyReceiver) {
    let shared = Arc::new(BodyChannel::default());
    (BodySender(Arc::clone(&shared)), BodyReceiver { shared, keep_alive })
}

/// The receiving end.
#[derive(Debug)]
pub struct BodyReceiver {
    shared: Arc<BodyChannel>,
    /// The time without a chunk after which the client of an event stream gets a comment.
    pub keep_alive: Option<Duration>,
}

/// The head of a response whose handler has yielded an event first.
#[derive(Debug, PartialEq, Eq)]
pub struct EventHead {
    /// The content type replaces that of the response; others are added unless they are there.
    pub headers: Vec<(String, String)>,
    /// As in [`BodyReceiver::keep_alive`].
    pub keep_alive: Duration,
}

/// A chunk of a streamed body, or its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Some bytes.
    Data(Bytes),
    /// The fields after the last bytes.
    Trailers(Vec<(String, String)>),
    /// The body is complete.
    End,
}

/// The sending end. Dropped before [`BodySender::finish`], it aborts the body.
#[derive(Debug)]
pub(crate) struct BodySender(Arc<BodyChannel>);

/// Why a chunk was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TrySendError {
    /// There is no room; the sender will be woken.
    Full,
    /// The client has disconnected.
    Closed,
}

#[derive(Debug, Default)]
struct BodyChannel(Mutex<ChannelState>);

#[derive(Debug, Default)]
struct ChannelState {
    waiting: VecDeque<Bytes>,
    /// The size of the waiting chunks.
    bytes: usize,
    /// The body is complete.
    is_whole: bool,
    /// The fields after a complete body.
    trailers: Option<Vec<(String, String)>>,
    /// The sender was dropped.
    is_over: bool,
    /// The receiver was dropped.
    is_closed: bool,
    /// The client gets, or has, the head of the response.
    is_begun: bool,
    /// Replaces the response, as long as it has not begun.
    failure: Option<ErrorResponse>,
    /// The head of an event stream, set before the response has begun.
    event_head: Option<EventHead>,
    /// Waits for a chunk.
    receiver: Option<Waker>,
    /// Waits for room, and for how much.
    sender: Option<(usize, Waker)>,
}

impl BodySender {
    /// Sends `size` bytes if there is room. If there is none, the waker is woken once there is.
    pub(crate) fn try_send(
        &self,
        size: usize,
        chunk: impl FnOnce() -> Bytes,
        waker: impl FnOnce() -> Waker,
    ) -> Result<(), TrySendError> {
        let size = size.max(MIN_CHUNK);
        let mut state = self.0.0.lock();
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
        receiver.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Sends, and blocks this thread until there is room; false if the client has disconnected.
    pub(crate) fn send(&self, chunk: &Bytes) -> bool {
        loop {
            match self.try_send(chunk.len(), || chunk.clone(), thread_waker) {
                Ok(()) => return true,
                Err(TrySendError::Full) => thread::park(), // may return early: then the next attempt fails
                Err(TrySendError::Closed) => return false,
            }
        }
    }

    /// Whether the client has disconnected.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.0.lock().is_closed
    }

    /// Fails the response instead of its body. If the response has begun, aborts the body and returns
    /// the failure.
    pub(crate) fn fail(&self, failure: ErrorResponse) -> Result<(), ErrorResponse> {
        let mut state = self.0.0.lock();
        let result = if state.is_begun || state.is_closed || !state.waiting.is_empty() {
            // At once: the sender lives as long as the exception, which a log handler may store.
            state.is_over = true;
            Err(failure)
        } else {
            state.failure = Some(failure);
            Ok(())
        };
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
        result
    }

    /// Makes the response an event stream; false if it has begun.
    pub(crate) fn become_events(&self, head: EventHead) -> bool {
        let mut state = self.0.0.lock();
        let is_possible = !state.is_begun && state.waiting.is_empty();
        if is_possible {
            state.event_head = Some(head);
        }
        is_possible
    }

    /// Ends the body as complete, perhaps with fields after it.
    pub(crate) fn finish(&self, trailers: Option<Vec<(String, String)>>) {
        let mut state = self.0.0.lock();
        (state.is_whole, state.trailers) = (true, trailers);
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.is_over = true;
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl BodyReceiver {
    /// Waits until the first chunk or the end is there; an error before both is the failure to
    /// respond with.
    pub(crate) async fn ready(&mut self) -> Result<(), ErrorResponse> {
        poll_fn(|context| {
            let mut state = self.shared.0.lock();
            if let Some(failure) = state.failure.take() {
                return Poll::Ready(Err(failure));
            }
            if state.waiting.is_empty() && !state.is_whole && !state.is_over {
                state.receiver = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Begins the response: from now on, an error can only abort its body. Returns the head of an event
    /// stream, if it has become one.
    pub(crate) fn begin(&mut self) -> Result<Option<EventHead>, ErrorResponse> {
        let mut state = self.shared.0.lock();
        state.is_begun = true;
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(state.event_head.take()),
        }
    }

    /// Receives the next chunk; `None` if the body was aborted.
    pub async fn recv(&mut self) -> Option<Chunk> {
        poll_fn(|context| {
            let mut state = self.shared.0.lock();
            let Some(chunk) = state.waiting.pop_front() else {
                if state.is_whole {
                    let trailers = state.trailers.take().map(Chunk::Trailers);
                    return Poll::Ready(Some(trailers.unwrap_or(Chunk::End)));
                }
                if state.is_over {
                    return Poll::Ready(None);
                }
                state.receiver = Some(context.waker().clone());
                return Poll::Pending;
            };
            state.bytes -= chunk.len().max(MIN_CHUNK);
            let sender = state.sender_to_wake();
            drop(state);
            sender.into_iter().for_each(Waker::wake);
            Poll::Ready(Some(Chunk::Data(chunk)))
        })
        .await
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.0.lock();
        state.is_closed = true;
        let (unread, sender) = (std::mem::take(&mut state.waiting), state.sender.take());
        drop(state);
        drop(unread);
        sender.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl ChannelState {
    fn has_room(&self, size: usize) -> bool {
        self.waiting.is_empty() || self.bytes + size <= MAX_BYTES
    }

    /// Returns the waker of a sender once enough room is free: to wake it costs more than to send.
    fn sender_to_wake(&mut self) -> Option<Waker> {
        let size = self.sender.as_ref()?.0;
        if self.bytes > MAX_BYTES / 2 || !self.has_room(size) {
            return None;
        }
        self.sender.take().map(|(_, waker)| waker)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct CountingWaker(AtomicUsize);

    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of chunks of one byte that may wait.
    const SMALL: usize = MAX_BYTES / MIN_CHUNK;

    fn send(sender: &BodySender, woken: &Arc<CountingWaker>) -> Result<(), TrySendError> {
        send_sized(1, sender, woken)
    }

    fn send_sized(
        size: usize,
        sender: &BodySender,
        woken: &Arc<CountingWaker>,
    ) -> Result<(), TrySendError> {
        sender.try_send(size, || Bytes::from(vec![0; size]), || Waker::from(Arc::clone(woken)))
    }

    impl CountingWaker {
        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_rejected_sender_is_woken_once_when_half_of_the_room_is_free() {
        let woken = Arc::new(CountingWaker::default());
        let (sender, mut receiver) = channel(None);
        for _ in 0..SMALL {
            assert_eq!(send(&sender, &woken), Ok(()));
        }
        assert_eq!(send(&sender, &woken), Err(TrySendError::Full));

        for taken in 1..=SMALL {
            receiver.recv().await;
            let expected = usize::from(taken >= SMALL / 2);
            assert_eq!(woken.times(), expected, "{taken}");
        }
        assert_eq!(send(&sender, &woken), Ok(()));
    }

    #[tokio::test]
    async fn large_chunks_wait_together_up_to_the_bound_and_a_larger_one_alone() {
        let woken = Arc::new(CountingWaker::default());
        let (sender, mut receiver) = channel(None);
        for _ in 0..4 {
            assert_eq!(send_sized(MAX_BYTES / 4, &sender, &woken), Ok(()));
        }
        assert_eq!(send_sized(10 * MAX_BYTES, &sender, &woken), Err(TrySendError::Full));

        for _ in 0..4 {
            assert_eq!(woken.times(), 0);
            receiver.recv().await;
        }
        assert_eq!(woken.times(), 1);
        assert_eq!(send_sized(10 * MAX_BYTES, &sender, &woken), Ok(()));
        assert_eq!(send(&sender, &woken), Err(TrySendError::Full));
        receiver.recv().await;
        assert_eq!(woken.times(), 2);
    }

    #[tokio::test]
    async fn a_rejected_sender_is_woken_when_the_client_disconnects() {
        let woken = Arc::new(CountingWaker::default());
        let (sender, receiver) = channel(None);
        while send(&sender, &woken).is_ok() {}

        drop(receiver);

        assert_eq!(woken.times(), 1);
        assert_eq!(send(&sender, &woken), Err(TrySendError::Closed));
    }

    #[tokio::test]
    async fn a_body_ends_after_finish_and_is_aborted_without_it() {
        for is_whole in [true, false] {
            let woken = Arc::new(CountingWaker::default());
            let (sender, mut receiver) = channel(None);
            let mut sent = 0;
            while send(&sender, &woken).is_ok() {
                sent += 1;
            }
            if is_whole {
                sender.finish(None);
            }
            drop(sender);

            for _ in 0..sent {
                assert!(matches!(receiver.recv().await, Some(Chunk::Data(_))));
            }
            assert_eq!(receiver.recv().await, is_whole.then_some(Chunk::End));
        }
    }

    #[tokio::test]
    async fn an_error_replaces_the_response_until_it_has_begun() {
        let failure = || ErrorResponse { status: 409, ..ErrorResponse::default() };
        let (sender, mut receiver) = channel(None);
        let waiting = tokio::spawn(async move { receiver.ready().await });
        tokio::task::yield_now().await;
        assert!(sender.fail(failure()).is_ok());
        assert_eq!(waiting.await.expect("no panic").map_err(|failure| failure.status), Err(409));

        let (sender, mut receiver) = channel(None);
        assert_eq!(send(&sender, &Arc::default()), Ok(()));
        assert!(sender.fail(failure()).is_err(), "a byte is on its way");
        assert!(receiver.ready().await.is_ok());

        let (sender, mut receiver) = channel(None);
        let head = || EventHead { headers: Vec::new(), keep_alive: Duration::from_secs(15) };
        assert!(sender.become_events(head()));
        assert_eq!(receiver.begin().expect("no failure"), Some(head()));
        assert!(!sender.become_events(head()), "the head is on its way");
        assert!(sender.fail(failure()).is_err(), "the head is on its way");
    }

    #[tokio::test]
    async fn a_waiting_client_receives_a_chunk() {
        let (sender, mut receiver) = channel(None);
        let waiting = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;

        assert_eq!(send(&sender, &Arc::default()), Ok(()));

        let chunk = waiting.await.expect("no panic");
        assert_eq!(chunk, Some(Chunk::Data(Bytes::from(vec![0]))));
    }
}
