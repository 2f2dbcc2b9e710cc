//! Turns what happens below the python dir, and to what the code read, into hints.
//!
//! A hint says where something may have changed; what did is for others to find out. The kernel
//! tells (`kernel.rs`), or where it does not, time stamps are compared (`polling.rs`). Reads no
//! source, and knows nothing of Python.

mod concern;
mod filesystem;
mod ignoring;
#[cfg(target_os = "linux")]
mod kernel;
mod polling;
pub(super) mod tree;

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use concern::Concern;
use polling::Polling;

/// Names how to watch: `auto` or `poll`.
const VARIABLE: &str = "SNAXUM_WATCH";

/// Something happened to a file or directory that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Whether it came or went, so that its directory has another list now.
    pub(super) is_entry: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody writes, and it will be told when that is over.
    Begun,
    /// Somebody wrote, and may go on.
    Changed,
    /// The writer is done: it closed the file, or moved it into place.
    Finished,
    /// Removed, or moved away.
    Gone,
    /// A directory came, went or became another one.
    Directory,
    /// Nobody knows what: look at everything.
    Everything,
}

impl Hint {
    /// For when nobody knows what happened.
    pub(super) fn everything() -> Self {
        Self { path: PathBuf::new(), kind: Kind::Everything, is_entry: false }
    }
}

/// Watches as long as it lives. One thread waits; requests may look at any time.
pub(super) struct Watcher {
    root: PathBuf,
    state: Mutex<State>,
    /// Called with each piece of news, before anybody else can look and find none.
    mark: Box<dyn Fn() + Send + Sync>,
    bell: UnixStream,
    ear: UnixStream,
    stopped: AtomicBool,
}

struct State {
    eyes: Eyes,
    concern: Concern,
    pending: Vec<Hint>,
}

enum Eyes {
    #[cfg(target_os = "linux")]
    Kernel(kernel::Kernel),
    Polling(Polling),
    /// The system rings the bell when something happened, and time stamps say what.
    #[cfg(not(target_os = "linux"))]
    Woken(Polling, notify::RecommendedWatcher),
}

impl Watcher {
    /// Watches what is below `root` and not ignored, and whether `root` is replaced.
    pub(super) fn start(root: &Path, mark: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let eyes = Eyes::open(root, &bell)?;
        let concern = Concern::new(root);
        let watcher = Self {
            root: root.to_owned(),
            state: Mutex::new(State { eyes, concern, pending: Vec::new() }),
            mark: Box::new(mark),
            bell,
            ear,
            stopped: AtomicBool::new(false),
        };
        if let Some(parent) = root.parent() {
            watcher.watch(parent);
        }
        watcher.cover_all();
        Ok(watcher)
    }

    /// Finds out whether something has happened, for a request that cannot wait for the thread.
    pub(super) fn look(&self) {
        let asked = Instant::now();
        let mut state = self.lock();
        if self.gather(&mut state, asked) {
            drop(state);
            self.ring();
        }
    }

    /// What has happened and nobody has taken yet.
    pub(super) fn take(&self) -> Vec<Hint> {
        let asked = Instant::now();
        let mut state = self.lock();
        self.gather(&mut state, asked);
        std::mem::take(&mut state.pending)
    }

    /// The same, and if that is nothing waits: until `until`, or for ever, or for [`Self::stop`].
    pub(super) fn wait(&self, until: Option<Instant>) -> Vec<Hint> {
        loop {
            let hints = self.take();
            let now = Instant::now();
            let is_over = until.is_some_and(|until| until <= now) || self.is_stopped();
            if is_over || !hints.is_empty() {
                return hints;
            }
            let (fd, due) = self.lock().eyes.news();
            let left = until.map(|until| until - now);
            wait_for(&[Some(self.ear.as_raw_fd()), fd], [left, due].into_iter().flatten().min());
            let mut heard = [0; 64];
            while (&self.ear).read(&mut heard).is_ok_and(|count| count == heard.len()) {}
        }
    }

    /// Watches anew what has the name of this directory now. Whether it can hold code, or did.
    pub(super) fn cover(&self, directory: &Path) -> bool {
        let was_watched = self.lock().eyes.remove_below(directory);
        self.walk(directory) || was_watched
    }

