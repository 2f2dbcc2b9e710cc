//! Detects git's lock: a checkout writes many files, and is one change. Never writes to the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An older lock is stale, or belongs to a commit whose message is being written.
const MAX_AGE: Duration = Duration::from_secs(10);

/// Whether git has locked the repository that contains `directory`.
pub(super) fn is_locked(directory: &Path) -> bool {
    let lock = directory.ancestors().find_map(git_dir).map(|git| git.join("index.lock"));
    let Some(Ok(meta)) = lock.map(fs::symlink_metadata) else { return false };
    // The clock of another machine may set a time in the future.
    meta.modified().is_ok_and(|made| made.elapsed().unwrap_or_default() < MAX_AGE)
}

fn git_dir(directory: &Path) -> Option<PathBuf> {
    let path = directory.join(".git");
    let meta = fs::metadata(&path).ok()?;
    if meta.is_dir() {
        return Some(path);
    }
    // In a worktree or a submodule, a file names the directory.
    let text = fs::read_to_string(&path).ok()?;
    Some(directory.join(text.strip_prefix("gitdir:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recent_lock_of_a_repository_or_a_worktree_counts() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("tree/python")).expect("directories");
        fs::create_dir_all(path("repository/worktrees/tree")).expect("directories");
        fs::write(path("tree/.git"), "gitdir: ../repository/worktrees/tree\n").expect("written");
        assert!(!is_locked(&path("tree/python")));

        let lock = path("repository/worktrees/tree/index.lock");
        fs::write(&lock, "").expect("written");
        assert!(is_locked(&path("tree/python")));

        let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&lock).and_then(|file| file.set_modified(long_ago)).expect("set");
        assert!(!is_locked(&path("tree/python")), "stale");
    }
}
