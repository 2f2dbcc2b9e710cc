//! The ways to learn that something happened, and which of them this machine has.
//!
//! The kernel's queue on Linux; time stamps where nobody tells; elsewhere both, the one to wake up
//! and the other to see. Decides once, at the start, unless the watches run out.

use std::io;
#[cfg(not(target_os = "linux"))]
use std::io::Write;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use super::inotify;
use super::poll::Polling;
use super::{Hint, network_fs};

/// Names how to watch: `auto` or `poll`.
const VARIABLE: &str = "SNAXUM_WATCH";
/// What is done where nobody tells.
pub(super) const INSTEAD: &str = "looking every 250 ms instead";

pub(super) enum Eyes {
    #[cfg(target_os = "linux")]
    Kernel(inotify::Kernel),
    Polling(Polling),
    /// The system rings the bell when something happened, and time stamps say what.
    #[cfg(not(target_os = "linux"))]
    Woken(Polling, notify::RecommendedWatcher),
}

impl Eyes {
    pub(super) fn open(root: &Path, bell: &UnixStream) -> io::Result<Self> {
        let wish = std::env::var(VARIABLE).unwrap_or_default();
        match &*wish {
            "poll" => {
                tracing::info!("{INSTEAD}, as {VARIABLE} says");
                return Ok(Self::Polling(Polling::new(root)));
            }
            "" | "auto" => {}
            _ => tracing::warn!("{VARIABLE} is `{wish}`; known are `auto` and `poll`"),
        }
        if let Some(name) = network_fs::silent(root) {
            tracing::warn!("{name} does not tell of changes; {INSTEAD}");
            return Ok(Self::Polling(Polling::new(root)));
        }
        Self::told(root, bell)
    }

    #[cfg(target_os = "linux")]
    fn told(root: &Path, _: &UnixStream) -> io::Result<Self> {
        Ok(inotify::Kernel::new().map_or_else(
            |error| {
                tracing::warn!(
                    "cannot watch files: {error}; raise the limit with `sysctl \
                     fs.inotify.max_user_instances=512`; {INSTEAD}"
                );
                Self::Polling(Polling::new(root))
            },
            Self::Kernel,
        ))
    }

    #[cfg(not(target_os = "linux"))]
    fn told(root: &Path, bell: &UnixStream) -> io::Result<Self> {
        use notify::Watcher as _;

        let bell = bell.try_clone()?;
        let ring = move |_| drop((&bell).write(&[0]));
        let mut watcher = notify::recommended_watcher(ring).map_err(io::Error::other)?;
        watcher.watch(root, notify::RecursiveMode::Recursive).map_err(io::Error::other)?;
        Ok(Self::Woken(Polling::new(root), watcher))
    }

    /// Watches a directory too; an error means that no more can be watched, and says why.
    pub(super) fn add(&mut self, directory: &Path) -> Result<(), String> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => match kernel.add(directory) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => Err(
                    "more directories than the system lets one user watch; raise the limit with \
                         `sysctl fs.inotify.max_user_watches=524288`"
                        .to_owned(),
                ),
                // It is gone again, or is none of ours to read.
                _ => Ok(()),
            },
            Self::Polling(_) => Ok(()),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(_, watcher) => {
                use notify::Watcher as _;
                let _ = watcher.watch(directory, notify::RecursiveMode::NonRecursive);
                Ok(())
            }
        }
    }

    /// Forgets a directory and all below. Whether there may have been anything to forget.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "all is watched"))]
    pub(super) fn remove_below(&mut self, directory: &Path) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => kernel.remove_below(directory),
            _ => true,
        }
    }

    /// What has happened by now, for somebody who asked at `asked`; empty almost always.
    pub(super) fn look_for(&mut self, asked: Instant) -> Vec<Hint> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => kernel.drain(),
            Self::Polling(polling) => polling.look_for(asked),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(polling, _) => polling.look_for(asked),
        }
    }

    /// The same for the one who keeps looking.
    pub(super) fn look_in_turn(&mut self) -> Vec<Hint> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => kernel.drain(),
            Self::Polling(polling) => polling.look_in_turn(),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(polling, _) => polling.look_in_turn(),
        }
    }

    /// What becomes readable with news, and how long until somebody must look.
    pub(super) fn news(&self) -> (Option<RawFd>, Option<Duration>) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => (Some(kernel.fd()), None),
            Self::Polling(polling) => (None, Some(polling.due())),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(..) => (None, None),
        }
    }

    /// Where time stamps count.
    pub(super) fn polling(&mut self) -> Option<&mut Polling> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(_) => None,
            Self::Polling(polling) => Some(polling),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(polling, _) => Some(polling),
        }
    }
}

/// Waits until one of these is readable, or for so long.
pub(super) fn wait_for(fds: &[Option<RawFd>], timeout: Option<Duration>) {
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
        // SAFETY: the pointer and the count are those of a vector that outlives the call, as does
        // the time; no signal mask is given.
        unsafe { libc::ppoll(fds.as_mut_ptr(), count, time, std::ptr::null()) };
    }
    #[cfg(not(target_os = "linux"))]
    {
        // Rounded up: too early means another round for nothing.
        let ms = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: the pointer and the count are those of a vector that outlives the call.
        unsafe { libc::poll(fds.as_mut_ptr(), count, ms) };
    }
}
