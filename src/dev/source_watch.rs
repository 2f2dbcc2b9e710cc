//! Reports the saves of given files and of the files below given directories, whatever their language.
//!
//! For a process that builds a program and runs no Python. Reads no source.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::reload::debounce::Debouncer;
use super::watch::{FileEvent, FileEventKind, Watcher, walk};
use crate::message::LoadReport;
use crate::sync::Mutex;

/// Watches files as long as it lives.
pub struct SourceWatch {
    watcher: Watcher,
    /// Counts the changes. A save covers the ones from before its files were read.
    changes: Arc<AtomicU64>,
    tracked: Mutex<TrackedSources>,
}

/// A save that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSources {
    /// The files and directories that may have changed; `None` if it can be any.
    pub files: Option<Vec<PathBuf>>,
    /// When its first event came.
    pub began: Instant,
    /// The value of [`SourceWatch::changes`] that it covers.
    pub covers: u64,
}

#[derive(Default)]
struct TrackedSources {
    /// Directories whose Rust sources count, at any depth.
    trees: Vec<PathBuf>,
    /// Directories that do not count.
    except: Vec<PathBuf>,
    /// The files, and the directories whose listing counts.
    paths: HashSet<PathBuf>,
}

impl SourceWatch {
    /// Starts with the directory `root`, and no files yet.
    ///
    /// # Errors
    ///
    /// The system provides no watcher.
    pub fn start(root: &Path) -> io::Result<Self> {
        let changes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&changes);
        let on_change = move || {
            count.fetch_add(1, Ordering::AcqRel);
        };
        let watcher = Watcher::start(root, on_change, |_| ())?;
        Ok(Self { watcher, changes, tracked: Mutex::default() })
    }

    /// Watches these files, all files below the directories among them, and the Rust sources below `trees`, but
    /// nothing below `except`.
    pub fn track(&self, trees: &[PathBuf], files: &[PathBuf], except: &[PathBuf]) {
        let (trees, except) = (trees.to_vec(), except.to_vec());
        let mut tracked = TrackedSources { trees, except, paths: HashSet::new() };
        for path in tracked.trees.clone().iter().chain(files) {
            tracked.add(path);
        }
        self.watcher.track_code(&tracked.report());
        *self.tracked.lock() = tracked;
    }

    /// Also watches the new files in a directory; returns them.
    fn track_new_files(&self, directory: &Path) -> Vec<PathBuf> {
        let mut tracked = self.tracked.lock();
        let found = tracked.add_entries(directory);
        if !found.is_empty() {
            self.watcher.track_code(&tracked.report());
        }
        found
    }

    /// Reads the events so far, and counts the changes. A change that no [`SavedSources`] covers yet
    /// is of a save that is being written, or is about to be reported.
    pub fn changes(&self) -> u64 {
        self.watcher.poll_now();
        self.changes.load(Ordering::Acquire)
    }

    /// Blocks until a save is complete; `None` after [`Self::stop`].
    pub fn next_save(&self) -> Option<SavedSources> {
        let mut batch: Option<Debouncer> = None;
        loop {
            let ready = batch.as_ref().map(|batch| batch.ready_at(is_empty_file));
            let covers = self.changes.load(Ordering::Acquire);
            let events = self.watcher.wait(ready);
            if self.watcher.is_stopped() {
                return None;
            }
            let now = Instant::now();
            let is_quiet = events.is_empty();
            for event in events {
                // A listing that has not changed is a save, too: it covers its event.
                let batch = batch.get_or_insert_with(|| Debouncer::new(now));
                if event.kind != FileEventKind::Directory && !event.path.is_dir() {
                    batch.add(event, now);
                    continue;
                }
                for path in self.track_new_files(&event.path) {
                    let kind = FileEventKind::Closed;
                    batch.add(FileEvent { path, kind, is_entry: true }, now);
                }
            }
            match &batch {
                Some(complete) if is_quiet && ready.is_some_and(|ready| ready <= now) => {
                    let files = complete.paths();
                    return Some(SavedSources { files, began: complete.since, covers });
                }
                _ => {}
            }
        }
    }

    /// Ends the current wait and all later ones.
    pub fn stop(&self) {
        self.watcher.stop();
    }
}

