//! The channel between a WebSocket's connection and its handler, in both directions.
//!
//! Bounded: while a client does not read, its handler waits for room; while a handler does not read,
//! nothing is read from its client. Knows neither frames nor asyncio; a waiting side provides its
//! waker.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};

use super::traceback::Traceback;
use super::websocket::{ABNORMAL, SocketClose, SocketMessage};
use crate::sync::{Mutex, MutexGuard};

/// Bytes that may wait in each direction; a larger message waits alone.
const MAX_BYTES: usize = 1024 * 1024;
/// The minimum that a message counts: it limits the number of small messages.
const MIN_MESSAGE: usize = 1024;

/// The next thing for the connection to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Message(SocketMessage),
    Ping,
    /// A close frame; nothing follows.
    Close(SocketClose),
}

/// A message for the handler, or the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceivedMessage {
    Message(SocketMessage),
    /// No message follows.
    Closed(SocketClose),
}

/// Why a message of the handler was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    /// There is no room; the handler will be woken.
    Full,
    /// The WebSocket is closed.
    Closed,
}

/// The end of the handler. Dropped before [`finish`](Self::finish), it closes with 1011.
#[derive(Debug)]
pub(crate) struct HandlerEnd(Arc<SocketChannel>);

/// The end of the connection. Dropped, it ends the handler's messages.
#[derive(Debug)]
pub struct ConnectionEnd(Arc<SocketChannel>);

#[derive(Debug, Default)]
struct SocketChannel(Mutex<SocketState>);

#[derive(Debug, Default)]
struct SocketState {
    incoming: MessageQueue,
    outgoing: MessageQueue,
    /// No further message is sent: the close frame follows the waiting ones.
    close: Option<SocketClose>,
    /// A ping is to be sent.
    has_ping: bool,
    /// The handler has received the close.
    is_noticed: bool,
    /// The handler has ended.
    is_finished: bool,
    /// The exception of the handler.
    traceback: Option<Box<Traceback>>,
    /// The connection waits for a message to send, and for room for the client's next one.
    to_send: Option<Waker>,
    for_room: Option<Waker>,
    for_end: Option<Waker>,
    /// The handler waits for the close.
    for_close: Option<Waker>,
}

/// The messages that wait in one direction.
#[derive(Debug, Default)]
struct MessageQueue {
    waiting: VecDeque<SocketMessage>,
    bytes: usize,
    /// The handler's side that waits for a message or for room: its tasks share one waker.
    tasks: Option<Waker>,
    threads: Vec<Thread>,
}

/// Makes the two ends of a channel.
pub(crate) fn channel() -> (HandlerEnd, ConnectionEnd) {
    let shared = Arc::new(SocketChannel::default());
    (HandlerEnd(Arc::clone(&shared)), ConnectionEnd(shared))
}

impl HandlerEnd {
    /// Returns the client's next message, or the close after the last one. Without either, the waker
    /// is woken once there is one.
    pub(crate) fn try_receive(&self, waker: impl FnOnce() -> Waker) -> Option<ReceivedMessage> {
        let mut state = self.0.0.lock();
        if state.has_received() {
            return Some(receive(state));
        }
        state.incoming.tasks.get_or_insert_with(waker);
        None
    }

    /// Returns the same; blocks this thread until there is one.
    pub(crate) fn receive(&self) -> ReceivedMessage {
        loop {
            let mut state = self.0.0.lock();
            if state.has_received() {
                return receive(state);
            }
            state.incoming.threads.push(thread::current());
            drop(state);
            thread::park(); // may return early: then there is nothing yet
        }
    }

    /// Sends if there is room. If there is none, the waker is woken once there is.
    pub(crate) fn try_send(
        &self,
        message: &SocketMessage,
        waker: impl FnOnce() -> Waker,
    ) -> Result<(), SendError> {
        self.push(message, |waiting| {
            waiting.tasks.get_or_insert_with(waker);
        })
    }

    /// Sends, and blocks this thread until there is room; false if the WebSocket is closed.
    pub(crate) fn send(&self, message: &SocketMessage) -> bool {
        loop {
            match self.push(message, |waiting| waiting.threads.push(thread::current())) {
                Ok(()) => return true,
                Err(SendError::Full) => thread::park(), // may return early
                Err(SendError::Closed) => return false,
            }
        }
    }

