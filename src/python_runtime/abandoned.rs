//! Tells the asyncio loop which requests nobody waits for any more.
//!
//! A tokio thread must not wait for the interpreter, so the ids go into a list and a byte into a
//! pipe that the loop's selector watches. Never cancels anything itself.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// The ids, and both ends of the pipe.
#[derive(Debug)]
pub(crate) struct Abandoned {
    ids: Mutex<Vec<u64>>,
    write: UnixStream,
    read: UnixStream,
}

impl Abandoned {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Self { ids: Mutex::default(), write, read })
    }

    /// Notes that the answer to `id` has no taker.
    pub(crate) fn push(&self, id: u64) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        // A full pipe wakes the loop just as well.
        let _ = (&self.write).write(&[0]);
    }

    /// Takes what was noted since the last call.
    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the selector watches; open as long as `self`.
    pub(crate) fn read_fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }
}
