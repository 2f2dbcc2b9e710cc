//! The file events that come while a reload runs: whether they belong to the same save.
//!
//! Python asks before the new code serves, and compares the files. Every event is stored for the
//! reload thread. Never decides alone that a reload is overtaken.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::dev::watch::{FileEvent, FileEventKind, Watcher};
use crate::sync::Mutex;

use super::debounce::Debouncer;

pub(super) struct LateEvents {
    watcher: Arc<Watcher>,
    /// The save that is being reloaded.
    save: Debouncer,
    events: Mutex<Vec<FileEvent>>,
}

impl LateEvents {
    pub(super) fn new(watcher: &Arc<Watcher>, save: &Debouncer) -> Self {
        let events = Mutex::new(Vec::new());
        Self { watcher: Arc::clone(watcher), save: save.clone(), events }
    }

    /// Returns the files that joined the save since it was read; `None` if any file may have changed.
    /// If the reload `is_long`, every file that changed counts. Waits until the save has been quiet
    /// for a moment.
    pub(super) fn newer_paths(&self, is_long: bool) -> Option<Vec<PathBuf>> {
        let newer = self.watcher.take_events_until(self.save.commits_at());
        let now = Instant::now();
        let is_newer = |event: &FileEvent| is_long || self.save.is_joined_by(&event.path, now);
        let joined = newer.iter().filter(|event| is_newer(event));
        let paths = joined
            .map(|event| (event.kind != FileEventKind::Rescan).then(|| event.path.clone()))
            .collect();
        self.events.lock().extend(newer);
        paths
    }

    /// Takes the events so far.
    pub(super) fn take(&self) -> Vec<FileEvent> {
        std::mem::take(&mut *self.events.lock())
    }
}
