//! Returns memory to the system that this process has freed.
//!
//! The GNU C library retains freed memory in the arena of each thread that has used it. A server in
//! dev mode frees much: modules with their data, generation after generation, and the bodies of old
//! requests. Other C libraries return it themselves.

/// Returns all memory that is free now. Takes less than a millisecond if there is little, and some
/// milliseconds for each 16 MiB.
#[cfg(target_env = "gnu")]
pub(super) fn return_to_system() {
    // SAFETY: has no precondition; it takes the lock of each arena in turn.
    unsafe { libc::malloc_trim(0) };
}

/// Does nothing.
#[cfg(not(target_env = "gnu"))]
pub(super) fn return_to_system() {}
