//! Tells the asyncio loop what concerns its requests: nobody waits for one any more, or its client
//! has read on and there is room in its stream.
//!
//! A tokio thread must not wait for the interpreter, so the ids go into a list and a byte into a
//! pipe that the loop's selector watches. Never cancels or resumes anything itself.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

/// The ids, and both ends of the pipe.
#[derive(Debug)]
pub(crate) struct Notices {
    /// Whether there is a loop. Without one, nothing is there that could be given up.
    is_heard: AtomicBool,
    lists: Mutex<Lists>,
    write: UnixStream,
    read: UnixStream,
}

/// What was noted: the ids given up, and those that have room.
type Lists = (Vec<u64>, Vec<u64>);

impl Notices {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Self { is_heard: AtomicBool::new(false), lists: Mutex::default(), write, read })
    }

    /// Notes that the answer to `id` has no taker.
    pub(crate) fn give_up(&self, id: u64) {
        self.note(|(given_up, _)| given_up.push(id));
    }

    fn has_room(&self, id: u64) {
        self.note(|(_, roomy)| roomy.push(id));
    }

    fn note(&self, push: impl FnOnce(&mut Lists)) {
        if self.is_heard.load(Ordering::Acquire) {
            push(&mut self.lists.lock().unwrap_or_else(PoisonError::into_inner));
            self.ring();
        }
    }

    /// Makes the loop look.
    pub(crate) fn ring(&self) {
        // A full pipe wakes the loop just as well.
        let _ = (&self.write).write(&[0]);
    }

    /// Takes what was noted since the last call.
    pub(crate) fn take(&self) -> Lists {
        std::mem::take(&mut *self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the selector watches; open as long as `self`. Who asks for it, listens.
    pub(crate) fn read_fd(&self) -> RawFd {
        self.is_heard.store(true, Ordering::Release);
        self.read.as_raw_fd()
    }
}

/// Tells the loop that the stream of a request has room.
pub(super) struct Room {
    pub(super) notices: Arc<Notices>,
    pub(super) id: u64,
}

impl Wake for Room {
    fn wake(self: Arc<Self>) {
        self.notices.has_room(self.id);
    }
}
