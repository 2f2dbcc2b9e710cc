//! Waits for the next save while no server runs.
//!
//! For a process that starts a server again after a crash. Reads no source.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::watch::{FileEventKind, Watcher};

/// A watcher without a server.
pub struct SaveWatch(Watcher);

impl SaveWatch {
    /// Watches everything below `root`.
    ///
    /// # Errors
    ///
    /// The system provides no watcher.
    pub fn start(root: &Path) -> io::Result<Self> {
        Watcher::start(root, || (), |_| ()).map(Self)
    }

    /// Forgets the saves so far.
    pub fn clear(&self) {
        self.0.take_events();
    }

    /// Blocks until the next save, at most for `limit`; returns whether there was one.
    pub fn wait(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let events = self.0.wait(Some(until));
            // A file that is open for writing may still be empty.
            if events.iter().any(|event| event.kind != FileEventKind::Opened) {
                return true;
            }
            if events.is_empty() {
                return false;
            }
        }
    }
}

impl std::fmt::Debug for SaveWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaveWatch").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_ends_the_wait() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("app.py");
        std::fs::write(&file, "a = 1\n").expect("written");
        let watch = SaveWatch::start(dir.path()).expect("a watcher");
        watch.clear();
        assert!(!watch.wait(Duration::ZERO));
        std::fs::write(&file, "a = 2\n").expect("written");
        assert!(watch.wait(Duration::from_secs(20)));
    }
}
