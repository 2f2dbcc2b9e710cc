//! Finds changes by time stamps, where no event comes: on network mounts, when the watches run
//! out, and on systems that report late.
//!
//! Reports the files that may have changed; never reads a file. Polls only when called.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::event::{FileEvent, FileEventKind};
use super::walk;

/// The time between two polls, where a poll is cheap.
const INTERVAL: Duration = Duration::from_millis(250);
/// The least time between two polls, as a multiple of the time that one takes.
const SHARE: u32 = 10;
/// A poll that takes longer does not run again for every request.
const CHEAP: Duration = Duration::from_millis(50);
/// A file written so shortly before a poll may be written again with the same time stamp.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// The metadata of a file or directory that a write changes.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    len: u64,
    inode: u64,
    /// Whether another write would change the time stamp.
    is_settled: bool,
}

type Stamps = BTreeMap<PathBuf, Stamp>;

pub(super) struct PollBackend {
    root: PathBuf,
    directories: Stamps,
    files: Stamps,
    inputs: HashSet<PathBuf>,
    code_dirs: Arc<HashSet<PathBuf>>,
    /// The directories of static files and templates.
    asset_dirs: Vec<PathBuf>,
    /// The files in them, and style sheets.
    assets: Stamps,
    began: Instant,
    took: Duration,
}

impl PollBackend {
    /// Records the stamps of everything below `root`.
    pub(super) fn new(root: &Path) -> Self {
        let mut polling = Self {
            root: root.to_owned(),
            directories: Stamps::new(),
            files: Stamps::new(),
            inputs: HashSet::new(),
            code_dirs: Arc::default(),
            asset_dirs: Vec::new(),
            assets: Stamps::new(),
            began: Instant::now(),
            took: Duration::ZERO,
        };
        polling.read_stamps();
        polling.assets = polling.asset_stamps();
        polling
    }

    /// Also watches the files in these directories of static files and templates.
    pub(super) fn track_assets(&mut self, directories: &[PathBuf]) {
        if self.asset_dirs != directories {
            self.asset_dirs = directories.to_vec();
            for (path, stamp) in self.asset_stamps() {
                self.assets.entry(path).or_insert(stamp);
            }
        }
    }

    /// Also watches these files, these directories for their listing, and the modules in `code_dirs`,
    /// even if git ignores them.
    pub(super) fn track_files(
        &mut self,
        inputs: &HashSet<PathBuf>,
        code_dirs: &Arc<HashSet<PathBuf>>,
    ) {
        let added: Vec<PathBuf> = code_dirs.difference(&self.code_dirs).cloned().collect();
        if !added.is_empty() {
            self.directories.clear(); // the next poll walks again
            let entries = added.iter().filter_map(|directory| fs::read_dir(directory).ok());
            let paths = entries.flatten().filter_map(Result::ok).map(|entry| entry.path());
            for (path, stamp) in stamps(paths.filter(|path| walk::is_source(path))) {
                self.files.entry(path).or_insert(stamp);
            }
        }
        self.code_dirs = Arc::clone(code_dirs);
        for path in inputs.difference(&self.inputs) {
            if let Some(stamp) = stamp(path) {
                self.files.insert(path.clone(), stamp);
            }
        }
        self.inputs.clone_from(inputs);
    }

    /// Returns the changes so far, for a caller that began at `called_at` and may have waited while
    /// another thread polled.
    pub(super) fn poll_now(&mut self, called_at: Instant) -> Vec<FileEvent> {
        let is_covered = called_at < self.began;
        if is_covered || (self.took > CHEAP && self.began.elapsed() < self.took * SHARE) {
            return Vec::new();
        }
        let before = self.read_stamps();
        // Reported again as long as a second write might not change the stamp.
        self.events(&before, |before, now| before != now || !now.is_settled)
    }

    /// Returns the changes since the last poll: each once, or twice where it might hide another
    /// one.
    pub(super) fn poll_due(&mut self) -> Vec<FileEvent> {
        let before = self.read_stamps();
        let mut events = self.events(&before, |before, now| before != now);
        events.extend(self.asset_events());
        events
    }

    /// Returns the assets that changed since the last poll. No request waits for them.
    fn asset_events(&mut self) -> Vec<FileEvent> {
        let started = Instant::now();
        let now = self.asset_stamps();
        let before = std::mem::replace(&mut self.assets, now);
        self.took += started.elapsed();
        let changed = self.assets.iter().filter(|(path, now)| before.get(*path) != Some(*now));
        let event = |path: &PathBuf| FileEvent {
            path: path.clone(),
            kind: FileEventKind::Modified,
            is_entry: false,
        };
        changed.map(|(path, _)| event(path)).collect()
    }

