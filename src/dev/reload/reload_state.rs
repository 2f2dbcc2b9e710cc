//! The states of the reload thread, and the changes that wait for a reload. Does nothing itself.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::commands::ManualReload;
use super::debounce::Debouncer;

/// The state of the reload thread. In `Waiting` and `Paused` the gate is open.
pub(super) enum ReloadState {
    /// Files may have changed before they were watched. Dropping the sender ends the wait of
    /// the start.
    Starting(SyncSender<()>),
    /// Nothing has changed.
    Waiting,
    /// Reloading is paused, or waits for a build; the batch has the changes so far.
    Paused(Debouncer),
    /// Files are being saved.
    Collecting(PendingReload),
    /// The save seems to be complete.
    Reloading(PendingReload),
    /// A file does not parse, and its writer may not be done until this time.
    Held(PendingReload, Instant),
}

/// The changes and the manual commands that one reload serves.
pub(super) struct PendingReload {
    pub(super) batch: Debouncer,
    pub(super) manual: Vec<ManualReload>,
    /// Whether an attempt was overtaken by more files.
    pub(super) is_repeated: bool,
}

impl PendingReload {
    pub(super) fn new(batch: Debouncer) -> Self {
        Self { batch, manual: Vec::new(), is_repeated: false }
    }
}
