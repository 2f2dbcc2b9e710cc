//! What a client of a socket sends: judged for its size, its form and its rate.
//!
//! What it may say (`said.rs`) is about what it is told itself.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, close_code};
use serde::de::IgnoredAny;
use tokio_tungstenite::tungstenite;

pub(in crate::dev) use super::client_message::{Problem, Said};

/// Messages in one second, control frames included.
const MAX_RATE: u32 = 20;
/// Messages that are no JSON before the socket is closed.
const MAX_STRIKES: u32 = 3;
/// How long a client may be silent: it has answered no ping.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// What one client has sent so far.
pub(in crate::dev) struct Inbound {
    strikes: u32,
    /// Messages since `second` began.
    count: u32,
    second: Instant,
    heard: Instant,
}

impl Inbound {
    pub(in crate::dev) fn new(now: Instant) -> Self {
        Self { strikes: 0, count: 0, second: now, heard: now }
    }

    /// Whether the client is gone without a word.
    pub(in crate::dev) fn is_silent(&self, now: Instant) -> bool {
        now.duration_since(self.heard) > MAX_SILENCE
    }

    /// Judges what has come; gives a message that is JSON. The socket ends at a break, with
    /// this frame if it is still open.
    pub(in crate::dev) fn judge(
        &mut self,
        now: Instant,
        received: Option<Result<Message, axum::Error>>,
    ) -> ControlFlow<Option<CloseFrame>, Option<Utf8Bytes>> {
        let message = match received {
            Some(Ok(message)) => message,
            Some(Err(error)) => return ControlFlow::Break(why_unreadable(error)),
            None => return ControlFlow::Break(None),
        };
        self.heard = now;
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.count) = (now, 0);
        }
        self.count += 1;
        if self.count > MAX_RATE {
            return end(close_code::POLICY, "too many messages");
        }
        match message {
            Message::Binary(_) => return end(close_code::UNSUPPORTED, "text only"),
            Message::Text(text) if serde_json::from_str::<IgnoredAny>(&text).is_err() => {
                self.strikes += 1;
                if self.strikes == MAX_STRIKES {
                    return end(close_code::POLICY, "no JSON");
                }
            }
            Message::Text(text) => return ControlFlow::Continue(Some(text)),
            // The answer to a close goes out with the next look; then the stream is at its end.
            _ => {}
        }
        ControlFlow::Continue(None)
    }
}

fn end<C>(code: u16, reason: &'static str) -> ControlFlow<Option<CloseFrame>, C> {
    ControlFlow::Break(Some(CloseFrame { code, reason: reason.into() }))
}

/// What to tell a client whose frame cannot be read; nothing if it is gone.
fn why_unreadable(error: axum::Error) -> Option<CloseFrame> {
    let error = error.into_inner().downcast::<tungstenite::Error>().ok()?;
    let (code, reason) = match *error {
        tungstenite::Error::Capacity(_) => (close_code::SIZE, "too large"),
        tungstenite::Error::Utf8(_) => (close_code::INVALID, "no UTF-8"),
        tungstenite::Error::Protocol(_) => (close_code::PROTOCOL, "no WebSocket frame"),
        _ => return None,
    };
    Some(CloseFrame { code, reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(messages: Vec<Message>) -> Vec<Option<u16>> {
        let now = Instant::now();
        let mut inbound = Inbound::new(now);
        let judge = |message| match inbound.judge(now, Some(Ok(message))) {
            ControlFlow::Continue(_) => None,
            ControlFlow::Break(frame) => frame.map(|frame| frame.code),
        };
        messages.into_iter().map(judge).collect()
    }

    #[test]
    fn the_third_message_that_is_no_json_is_the_last() {
        let messages = ["{", "{}", "", "[1]", "nul"].map(Message::text).to_vec();
        assert_eq!(codes(messages), [None, None, None, None, Some(close_code::POLICY)]);
    }

    #[test]
    fn bytes_are_the_last() {
        assert_eq!(codes(vec![Message::binary(vec![1])]), [Some(close_code::UNSUPPORTED)]);
    }

    #[test]
    fn twenty_messages_a_second_are_enough() {
        let (now, mut told) = (Instant::now(), Vec::new());
        let mut inbound = Inbound::new(now);
        let second = Duration::from_secs(1);
        for at in [vec![now; 20], vec![now + second; 21]].concat() {
            told.push(inbound.judge(at, Some(Ok(Message::text("1")))).is_break());
        }
        assert_eq!(told.iter().position(|is_last| *is_last), Some(40));
    }

    #[test]
    fn a_client_that_answers_no_ping_is_gone() {
        let now = Instant::now();
        let mut inbound = Inbound::new(now);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!inbound.is_silent(after(30)) && inbound.is_silent(after(31)));
        assert!(
            inbound.judge(after(20), Some(Ok(Message::Pong(Default::default())))).is_continue()
        );
        assert!(!inbound.is_silent(after(31)) && inbound.is_silent(after(51)));
    }
}
