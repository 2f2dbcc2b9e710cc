//! The start of a body, for observers: a large body is never in memory as a whole.

use bytes::Bytes;

/// The first bytes of a body, and the size of all of it.
#[derive(Clone, Debug, Default)]
pub struct BodyStart {
    /// At least [`MAX_BODY_START`] bytes of a larger body.
    pub bytes: Bytes,
    /// The size of the body, as far as it was read.
    pub size: usize,
}

/// Observers use no more bytes of a body.
pub const MAX_BODY_START: usize = 64 * 1024;

impl From<Bytes> for BodyStart {
    fn from(bytes: Bytes) -> Self {
        Self { size: bytes.len(), bytes }
    }
}

/// Collects a [`BodyStart`] while a body arrives.
#[derive(Debug)]
pub(crate) struct BodyRecorder {
    bytes: Vec<u8>,
    size: usize,
    limit: usize,
}

impl BodyRecorder {
    /// Collects nothing without observers.
    pub(crate) fn new(is_observed: bool) -> Self {
        let limit = if is_observed { MAX_BODY_START } else { 0 };
        Self { bytes: Vec::new(), size: 0, limit }
    }

    pub(crate) fn add(&mut self, chunk: &[u8]) {
        self.size += chunk.len();
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    pub(crate) fn start(&self) -> BodyStart {
        BodyStart { bytes: Bytes::copy_from_slice(&self.bytes), size: self.size }
    }
}
