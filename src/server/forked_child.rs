//! Detaches a child process that code in this process forks, such as a handler, from the server.
//!
//! Otherwise the child occupies the port, its copies of connections stay open, and it ignores SIGTERM.
//! Covers listeners of this crate, their connections, file watches, and handlers of signals. Started
//! programs have none of these: they end with `exec`.

use std::fs;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::TcpListener;

/// The ports that this process listens on; 0 is a free place. No lock: another thread may have it
/// during a fork.
static PORTS: [AtomicU16; 16] = [const { AtomicU16::new(0) }; 16];

/// Registers the port of a listener, until it is dropped.
pub(super) struct Listening(Option<&'static AtomicU16>);

impl Listening {
    pub(super) fn new(listener: &TcpListener) -> Self {
        let port = listener.local_addr().map_or(0, |address| address.port());
        let swap = |place: &&AtomicU16| {
            place.compare_exchange(0, port, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        Self(PORTS.iter().find(swap))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Release);
        }
    }
}

/// Closes the sockets and file watches of the server, and resets its handlers of signals. For a forked
/// child only: it has one thread, and no other code of this crate runs in it.
pub(crate) fn detach_child() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: sets the default action, which runs no code.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_IGN {
            // SAFETY: the same, for an ignored signal: the child inherits that from its parent.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
    close_files();
}

fn close_files() {
    let ports: Vec<u16> = PORTS.iter().map(|place| place.load(Ordering::Acquire)).collect();
    // `/dev/fd` exists on Linux and on macOS.
    let Ok(entries) = fs::read_dir("/dev/fd") else { return };
    let open: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // SAFETY: `fd` was open a moment ago and no other thread can have closed it, but the directory
        // above, for which the calls below return errors. It is closed only if it is the server's,
        // whose owner never runs in this process.
        let socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
        let is_ours = socket
            .local_addr()
            .is_ok_and(|address| address.port() != 0 && ports.contains(&address.port()));
        if is_ours || is_file_watch(socket.as_raw_fd()) {
            drop(ManuallyDrop::into_inner(socket));
        }
    }
}

/// Whether this is an instance of inotify; the watches of macOS do not survive a fork.
fn is_file_watch(fd: RawFd) -> bool {
    fs::read_link(format!("/dev/fd/{fd}")).is_ok_and(|to| to == Path::new("anon_inode:inotify"))
}
