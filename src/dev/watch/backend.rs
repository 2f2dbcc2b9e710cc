//! Chooses how to watch: the kernel's queue on Linux, time stamps where no event comes, elsewhere
//! both, one to wake up and the other to find the change.
//!
//! Chooses once at the start; changes to time stamps if the watches run out.

use std::io;
#[cfg(not(target_os = "linux"))]
use std::io::Write;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::event::FileEvent;
#[cfg(target_os = "linux")]
use super::inotify::InotifyBackend;
use super::network_fs;
use super::poll::PollBackend;

/// The environment variable that chooses the backend: `auto` or `poll`.
const VARIABLE: &str = "SNAXUM_WATCH";
/// The end of a message about a missing backend.
pub(super) const POLLING_INSTEAD: &str = "polling every 250 ms instead";

pub(super) enum WatchBackend {
    #[cfg(target_os = "linux")]
    Inotify(InotifyBackend),
    Polling(PollBackend),
    /// The system wakes the thread, and time stamps show the change.
    #[cfg(not(target_os = "linux"))]
    Notify(PollBackend, notify::RecommendedWatcher),
}

impl WatchBackend {
    pub(super) fn open(root: &Path, wake_tx: &UnixStream) -> io::Result<Self> {
        let choice = std::env::var(VARIABLE).unwrap_or_default();
        match &*choice {
            "poll" => {
                tracing::info!("{VARIABLE} is `poll`: {POLLING_INSTEAD}");
                return Ok(Self::Polling(PollBackend::new(root)));
            }
            "" | "auto" => {}
            _ => tracing::warn!("{VARIABLE} is `{choice}`; use `auto` or `poll`"),
        }
        if let Some(name) = network_fs::lacks_events(root) {
            tracing::warn!("{name} does not report changes; {POLLING_INSTEAD}");
            return Ok(Self::Polling(PollBackend::new(root)));
        }
        Self::open_native(root, wake_tx)
    }

    #[cfg(target_os = "linux")]
    fn open_native(root: &Path, _: &UnixStream) -> io::Result<Self> {
        Ok(InotifyBackend::new().map_or_else(
            |error| {
                tracing::warn!(
                    "cannot watch files: {error}; raise the limit with `sysctl \
                     fs.inotify.max_user_instances=512`; {POLLING_INSTEAD}"
                );
                Self::Polling(PollBackend::new(root))
            },
            Self::Inotify,
        ))
    }

    #[cfg(not(target_os = "linux"))]
    fn open_native(root: &Path, wake_tx: &UnixStream) -> io::Result<Self> {
        use notify::Watcher as _;

        let wake_tx = wake_tx.try_clone()?;
        let wake = move |_| drop((&wake_tx).write(&[0]));
        let mut watcher = notify::recommended_watcher(wake).map_err(io::Error::other)?;
        watcher.watch(root, notify::RecursiveMode::Recursive).map_err(io::Error::other)?;
        Ok(Self::Notify(PollBackend::new(root), watcher))
    }

    /// Also watches a directory. An error means that no more can be watched, and states why.
    pub(super) fn add(&mut self, directory: &Path) -> Result<(), String> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(inotify) => match inotify.add(directory) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => Err(
                    "more directories than the system lets one user watch; raise the limit with \
                         `sysctl fs.inotify.max_user_watches=524288`"
                        .to_owned(),
                ),
                // It was removed again, or cannot be read.
                _ => Ok(()),
            },
            Self::Polling(_) => Ok(()),
            #[cfg(not(target_os = "linux"))]
            Self::Notify(_, watcher) => {
                use notify::Watcher as _;
                let _ = watcher.watch(directory, notify::RecursiveMode::NonRecursive);
                Ok(())
            }
        }
    }

    /// Stops watching a directory and all below. Returns whether any of it may have been watched.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "all is watched"))]
    pub(super) fn remove_below(&mut self, directory: &Path) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(inotify) => inotify.remove_below(directory),
            _ => true,
        }
    }

    /// Returns the events so far, for a caller that began at `called_at`; nearly always empty.
    pub(super) fn poll_now(&mut self, called_at: Instant) -> Vec<FileEvent> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(inotify) => inotify.drain(),
            Self::Polling(polling) => polling.poll_now(called_at),
            #[cfg(not(target_os = "linux"))]
            Self::Notify(polling, _) => polling.poll_now(called_at),
        }
    }

    /// Returns the events so far, for the thread that polls regularly.
    pub(super) fn poll_due(&mut self) -> Vec<FileEvent> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(inotify) => inotify.drain(),
            Self::Polling(polling) => polling.poll_due(),
            #[cfg(not(target_os = "linux"))]
            Self::Notify(polling, _) => polling.poll_due(),
        }
    }

    /// Returns the descriptor that new events make readable, and the time until the next poll.
    pub(super) fn wake_sources(&self) -> (Option<RawFd>, Option<Duration>) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(inotify) => (Some(inotify.fd()), None),
            Self::Polling(polling) => (None, Some(polling.due())),
            #[cfg(not(target_os = "linux"))]
            Self::Notify(..) => (None, None),
        }
    }

    /// Returns the part that compares time stamps, if there is one.
    pub(super) fn polling(&mut self) -> Option<&mut PollBackend> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Inotify(_) => None,
            Self::Polling(polling) => Some(polling),
            #[cfg(not(target_os = "linux"))]
            Self::Notify(polling, _) => Some(polling),
        }
    }
}

/// Waits until one of the descriptors is readable, or until the timeout.
pub(super) fn wait_readable(fds: &[Option<RawFd>], timeout: Option<Duration>) {
    let poll = |fd: &RawFd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 };
    let mut fds: Vec<libc::pollfd> = fds.iter().flatten().map(poll).collect();
    let count = libc::nfds_t::try_from(fds.len()).expect("there are two at most");
    #[cfg(target_os = "linux")]
    {
        let time = timeout.map(|timeout| libc::timespec {
            tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
        });
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the pointer and the count are from a vector that outlives the call, as does
        // the time; no signal mask is given.
        unsafe { libc::ppoll(fds.as_mut_ptr(), count, time, std::ptr::null()) };
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Rounded up: an early return would cause a useless round.
        let ms = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: the pointer and the count are from a vector that outlives the call.
        unsafe { libc::poll(fds.as_mut_ptr(), count, ms) };
    }
}
