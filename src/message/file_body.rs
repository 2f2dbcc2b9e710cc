//! The content of an open file, or parts of it, on its way to a client.
//!
//! Reads it in pieces, on threads that may block: the content is never in memory as a whole, and no
//! interpreter is needed. Knows no header; `file_response.rs` chooses the parts.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// The most bytes in memory for one client.
const PIECE: u64 = 128 * 1024;

/// The parts of a file that are still to be sent.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    parts: VecDeque<Part>,
}

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Part {
    /// Text around ranges.
    Text(Bytes),
    /// Bytes of the file.
    Range(Range<u64>),
}

impl FileBody {
    pub(crate) fn new(file: File, parts: impl IntoIterator<Item = Part>) -> Self {
        Self { file: Arc::new(file), parts: parts.into_iter().collect() }
    }

    /// The number of bytes that are still to be sent.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(Part::size).sum()
    }

    /// Reads the next piece; `None` after the last one.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or was truncated meanwhile.
    pub(crate) async fn read(&mut self) -> Option<io::Result<Bytes>> {
        let range = match self.parts.pop_front()? {
            Part::Text(text) => return Some(Ok(text)),
            Part::Range(range) => range,
        };
        let end = range.end.min(range.start + PIECE);
        if end < range.end {
            self.parts.push_front(Part::Range(end..range.end));
        }
        let (file, piece) = (Arc::clone(&self.file), range.start..end);
        let read = tokio::task::spawn_blocking(move || read_at(&file, &piece)).await;
        Some(read.unwrap_or_else(|error| Err(io::Error::other(error))))
    }

    /// Reads all of it into memory. Blocks.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn read_all(self) -> io::Result<Bytes> {
        let mut all = Vec::new();
        for part in self.parts {
            match part {
                Part::Text(text) => all.extend_from_slice(&text),
                Part::Range(range) => all.extend_from_slice(&read_at(&self.file, &range)?),
            }
        }
        Ok(all.into())
    }
}

impl Part {
    fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Range(range) => range.end - range.start,
        }
    }
}

fn read_at(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let size = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut piece = vec![0; size];
    file.read_exact_at(&mut piece, range.start)?;
    Ok(Bytes::from(piece))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn parts_are_read_in_order_and_in_pieces() {
        let mut file = tempfile::tempfile().expect("a file");
        let content: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        file.write_all(&content).expect("room");
        let text = Part::Text(Bytes::from_static(b"--"));
        let mut body = FileBody::new(file, [Part::Range(10..290_000), text, Part::Range(0..3)]);
        assert_eq!(body.size(), 289_990 + 2 + 3);

        let mut read = Vec::new();
        let mut sizes = Vec::new();
        while let Some(piece) = body.read().await {
            let piece = piece.expect("the range is in the file");
            sizes.push(piece.len() as u64);
            read.extend_from_slice(&piece);
        }

        assert_eq!(read, [&content[10..290_000], b"--", &content[..3]].concat());
        assert!(sizes.iter().all(|&size| size <= PIECE), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_file_that_was_truncated_is_an_error() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"abc").expect("room");
        let mut body = FileBody::new(file, [Part::Range(0..4)]);

        let error = body.read().await.expect("a piece").expect_err("a byte is missing");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
