//! How many file descriptors this process may open, and how many of them connections may take.

use std::io;

/// What the kernel allows at most unless it is told otherwise: "without limit" is not taken at its
/// word.
const MOST: libc::rlim_t = 1 << 20;
/// Where macOS ends, whatever it says.
const MOST_ON_MACOS: libc::rlim_t = 10_240;
/// What connections leave to the files and sockets of handlers, to reloads and to the pool.
const MOST_RESERVED: usize = 1024;

/// Raises the limit as far as the process may. It is low by default for the sake of programs that
/// use `select`, and a server with a thousand clients is at its end.
pub fn raise_limit() {
    let Ok(limit) = limit() else { return };
    let highest = limit.rlim_max.min(MOST);
    for wanted in [highest, highest.min(MOST_ON_MACOS)] {
        if wanted <= limit.rlim_cur {
            return;
        }
        let raised = libc::rlimit { rlim_cur: wanted, ..limit };
        // SAFETY: the pointer is to a limit of our own.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return;
        }
    }
}

/// How many connections may be open at once, besides what is open now.
pub(super) fn room_for_connections() -> usize {
    let allowed = limit().map_or(MOST_ON_MACOS, |limit| limit.rlim_cur.min(MOST));
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let open = std::fs::read_dir("/dev/fd").map_or(0, Iterator::count);
    allowed.saturating_sub(open + (allowed / 4).min(MOST_RESERVED)).max(1)
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a limit of our own.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}
