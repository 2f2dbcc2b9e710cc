//! Reports file events: changes below the python dir, and in the files that the code read.
//!
//! An event names a path that may have changed; the reload compares contents. The kernel reports
//! events (`inotify.rs`); where it does not, time stamps are compared (`poll.rs`). Reads no source,
//! and knows nothing of Python.

mod backend;
mod event;
mod filter;
mod ignore;
#[cfg(target_os = "linux")]
mod inotify;
mod network_fs;
mod poll;
pub(super) mod walk;

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::message::LoadReport;
use crate::sync::{Mutex, MutexGuard};

use backend::{POLLING_INSTEAD, WatchBackend};
pub(super) use event::{FileEvent, FileEventKind};
pub(super) use filter::Asset;
use filter::EventFilter;
use poll::PollBackend;

/// Watches as long as it lives. One thread waits for events; requests may poll at any time.
pub(super) struct Watcher {
    root: PathBuf,
    state: Mutex<WatcherState>,
    /// Called for new events before another thread can read them.
    on_change: Box<dyn Fn() + Send + Sync>,
    /// Called for saved files of pages that no module read.
    on_asset_saved: Box<dyn Fn(Asset) + Send + Sync>,
    wake_tx: UnixStream,
    wake_rx: UnixStream,
    is_interrupted: AtomicBool,
    is_stopped: AtomicBool,
}

struct WatcherState {
    backend: WatchBackend,
    filter: EventFilter,
    pending: Vec<FileEvent>,
    /// The directories of loaded modules, and their parents: watched even if git ignores them.
    code_dirs: Arc<HashSet<PathBuf>>,
}

impl Watcher {
    /// Watches everything below `root` that is not ignored, and `root` itself for a replacement.
    pub(super) fn start(
        root: &Path,
        on_change: impl Fn() + Send + Sync + 'static,
        on_asset_saved: impl Fn(Asset) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (wake_tx, wake_rx) = UnixStream::pair()?;
        wake_tx.set_nonblocking(true)?;
        wake_rx.set_nonblocking(true)?;
        let backend = WatchBackend::open(root, &wake_tx)?;
        let filter = EventFilter::new(root);
        let watcher = Self {
            root: root.to_owned(),
            state: Mutex::new(WatcherState {
                backend,
                filter,
                pending: Vec::new(),
                code_dirs: Arc::default(),
            }),
            on_change: Box::new(on_change),
            on_asset_saved: Box::new(on_asset_saved),
            wake_tx,
            wake_rx,
            is_interrupted: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
        };
        if let Some(parent) = root.parent() {
            watcher.watch(parent);
        }
        watcher.watch_all();
        Ok(watcher)
    }

    /// Reads new events now, for a request that cannot wait for the thread.
    pub(super) fn poll_now(&self) {
        let called_at = Instant::now();
        let mut state = self.lock();
        let events = state.backend.poll_now(called_at);
        if self.queue(events, &mut state) {
            drop(state);
            self.wake();
        }
    }

    /// Takes the events so far.
    pub(super) fn take_events(&self) -> Vec<FileEvent> {
        let mut state = self.lock();
        let events = state.backend.poll_due();
        self.queue(events, &mut state);
        std::mem::take(&mut state.pending)
    }

    /// Takes the events so far. If there are none, waits for the first one, for `until`, for
    /// [`Self::interrupt`] or for [`Self::stop`].
    pub(super) fn wait(&self, until: Option<Instant>) -> Vec<FileEvent> {
        loop {
            let events = self.take_events();
            let now = Instant::now();
            let is_over = until.is_some_and(|until| until <= now) || self.is_stopped();
            let is_interrupted = self.is_interrupted.swap(false, Ordering::AcqRel);
            if is_over || is_interrupted || !events.is_empty() {
                return events;
            }
            let (fd, due) = self.lock().backend.wake_sources();
            let left = until.map(|until| until - now);
            backend::wait_readable(
                &[Some(self.wake_rx.as_raw_fd()), fd],
                [left, due].into_iter().flatten().min(),
            );
            let mut bytes = [0; 64];
            while (&self.wake_rx).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        }
    }

    /// Takes the events so far. If there are none, waits for the first one, or for `until`. Leaves
    /// interrupts to [`Self::wait`].
    pub(super) fn take_events_until(&self, until: Instant) -> Vec<FileEvent> {
        loop {
            let events = self.take_events();
            let now = Instant::now();
            if !events.is_empty() || until <= now || self.is_stopped() {
                return events;
            }
            let (fd, _) = self.lock().backend.wake_sources();
            backend::wait_readable(&[fd], Some(until - now));
        }
    }

    /// Watches the directory that has this name now. Returns whether it may contain code, or did.
    pub(super) fn watch_dir(&self, directory: &Path) -> bool {
        let was_watched = self.lock().backend.remove_below(directory);
        self.walk(directory) || was_watched
    }

