//! Whether git is in the middle of something: a checkout writes many files, and is one change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A lock that is older was left behind, or waits for somebody to write a commit message.
const MAX_AGE: Duration = Duration::from_secs(10);

/// Whether git is at work on the repository that `directory` lies in.
pub(super) fn is_at_work(directory: &Path) -> bool {
    let lock = directory.ancestors().find_map(git_dir).map(|git| git.join("index.lock"));
    let Some(Ok(meta)) = lock.map(fs::symlink_metadata) else { return false };
    // A time in the future is the doing of another machine's clock.
    meta.modified().is_ok_and(|made| made.elapsed().unwrap_or_default() < MAX_AGE)
}

fn git_dir(directory: &Path) -> Option<PathBuf> {
    let path = directory.join(".git");
    let meta = fs::metadata(&path).ok()?;
    if meta.is_dir() {
        return Some(path);
    }
    // A worktree or a submodule: a file that says where.
    let text = fs::read_to_string(&path).ok()?;
    Some(directory.join(text.strip_prefix("gitdir:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_repository_or_of_a_worktree_counts_while_it_is_young() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("tree/python")).expect("directories");
        fs::create_dir_all(path("repository/worktrees/tree")).expect("directories");
        fs::write(path("tree/.git"), "gitdir: ../repository/worktrees/tree\n").expect("written");
        assert!(!is_at_work(&path("tree/python")));

        let lock = path("repository/worktrees/tree/index.lock");
        fs::write(&lock, "").expect("written");
        assert!(is_at_work(&path("tree/python")));

        let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
        fs::File::open(&lock).and_then(|file| file.set_modified(long_ago)).expect("set");
        assert!(!is_at_work(&path("tree/python")), "left behind");
    }
}
