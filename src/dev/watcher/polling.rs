//! Finds out by comparing time stamps, where nobody tells: on network mounts, where the watches
//! run out, and on systems whose news come late.
//!
//! Says which files may have changed; their content is read elsewhere. Looks only when asked.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::{Hint, Kind, tree};

/// How often to look, where a look is cheap.
const INTERVAL: Duration = Duration::from_millis(250);
/// How much longer than a look the time between two looks is, at least.
const SHARE: u32 = 10;
/// A look that takes longer is not made again for every request, even if one comes too late.
const CHEAP: Duration = Duration::from_millis(50);
/// A file that was written this short before a look may be written again with the same time stamp.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Modification, change of any kind, size, inode. `None`: it is too early to say.
type Stamp = Option<(SystemTime, (i64, i64), u64, u64)>;
type Stamps = BTreeMap<PathBuf, Stamp>;

pub(super) struct Polling {
    root: PathBuf,
    directories: Stamps,
    files: Stamps,
    inputs: HashSet<PathBuf>,
    began: Instant,
    took: Duration,
}

impl Polling {
    /// Remembers how everything below `root` looks now.
    pub(super) fn new(root: &Path) -> Self {
        let mut polling = Self {
            root: root.to_owned(),
            directories: Stamps::new(),
            files: Stamps::new(),
            inputs: HashSet::new(),
            began: Instant::now(),
            took: Duration::ZERO,
        };
        polling.look();
        polling
    }

    /// Looks at these, too: files, and directories whose list counts.
    pub(super) fn follow(&mut self, inputs: &HashSet<PathBuf>) {
        for path in inputs.difference(&self.inputs) {
            if let Some(stamp) = stamp(path) {
                self.files.insert(path.clone(), stamp);
            }
        }
        self.inputs.clone_from(inputs);
    }

    /// What changed since the last look.
    pub(super) fn look(&mut self) -> Vec<Hint> {
        let started = Instant::now();
        let is_same =
            |(path, before): (&PathBuf, &Stamp)| before.is_some() && stamp(path) == Some(*before);
        let is_known = !self.directories.is_empty();
        let (directories, files) = if is_known && self.directories.iter().all(is_same) {
            let now = self.files.keys().chain(&self.inputs).cloned();
            (None, stamps(now))
        } else {
            let mut directories = Stamps::new();
            let found = tree::walk(&self.root, &self.root, |directory| {
                if let Some(stamp) = stamp(directory) {
                    directories.insert(directory.to_owned(), stamp);
                }
            });
            let parent = self.root.parent().map(Path::to_owned);
            directories.extend(stamps(parent.into_iter().chain([self.root.clone()])));
            let now = found.sources.into_iter().chain(self.inputs.iter().cloned());
            (Some(directories), stamps(now))
        };
        let hint = |path: &PathBuf, kind| Hint { path: path.clone(), kind, is_entry: true };
        let changed =
            files.iter().filter(|(path, now)| self.files.get(*path) != Some(now) || now.is_none());
        let gone = self.files.keys().filter(|path| !files.contains_key(*path));
        let hints = changed
            .map(|(path, _)| hint(path, Kind::Changed))
            .chain(gone.map(|path| hint(path, Kind::Gone)))
            .collect();
        self.directories = directories.unwrap_or_else(|| std::mem::take(&mut self.directories));
        self.files = files;
        self.began = started;
        self.took = started.elapsed();
        hints
    }

    /// The same for somebody who asked at `asked`, and may have waited for another one's look.
    pub(super) fn look_for(&mut self, asked: Instant) -> Vec<Hint> {
        let is_answered = asked < self.began;
        if is_answered || (self.took > CHEAP && self.began.elapsed() < self.took * SHARE) {
            return Vec::new();
        }
        self.look()
    }

    /// How long until the next look is due.
    pub(super) fn due(&self) -> Duration {
        INTERVAL.max(self.took * SHARE).saturating_sub(self.began.elapsed())
    }
}

fn stamps(paths: impl Iterator<Item = PathBuf>) -> Stamps {
    paths.filter_map(|path| stamp(&path).map(|stamp| (path, stamp))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    let modified = meta.modified().ok()?;
    // A time in the future is the doing of another machine's clock.
    let is_settled = modified.elapsed().map_or(true, |age| age > CLOCK_TICK);
    let changed = (meta.ctime(), meta.ctime_nsec());
    Some(is_settled.then(|| (modified, changed, meta.len(), meta.ino())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_of_equal_size_right_after_another_is_seen() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("app.py");
        let mut polling = Polling::new(dir.path());
        for text in ["x = 1", "x = 2", "x = 3"] {
            fs::write(&path, text).expect("written");
            let hints = polling.look_for(Instant::now());
            assert!(hints.iter().any(|hint| hint.path == path), "{text}: {hints:?}");
        }
        fs::remove_file(&path).expect("removed");
        assert!(polling.look_for(Instant::now()).iter().any(|hint| hint.kind == Kind::Gone));
    }

    #[test]
    fn a_quiet_tree_gives_no_hints() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("app.py");
        fs::write(&path, "x = 1").expect("written");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&path).and_then(|file| file.set_modified(long_ago)).expect("set");
        let mut polling = Polling::new(dir.path());
        assert!(polling.look().is_empty());
    }
}
