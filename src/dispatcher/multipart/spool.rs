//! Stores the bytes of one file as they arrive: in memory, and beyond a limit in an unnamed file.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use crate::message::{FileContent, Stored};

/// Bytes that are written to disk at once.
const BLOCK: usize = 256 * 1024;

/// A file that grows.
pub(super) struct Spool {
    /// The largest size that stays in memory.
    max_in_memory: usize,
    size: u64,
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    pub(super) fn new(max_in_memory: usize) -> Self {
        Self { max_in_memory, size: 0, buffer: Vec::new(), file: None }
    }

    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.size += chunk.len() as u64;
        self.buffer.extend_from_slice(chunk);
        let limit = if self.file.is_some() { BLOCK } else { self.max_in_memory };
        if self.buffer.len() > limit {
            self.flush().await?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> io::Result<FileContent> {
        if self.file.is_none() {
            self.buffer.shrink_to_fit();
            return Ok(FileContent::new(self.size, Stored::Memory(self.buffer.into())));
        }
        self.flush().await?;
        let file = self.file.expect("a flush leaves one");
        Ok(FileContent::new(self.size, Stored::Disk(Arc::new(file))))
    }

    /// Writes the buffer from a thread that may wait for the disk.
    async fn flush(&mut self) -> io::Result<()> {
        let (file, mut buffer) = (self.file.take(), std::mem::take(&mut self.buffer));
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(tempfile::tempfile, Ok)?;
            file.write_all(&buffer)?;
            buffer.clear();
            buffer.shrink_to(2 * BLOCK);
            io::Result::Ok((file, buffer))
        });
        let (file, buffer) = written.await.map_err(io::Error::other)??;
        (self.file, self.buffer) = (Some(file), buffer);
        Ok(())
    }
}
