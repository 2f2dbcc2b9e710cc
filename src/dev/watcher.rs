//! Turns file events below one directory into hints that something may have changed.
//!
//! Knows nothing of Python, and reads no file: which content changed is the reloader's question.
//! Directories are watched, so a file that an editor replaces is still seen.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::error::Error;

/// Something happened to a file or directory that matters.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) path: PathBuf,
    /// The writer is done: it closed the file, or moved it into place.
    pub(super) finished: bool,
}

/// Watches as long as it lives.
pub(super) struct Watcher {
    root: PathBuf,
    inner: RecommendedWatcher,
}

impl Watcher {
    /// Watches `root`, and the directory that it lies in. A hint that finds the queue full is
    /// dropped: so many are waiting that everything is looked at.
    pub(super) fn start(root: &Path, hints: SyncSender<Hint>) -> Result<Self, Error> {
        let base = root.to_owned();
        let on_event = move |event: notify::Result<Event>| {
            let event = event.unwrap_or_else(|error| {
                tracing::warn!("while watching {}: {error}", base.display());
                Event::new(EventKind::Other).add_path(base.clone())
            });
            for hint in hints_of(&base, event) {
                let _ = hints.try_send(hint);
            }
        };
        let failed = |error: notify::Error| Error::Io {
            what: format!("cannot watch `{}`", root.display()),
            source: std::io::Error::other(error),
        };
        let inner = notify::recommended_watcher(on_event).map_err(failed)?;
        let mut watcher = Self { root: root.to_owned(), inner };
        if let Some(parent) = root.parent() {
            watcher.inner.watch(parent, RecursiveMode::NonRecursive).map_err(failed)?;
        }
        watcher.inner.watch(root, RecursiveMode::Recursive).map_err(failed)?;
        Ok(watcher)
    }

    /// Watches the directory that has the root's name now: another one may have taken its place.
    pub(super) fn watch_again(&mut self) {
        let _ = self.inner.unwatch(&self.root); // it may be gone
        if let Err(error) = self.inner.watch(&self.root, RecursiveMode::Recursive)
            && self.root.exists()
        {
            tracing::warn!("cannot watch `{}`: {error}", self.root.display());
        }
    }
}

/// Whether a path below `root` can hold the user's code: no noise of editors, caches, tools.
pub(super) fn is_relevant(root: &Path, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(root) else { return false };
    inside.components().all(|part| is_relevant_name(part.as_os_str()))
}

/// Whether a file or directory of this name can.
pub(super) fn is_relevant_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    !name.starts_with('.') && !matches!(&*name, "__pycache__" | "node_modules")
}

/// Whether a file is a Python source.
pub(super) fn is_source(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("py"))
}

fn hints_of(root: &Path, event: Event) -> Vec<Hint> {
    let finished = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => true,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any => false,
        // The kernel lost events, or does not say which: look at everything.
        EventKind::Other => return vec![Hint { path: root.to_owned(), finished: true }],
    };
    // A directory may bring or take sources with it.
    let may_be_directory =
        !matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)));
    event
        .paths
        .into_iter()
        .filter(|path| is_relevant(root, path))
        .filter(|path| is_source(path) || (may_be_directory && path.extension().is_none()))
        .map(|path| Hint { path, finished })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, RemoveKind};

    fn hints(kind: EventKind, path: &str) -> usize {
        let root = Path::new("/p/python");
        hints_of(root, Event::new(kind).add_path(root.join(path))).len()
    }

    #[test]
    fn sources_and_directories_count_and_noise_does_not() {
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(hints(written, "app.py"), 1);
        assert_eq!(hints(EventKind::Remove(RemoveKind::Folder), "pkg"), 1);
        assert_eq!(hints(EventKind::Remove(RemoveKind::Folder), ""), 1, "the root itself");
        for noise in
            [".app.py.swp", "__pycache__/app.cpython-311.pyc", ".#app.py", "4913~", "data.csv"]
        {
            assert_eq!(hints(data, noise), 0, "{noise}");
        }
        let read = EventKind::Access(AccessKind::Open(AccessMode::Read));
        assert_eq!(hints(read, "app.py"), 0);
        assert_eq!(hints(EventKind::Create(CreateKind::File), ".git/index.lock"), 0);
        assert_eq!(hints(written, "../other.py"), 0, "beside the root");
    }
}
