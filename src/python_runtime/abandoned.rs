//! Tells the asyncio loop which requests nobody waits for any more.
//!
//! A tokio thread must not wait for the interpreter, so the ids go into a list and a byte into a
//! pipe that the loop's selector watches. Never cancels anything itself.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The ids, and both ends of the pipe.
#[derive(Debug)]
pub(crate) struct Abandoned {
    /// Whether there is a loop. Without one, nothing is there that could be given up.
    is_heard: AtomicBool,
    ids: Mutex<Vec<u64>>,
    write: UnixStream,
    read: UnixStream,
}

impl Abandoned {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Self { is_heard: AtomicBool::new(false), ids: Mutex::default(), write, read })
    }

    /// Notes that the answer to `id` has no taker.
    pub(crate) fn push(&self, id: u64) {
        if self.is_heard.load(Ordering::Acquire) {
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            self.ring();
        }
    }

    /// Makes the loop look.
    pub(crate) fn ring(&self) {
        // A full pipe wakes the loop just as well.
        let _ = (&self.write).write(&[0]);
    }

    /// Takes what was noted since the last call.
    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the selector watches; open as long as `self`. Who asks for it, listens.
    pub(crate) fn read_fd(&self) -> RawFd {
        self.is_heard.store(true, Ordering::Release);
        self.read.as_raw_fd()
    }
}
