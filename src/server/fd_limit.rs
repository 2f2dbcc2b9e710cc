//! The limit of open files, and how many of them connections may use.

use std::io;

/// The kernel's default maximum; also used if the limit is infinite.
const MAX_FILES: libc::rlim_t = 1 << 20;
/// The real maximum of macOS, also if it reports more.
const MAX_FILES_ON_MACOS: libc::rlim_t = 10_240;
/// Reserved for the files and sockets of handlers, for reloads and for the pool.
const MAX_RESERVED: usize = 1024;

/// Raises the limit to the maximum of this process. The default is low for programs that use
/// `select`, and too low for a thousand clients.
pub fn raise_limit() {
    let Ok(limit) = limit() else { return };
    let highest = limit.rlim_max.min(MAX_FILES);
    for files in [highest, highest.min(MAX_FILES_ON_MACOS)] {
        if files <= limit.rlim_cur {
            return;
        }
        let raised = libc::rlimit { rlim_cur: files, ..limit };
        // SAFETY: the pointer is to a limit of our own.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return;
        }
    }
}

/// The number of connections that may be open at once, in addition to the files that are open now.
pub(super) fn max_connections() -> usize {
    let allowed = limit().map_or(MAX_FILES_ON_MACOS, |limit| limit.rlim_cur.min(MAX_FILES));
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let open = std::fs::read_dir("/dev/fd").map_or(0, Iterator::count);
    allowed.saturating_sub(open + (allowed / 4).min(MAX_RESERVED)).max(1)
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a limit of our own.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}
