//! The file events that come while a reload runs: whether they belong to the same save.
//!
//! Python asks before the new code serves, and compares the files. Every event is stored for the
//! reload thread. Never decides alone that a reload is overtaken.

use std::collections::BTreeMap;
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
        let paths = changed_paths(joined);
        self.events.lock().extend(newer);
        paths
    }

    /// Takes the events so far.
    pub(super) fn take(&self) -> Vec<FileEvent> {
        std::mem::take(&mut *self.events.lock())
    }
}

/// Returns the files of these events; `None` if any file may have changed, or one is open for writing: the
/// attempt may have read half of it, and its content is still the same.
fn changed_paths<'a>(events: impl Iterator<Item = &'a FileEvent>) -> Option<Vec<PathBuf>> {
    let mut last = BTreeMap::new();
    for event in events {
        last.insert(&event.path, event.kind);
    }
    let is_known = |kind| !matches!(kind, FileEventKind::Rescan | FileEventKind::Opened);
    last.into_iter().map(|(path, kind)| is_known(kind).then(|| path.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use FileEventKind::{Closed, Opened, Removed, Rescan};

    fn changed(events: &[(&str, FileEventKind)]) -> Option<Vec<PathBuf>> {
        let event =
            |&(path, kind): &_| FileEvent { path: PathBuf::from(path), kind, is_entry: false };
        let events: Vec<_> = events.iter().map(event).collect();
        changed_paths(events.iter())
    }

    #[test]
    fn a_file_that_is_open_for_writing_ends_the_attempt() {
        assert_eq!(changed(&[]), Some(vec![]));
        let closed = changed(&[("b", Opened), ("a", Removed), ("b", Closed)]);
        assert_eq!(closed, Some(vec!["a".into(), "b".into()]));
        assert_eq!(changed(&[("a", Closed), ("b", Opened)]), None);
        assert_eq!(changed(&[("a", Closed), ("", Rescan)]), None);
    }
}
