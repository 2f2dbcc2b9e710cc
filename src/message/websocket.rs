//! The messages of a WebSocket, and its close, as plain data.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The close code of a connection that ended without a close frame; never sent.
pub const ABNORMAL: u16 = 1006;

/// Marks the handshake of a WebSocket over HTTP/2, which `snaxum::server` has translated to HTTP/1.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http2Handshake;

/// A message, in one of both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketMessage {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

/// The reason why a WebSocket was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketClose {
    /// The code of the close frame; [`ABNORMAL`] without one.
    pub code: u16,
    /// The reason in the close frame.
    pub reason: String,
    /// `client`, `server` or `handler`.
    pub by: &'static str,
}

impl SocketMessage {
    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}
