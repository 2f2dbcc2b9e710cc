//! The signals that a program must not lose while another one takes its place.
//!
//! A signal that arrives while all threads block it waits in the kernel, also over an exec: the next
//! program receives it. Without that, a second SIGHUP during an upgrade would end the server.

use std::mem::MaybeUninit;

const SIGNALS: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1];

/// Blocks them in this thread, and in the threads that it starts from now on.
pub(super) fn block() {
    change(libc::SIG_BLOCK);
}

/// Receives them in this thread. May be called between fork and exec.
pub(super) fn unblock() {
    change(libc::SIG_UNBLOCK);
}

fn change(how: libc::c_int) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointers are to a set of our own, which the first call initialises.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut());
    }
}