impl TrackedSources {
    /// Names all files and directories in the form that the watcher knows from the Python modules.
    fn report(&self) -> LoadReport {
        let inputs = self.paths.iter().filter_map(|path| path.to_str().map(str::to_owned));
        LoadReport { inputs: inputs.collect(), ..LoadReport::default() }
    }

    /// Adds a file, or a directory with all below it.
    fn add(&mut self, path: &Path) {
        if !path.is_dir() {
            if !self.is_left_out(path) {
                self.paths.insert(path.to_owned()); // it may be created later
            }
            return;
        }
        if !self.is_left_out(path) && self.paths.insert(path.to_owned()) {
            self.add_entries(path);
        }
    }

    /// Adds the files of a directory, and its new directories; returns the new files.
    fn add_entries(&mut self, directory: &Path) -> Vec<PathBuf> {
        let is_tree = self.trees.iter().any(|tree| directory.starts_with(tree));
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            let is_noise = path.file_name().is_none_or(walk::is_noise_name);
            if is_noise || self.paths.contains(&path) || self.is_left_out(&path) {
                continue;
            }
            // A link to a directory could lead back here; the files that a build reads there are named.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.paths.insert(path.clone());
                found.extend(self.add_entries(&path));
            } else if path.is_dir() {
                continue;
            } else if !is_tree || path.extension().is_some_and(|suffix| suffix == "rs") {
                self.paths.insert(path.clone());
                found.push(path);
            }
        }
        found
    }

    fn is_left_out(&self, path: &Path) -> bool {
        self.except.iter().any(|directory| path.starts_with(directory))
    }
}

fn is_empty_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

impl std::fmt::Debug for SourceWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceWatch").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(dir: &Path) -> SourceWatch {
        for name in ["src/deep", "python"] {
            fs::create_dir_all(dir.join(name)).expect("directories");
        }
        for name in ["src/main.rs", "Cargo.toml", "python/app.py", "other.txt"] {
            fs::write(dir.join(name), "a").expect("written");
        }
        let watch = SourceWatch::start(&dir.join("src")).expect("a watcher");
        watch.track(&[dir.join("src")], &[dir.join("Cargo.toml")], &[dir.join("python")]);
        watch
    }

    fn saved(watch: &SourceWatch) -> Vec<PathBuf> {
        watch.next_save().expect("it was not stopped").files.expect("they are known")
    }

    #[test]
    fn saves_of_files_and_of_new_files_are_reported_and_others_are_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let watch = started(dir.path());
        let covered = watch.changes();
        for name in ["other.txt", "python/app.py"] {
            fs::write(dir.path().join(name), "b").expect("written");
        }
        assert_eq!(watch.changes(), covered);

        fs::write(dir.path().join("Cargo.toml"), "b").expect("written");
        assert_ne!(watch.changes(), covered);
        let save = watch.next_save().expect("a save");
        assert_eq!(save.files, Some(vec![dir.path().join("Cargo.toml")]));
        assert_eq!(save.covers, watch.changes());

        let file = dir.path().join("src/deep/new.rs");
        fs::write(dir.path().join("src/deep/notes"), "a").expect("written");
        fs::write(&file, "a").expect("written");
        while !saved(&watch).contains(&file) {}
        fs::write(&file, "b").expect("written");
        assert_eq!(saved(&watch), [file]);

        let module = dir.path().join("src/module");
        fs::create_dir(&module).expect("a directory");
        fs::write(module.join("mod.rs"), "a").expect("written");
        while !saved(&watch).contains(&module.join("mod.rs")) {}

        watch.stop();
        assert_eq!(watch.next_save(), None);
    }
}
