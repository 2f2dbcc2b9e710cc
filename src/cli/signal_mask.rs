//! The signals that a program must not lose while another one takes its place.
//!
//! A signal that arrives while all threads block it waits in the kernel, also over an exec: the next
//! program receives it. Without that, a second SIGHUP during an upgrade would end the server. So only one
//! thread of a parent ever receives them.

use std::mem::MaybeUninit;
use std::{ptr, thread};

const SIGNALS: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1];

/// Blocks them in this thread, and in the threads that it starts from now on.
pub(super) fn block() {
    change(libc::SIG_BLOCK, &all());
}

/// Receives them in this thread. May be called between fork and exec.
pub(super) fn unblock() {
    change(libc::SIG_UNBLOCK, &all());
}

/// Starts a thread that receives none of them, not even at its start.
pub(super) fn spawn(run: impl FnOnce() + Send + 'static) {
    let before = change(libc::SIG_BLOCK, &all());
    thread::spawn(run);
    change(libc::SIG_SETMASK, &before);
}

fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to a set of our own, which the first call initialises.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Changes the signals that this thread blocks; returns the set before.
fn change(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::zeroed();
    // SAFETY: both pointers are to sets of our own; all zeroes is valid, and the kernel fills it.
    unsafe {
        libc::pthread_sigmask(how, ptr::from_ref(set), before.as_mut_ptr());
        before.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn blocked() -> usize {
        let mut none = all();
        // SAFETY: the pointer is to a set of our own.
        unsafe { libc::sigemptyset(&raw mut none) };
        let set = change(libc::SIG_BLOCK, &none);
        // SAFETY: the pointer is to a set of our own.
        SIGNALS
            .iter()
            .filter(|signal| unsafe { libc::sigismember(&raw const set, **signal) == 1 })
            .count()
    }

    #[test]
    fn a_thread_that_is_spawned_here_receives_no_signal_and_its_parent_still_does() {
        let (sender, receiver) = mpsc::channel();
        spawn(move || sender.send(blocked()).expect("a receiver"));
        assert_eq!((receiver.recv(), blocked()), (Ok(SIGNALS.len()), 0));
        block();
        spawn(|| {});
        assert_eq!(blocked(), SIGNALS.len());
    }
}
