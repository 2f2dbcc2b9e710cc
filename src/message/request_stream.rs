//! The channel of a request's body, from its client to a handler that reads it in chunks.
//!
//! Bounded, and idle until the handler asks for the first chunk. Knows nothing of HTTP or asyncio: both
//! ends provide a waker.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use bytes::Bytes;

use super::body_start::{BodyRecorder, BodyStart};
use super::error_response::ErrorResponse;
use crate::sync::{Mutex, thread_waker};

/// Bytes that may wait for the handler; a larger chunk waits alone.
const MAX_BYTES: usize = 256 * 1024;

/// Makes the two ends of a channel.
pub(crate) fn channel(recorder: BodyRecorder) -> (ChunkSender, ChunkReceiver) {
    let shared = Arc::new(Mutex::new(StreamState::new(recorder)));
    (ChunkSender(Arc::clone(&shared)), ChunkReceiver(shared))
}

/// The end of the client. Dropped before [`ChunkSender::end`], the body is incomplete.
#[derive(Debug)]
pub(crate) struct ChunkSender(Arc<Mutex<StreamState>>);

/// The end of the handler. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ChunkReceiver(Arc<Mutex<StreamState>>);

/// The next part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceivedChunk {
    Chunk(Bytes),
    /// The body is complete, and so it was before.
    End,
    /// The status and the reason of a body that cannot be read to its end.
    Failed(u16, String),
}

#[derive(Debug)]
struct StreamState {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// Set at the end: the reason, if the body is incomplete.
    end: Option<Result<(), (u16, String)>>,
    /// The handler has asked for a chunk.
    is_wanted: bool,
    /// The handler needs no more chunks.
    is_closed: bool,
    has_client_left: bool,
    /// For observers.
    recorder: BodyRecorder,
    /// When the handler last got a chunk.
    last_received: Option<Instant>,
    sender: Option<Waker>,
    /// Set while the handler waits for a chunk.
    receiver: Option<Waker>,
}

impl ChunkSender {
    /// Waits until the handler asks for the body; false if it does not need it.
    pub(crate) async fn is_wanted(&self) -> bool {
        poll_fn(|context| {
            let mut state = self.0.lock();
            match (state.is_closed, state.is_wanted) {
                (true, _) => Poll::Ready(false),
                (_, true) => Poll::Ready(true),
                _ => state.wait(context),
            }
        })
        .await
    }

    /// Waits for room and sends; false if the handler needs no more chunks.
    pub(crate) async fn send(&self, chunk: Bytes) -> bool {
        let mut chunk = Some(chunk);
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.is_closed {
                return Poll::Ready(false);
            }
            let size = chunk.as_ref().map_or(0, Bytes::len);
            if !state.waiting.is_empty() && state.bytes + size > MAX_BYTES {
                return state.wait(context);
            }
            state.bytes += size;
            if let Some(chunk) = chunk.take() {
                state.recorder.add(&chunk);
                state.waiting.push_back(chunk);
            }
            let receiver = state.receiver.take();
            drop(state);
            receiver.into_iter().for_each(Waker::wake);
            Poll::Ready(true)
        })
        .await
    }

    /// Ends the body, as complete or with a failure.
    pub(crate) fn end(&self, result: Result<(), ErrorResponse>, has_client_left: bool) {
        let mut state = self.0.lock();
        let result = result.map_err(|failure| (failure.status, failure.detail));
        state.end.get_or_insert(result);
        state.has_client_left |= has_client_left;
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl Drop for ChunkSender {
    fn drop(&mut self) {
        let detail = "the body is incomplete: its connection has ended".to_owned();
        self.end(Err(ErrorResponse { status: 400, detail, ..ErrorResponse::default() }), false);
    }
}

impl ChunkReceiver {
    /// Returns the next part; without one, the waker is woken once there is.
    pub(crate) fn try_receive(&self, waker: impl FnOnce() -> Waker) -> Option<ReceivedChunk> {
        let mut state = self.0.lock();
        let next = match state.waiting.pop_front() {
            Some(chunk) => {
                state.bytes -= chunk.len();
                ReceivedChunk::Chunk(chunk)
            }
            None => match &state.end {
                Some(Ok(())) => ReceivedChunk::End,
                Some(Err((status, detail))) => ReceivedChunk::Failed(*status, detail.clone()),
                None if state.is_closed => ReceivedChunk::Failed(
                    400,
                    "the request has ended, and its body with it".to_owned(),
                ),
                None => {
                    state.receiver = Some(waker());
                    let sender = (!state.is_wanted).then(|| state.sender.take()).flatten();
                    state.is_wanted = true;
                    drop(state);
                    sender.into_iter().for_each(Waker::wake);
                    return None;
                }
            },
        };
        state.last_received = Some(Instant::now());
        let sender = if state.bytes <= MAX_BYTES / 2 { state.sender.take() } else { None };
        drop(state);
        sender.into_iter().for_each(Waker::wake);
        Some(next)
    }

    /// Blocks this thread until the next part is there.
    pub(crate) fn receive(&self) -> ReceivedChunk {
        loop {
            match self.try_receive(thread_waker) {
                Some(next) => return next,
                None => thread::park(), // may return early: then the next attempt fails
            }
        }
    }

    /// Drops the rest of the body, and wakes a handler that waits for it.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let unread = std::mem::take(&mut state.waiting);
        let wakers = [state.sender.take(), state.receiver.take()];
        drop(state);
        drop(unread);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// When the handler last got a chunk; now, while it waits for its client.
    pub(crate) fn last_received(&self) -> Option<Instant> {
        let state = self.0.lock();
        if state.receiver.is_some() { Some(Instant::now()) } else { state.last_received }
    }

    /// Whether all of the body has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.0.lock().end, Some(Ok(())))
    }

    /// The part of the body that has arrived.
    pub(crate) fn start(&self) -> BodyStart {
        self.0.lock().recorder.start()
    }

    /// Whether the connection ended before the body did.
    pub(crate) fn has_client_left(&self) -> bool {
        self.0.lock().has_client_left
    }
}

