//! The stored part of a stream, and the memory that it counts for: the most it may need, until it has ended.

use std::sync::Arc;

use super::raw_request::RecordedBody;
use crate::dev::protocol::StreamTiming;
use crate::message::{SentPieces, StreamContent, StreamEnd, StreamEndRecord, ms};

/// Empty for any other response, and if bodies are not recorded.
#[derive(Clone, Default)]
pub(super) struct RecordedStream {
    content: Option<Arc<StreamContent>>,
    bytes: usize,
}

impl RecordedStream {
    pub(super) fn new(content: Option<&Arc<StreamContent>>) -> Self {
        let bytes = content.map_or(0, |_| StreamContent::MAX_MEMORY);
        Self { content: content.cloned(), bytes }
    }

    /// The bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees the memory; the size stays.
    pub(super) fn forget(&mut self) {
        if let Some(content) = &self.content {
            content.forget();
        }
        self.bytes = 0;
    }

    /// The stream has ended.
    pub(super) fn end(&mut self) {
        if let Some(content) = self.content.as_ref().filter(|_| self.bytes > 0) {
            self.bytes = content.shrink();
        }
    }

    /// A copy of the stored part.
    pub(super) fn sent(&self) -> Option<SentPieces> {
        self.content.as_ref().map(|content| content.sent())
    }
}

/// Describes the stored part of a stream as a body; `end` is set once it has ended.
pub(super) fn sent_body(sent: &SentPieces, end: Option<StreamEndRecord>) -> RecordedBody<'_> {
    let missing = match end.map(|end| end.end) {
        None => Some("it is still being sent"),
        Some(StreamEnd::Complete) => None,
        Some(StreamEnd::Aborted | StreamEnd::ClientLeft) => Some("its end was not sent"),
    };
    RecordedBody { bytes: &sent.bytes, size: sent.size, missing, pieces: Some(&sent.pieces) }
}

/// Describes the times of a stream; `end` is set once it has ended.
pub(super) fn timing(end: Option<StreamEndRecord>) -> StreamTiming {
    let Some(end) = end else {
        return StreamTiming { state: "open", first_byte_ms: None, chunks: 0, bytes: 0 };
    };
    StreamTiming {
        state: match end.end {
            StreamEnd::Complete => "complete",
            StreamEnd::Aborted => "aborted",
            StreamEnd::ClientLeft => "client",
        },
        first_byte_ms: end.first_byte.map(ms),
        chunks: end.chunks,
        bytes: end.bytes,
    }
}
