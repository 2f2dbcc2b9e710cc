//! Signals to the asyncio loop: a request was cancelled, or a stream has room for the next chunk.
//!
//! A tokio thread must not wait for the interpreter, so it stores an id in a list and writes a byte
//! to a pipe that the loop's selector watches. Never cancels or resumes a task itself.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::sync::Mutex;

/// The pending signals, and both ends of the pipe.
#[derive(Debug)]
pub(crate) struct LoopSignals {
    /// Whether the loop runs. Without a loop, no request can be cancelled.
    has_loop: AtomicBool,
    pending: Mutex<PendingSignals>,
    write: UnixStream,
    read: UnixStream,
}

/// The ids of cancelled requests, and of requests whose stream has room.
type PendingSignals = (Vec<u64>, Vec<u64>);

impl LoopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Self { has_loop: AtomicBool::new(false), pending: Mutex::default(), write, read })
    }

    /// Signals that the request `id` was cancelled.
    pub(crate) fn cancel(&self, id: u64) {
        self.signal(|(cancelled, _)| cancelled.push(id));
    }

    fn stream_has_room(&self, id: u64) {
        self.signal(|(_, with_room)| with_room.push(id));
    }

    fn signal(&self, push: impl FnOnce(&mut PendingSignals)) {
        if self.has_loop.load(Ordering::Acquire) {
            push(&mut self.pending.lock());
            self.wake();
        }
    }

    /// Wakes the loop.
    pub(crate) fn wake(&self) {
        // A full pipe also wakes the loop.
        let _ = (&self.write).write(&[0]);
    }

    /// Returns the signals since the last call.
    pub(crate) fn take(&self) -> PendingSignals {
        std::mem::take(&mut *self.pending.lock())
    }

    /// The end of the pipe that the loop's selector watches; open as long as `self`. From the first
    /// call on, signals are stored.
    pub(crate) fn read_fd(&self) -> RawFd {
        self.has_loop.store(true, Ordering::Release);
        self.read.as_raw_fd()
    }
}

/// Wakes the loop when the stream of a request has room.
pub(super) struct StreamWaker {
    pub(super) loop_signals: Arc<LoopSignals>,
    pub(super) id: u64,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.loop_signals.stream_has_room(self.id);
    }
}
