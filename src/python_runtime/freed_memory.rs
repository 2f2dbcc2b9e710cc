//! Bounds the memory that this process has freed and still has, and returns it to the system.
//!
//! The GNU C library retains freed memory in arenas: in up to eight for each core, each shared by some
//! threads. A server in dev mode frees much: modules with their data, generation after generation, and
//! the bodies of old requests. Other C libraries return it themselves.

/// The most arenas: a thread that allocates rarely waits for another one, since each has a cache.
#[cfg(target_env = "gnu")]
const MAX_ARENAS: i32 = 2;

/// Limits the C library to two arenas for freed memory, unless the environment sets another number.
/// [`PythonRuntime::with_config`](super::PythonRuntime::with_config) does so in dev mode; earlier, other
/// threads have no arena yet. Only the GNU C library has any.
#[cfg(target_env = "gnu")]
pub fn limit_arenas() {
    let is_set = std::env::var_os("MALLOC_ARENA_MAX").is_some();
    let tunables = std::env::var("GLIBC_TUNABLES").unwrap_or_default();
    let by_user = is_set || tunables.contains("glibc.malloc.arena_max");
    if !by_user {
        // SAFETY: has no precondition; it takes the lock of the main arena.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, MAX_ARENAS) };
    }
}

/// Returns all memory that is free now. Takes less than a millisecond if there is little, and some
/// milliseconds for each 16 MiB.
#[cfg(target_env = "gnu")]
pub(super) fn return_to_system() {
    // SAFETY: has no precondition; it takes the lock of each arena in turn.
    unsafe { libc::malloc_trim(0) };
}

/// Does nothing: only the GNU C library has arenas.
#[cfg(not(target_env = "gnu"))]
pub fn limit_arenas() {}

/// Does nothing.
#[cfg(not(target_env = "gnu"))]
pub(super) fn return_to_system() {}
