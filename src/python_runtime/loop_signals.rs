//! Signals to the asyncio loop: a stream has room for the next chunk, or a body arrives.
//!
//! A tokio thread must not wait for the interpreter, so it stores an id in a list and writes a byte
//! to a pipe that the loop's selector watches. Never resumes a task itself.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;

use crate::sync::Mutex;

/// The pending signals, and both ends of the pipe.
#[derive(Debug)]
pub(crate) struct LoopSignals {
    /// The ids of the requests whose stream has room; negated if the body of the request arrives.
    ready: Mutex<Vec<i64>>,
    write: UnixStream,
    read: UnixStream,
}

impl LoopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Self { ready: Mutex::default(), write, read })
    }

    /// Replaces the pipe, in a process that has just been forked: its parent has the same.
    #[cfg(target_os = "linux")]
    pub(crate) fn renew(&self) -> io::Result<()> {
        let new = Self::new()?;
        for (from, to) in [(&new.read, &self.read), (&new.write, &self.write)] {
            // SAFETY: both are open, and no other thread of this new process uses them.
            if unsafe { libc::dup3(from.as_raw_fd(), to.as_raw_fd(), libc::O_CLOEXEC) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    fn add(&self, id: i64) {
        self.ready.lock().push(id);
        self.wake();
    }

    /// Wakes the loop.
    pub(crate) fn wake(&self) {
        // A full pipe also wakes the loop.
        let _ = (&self.write).write(&[0]);
    }

    /// Returns the signals since the last call.
    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut *self.ready.lock())
    }

    /// The end of the pipe that the loop's selector watches; open as long as `self`.
    pub(crate) fn read_fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }
}

/// Wakes the loop when the stream of a request has room, or when its body arrives.
pub(super) struct StreamWaker {
    pub(super) loop_signals: Arc<LoopSignals>,
    /// Negated for the body.
    pub(super) id: i64,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.loop_signals.add(self.id);
    }
}
