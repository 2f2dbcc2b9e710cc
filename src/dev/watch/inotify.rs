//! Linux: reads the events that the kernel has queued for the watched directories (inotify).
//!
//! The events of a save are queued before the save returns, so the next read returns them. Watches
//! directories only, so a file that an editor replaces is still seen. Never waits.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask};

use super::event::{FileEvent, FileEventKind};

pub(super) struct InotifyBackend {
    inotify: Inotify,
    /// Symlinks may give one directory several names.
    names: HashMap<WatchDescriptor, Vec<PathBuf>>,
}

impl InotifyBackend {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { inotify: Inotify::init()?, names: HashMap::new() })
    }

    /// Watches a directory, but not its subdirectories.
    pub(super) fn add(&mut self, directory: &Path) -> io::Result<()> {
        // Without opens and reads: the server's own reads must not wake its thread.
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::MODIFY
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        let descriptor = self.inotify.watches().add(directory, mask)?;
        let names = self.names.entry(descriptor).or_default();
        if !names.iter().any(|name| name == directory) {
            names.push(directory.to_owned());
        }
        Ok(())
    }

    /// Stops watching a directory and all below: another one may have its name now. Returns whether
    /// any of it was watched.
    pub(super) fn remove_below(&mut self, directory: &Path) -> bool {
        let mut was_watched = false;
        let mut watches = self.inotify.watches();
        self.names.retain(|descriptor, names| {
            let before = names.len();
            names.retain(|name| !name.starts_with(directory));
            was_watched |= names.len() < before;
            if names.is_empty() {
                let _ = watches.remove(descriptor.clone()); // an error: it was removed
            }
            !names.is_empty()
        });
        was_watched
    }

    /// Returns the events since the last call; nearly always empty.
    pub(super) fn drain(&mut self) -> Vec<FileEvent> {
        let mut file_events = Vec::new();
        let mut buffer = [0; 4096];
        // Ends with an error once the queue is empty.
        while let Ok(events) = self.inotify.read_events(&mut buffer) {
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    file_events.push(FileEvent::rescan());
                } else if event.mask.contains(EventMask::IGNORED) {
                    self.names.remove(&event.wd);
                } else {
                    let names = self.names.get(&event.wd).into_iter().flatten();
                    file_events.extend(names.filter_map(|name| self.file_event(name, &event)));
                }
            }
        }
        file_events
    }

    /// The descriptor that new events make readable.
    pub(super) fn fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }

    fn file_event(&self, directory: &Path, event: &Event<&std::ffi::OsStr>) -> Option<FileEvent> {
        let removed = EventMask::DELETE | EventMask::MOVED_FROM;
        let created_mask = EventMask::CREATE | EventMask::MOVED_TO;
        let is_entry = event.mask.intersects(removed | created_mask);
        let Some(name) = event.name else {
            let itself = EventMask::DELETE_SELF | EventMask::MOVE_SELF;
            return event.mask.intersects(itself).then(|| FileEvent {
                path: directory.to_owned(),
                kind: FileEventKind::Directory,
                is_entry: true,
            });
        };
        let path = directory.join(name);
        let kind = if event.mask.contains(EventMask::ISDIR) {
            FileEventKind::Directory
        } else if event.mask.intersects(removed) {
            // A symlink to a directory is not a directory to the kernel.
            if self.is_watched(&path) { FileEventKind::Directory } else { FileEventKind::Removed }
        } else if event.mask.intersects(created_mask) {
            created(&path, event.mask.contains(EventMask::MOVED_TO))
        } else if event.mask.contains(EventMask::CLOSE_WRITE) {
            FileEventKind::Closed
        } else {
            FileEventKind::Opened
        };
        Some(FileEvent { path, kind, is_entry })
    }

    fn is_watched(&self, path: &Path) -> bool {
        self.names.values().flatten().any(|name| name == path)
    }
}

fn created(path: &Path, is_moved: bool) -> FileEventKind {
    let Ok(meta) = fs::symlink_metadata(path) else { return FileEventKind::Removed };
    if meta.is_symlink() && path.is_dir() {
        FileEventKind::Directory
    } else if is_moved || meta.is_symlink() || meta.nlink() > 1 {
        // A link is created complete, and no program will close it.
        FileEventKind::Closed
    } else {
        FileEventKind::Opened
    }
}
