//! Stands in until Python itself tells that nothing changed: which sources hold something new.
//!
//! Goes, with its calls in `reloader.rs`, as soon as a reload can be `Attempt::Unchanged`.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::watcher::{Hint, tree};

pub(super) struct Judge {
    root: PathBuf,
    known: HashMap<PathBuf, u64>,
}

impl Judge {
    /// Knows what was there at `time`.
    pub(super) fn new(root: &Path, time: SystemTime) -> Self {
        let is_old = |path: &PathBuf| {
            fs::metadata(path).and_then(|meta| meta.modified()).is_ok_and(|at| at < time)
        };
        let sources = tree::walk(root, root, |_| ()).sources.into_iter();
        let known = sources.filter(is_old).filter_map(with_hash);
        Self { root: root.to_owned(), known: known.collect() }
    }

    /// Whether one of `paths`, or of all, holds something else than at the last call.
    pub(super) fn is_changed(&mut self, paths: Option<&[PathBuf]>) -> bool {
        let roots = paths.map_or_else(|| vec![self.root.clone()], <[PathBuf]>::to_vec);
        let mut is_changed = false;
        for root in roots {
            let found = if root.is_dir() {
                tree::walk(&self.root, &root, |_| ()).sources
            } else {
                vec![root.clone()]
            };
            let now: HashMap<PathBuf, u64> = found.into_iter().filter_map(with_hash).collect();
            let before = self.known.extract_if(|path, _| path.starts_with(&root)).collect();
            is_changed |= now != before;
            self.known.extend(now);
        }
        is_changed
    }

    /// Knows nothing of what was written while it was being loaded: nobody knows what was read.
    pub(super) fn forget(&mut self, hints: &[Hint]) {
        for hint in hints {
            self.known.retain(|path, _| !path.starts_with(&hint.path));
        }
    }
}

fn with_hash(path: PathBuf) -> Option<(PathBuf, u64)> {
    let mut hasher = DefaultHasher::new();
    fs::read(&path).ok()?.hash(&mut hasher);
    Some((path, hasher.finish()))
}
