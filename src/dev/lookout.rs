//! Tells at once whether a file has changed that the watcher has not reported yet.
//!
//! The watcher's thread needs a moment to wake up, and a request that comes right after a save may
//! be faster. The kernel has queued the event by the time the save returns, so a request asks here
//! before it passes the gate. Linux only looks at its queue (inotify); elsewhere the time stamps
//! of the known sources are compared. Never waits.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::watcher::Hint;

/// Sees changes in the directories it was told of.
pub(super) struct Lookout {
    inner: Mutex<imp::Inner>,
}

impl Lookout {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { inner: Mutex::new(imp::Inner::new()?) })
    }

    /// Looks at this directory from now on, too.
    pub(super) fn add(&self, directory: &Path) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).add(directory);
    }

    /// What changed since the last call; empty almost always.
    pub(super) fn look(&self) -> Vec<Hint> {
        self.look_and(|_| ())
    }

    /// The same; whoever looks next comes after `act`.
    pub(super) fn look_and(&self, act: impl FnOnce(&[Hint])) -> Vec<Hint> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let hints = inner.look();
        act(&hints);
        hints
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::collections::HashMap;
    use std::io;

    use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

    use super::super::watcher::{is_relevant_name, is_source};
    use super::{Hint, Path, PathBuf};

    pub(super) struct Inner {
        inotify: Inotify,
        directories: HashMap<WatchDescriptor, PathBuf>,
    }

    impl Inner {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { inotify: Inotify::init()?, directories: HashMap::new() })
        }

        pub(super) fn add(&mut self, directory: &Path) {
            let mask = WatchMask::CLOSE_WRITE
                | WatchMask::MODIFY
                | WatchMask::CREATE
                | WatchMask::DELETE
                | WatchMask::MOVE
                | WatchMask::DELETE_SELF
                | WatchMask::MOVE_SELF;
            // An error means that it is gone again, or that the watch limit is reached: the
            // watcher, which has the same limit, has said so.
            if let Ok(descriptor) = self.inotify.watches().add(directory, mask) {
                self.directories.insert(descriptor, directory.to_owned());
            }
        }

        pub(super) fn look(&mut self) -> Vec<Hint> {
            let mut hints = Vec::new();
            let mut gone = Vec::new();
            let mut buffer = [0; 4096];
            // Ends with an error that says that nothing more is queued.
            while let Ok(events) = self.inotify.read_events(&mut buffer) {
                for event in events {
                    if event.mask.contains(EventMask::IGNORED) {
                        gone.push(event.wd);
                        continue;
                    }
                    let path = match (self.directories.get(&event.wd), event.name) {
                        (Some(directory), Some(name)) if is_relevant_name(name) => {
                            directory.join(name)
                        }
                        (_, Some(_)) => continue,
                        // A directory itself, or a queue that ran over.
                        (directory, None) => directory.cloned().unwrap_or_default(),
                    };
                    let is_whole = event.name.is_none() || event.mask.contains(EventMask::ISDIR);
                    let being_written = EventMask::MODIFY | EventMask::CREATE;
                    if is_whole || is_source(&path) {
                        hints.push(Hint { path, finished: !event.mask.intersects(being_written) });
                    }
                }
            }
            for descriptor in gone {
                self.directories.remove(&descriptor);
            }
            hints
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io;
    use std::time::SystemTime;

    use super::super::watcher::is_source;
    use super::{Hint, Path, PathBuf};

    type Stamps = BTreeMap<PathBuf, (SystemTime, u64)>;

    pub(super) struct Inner {
        directories: BTreeMap<PathBuf, Stamps>,
    }

    impl Inner {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { directories: BTreeMap::new() })
        }

        pub(super) fn add(&mut self, directory: &Path) {
            self.directories.insert(directory.to_owned(), stamps(directory));
        }

        pub(super) fn look(&mut self) -> Vec<Hint> {
            let mut hints = Vec::new();
            for (directory, known) in &mut self.directories {
                let now = stamps(directory);
                if now != *known {
                    hints.push(Hint { path: directory.clone(), finished: true });
                    *known = now;
                }
            }
            hints
        }
    }

    fn stamps(directory: &Path) -> Stamps {
        let Ok(entries) = fs::read_dir(directory) else { return Stamps::new() };
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| is_source(path))
            .filter_map(|path| {
                let meta = fs::metadata(&path).ok()?;
                let stamp = (meta.modified().ok()?, meta.len());
                Some((path, stamp))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn looking_at(dir: &Path) -> Lookout {
        let lookout = Lookout::new().expect("the system has a queue for us");
        lookout.add(dir);
        lookout
    }

    #[test]
    fn a_save_is_seen_by_the_time_it_returns() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("app.py");
        let lookout = looking_at(dir.path());
        assert!(lookout.look().is_empty());

        for text in ["x = 1", "x = 22", "x = 333"] {
            fs::write(&path, text).expect("written");
            let hints = lookout.look();
            assert!(hints.last().is_some_and(|hint| hint.finished), "{hints:?}");
            assert!(lookout.look().is_empty(), "told once");
        }
        fs::remove_file(&path).expect("removed");
        assert!(!lookout.look().is_empty());
    }

    #[test]
    fn files_that_are_no_code_are_none_of_its_business() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let lookout = looking_at(dir.path());
        fs::write(dir.path().join("data.csv"), "1").expect("written");
        fs::write(dir.path().join(".app.py.swp"), "1").expect("written");
        assert!(lookout.look().is_empty());
    }
}
