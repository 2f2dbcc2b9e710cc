//! From hints to reloads: waits until a save is whole, compares contents, asks the runtime.
//!
//! A thread of its own; ends with its handle. It marks the gate before it looks at the files and
//! settles it after the reload, so no request passes between a save and its outcome.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::python_runtime::{Change, PythonRuntime};

use super::lookout::Lookout;
use super::tree::Tree;
use super::watcher::{Hint, Watcher};

/// Hints that may wait.
const MAX_HINTS: usize = 1024;
/// How long a file that its writer has not closed must be left alone.
const QUIET: Duration = Duration::from_millis(20);
/// How long to wait for a second file of the same save.
const QUIET_WHEN_FINISHED: Duration = Duration::from_millis(2);
/// A file that somebody holds open for writing does not hold up the others for longer.
const MAX_SETTLE: Duration = Duration::from_millis(150);

/// Reloads as long as it lives.
pub(super) struct Reloader {
    hints: SyncSender<Hint>,
    stopped: Arc<AtomicBool>,
}

impl Reloader {
    /// Starts watching the python dir of `runtime`, and puts a lookout on its gate.
    pub(super) fn start(runtime: &Arc<PythonRuntime>) -> Result<Self, Error> {
        let root = runtime.config().python_dir.clone();
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| Error::Io { what, source }
        };
        let (hints, received) = sync_channel(MAX_HINTS);
        let watcher = Watcher::start(&root, hints.clone())?;
        let lookout = Arc::new(Lookout::new().map_err(io("cannot watch files"))?);
        runtime.gate().post({
            let (lookout, hints) = (Arc::clone(&lookout), hints.clone());
            move |gate| {
                // Marked before another request can look and find nothing, and before the hints
                // go out: whoever deals with them must find it marked.
                let seen = lookout.look_and(|seen| {
                    if !seen.is_empty() {
                        gate.mark_dirty();
                    }
                });
                for hint in seen {
                    let _ = hints.try_send(hint);
                }
            }
        });
        let stopped = Arc::new(AtomicBool::new(false));
        let work = Work {
            runtime: Arc::downgrade(runtime),
            tree: Tree::read(&root, |directory| lookout.add(directory)),
            root,
            watcher,
            lookout,
            hints: received,
            stopped: Arc::clone(&stopped),
        };
        std::thread::Builder::new()
            .name("reloader".into())
            .spawn(|| work.run())
            .map_err(io("cannot start the reloader"))?;
        Ok(Self { hints, stopped })
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread; if the queue is full it is awake.
        let _ = self.hints.try_send(Hint { path: PathBuf::new(), finished: true });
    }
}

struct Work {
    runtime: Weak<PythonRuntime>,
    root: PathBuf,
    tree: Tree,
    watcher: Watcher,
    lookout: Arc<Lookout>,
    hints: Receiver<Hint>,
    stopped: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) {
        if let Some(runtime) = self.runtime.upgrade() {
            // What changed while Python was starting was not watched.
            let late = self.tree.written_since(runtime.serving().last_reload.time);
            if !late.is_empty() {
                runtime.reload(Change {
                    cause: "save",
                    paths: Some(late),
                    since: Instant::now(),
                    is_partial: false,
                });
            }
        }
        while let Ok(first) = self.hints.recv() {
            let Some(runtime) = self.runtime.upgrade() else { return };
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            runtime.gate().mark_dirty();
            let since = Instant::now();
            if self.settle(first, since) {
                self.watcher.watch_again();
            }
            // Counted, and the lookout emptied, before the files are read: what changes later is
            // dealt with in the next round.
            let changes = runtime.gate().changes();
            drop(self.lookout.look());
            let found = Tree::read(&self.root, |directory| self.lookout.add(directory));
            let files = found.changes_since(&self.tree);
            self.tree = found;
            if !files.is_empty() {
                runtime.reload(Change {
                    cause: "save",
                    paths: Some(files),
                    since,
                    is_partial: false,
                });
            }
            runtime.gate().settle(changes);
        }
    }

    /// Waits until every file that was begun is finished, or was left alone for a moment. Tells
    /// whether the root itself was moved, removed or made.
    fn settle(&self, first: Hint, since: Instant) -> bool {
        let mut open = HashSet::new();
        let mut root_changed = false;
        let mut note = |hint: Hint| {
            root_changed |= is_same(&hint.path, &self.root);
            let _ = if hint.finished { open.remove(&hint.path) } else { open.insert(hint.path) };
            if open.is_empty() { QUIET_WHEN_FINISHED } else { QUIET }
        };
        let mut quiet = note(first);
        while since.elapsed() < MAX_SETTLE {
            match self.hints.recv_timeout(quiet) {
                Ok(hint) => quiet = note(hint),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        root_changed
    }
}

fn is_same(path: &Path, root: &Path) -> bool {
    path.components().eq(root.components())
}
