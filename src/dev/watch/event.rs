//! A file event. Plain data, which backends make and the filter reads.

use std::path::PathBuf;

/// A file or directory that may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dev) struct FileEvent {
    pub(in crate::dev) path: PathBuf,
    pub(in crate::dev) kind: FileEventKind,
    /// Whether it was created or removed, which changes the listing of its directory.
    pub(in crate::dev) is_entry: bool,
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev) enum FileEventKind {
    /// A program has opened it for writing; an event will report the end.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only inotify reports it"))]
    Opened,
    /// A program wrote to it; no event will report the end.
    Modified,
    /// Its writer has closed it, or moved it into place.
    Closed,
    /// Deleted, or moved elsewhere.
    Removed,
    /// A directory was created, removed or replaced.
    Directory,
    /// Any file may have changed.
    Rescan,
}

impl FileEvent {
    /// Reports that any file may have changed.
    pub(in crate::dev) fn rescan() -> Self {
        Self { path: PathBuf::new(), kind: FileEventKind::Rescan, is_entry: false }
    }
}
