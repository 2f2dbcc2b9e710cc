//! `--log-format json`: writes the events to stdout, one object per line.
//!
//! Redirects all other output on stdout, also of user code and its children, to stderr. Writes from
//! a thread of its own: a slow reader loses events and gets their number.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use snaxum::dev::MessageStream;
use tokio::runtime::Handle;

use crate::cli::render::color::escape_json;

/// The limit for the last lines of a stopping server.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The original stdout, which only this log writes to.
pub(crate) struct OwnedStdout(File);

impl OwnedStdout {
    /// Duplicates stdout, then redirects it to stderr.
    pub(crate) fn take() -> io::Result<Self> {
        // SAFETY: duplicates a descriptor; no child inherits the copy.
        let original = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
        if original == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and has no other owner.
        let original = Self(unsafe { File::from_raw_fd(original) });
        redirect_stdout(libc::STDERR_FILENO)?;
        Ok(original)
    }

    /// Restores stdout, for a process that takes over.
    pub(crate) fn restore(self) -> io::Result<()> {
        redirect_stdout(self.0.as_raw_fd())
    }
}

/// Makes stdout a copy of `descriptor`.
fn redirect_stdout(descriptor: i32) -> io::Result<()> {
    // SAFETY: both are open, and the standard library has no state about either.
    match unsafe { libc::dup2(descriptor, libc::STDOUT_FILENO) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The thread that writes.
pub(crate) struct JsonLog(Receiver<()>);

impl JsonLog {
    /// Starts the thread. Must be called within the async runtime.
    pub(crate) fn start(stdout: &OwnedStdout, mut events: MessageStream) -> io::Result<Self> {
        let mut out = stdout.0.try_clone()?;
        let tokio = Handle::current();
        let (done, ended) = mpsc::channel();
        thread::Builder::new().name("log".into()).spawn(move || {
            while let Some(event) = tokio.block_on(events.next()) {
                if out.write_all(format!("{}\n", escape_json(&event)).as_bytes()).is_err() {
                    break; // stdout is closed
                }
            }
            drop(done);
        })?;
        Ok(Self(ended))
    }

    /// Waits for the queued lines within a time limit.
    pub(crate) fn finish(self) {
        let _ = self.0.recv_timeout(LAST_LINES);
    }
}