    /// Watches directories that came unheard.
    pub(super) fn cover_all(&self) {
        self.walk(&self.root);
    }

    /// Watches all that is below and not ignored. Whether there is code in it.
    fn walk(&self, directory: &Path) -> bool {
        if !directory.is_dir() || self.lock().eyes.polling().is_some() {
            return false;
        }
        let found = tree::walk(&self.root, directory, |directory| self.watch(directory));
        let besides = self.lock().concern.link(found.links);
        for directory in besides {
            self.watch(&directory);
        }
        !found.sources.is_empty()
    }

    /// Watches what the code was made from besides itself, and ignores what it writes.
    pub(super) fn follow(&self, inputs: &[String], outputs: &[String]) {
        let mut state = self.lock();
        let State { eyes, concern, .. } = &mut *state;
        let new = concern.follow(inputs, outputs);
        if let Some(polling) = eyes.polling() {
            polling.follow(concern.inputs());
        }
        drop(state);
        for directory in new {
            self.watch(&directory);
        }
    }

    /// Ends the waiting, once and for all.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn watch(&self, directory: &Path) {
        let mut state = self.lock();
        let Err(problem) = state.eyes.add(directory) else { return };
        tracing::warn!("{problem}; looking every 250 ms instead");
        let mut polling = Polling::new(&self.root);
        polling.follow(state.concern.inputs());
        state.eyes = Eyes::Polling(polling);
        // What had been queued is lost.
        state.pending.push(Hint::everything());
        (self.mark)();
    }

    /// Adds what is new to the pending hints; whether there was any.
    fn gather(&self, state: &mut State, asked: Instant) -> bool {
        let news = state.eyes.drain(asked);
        if news.is_empty() {
            return false;
        }
        let before = state.pending.len();
        for hint in news {
            state.concern.keep(hint, &mut state.pending);
        }
        let is_news = state.pending.len() > before;
        if is_news {
            (self.mark)();
        }
        is_news
    }

    fn ring(&self) {
        // A full pipe wakes just as well.
        let _ = (&self.bell).write(&[0]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Eyes {
    fn open(root: &Path, bell: &UnixStream) -> io::Result<Self> {
        let wish = std::env::var(VARIABLE).unwrap_or_default();
        match &*wish {
            "poll" => {
                tracing::info!("watching by looking every 250 ms, as {VARIABLE} says");
                return Ok(Self::Polling(Polling::new(root)));
            }
            "" | "auto" => {}
            _ => tracing::warn!("{VARIABLE} is `{wish}`; known are `auto` and `poll`"),
        }
        if let Some(name) = filesystem::silent(root) {
            tracing::warn!("{name} does not tell of changes; looking every 250 ms instead");
            return Ok(Self::Polling(Polling::new(root)));
        }
        Self::told(root, bell)
    }

    #[cfg(target_os = "linux")]
    fn told(root: &Path, _: &UnixStream) -> io::Result<Self> {
        Ok(kernel::Kernel::new().map_or_else(
            |error| {
                tracing::warn!(
                    "cannot watch files: {error}; raise it with `sysctl \
                     fs.inotify.max_user_instances=512`; looking every 250 ms instead"
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
    fn add(&mut self, directory: &Path) -> Result<(), String> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => match kernel.add(directory) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    Err("more directories than the system lets one user watch; raise it with \
                         `sysctl fs.inotify.max_user_watches=524288`"
                        .to_owned())
                }
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

    fn remove_below(&mut self, directory: &Path) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => kernel.remove_below(directory),
            _ => true,
        }
    }

    fn drain(&mut self, asked: Instant) -> Vec<Hint> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => kernel.drain(),
            Self::Polling(polling) => polling.look_for(asked),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(polling, _) => polling.look_for(asked),
        }
    }

    /// What becomes readable with news, and how long until somebody must look.
    fn news(&self) -> (Option<RawFd>, Option<Duration>) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(kernel) => (Some(kernel.fd()), None),
            Self::Polling(polling) => (None, Some(polling.due())),
            #[cfg(not(target_os = "linux"))]
            Self::Woken(..) => (None, None),
        }
    }

    fn polling(&mut self) -> Option<&mut Polling> {
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
fn wait_for(fds: &[Option<RawFd>], timeout: Option<Duration>) {
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
