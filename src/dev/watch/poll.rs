//! Finds out by comparing time stamps, where nobody tells: on network mounts, where the watches
//! run out, and on systems whose news come late.
//!
//! Says which files may have changed; their content is read elsewhere. Looks only when asked.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::{Hint, Kind, walk};

/// How often to look, where a look is cheap.
const INTERVAL: Duration = Duration::from_millis(250);
/// How much longer than a look the time between two looks is, at least.
const SHARE: u32 = 10;
/// A look that takes longer is not made again for every request, even if one comes too late.
const CHEAP: Duration = Duration::from_millis(50);
/// A file that was written this short before a look may be written again with the same time stamp.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// How a file or directory looks from outside.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    len: u64,
    inode: u64,
    /// Whether another write would show.
    is_settled: bool,
}

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

    /// What has changed by now, for somebody who asked at `asked` and may have waited for another
    /// one's look.
    pub(super) fn look_for(&mut self, asked: Instant) -> Vec<Hint> {
        let is_answered = asked < self.began;
        if is_answered || (self.took > CHEAP && self.began.elapsed() < self.took * SHARE) {
            return Vec::new();
        }
        let before = self.look();
        // Where a write might not show, it may have happened; told again until it would.
        self.hints(&before, |before, now| before != now || !now.is_settled)
    }

    /// What has changed since the last look, each change once, or twice where it might hide
    /// another one.
    pub(super) fn look_in_turn(&mut self) -> Vec<Hint> {
        let before = self.look();
        self.hints(&before, |before, now| before != now)
    }

    /// Looks, and returns how the files looked before.
    fn look(&mut self) -> Stamps {
        let started = Instant::now();
        let is_same =
            |(path, before): (&PathBuf, &Stamp)| before.is_settled && stamp(path) == Some(*before);
        let is_known = !self.directories.is_empty();
        let files = if is_known && self.directories.iter().all(is_same) {
            stamps(self.files.keys().chain(&self.inputs).cloned())
        } else {
            let mut directories = Vec::from_iter(self.root.parent().map(Path::to_owned));
            let enter = |directory: &Path| directories.push(directory.to_owned());
            let found = walk::walk(&self.root, &self.root, enter);
            self.directories = stamps(directories.into_iter());
            stamps(found.sources.into_iter().chain(self.inputs.iter().cloned()))
        };
        (self.began, self.took) = (started, started.elapsed());
        std::mem::replace(&mut self.files, files)
    }

    fn hints(&self, before: &Stamps, counts: impl Fn(&Stamp, &Stamp) -> bool) -> Vec<Hint> {
        let hint = |path: &PathBuf, kind| Hint { path: path.clone(), kind, is_entry: true };
        let changed = self
            .files
            .iter()
            .filter(|(path, now)| before.get(*path).is_none_or(|before| counts(before, now)));
        let gone = before.keys().filter(|path| !self.files.contains_key(*path));
        changed
            .map(|(path, _)| hint(path, Kind::Changed))
            .chain(gone.map(|path| hint(path, Kind::Gone)))
            .collect()
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
    Some(Stamp {
        modified,
        changed: (meta.ctime(), meta.ctime_nsec()),
        len: meta.len(),
        inode: meta.ino(),
        // A time in the future is the doing of another machine's clock.
        is_settled: modified.elapsed().map_or(true, |age| age > CLOCK_TICK),
    })
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
        assert!(polling.look_in_turn().iter().any(|hint| hint.kind == Kind::Gone));
    }

    #[test]
    fn a_quiet_tree_gives_no_hints() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("app.py");
        fs::write(&path, "x = 1").expect("written");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&path).and_then(|file| file.set_modified(long_ago)).expect("set");
        let mut polling = Polling::new(dir.path());
        assert!(polling.look_for(Instant::now()).is_empty());
    }
}
