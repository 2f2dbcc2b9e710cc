//! A form that Rust has parsed: its fields, and its files in memory or on disk.
//!
//! A file is readable until the end of its request; then its memory or disk space is free.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::body_start::BodyStart;
use crate::sync::Mutex;

/// The parts of a multipart body, in order.
#[derive(Debug, Default)]
pub struct Form {
    /// Names and values of the parts without a file.
    pub fields: Vec<(String, String)>,
    /// The files.
    pub files: Vec<FilePart>,
    /// The body that they were parsed from; only observers read it.
    pub start: BodyStart,
}

/// One file of a form.
#[derive(Debug)]
pub struct FilePart {
    /// The name of its field.
    pub name: String,
    /// As the client named it, without directories.
    pub filename: String,
    /// As the client declared it; empty if it did not.
    pub content_type: String,
    /// Its bytes.
    pub content: Arc<FileContent>,
}

/// The bytes of a file, in memory or in an unnamed temporary file.
#[derive(Debug)]
pub struct FileContent {
    size: u64,
    /// `None` once it is closed.
    stored: Mutex<Option<Stored>>,
}

/// Where the bytes of a file are. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Stored {
    /// In memory.
    Memory(Bytes),
    /// In a file without a name, which the system removes with its last handle.
    Disk(Arc<File>),
}

impl Form {
    /// Closes its files: the request has ended.
    pub(crate) fn close(&self) {
        for file in &self.files {
            file.content.close();
        }
    }
}

impl FileContent {
    /// Wraps `size` stored bytes.
    pub fn new(size: u64, stored: Stored) -> Self {
        Self { size, stored: Mutex::new(Some(stored)) }
    }

    /// In bytes; also known once it is closed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of memory that it needs.
    pub(crate) fn in_memory(&self) -> usize {
        match &*self.stored.lock() {
            Some(Stored::Memory(bytes)) => bytes.len(),
            _ => 0,
        }
    }

    /// Fills `buffer` from the byte `offset` on, and returns how much of it; `None` if it is closed.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let stored = self.stored.lock().clone()?;
        Some(stored.read_at(offset, buffer))
    }

    /// Copies it to a new file, or in place of one; `None` if it is closed.
    pub(crate) fn save(&self, path: &Path) -> Option<io::Result<()>> {
        let stored = self.stored.lock().clone()?;
        Some(stored.save(path, self.size))
    }

    /// Whether its request has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.stored.lock().is_none()
    }

    /// Frees its bytes.
    pub(crate) fn close(&self) {
        let stored = self.stored.lock().take();
        drop(stored); // without the lock: it may free a large file
    }
}

impl Stored {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let count = buffer.len().min(bytes.len() - start);
                buffer[..count].copy_from_slice(&bytes[start..start + count]);
                Ok(count)
            }
            Self::Disk(file) => {
                let mut count = 0;
                while count < buffer.len() {
                    match file.read_at(&mut buffer[count..], offset + count as u64) {
                        Ok(0) => break,
                        Ok(read) => count += read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(count)
            }
        }
    }

    fn save(&self, path: &Path, size: u64) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => std::fs::write(path, bytes),
            Self::Disk(_) => {
                let mut target = File::create(path)?;
                let (mut buffer, mut offset) = (vec![0; 1 << 18], 0);
                while offset < size {
                    let count = self.read_at(offset, &mut buffer)?;
                    if count == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    io::Write::write_all(&mut target, &buffer[..count])?;
                    offset += count as u64;
                }
                Ok(())
            }
        }
    }
}
