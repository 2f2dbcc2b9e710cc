//! Validates the messages of a WebSocket client: their size, form and rate.
//!
//! Never interprets them: that is `client_message.rs`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, close_code};
use serde::de::IgnoredAny;
use tokio_tungstenite::tungstenite;

/// Messages in one second, control frames included.
const MAX_RATE: u32 = 20;
/// Messages that are not JSON before the socket is closed.
const MAX_INVALID: u32 = 3;
/// How long a client may be silent, pongs included.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// Validates the messages of one client.
pub(in crate::dev::http) struct MessageValidator {
    invalid: u32,
    /// Messages since `second` began.
    count: u32,
    second: Instant,
    last_message: Instant,
}

impl MessageValidator {
    pub(in crate::dev::http) fn new(now: Instant) -> Self {
        Self { invalid: 0, count: 0, second: now, last_message: now }
    }

    /// Reports whether the client has sent nothing, not even a pong, for too long.
    pub(in crate::dev::http) fn is_silent(&self, now: Instant) -> bool {
        now.duration_since(self.last_message) > MAX_SILENCE
    }

    /// Validates one message, and returns it if it is JSON. A break ends the socket, with this
    /// frame if it is still open.
    pub(in crate::dev::http) fn validate(
        &mut self,
        now: Instant,
        received: Option<Result<Message, axum::Error>>,
    ) -> ControlFlow<Option<CloseFrame>, Option<Utf8Bytes>> {
        let message = match received {
            Some(Ok(message)) => message,
            Some(Err(error)) => return ControlFlow::Break(close_frame_of(error)),
            None => return ControlFlow::Break(None),
        };
        self.last_message = now;
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
                self.invalid += 1;
                if self.invalid == MAX_INVALID {
                    return end(close_code::POLICY, "not JSON");
                }
            }
            Message::Text(text) => return ControlFlow::Continue(Some(text)),
            // The next read sends the reply to a close; then the stream ends.
            _ => {}
        }
        ControlFlow::Continue(None)
    }
}

fn end<C>(code: u16, reason: &'static str) -> ControlFlow<Option<CloseFrame>, C> {
    ControlFlow::Break(Some(CloseFrame { code, reason: reason.into() }))
}

/// Returns the close frame for an unreadable message; `None` if the client has disconnected.
fn close_frame_of(error: axum::Error) -> Option<CloseFrame> {
    let error = error.into_inner().downcast::<tungstenite::Error>().ok()?;
    let (code, reason) = match *error {
        tungstenite::Error::Capacity(_) => (close_code::SIZE, "too large"),
        tungstenite::Error::Utf8(_) => (close_code::INVALID, "not UTF-8"),
        tungstenite::Error::Protocol(_) => (close_code::PROTOCOL, "not a WebSocket frame"),
        _ => return None,
    };
    Some(CloseFrame { code, reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(messages: Vec<Message>) -> Vec<Option<u16>> {
        let now = Instant::now();
        let mut validator = MessageValidator::new(now);
        let validate = |message| match validator.validate(now, Some(Ok(message))) {
            ControlFlow::Continue(_) => None,
            ControlFlow::Break(frame) => frame.map(|frame| frame.code),
        };
        messages.into_iter().map(validate).collect()
    }

    #[test]
    fn the_third_message_that_is_not_json_closes_the_socket() {
        let messages = ["{", "{}", "", "[1]", "nul"].map(Message::text).to_vec();
        assert_eq!(codes(messages), [None, None, None, None, Some(close_code::POLICY)]);
    }

    #[test]
    fn a_binary_message_closes_the_socket() {
        assert_eq!(codes(vec![Message::binary(vec![1])]), [Some(close_code::UNSUPPORTED)]);
    }

    #[test]
    fn the_twenty_first_message_in_a_second_closes_the_socket() {
        let (now, mut closes) = (Instant::now(), Vec::new());
        let mut validator = MessageValidator::new(now);
        let second = Duration::from_secs(1);
        for at in [vec![now; 20], vec![now + second; 21]].concat() {
            closes.push(validator.validate(at, Some(Ok(Message::text("1")))).is_break());
        }
        assert_eq!(closes.iter().position(|closes| *closes), Some(40));
    }

    #[test]
    fn a_client_without_pongs_counts_as_disconnected() {
        let now = Instant::now();
        let mut validator = MessageValidator::new(now);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!validator.is_silent(after(30)) && validator.is_silent(after(31)));
        assert!(
            validator
                .validate(after(20), Some(Ok(Message::Pong(Default::default()))))
                .is_continue()
        );
        assert!(!validator.is_silent(after(31)) && validator.is_silent(after(51)));
    }
}
