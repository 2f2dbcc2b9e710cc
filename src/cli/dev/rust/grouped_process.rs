//! A child process that leads a process group of its own, so that its own children end with it.
//!
//! Ends with this process, too. Never restarts anything.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;

use crate::cli::descriptors::set_inheritable;
use crate::cli::end_with_parent::end_with_parent;

/// A child process. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct GroupedProcess {
    child: Child,
    status: Option<ExitStatus>,
}

impl GroupedProcess {
    /// Starts it with these descriptors. Calls `on_end` on another thread once it has ended; its id stays
    /// reserved until [`Self::reap`]. The calling thread must live as long as this process.
    pub(super) fn spawn(
        mut command: Command,
        descriptors: Vec<RawFd>,
        on_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let parent = std::process::id();
        // SAFETY: between fork and exec it only calls the kernel.
        unsafe {
            command.pre_exec(move || {
                descriptors.iter().for_each(|descriptor| set_inheritable(*descriptor, true));
                end_with_parent(parent);
                Ok(())
            });
        }
        let child = command.process_group(0).spawn()?;
        let pid = child.id();
        thread::Builder::new().name("child".into()).spawn(move || {
            wait_for_end(pid);
            on_end();
        })?;
        Ok(Self { child, status: None })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipes of a process that was started with some.
    pub(super) fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal to the process, but not to its children.
    pub(super) fn signal(&self, signal: i32) {
        self.kill(1, signal);
    }

    /// Sends a signal to the process and to its children.
    pub(super) fn signal_group(&self, signal: i32) {
        self.kill(-1, signal);
    }

    fn kill(&self, sign: libc::pid_t, signal: i32) {
        if let (None, Ok(pid)) = (self.status, libc::pid_t::try_from(self.child.id())) {
            // SAFETY: a signal to our own child and its group, which has not been waited for.
            unsafe { libc::kill(sign * pid, signal) };
        }
    }

    /// Returns how it has ended, and ends its children; waits if it has not.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        wait_for_end(self.child.id());
        self.signal_group(libc::SIGKILL);
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for GroupedProcess {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.signal_group(libc::SIGKILL);
            let _ = self.child.wait(); // it has got SIGKILL
        }
    }
}

/// Waits for the end of a child without reaping it.
fn wait_for_end(pid: u32) {
    loop {
        // SAFETY: all zeroes is valid, and the kernel fills it; `WNOWAIT` changes no state.
        let outcome = unsafe {
            let mut info = std::mem::zeroed::<libc::siginfo_t>();
            libc::waitid(libc::P_PID, pid, &raw mut info, libc::WEXITED | libc::WNOWAIT)
        };
        if outcome == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}
