//! `--log-format json`: the events on stdout, an object a line, and nothing else there.
//!
//! Whatever else writes to stdout, user code and its children included, writes to stderr instead.
//! A thread of its own writes: a reader that is slow loses events, and is told how many.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use snaxum::dev::Events;
use tokio::runtime::Handle;

use crate::cli::render::color::plain_json;

/// How long a stopping server waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// What goes to stdout.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// The events, one JSON object a line.
    Json,
}

/// The stdout of the process, which nobody else writes to any more.
pub(crate) struct Stdout(File);

impl Stdout {
    /// Takes it; what is written to stdout from now on goes to stderr.
    pub(crate) fn take() -> io::Result<Self> {
        // SAFETY: makes a descriptor for us alone, which no child gets.
        let kept = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
        if kept == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made.
        let kept = Self(unsafe { File::from_raw_fd(kept) });
        put_in_place(libc::STDERR_FILENO)?;
        Ok(kept)
    }

    /// Gives it back, for a process that takes over.
    pub(crate) fn give_back(self) -> io::Result<()> {
        put_in_place(self.0.as_raw_fd())
    }
}

/// Lets stdout be this.
fn put_in_place(descriptor: i32) -> io::Result<()> {
    // SAFETY: both are open, and the standard library holds no state about either.
    match unsafe { libc::dup2(descriptor, libc::STDOUT_FILENO) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The thread that writes.
pub(crate) struct Log(Receiver<()>);

impl Log {
    /// Writes the events from now on; call it where tokio runs.
    pub(crate) fn start(stdout: &Stdout, mut events: Events) -> io::Result<Self> {
        let mut out = stdout.0.try_clone()?;
        let tokio = Handle::current();
        let (done, ended) = mpsc::channel();
        thread::Builder::new().name("log".into()).spawn(move || {
            while let Some(event) = tokio.block_on(events.next()) {
                if out.write_all(format!("{}\n", plain_json(&event)).as_bytes()).is_err() {
                    break; // nobody reads it
                }
            }
            drop(done);
        })?;
        Ok(Self(ended))
    }

    /// Waits for the lines so far, if somebody reads them.
    pub(crate) fn finish(self) {
        let _ = self.0.recv_timeout(LAST_LINES);
    }
}