    fn asset_stamps(&self) -> Stamps {
        let stamps = stamps(self.asset_files().into_iter());
        // A refresh that comes twice is worse than one that a fast second write misses.
        stamps.into_iter().map(|(path, it)| (path, Stamp { is_settled: true, ..it })).collect()
    }

    /// Lists the files in the directories of assets, and the style sheets in the tree and beside it.
    fn asset_files(&self) -> Vec<PathBuf> {
        let is_style = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "css");
        let list = |directory: &Path| {
            let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
            entries.map(|entry| entry.path())
        };
        let mut files: Vec<PathBuf> = Vec::new();
        files.extend(self.root.parent().into_iter().flat_map(list).filter(is_style));
        walk::walk(&self.root, &self.root, &HashSet::new(), |each| {
            files.extend(list(each).filter(is_style));
        });
        for directory in self.asset_dirs.iter().filter(|directory| directory.is_dir()) {
            walk::walk(directory, directory, &HashSet::new(), |each| {
                files.extend(list(each).filter(|path| path.is_file()));
            });
        }
        files
    }

    /// Reads all stamps, and returns the previous stamps of the files.
    fn read_stamps(&mut self) -> Stamps {
        let started = Instant::now();
        let is_same =
            |(path, before): (&PathBuf, &Stamp)| before.is_settled && stamp(path) == Some(*before);
        let is_known = !self.directories.is_empty();
        let files = if is_known && self.directories.iter().all(is_same) {
            stamps(self.files.keys().chain(&self.inputs).cloned())
        } else {
            let mut directories = Vec::from_iter(self.root.parent().map(Path::to_owned));
            let enter = |directory: &Path| directories.push(directory.to_owned());
            let found = walk::walk(&self.root, &self.root, &self.code_dirs, enter);
            self.directories = stamps(directories.into_iter());
            stamps(found.sources.into_iter().chain(self.inputs.iter().cloned()))
        };
        (self.began, self.took) = (started, started.elapsed());
        std::mem::replace(&mut self.files, files)
    }

    fn events(&self, before: &Stamps, counts: impl Fn(&Stamp, &Stamp) -> bool) -> Vec<FileEvent> {
        let event = |path: &PathBuf, kind| FileEvent { path: path.clone(), kind, is_entry: true };
        let changed = self
            .files
            .iter()
            .filter(|(path, now)| before.get(*path).is_none_or(|before| counts(before, now)));
        let removed = before.keys().filter(|path| !self.files.contains_key(*path));
        changed
            .map(|(path, _)| event(path, FileEventKind::Modified))
            .chain(removed.map(|path| event(path, FileEventKind::Removed)))
            .collect()
    }

    /// The time until the next poll.
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
        // The clock of another machine may set a time in the future.
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
        let mut polling = PollBackend::new(dir.path());
        for text in ["x = 1", "x = 2", "x = 3"] {
            fs::write(&path, text).expect("written");
            let events = polling.poll_now(Instant::now());
            assert!(events.iter().any(|event| event.path == path), "{text}: {events:?}");
        }
        fs::remove_file(&path).expect("removed");
        assert!(polling.poll_due().iter().any(|event| event.kind == FileEventKind::Removed));
    }

    #[test]
    fn a_changed_asset_is_seen_by_the_next_poll_that_no_request_makes() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (root, assets) = (dir.path().join("python"), dir.path().join("assets"));
        fs::create_dir_all(&root).expect("a directory");
        fs::create_dir_all(assets.join("deep")).expect("a directory");
        fs::write(assets.join("old.js"), "1").expect("written");
        let mut polling = PollBackend::new(&root);
        polling.track_assets(std::slice::from_ref(&assets));
        assert_eq!(polling.poll_due(), []);
        for path in [assets.join("old.js"), assets.join("deep/new.js"), root.join("page.css")] {
            fs::write(&path, "longer").expect("written");
            assert!(polling.poll_now(Instant::now()).is_empty());
            let events = polling.poll_due();
            let paths: Vec<&PathBuf> = events.iter().map(|event| &event.path).collect();
            assert_eq!(paths, [&path]);
            assert_eq!(polling.poll_due(), []);
        }
    }

    #[test]
    fn an_unchanged_tree_gives_no_events() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("app.py");
        fs::write(&path, "x = 1").expect("written");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&path).and_then(|file| file.set_modified(long_ago)).expect("set");
        let mut polling = PollBackend::new(dir.path());
        assert!(polling.poll_now(Instant::now()).is_empty());
    }
}