    /// Watches new directories for which no event came.
    pub(super) fn watch_all(&self) {
        self.walk(&self.root);
    }

    /// Watches every directory below that is not ignored. Returns whether there is a source in it.
    fn walk(&self, directory: &Path) -> bool {
        if !directory.is_dir() || self.lock().backend.polling().is_some() {
            return false;
        }
        let code_dirs = Arc::clone(&self.lock().code_dirs);
        let watch = |directory: &Path| self.watch(directory);
        let found = walk::walk(&self.root, directory, &code_dirs, watch);
        let outside = self.lock().filter.add_links(found.links);
        for directory in outside {
            self.watch(&directory);
        }
        !found.sources.is_empty()
    }

    /// Watches the directories of the code and the files that it read, and ignores the files that it
    /// writes.
    pub(super) fn track_code(&self, report: &LoadReport) {
        let mut state = self.lock();
        let WatcherState { backend, filter, code_dirs, .. } = &mut *state;
        let mut directories = filter.track_files(&report.inputs, &report.outputs);
        let known = std::mem::replace(code_dirs, Arc::new(self.code_dirs(&report.code_dirs)));
        directories.extend(code_dirs.difference(&known).cloned());
        for directory in filter.track_assets(&report.asset_dirs) {
            // Its parent reports when another directory gets its name.
            directories.extend(directory.parent().map(Path::to_owned));
            directories.extend(asset_dirs_below(&directory).0);
        }
        if let Some(polling) = backend.polling() {
            polling.track_files(filter.inputs(), code_dirs);
            polling.track_assets(filter.asset_dirs());
        }
        drop(state);
        for directory in directories {
            self.watch(&directory);
        }
    }

    /// Ignores a file that the code writes, from its next event on.
    pub(super) fn add_output(&self, path: &Path) {
        self.lock().filter.add_output(path);
    }

    /// Adds the parents below the root.
    fn code_dirs(&self, directories: &[String]) -> HashSet<PathBuf> {
        let below = directories.iter().map(Path::new).filter(|path| path.starts_with(&self.root));
        let with_parents =
            below.flat_map(|path| path.ancestors().take_while(|it| *it != self.root));
        with_parents.map(Path::to_owned).collect()
    }

    /// Ends one wait: the current one, or the next.
    pub(super) fn interrupt(&self) {
        self.is_interrupted.store(true, Ordering::Release);
        self.wake();
    }

    /// Ends all waits.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn watch(&self, directory: &Path) {
        self.add_watch(directory, &mut self.lock());
    }

    fn add_watch(&self, directory: &Path, state: &mut WatcherState) {
        let Err(problem) = state.backend.add(directory) else { return };
        tracing::warn!("{problem}; {POLLING_INSTEAD}");
        let mut polling = PollBackend::new(&self.root);
        polling.track_files(state.filter.inputs(), &state.code_dirs);
        polling.track_assets(state.filter.asset_dirs());
        state.backend = WatchBackend::Polling(polling);
        // The queued events are lost.
        state.pending.push(FileEvent::rescan());
        (self.on_change)();
    }

    /// Queues the events that matter. Returns whether there were any.
    fn queue(&self, events: Vec<FileEvent>, state: &mut WatcherState) -> bool {
        let before = state.pending.len();
        let mut asset = events.iter().filter_map(|event| state.filter.asset(event)).max();
        for event in &events {
            if state.filter.is_asset_dir(event) {
                state.backend.remove_below(&event.path);
                let (directories, has_files) = asset_dirs_below(&event.path);
                for directory in directories {
                    self.add_watch(&directory, state);
                }
                if has_files {
                    asset = Some(Asset::File); // written before the directory was watched
                }
            }
        }
        if let Some(asset) = asset {
            (self.on_asset_saved)(asset);
        }
        for event in events {
            state.filter.filter(event, &mut state.pending);
        }
        let is_any = state.pending.len() > before;
        if is_any {
            (self.on_change)();
        }
        is_any
    }

    fn wake(&self) {
        // A full pipe wakes the thread too.
        let _ = (&self.wake_tx).write(&[0]);
    }

    fn lock(&self) -> MutexGuard<'_, WatcherState> {
        self.state.lock()
    }
}

/// Lists a directory of assets and all below it, and reports whether there is a file in them.
fn asset_dirs_below(directory: &Path) -> (Vec<PathBuf>, bool) {
    let mut directories = Vec::new();
    if directory.is_dir() {
        walk::walk(directory, directory, &HashSet::new(), |each| directories.push(each.to_owned()));
    }
    let is_file = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.path().is_file());
    let mut listings = directories.iter().filter_map(|each| fs::read_dir(each).ok());
    let has_files = listings.any(|mut entries| entries.any(is_file));
    (directories, has_files)
}
