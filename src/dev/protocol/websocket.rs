//! The messages of WebSockets, and their ends.

use serde::Serialize;

use crate::message::ErrorSummary;

/// A message of a WebSocket of the app.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WebSocketMessage {
    /// The [`RequestSummary::id`](super::RequestSummary::id) of the handshake.
    pub request: String,
    /// Counts the messages of the WebSocket in both directions, from 1.
    pub number: u64,
    /// When it was received, or passed on to be sent.
    pub time_ms: u64,
    /// `in` from the client, or `out` to it.
    pub direction: &'static str,
    /// `text` or `binary`.
    pub kind: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// The first 2 KiB as text, with secrets masked; null without text.
    pub text: Option<String>,
    /// Why `text` is null or incomplete.
    pub note: Option<&'static str>,
}

/// The end of a WebSocket and of its handler.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WebSocketClose {
    /// The [`RequestSummary::id`](super::RequestSummary::id) of the handshake.
    pub request: String,
    /// When both had ended.
    pub time_ms: u64,
    /// The path, percent-decoded; secrets are masked.
    pub path: String,
    /// The path pattern of the route.
    pub route: Option<String>,
    /// The generation of the handler.
    pub generation: u64,
    /// The code of the close frame; 1005 for a frame without one, 1006 without a frame.
    pub code: u16,
    /// The text of the close frame.
    pub reason: String,
    /// `client`, `server` or `handler`.
    pub by: &'static str,
    /// The time since the handshake.
    pub total_ms: f64,
    /// The number of messages from the client.
    pub received: u64,
    /// The number of messages to the client.
    pub sent: u64,
    /// The exception of the handler in short.
    pub error: Option<ErrorSummary>,
}
