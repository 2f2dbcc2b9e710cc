//! The start of a streamed body with the times of its pieces, for observers in dev mode, while it is sent.
//!
//! Bounded by bytes and by pieces: the rest is only counted. Knows nothing of text.

use std::time::Duration;

use super::body_start::MAX_BODY_START;
use crate::sync::Mutex;

/// The most pieces that are stored; no bytes are stored after the last of them.
const MAX_PIECES: usize = 4096;

/// The part of a streamed body that was sent so far. Shared by the body and its observers.
#[derive(Debug, Default)]
pub struct StreamContent(Mutex<SentPieces>);

/// The pieces that were sent.
#[derive(Clone, Debug, Default)]
pub struct SentPieces {
    /// At most [`MAX_BODY_START`] bytes.
    pub bytes: Vec<u8>,
    /// The size of all.
    pub size: usize,
    /// The stored pieces, in their order.
    pub pieces: Vec<SentPiece>,
    /// Whether nothing more is stored.
    is_full: bool,
}

/// A piece of a streamed body.
#[derive(Clone, Copy, Debug)]
pub struct SentPiece {
    /// Its first byte.
    pub at: u32,
    /// When it was sent, in steps of 0.1 ms after the head of the request was read.
    after: u32,
}

impl SentPiece {
    /// When it was sent, in milliseconds after the head of the request was read.
    pub fn after_ms(self) -> f64 {
        f64::from(self.after) / 10.0
    }
}

impl StreamContent {
    /// The most bytes of memory that one needs.
    pub const MAX_MEMORY: usize = MAX_BODY_START + MAX_PIECES * size_of::<SentPiece>();

    /// Adds a piece.
    pub(crate) fn add(&self, piece: &[u8], after: Duration) {
        let mut sent = self.0.lock();
        sent.size += piece.len();
        if sent.is_full || piece.is_empty() {
            return;
        }
        let stored = &piece[..piece.len().min(MAX_BODY_START - sent.bytes.len())];
        let at = u32::try_from(sent.bytes.len()).expect("64 KiB");
        let after = u32::try_from(after.as_micros() / 100).unwrap_or(u32::MAX);
        sent.pieces.push(SentPiece { at, after });
        let needed = sent.bytes.len() + stored.len();
        if needed > sent.bytes.capacity() {
            // By itself it would grow up to twice the limit.
            let room = (2 * sent.bytes.capacity()).clamp(needed, MAX_BODY_START);
            sent.bytes.reserve_exact(room - (needed - stored.len()));
        }
        sent.bytes.extend_from_slice(stored);
        sent.is_full = sent.bytes.len() == MAX_BODY_START || sent.pieces.len() == MAX_PIECES;
    }

    /// Returns the part that was sent so far.
    pub fn sent(&self) -> SentPieces {
        self.0.lock().clone()
    }

    /// Frees the memory that no piece needs; the body has ended. Returns the bytes of the rest.
    pub fn shrink(&self) -> usize {
        let mut sent = self.0.lock();
        sent.bytes.shrink_to_fit();
        sent.pieces.shrink_to_fit();
        sent.bytes.len() + sent.pieces.len() * size_of::<SentPiece>()
    }

    /// Drops the stored pieces, and stores no more.
    pub fn forget(&self) {
        let mut sent = self.0.lock();
        *sent = SentPieces { size: sent.size, is_full: true, ..SentPieces::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_its_place_and_its_time() {
        let content = StreamContent::default();
        for (piece, ms) in [("a\nb", 1), ("c\n", 2), ("", 3), ("d\n", 40)] {
            content.add(piece.as_bytes(), Duration::from_millis(ms));
        }
        let sent = content.sent();
        let pieces: Vec<_> = sent.pieces.iter().map(|each| (each.at, each.after_ms())).collect();
        assert_eq!(pieces, [(0, 1.0), (3, 2.0), (5, 40.0)]);
        assert_eq!((sent.bytes.as_slice(), sent.size), (b"a\nbc\nd\n".as_slice(), 7));
    }

    #[test]
    fn a_long_stream_is_stored_up_to_its_limits() {
        let large = StreamContent::default();
        for _ in 0..3 {
            large.add(&[b'\n'; 40_000], Duration::ZERO);
        }
        let sent = large.sent();
        assert_eq!((sent.bytes.len(), sent.size, sent.pieces.len()), (MAX_BODY_START, 120_000, 2));
        assert_eq!(large.0.lock().bytes.capacity(), MAX_BODY_START);

        let many = StreamContent::default();
        for _ in 0..MAX_PIECES + 5 {
            many.add(b"ab", Duration::ZERO);
        }
        let sent = many.sent();
        assert_eq!((sent.bytes.len(), sent.pieces.len()), (MAX_PIECES * 2, MAX_PIECES));
        assert_eq!(sent.size, (MAX_PIECES + 5) * 2);
        assert!(many.shrink() <= StreamContent::MAX_MEMORY);
    }

    #[test]
    fn a_dropped_body_is_only_counted() {
        let content = StreamContent::default();
        content.add(b"ab", Duration::ZERO);
        content.forget();
        content.add(b"cd", Duration::ZERO);
        let sent = content.sent();
        assert_eq!((sent.bytes.len(), sent.size, content.shrink()), (0, 4, 0));
    }
}
