//! Linux: what the kernel has queued about the watched directories (inotify).
//!
//! By the time a save returns its events are queued, so whoever asks next sees it. Knows
//! directories only, so a file that an editor replaces is still seen. Never waits.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask};

use super::{Hint, Kind};

pub(super) struct Kernel {
    inotify: Inotify,
    /// One directory may have several names, by way of symlinks.
    names: HashMap<WatchDescriptor, Vec<PathBuf>>,
}

impl Kernel {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { inotify: Inotify::init()?, names: HashMap::new() })
    }

    /// Watches a directory, but not what is in its directories.
    pub(super) fn add(&mut self, directory: &Path) -> io::Result<()> {
        // Neither opening nor reading counts, so the server's own reads wake nobody.
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

    /// Forgets a directory and all below: another one may have its name now. Whether there was
    /// anything to forget.
    pub(super) fn remove_below(&mut self, directory: &Path) -> bool {
        let mut was_watched = false;
        let mut watches = self.inotify.watches();
        self.names.retain(|descriptor, names| {
            let before = names.len();
            names.retain(|name| !name.starts_with(directory));
            was_watched |= names.len() < before;
            if names.is_empty() {
                let _ = watches.remove(descriptor.clone()); // it may be gone
            }
            !names.is_empty()
        });
        was_watched
    }

    /// What has happened since the last call; empty almost always.
    pub(super) fn drain(&mut self) -> Vec<Hint> {
        let mut hints = Vec::new();
        let mut buffer = [0; 4096];
        // Ends with an error that says that nothing more is queued.
        while let Ok(events) = self.inotify.read_events(&mut buffer) {
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    hints.push(Hint::everything());
                } else if event.mask.contains(EventMask::IGNORED) {
                    self.names.remove(&event.wd);
                } else {
                    let names = self.names.get(&event.wd).into_iter().flatten();
                    hints.extend(names.filter_map(|directory| self.hint(directory, &event)));
                }
            }
        }
        hints
    }

    /// Becomes readable when something has happened.
    pub(super) fn fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }

    fn hint(&self, directory: &Path, event: &Event<&std::ffi::OsStr>) -> Option<Hint> {
        let gone = EventMask::DELETE | EventMask::MOVED_FROM;
        let come = EventMask::CREATE | EventMask::MOVED_TO;
        let is_entry = event.mask.intersects(gone | come);
        let Some(name) = event.name else {
            let itself = EventMask::DELETE_SELF | EventMask::MOVE_SELF;
            return event.mask.intersects(itself).then(|| Hint {
                path: directory.to_owned(),
                kind: Kind::Directory,
                is_entry: true,
            });
        };
        let path = directory.join(name);
        let kind = if event.mask.contains(EventMask::ISDIR) {
            Kind::Directory
        } else if event.mask.intersects(gone) {
            // A symlink to a directory is no directory to the kernel.
            if self.is_watched(&path) { Kind::Directory } else { Kind::Gone }
        } else if event.mask.intersects(come) {
            came(&path, event.mask.contains(EventMask::MOVED_TO))
        } else if event.mask.contains(EventMask::CLOSE_WRITE) {
            Kind::Finished
        } else {
            Kind::Begun
        };
        Some(Hint { path, kind, is_entry })
    }

    fn is_watched(&self, path: &Path) -> bool {
        self.names.values().flatten().any(|name| name == path)
    }
}

fn came(path: &Path, is_moved: bool) -> Kind {
    let Ok(meta) = fs::symlink_metadata(path) else { return Kind::Gone };
    if meta.is_symlink() && path.is_dir() {
        Kind::Directory
    } else if is_moved || meta.is_symlink() || meta.nlink() > 1 {
        // A link is made whole; nobody will close it.
        Kind::Finished
    } else {
        Kind::Begun
    }
}
