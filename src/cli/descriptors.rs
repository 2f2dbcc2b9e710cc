//! Descriptors that a started program inherits.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Sets whether a program that this process starts, or becomes, inherits a descriptor. May be called
/// between fork and exec.
pub(crate) fn set_inheritable(descriptor: RawFd, is_inheritable: bool) {
    let flags = if is_inheritable { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: sets a flag, or returns an error for a descriptor that is not open.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, flags) };
}

/// Takes a descriptor that this process has inherited; its own programs do not inherit it.
///
/// # Safety
///
/// The descriptor is open, and nothing else in this process owns it.
pub(crate) unsafe fn take(descriptor: RawFd) -> OwnedFd {
    set_inheritable(descriptor, false);
    // SAFETY: the caller has checked it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
