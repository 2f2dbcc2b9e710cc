//! The first process that serves, where the program is an interpreter: a fork of the parent at its very
//! start, so that Python is not started a second time.
//!
//! It waits for its parameters, and ends without them. Every later process is the program again: by then the
//! parent has threads. Only Linux can.

#[cfg(feature = "extension-module")]
use std::mem::MaybeUninit;
#[cfg(feature = "extension-module")]
use std::os::fd::RawFd;

use snaxum::sync::Mutex;

use super::fork_socket::ForkSocket;
use super::protocol::ProcessParameters;
#[cfg(feature = "extension-module")]
use crate::cli::invocation::Invocation;

/// The way from the parent to the process that waits.
static WAITING: Mutex<Option<ForkSocket>> = Mutex::new(None);
/// The parameters of this process.
static PARAMETERS: Mutex<Option<ProcessParameters>> = Mutex::new(None);

/// Forks the process if this one is to be a parent; returns in both, and in the new one with its parameters.
///
/// Without it, the parent starts its first process as it starts the others.
#[cfg(feature = "extension-module")]
pub(crate) fn fork(invocation: &Invocation) {
    let serves = invocation.arguments.first().is_some_and(|command| command == "serve");
    if !serves || invocation.handover.is_some() || !has_one_thread() {
        return;
    }
    let Ok((of_parent, of_process)) = ForkSocket::pair() else { return };
    match snaxum::python_runtime::fork_interpreter() {
        Ok(Some(_)) => *WAITING.lock() = Some(of_parent),
        Ok(None) => {
            drop(of_parent);
            let received = of_process.receive();
            if let Ok(Some(parameters)) = received
                && of_process.respond(Ok(std::process::id())).is_ok()
            {
                close_copies(parameters.listener);
                *PARAMETERS.lock() = Some(parameters);
                return;
            }
            // The parent needs no process, or has ended.
            // SAFETY: has no precondition; runs no exit handler.
            unsafe { libc::_exit(0) };
        }
        Err(_) => {} // there are too many processes
    }
}

/// A program that has started threads cannot be forked: their locks would stay locked.
#[cfg(feature = "extension-module")]
fn has_one_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Closes the descriptor by which the parent was given its socket (`--fd`, `LISTEN_FDS`). This process has a
/// copy, by which the socket would still listen once the parent has closed it.
#[cfg(feature = "extension-module")]
fn close_copies(listener: RawFd) {
    let id_of = |descriptor| {
        let mut status = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the pointer is to a place for the result; a descriptor that is not open is an error.
        let found = unsafe { libc::fstat(descriptor, status.as_mut_ptr()) } == 0;
        // SAFETY: the call has filled it.
        found.then(|| unsafe { status.assume_init() }).map(|status| (status.st_dev, status.st_ino))
    };
    let (Some(own), Ok(entries)) = (id_of(listener), std::fs::read_dir("/proc/self/fd")) else {
        return;
    };
    let number = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok()
    };
    let open: Vec<RawFd> = entries.filter_map(number).collect();
    for descriptor in open {
        if descriptor != listener && id_of(descriptor) == Some(own) {
            // SAFETY: only the parent takes its socket, after the fork: nothing owns the copy here.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Takes the parameters, in such a process.
pub(super) fn parameters() -> Option<ProcessParameters> {
    PARAMETERS.lock().take()
}

/// Lets the process that waits serve with these parameters; returns its id. `None` if there is none.
pub(super) fn start(parameters: &ProcessParameters) -> Option<u32> {
    WAITING.lock().take()?.request(parameters).ok()
}

/// Ends the process that waits, if there still is one.
pub(super) fn dismiss() {
    drop(WAITING.lock().take());
}
