//! Turns what happens below the python dir, and to what the code read, into hints.
//!
//! A hint says where something may have changed; what did is for others to find out. The kernel
//! tells (`kernel.rs`), or where it does not, time stamps are compared (`polling.rs`). Reads no
//! source, and knows nothing of Python.

mod backend;
mod filter;
mod ignore;
#[cfg(target_os = "linux")]
mod inotify;
mod network_fs;
mod poll;
pub(super) mod walk;

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use backend::{Eyes, INSTEAD};
use filter::Concern;
use poll::Polling;

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
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only inotify tells"))]
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
    /// Called when a style sheet was saved that no code was made from.
    style_saved: Box<dyn Fn() + Send + Sync>,
    bell: UnixStream,
    ear: UnixStream,
    called: AtomicBool,
    stopped: AtomicBool,
}

struct State {
    eyes: Eyes,
    concern: Concern,
    pending: Vec<Hint>,
}

impl Watcher {
    /// Watches what is below `root` and not ignored, and whether `root` is replaced.
    pub(super) fn start(
        root: &Path,
        mark: impl Fn() + Send + Sync + 'static,
        style_saved: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let eyes = Eyes::open(root, &bell)?;
        let concern = Concern::new(root);
        let watcher = Self {
            root: root.to_owned(),
            state: Mutex::new(State { eyes, concern, pending: Vec::new() }),
            mark: Box::new(mark),
            style_saved: Box::new(style_saved),
            bell,
            ear,
            called: AtomicBool::new(false),
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
        let news = state.eyes.look_for(asked);
        if self.keep(news, &mut state) {
            drop(state);
            self.ring();
        }
    }

    /// What has happened and nobody has taken yet.
    pub(super) fn take(&self) -> Vec<Hint> {
        let mut state = self.lock();
        let news = state.eyes.look_in_turn();
        self.keep(news, &mut state);
        std::mem::take(&mut state.pending)
    }

    /// The same, and if that is nothing waits: until `until`, or for ever, or for [`Self::call`] or
    /// [`Self::stop`].
    pub(super) fn wait(&self, until: Option<Instant>) -> Vec<Hint> {
        loop {
            let hints = self.take();
            let now = Instant::now();
            let is_over = until.is_some_and(|until| until <= now) || self.is_stopped();
            let is_called = self.called.swap(false, Ordering::AcqRel);
            if is_over || is_called || !hints.is_empty() {
                return hints;
            }
            let (fd, due) = self.lock().eyes.news();
            let left = until.map(|until| until - now);
            backend::wait_for(
                &[Some(self.ear.as_raw_fd()), fd],
                [left, due].into_iter().flatten().min(),
            );
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
        let found = walk::walk(&self.root, directory, |directory| self.watch(directory));
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
        let besides = concern.follow(inputs, outputs);
        if let Some(polling) = eyes.polling() {
            polling.follow(concern.inputs());
        }
        drop(state);
        for directory in besides {
            self.watch(&directory);
        }
    }

    /// Ends the waiting, this time or the next.
    pub(super) fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.ring();
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
        tracing::warn!("{problem}; {INSTEAD}");
        let mut polling = Polling::new(&self.root);
        polling.follow(state.concern.inputs());
        state.eyes = Eyes::Polling(polling);
        // What had been queued is lost.
        state.pending.push(Hint::everything());
        (self.mark)();
    }

    /// Adds what matters to the pending hints; whether there was any.
    fn keep(&self, news: Vec<Hint>, state: &mut State) -> bool {
        let before = state.pending.len();
        if news.iter().any(|hint| state.concern.is_style(hint)) {
            (self.style_saved)();
        }
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
