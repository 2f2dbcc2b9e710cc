//! The event stream for the program that runs the server: the socket's messages without a socket.

use std::collections::VecDeque;

use super::recorder::subscription::Subscription;

/// A stream of JSON texts, each a [`EventMessage`](super::protocol::EventMessage).
pub struct MessageStream {
    ready: VecDeque<String>,
    subscription: Subscription,
}

impl MessageStream {
    pub(super) fn new((first, subscription): (Vec<String>, Subscription)) -> Self {
        Self { ready: first.into(), subscription }
    }

    /// Waits for the next one; `None` after `bye`. A slow reader gets `dropped` with the number of
    /// lost events.
    pub async fn next(&mut self) -> Option<String> {
        while self.ready.is_empty() {
            self.ready.extend(self.subscription.next().await?);
        }
        self.ready.pop_front()
    }
}
