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