    fn push(
        &self,
        message: &SocketMessage,
        wait: impl FnOnce(&mut MessageQueue),
    ) -> Result<(), SendError> {
        let mut state = self.0.0.lock();
        if state.close.is_some() {
            state.is_noticed = true;
            return Err(SendError::Closed);
        }
        if !state.outgoing.has_room(message.len()) {
            wait(&mut state.outgoing);
            return Err(SendError::Full);
        }
        state.outgoing.push(message.clone());
        let waker = state.to_send.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Wakes the waker at the close; true if it is closed already.
    pub(crate) fn watch_close(&self, waker: impl FnOnce() -> Waker) -> bool {
        let mut state = self.0.0.lock();
        if state.close.is_none() {
            state.for_close.get_or_insert_with(waker);
        }
        state.close.is_some()
    }

    /// Closes it once the waiting messages are sent, unless it is closed already.
    pub(crate) fn close(&self, code: u16, reason: String) {
        self.0.close(SocketClose { code, reason, by: "handler" });
    }

    /// The close, once it is closed.
    pub(crate) fn closed(&self) -> Option<SocketClose> {
        self.0.0.lock().close.clone()
    }

    /// Ends the handler's part, with the exception that ended it.
    pub(crate) fn finish(&self, traceback: Option<Traceback>) {
        let mut state = self.0.0.lock();
        if state.is_finished {
            return;
        }
        state.is_finished = true;
        state.traceback = traceback.map(Box::new);
        let waker = state.for_end.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for HandlerEnd {
    fn drop(&mut self) {
        self.close(1011, String::new());
        self.finish(None);
    }
}

impl ConnectionEnd {
    /// Waits for the next message to send, or for the close.
    pub(crate) async fn next(&self) -> Outgoing {
        poll_fn(|context| {
            let mut state = self.0.0.lock();
            if std::mem::take(&mut state.has_ping) {
                return Poll::Ready(Outgoing::Ping);
            }
            if let Some(message) = state.outgoing.pop() {
                let has_room = state.outgoing.bytes <= MAX_BYTES / 2;
                let woken = has_room.then(|| state.outgoing.take_waiters());
                drop(state);
                woken.into_iter().for_each(Waiters::wake);
                return Poll::Ready(Outgoing::Message(message));
            }
            if let Some(close) = &state.close {
                return Poll::Ready(Outgoing::Close(close.clone()));
            }
            wait(&mut state.to_send, context)
        })
        .await
    }

    /// Whether another message waits to be sent.
    pub(crate) fn has_next(&self) -> bool {
        !self.0.0.lock().outgoing.waiting.is_empty()
    }

    /// Lets [`next`](Self::next) return a ping. Returns whether it has returned the one before.
    pub(crate) fn ping(&self) -> bool {
        let mut state = self.0.0.lock();
        let has_one = std::mem::replace(&mut state.has_ping, true);
        let waker = state.to_send.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        !has_one
    }

    /// Waits until there is room for the client's next message. The handler may take no more of them:
    /// then there is room for good.
    pub(crate) async fn room(&self) {
        poll_fn(|context| {
            let mut state = self.0.0.lock();
            if state.incoming.bytes < MAX_BYTES || state.is_finished {
                return Poll::Ready(());
            }
            wait(&mut state.for_room, context)
        })
        .await
    }

    /// Passes a message of the client to the handler.
    pub(crate) fn receive(&self, message: SocketMessage) {
        let mut state = self.0.0.lock();
        if state.is_finished {
            return;
        }
        state.incoming.push(message);
        let woken = state.incoming.take_waiters();
        drop(state);
        woken.wake();
    }

    /// Closes it, unless it is closed already: the messages that wait are sent first.
    pub(crate) fn close(&self, close: SocketClose) {
        self.0.close(close);
    }

    /// Records that the connection has ended; returns the close that is in effect.
    pub(crate) fn end(&self, close: SocketClose) -> SocketClose {
        self.0.close(close);
        let mut state = self.0.0.lock();
        state.outgoing.waiting.clear();
        state.close.clone().expect("it was closed above")
    }

    /// Whether the handler has received the close, or has ended.
    pub(crate) fn is_noticed(&self) -> bool {
        let state = self.0.0.lock();
        state.is_noticed || state.is_finished
    }

    /// Waits until the handler has ended; returns its exception.
    pub(crate) async fn handler_end(&self) -> Option<Box<Traceback>> {
        poll_fn(|context| {
            let mut state = self.0.0.lock();
            if state.is_finished {
                return Poll::Ready(state.traceback.take());
            }
            wait(&mut state.for_end, context)
        })
        .await
    }
}

impl Drop for ConnectionEnd {
    fn drop(&mut self) {
        self.end(SocketClose { code: ABNORMAL, reason: String::new(), by: "client" });
    }
}

impl SocketChannel {
    fn close(&self, close: SocketClose) {
        let mut state = self.0.lock();
        if state.close.is_some() {
            return;
        }
        state.close = Some(close);
        let wakers = [state.to_send.take(), state.for_close.take()];
        let woken = [state.incoming.take_waiters(), state.outgoing.take_waiters()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        woken.into_iter().for_each(Waiters::wake);
    }
}

impl SocketState {
    fn has_received(&self) -> bool {
        !self.incoming.waiting.is_empty() || self.close.is_some()
    }
}

/// Takes the client's next message, or the close.
fn receive(mut state: MutexGuard<'_, SocketState>) -> ReceivedMessage {
    let Some(message) = state.incoming.pop() else {
        state.is_noticed = true;
        return ReceivedMessage::Closed(state.close.clone().expect("the caller has checked"));
    };
    let has_room = state.incoming.bytes <= MAX_BYTES / 2;
    let waker = if has_room { state.for_room.take() } else { None };
    drop(state);
    waker.into_iter().for_each(Waker::wake);
    ReceivedMessage::Message(message)
}

/// The handler's side that is to be woken.
struct Waiters(Option<Waker>, Vec<Thread>);

impl Waiters {
    fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
        self.1.iter().for_each(Thread::unpark);
    }
}

impl MessageQueue {
    fn has_room(&self, size: usize) -> bool {
        self.waiting.is_empty() || self.bytes + size.max(MIN_MESSAGE) <= MAX_BYTES
    }

    fn push(&mut self, message: SocketMessage) {
        self.bytes += message.len().max(MIN_MESSAGE);
        self.waiting.push_back(message);
    }

    fn pop(&mut self) -> Option<SocketMessage> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.len().max(MIN_MESSAGE);
        Some(message)
    }

    fn take_waiters(&mut self) -> Waiters {
        Waiters(self.tasks.take(), std::mem::take(&mut self.threads))
    }
}

fn wait<T>(slot: &mut Option<Waker>, context: &Context<'_>) -> Poll<T> {
    *slot = Some(context.waker().clone());
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> SocketMessage {
        SocketMessage::Text(text.into())
    }

    fn close(code: u16, by: &'static str) -> SocketClose {
        SocketClose { code, reason: String::new(), by }
    }

    fn waker() -> Waker {
        Waker::noop().clone()
    }

    #[tokio::test]
    async fn messages_before_the_close_are_received_and_sent() {
        let (handler, connection) = channel();
        connection.receive(text("one"));
        assert_eq!(handler.try_send(&text("a"), waker), Ok(()));
        connection.close(close(1012, "server"));
        assert_eq!(handler.receive(), ReceivedMessage::Message(text("one")));
        assert!(!connection.is_noticed());
        assert_eq!(handler.try_send(&text("b"), waker), Err(SendError::Closed));
        assert_eq!(handler.receive(), ReceivedMessage::Closed(close(1012, "server")));
        assert!(connection.is_noticed());
        assert_eq!(connection.next().await, Outgoing::Message(text("a")));
        assert_eq!(connection.next().await, Outgoing::Close(close(1012, "server")));
        assert_eq!(connection.end(close(ABNORMAL, "client")), close(1012, "server"));
    }

    #[tokio::test]
    async fn a_handler_waits_while_its_client_does_not_read() {
        let (handler, connection) = channel();
        let many = MAX_BYTES / MIN_MESSAGE;
        for _ in 0..many {
            assert_eq!(handler.try_send(&text("x"), waker), Ok(()));
        }
        assert_eq!(handler.try_send(&text("x"), waker), Err(SendError::Full));
        let sending = thread::spawn(move || handler.send(&text("last")));
        for _ in 0..many {
            assert_eq!(connection.next().await, Outgoing::Message(text("x")));
        }
        assert_eq!(connection.next().await, Outgoing::Message(text("last")));
        assert!(sending.join().expect("it has sent"));
    }

    #[tokio::test]
    async fn a_client_waits_while_its_handler_does_not_read() {
        let (handler, connection) = channel();
        connection.receive(SocketMessage::Binary(vec![0; MAX_BYTES].into()));
        let mut room = std::pin::pin!(connection.room());
        let mut context = Context::from_waker(Waker::noop());
        assert!(room.as_mut().poll(&mut context).is_pending());
        assert!(matches!(handler.receive(), ReceivedMessage::Message(_)));
        assert!(room.poll(&mut context).is_ready());
    }

    #[tokio::test]
    async fn a_ping_waits_until_it_can_be_sent() {
        let (handler, connection) = channel();
        assert_eq!(handler.try_send(&text("a"), waker), Ok(()));
        assert!(connection.ping());
        assert!(!connection.ping(), "the first one is not sent");
        assert_eq!(connection.next().await, Outgoing::Ping);
        assert_eq!(connection.next().await, Outgoing::Message(text("a")));
        assert!(connection.ping());
    }

    #[tokio::test]
    async fn an_end_that_is_dropped_closes_the_other() {
        let (handler, connection) = channel();
        drop(handler);
        assert_eq!(connection.next().await, Outgoing::Close(close(1011, "handler")));
        assert_eq!(connection.handler_end().await, None);

        let (handler, connection) = channel();
        drop(connection);
        assert_eq!(handler.receive(), ReceivedMessage::Closed(close(ABNORMAL, "client")));
    }
}
