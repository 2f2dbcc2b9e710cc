//! Detaches a child process that code in this process forks, such as a handler, from the server.
//!
//! Otherwise the child occupies the port, its copies of connections stay open, and it ignores SIGTERM.
//! Covers listeners of this crate, their connections, sockets to other processes of the server, file
//! watches, and handlers of signals. Started programs have none of these: they end with `exec`.

use std::fs;
use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use super::listener::Socket;

/// The ports that this process listens on; 0 is a free place. No lock: another thread may have it
/// during a fork.
static PORTS: [AtomicU16; 16] = [const { AtomicU16::new(0) }; 16];

/// The paths of its Unix sockets, which stay: a path has no other use.
static PATHS: [OnceLock<PathBuf>; 16] = [const { OnceLock::new() }; 16];

/// The sockets between the processes of the server, as device and inode: their copies have the same.
static OF_SERVER: OnceLock<Vec<(u64, u64)>> = OnceLock::new();

/// Registers the sockets between the processes of the server. Later calls have no effect.
///
/// # Errors
///
/// The system does not know one of them.
pub fn detach_from_children<'a>(
    sockets: impl IntoIterator<Item = BorrowedFd<'a>>,
) -> io::Result<()> {
    let ids = sockets.into_iter().map(|socket| id_of(socket).ok_or(io::ErrorKind::NotFound.into()));
    let ids: io::Result<Vec<_>> = ids.collect();
    let _ = OF_SERVER.set(ids?);
    Ok(())
}

/// Device and inode of a descriptor.
#[expect(clippy::unnecessary_cast, reason = "the types differ between systems")]
pub(super) fn id_of(socket: BorrowedFd<'_>) -> Option<(u64, u64)> {
    rustix::fs::fstat(socket).ok().map(|status| (status.st_dev as u64, status.st_ino as u64))
}

/// Registers the port or the path of a listener; a port until it is dropped.
pub(super) struct Listening(Option<&'static AtomicU16>);

impl Listening {
    pub(super) fn new(socket: &Socket) -> Self {
        let port = match socket {
            Socket::Tcp(socket) => socket.local_addr().map_or(0, |address| address.port()),
            Socket::Unix(socket) => {
                let address = socket.local_addr().ok();
                if let Some(path) = address.as_ref().and_then(|address| address.as_pathname()) {
                    let has_it =
                        |place: &OnceLock<PathBuf>| place.get_or_init(|| path.to_owned()) == path;
                    PATHS.iter().any(has_it);
                }
                return Self(None);
            }
        };
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
        let is_of_server = || {
            id_of(socket.as_fd()).zip(OF_SERVER.get()).is_some_and(|(id, all)| all.contains(&id))
        };
        let is_ours = is_ours || has_our_path(&socket) || is_of_server();
        if is_ours || is_file_watch(socket.as_raw_fd()) {
            drop(ManuallyDrop::into_inner(socket));
        }
    }
}

/// Whether this is a Unix socket of the server, or one of its connections, which have its path.
fn has_our_path(socket: &TcpStream) -> bool {
    // SAFETY: as above; it is not dropped.
    let socket = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(socket.as_raw_fd()) });
    let address = socket.local_addr().ok();
    let path = address.as_ref().and_then(|address| address.as_pathname());
    path.is_some_and(|path| PATHS.iter().any(|ours| ours.get().is_some_and(|ours| ours == path)))
}

/// Whether this is an instance of inotify; the watches of macOS do not survive a fork.
fn is_file_watch(fd: RawFd) -> bool {
    fs::read_link(format!("/dev/fd/{fd}")).is_ok_and(|to| to == Path::new("anon_inode:inotify"))
}
