//! The user's sources as they are on disk: which files there are, and what they hold.
//!
//! Content decides what changed, never a time stamp: a touch is no change, and an edit of equal
//! size in the same second is one. Never waits and never watches.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::watcher::{is_relevant, is_source};

/// The content of each source file, as a hash.
#[derive(Debug, Default)]
pub(super) struct Tree {
    sources: BTreeMap<PathBuf, u64>,
}

impl Tree {
    /// Reads everything below `root`; `entered` hears of each directory before it is listed.
    pub(super) fn read(root: &Path, mut entered: impl FnMut(&Path)) -> Self {
        let mut tree = Self::default();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            entered(&directory);
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
                if !is_relevant(root, &path) {
                    continue;
                }
                // A symlinked directory is not followed: it may lead out, or in a circle.
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                } else if is_source(&path)
                    && let Ok(content) = fs::read(&path)
                {
                    let mut hasher = DefaultHasher::new();
                    content.hash(&mut hasher);
                    tree.sources.insert(path, hasher.finish());
                }
            }
        }
        tree
    }

    /// The files that this tree has in another state than `before`, or no longer has.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<PathBuf> {
        let changed =
            self.sources.iter().filter(|(path, hash)| before.sources.get(*path) != Some(hash));
        let gone = before.sources.keys().filter(|path| !self.sources.contains_key(*path));
        changed.map(|(path, _)| path).chain(gone).cloned().collect()
    }

    /// The files whose time stamp is not older than `time`: for what happened unwatched.
    pub(super) fn written_since(&self, time: SystemTime) -> Vec<PathBuf> {
        let is_newer = |path: &&PathBuf| {
            fs::metadata(path).and_then(|meta| meta.modified()).is_ok_and(|at| at >= time)
        };
        self.sources.keys().filter(is_newer).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_what_changed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        let read = || Tree::read(dir.path(), |_| ());
        fs::write(path("a.py"), "x = 1").expect("written");
        fs::write(path("b.py"), "").expect("written");
        fs::write(path("notes.txt"), "").expect("written");
        let before = read();

        fs::write(path("a.py"), "x = 2").expect("written");
        fs::write(path("b.py"), "").expect("written");
        fs::write(path("c.py"), "").expect("written");
        fs::write(path("notes.txt"), "more").expect("written");

        assert_eq!(read().changes_since(&before), [path("a.py"), path("c.py")]);
        fs::remove_file(path("b.py")).expect("removed");
        assert!(read().changes_since(&before).contains(&path("b.py")));
    }
}