impl StreamState {
    fn new(recorder: BodyRecorder) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            end: None,
            is_wanted: false,
            is_closed: false,
            has_client_left: false,
            recorder,
            last_received: None,
            sender: None,
            receiver: None,
        }
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.sender = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(size: usize) -> Bytes {
        Bytes::from(vec![0; size])
    }

    fn waker() -> Waker {
        Waker::noop().clone()
    }

    #[tokio::test]
    async fn nothing_is_sent_before_the_handler_asks_for_it() {
        let (sender, receiver) = channel(BodyRecorder::new(false));
        let waiting = tokio::spawn(async move { sender.is_wanted().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        assert_eq!(receiver.try_receive(waker), None);
        assert!(waiting.await.expect("no panic"));

        let (sender, receiver) = channel(BodyRecorder::new(false));
        let waiting = tokio::spawn(async move { sender.is_wanted().await });
        receiver.close();
        assert!(!waiting.await.expect("no panic"));
    }

    #[tokio::test]
    async fn a_fast_client_waits_for_the_handler() {
        let (sender, receiver) = channel(BodyRecorder::new(false));
        assert!(sender.send(chunk(MAX_BYTES)).await);
        let waiting = tokio::spawn(async move {
            let is_sent = sender.send(chunk(1)).await;
            sender.end(Ok(()), false);
            is_sent
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());

        assert_eq!(receiver.try_receive(waker), Some(ReceivedChunk::Chunk(chunk(MAX_BYTES))));

        assert!(waiting.await.expect("no panic"));
        assert_eq!(receiver.try_receive(waker), Some(ReceivedChunk::Chunk(chunk(1))));
        assert_eq!(receiver.try_receive(waker), Some(ReceivedChunk::End));
        assert_eq!(receiver.try_receive(waker), Some(ReceivedChunk::End));
    }

    #[test]
    fn a_thread_that_waits_gets_the_failure() {
        let (sender, receiver) = channel(BodyRecorder::new(false));
        let waiting = {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.receive())
        };
        drop(sender);
        assert!(matches!(waiting.join().expect("no panic"), ReceivedChunk::Failed(400, _)));
    }

    #[tokio::test]
    async fn a_closed_channel_ends_for_both_and_is_not_taken_for_complete() {
        let (sender, receiver) = channel(BodyRecorder::new(false));
        receiver.close();
        assert!(!sender.send(chunk(1)).await);
        assert!(matches!(receiver.try_receive(waker), Some(ReceivedChunk::Failed(400, _))));
    }
}
