//! The stream of events for the program that runs the server: what the socket sends, without it.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use super::recorder::Follower;

/// What happens, as JSON texts of [`Message`](super::protocol::Message).
pub struct Events {
    ready: VecDeque<Utf8Bytes>,
    follower: Follower,
}

impl Events {
    pub(super) fn new((first, follower): (Vec<Utf8Bytes>, Follower)) -> Self {
        Self { ready: first.into(), follower }
    }

    /// Waits for the next one; `None` after `bye`. Who reads too slowly is told how many were lost.
    pub async fn next(&mut self) -> Option<Utf8Bytes> {
        while self.ready.is_empty() {
            self.ready.extend(self.follower.next().await?);
        }
        self.ready.pop_front()
    }
}
