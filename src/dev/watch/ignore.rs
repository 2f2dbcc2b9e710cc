//! Decides which directories are not watched: directories of tools, and entries of `.gitignore`.
//! Also recognises the temporary files of editors.
//!
//! A *file* that git ignores may still be a module, so files are not checked against `.gitignore`.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::Gitignore;

/// Whether a file or directory of this name never contains the user's code.
pub(super) fn is_noise(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.')
        || matches!(&*name, "__pycache__" | "node_modules" | "4913")
        || (name.starts_with('#') && name.ends_with('#'))
        || ["~", ".swp", ".tmp", "___jb_tmp___", "___jb_old___"].iter().any(|it| name.ends_with(it))
}

/// Knows the `.gitignore` files from the repository's root down; reads each once.
#[derive(Debug)]
pub(super) struct IgnoreRules {
    base: PathBuf,
    files: HashMap<PathBuf, Gitignore>,
}

impl IgnoreRules {
    /// Reads the rules for everything below `root`. Outside a repository, the parent directory counts as
    /// one. A file that ignores `root` itself does not count: it is not about this project.
    pub(super) fn new(root: &Path) -> Self {
        let repository = root.ancestors().find(|directory| directory.join(".git").exists());
        let base = repository.or(root.parent()).unwrap_or(root);
        let above = root.ancestors().skip(1).take_while(|it| it.starts_with(base));
        let read = |directory: &Path| {
            let rules = Gitignore::new(directory.join(".gitignore")).0;
            let is_foreign = rules.matched_path_or_any_parents(root, true).is_ignore();
            (directory.to_owned(), if is_foreign { Gitignore::empty() } else { rules })
        };
        Self { base: base.to_owned(), files: above.map(read).collect() }
    }

    /// Whether this directory, below one that is not ignored, needs no watch. Git may ignore a directory
    /// of `code_dirs`.
    pub(super) fn skips(&mut self, directory: &Path, code_dirs: &HashSet<PathBuf>) -> bool {
        directory.file_name().is_some_and(is_noise)
            || directory.join("pyvenv.cfg").exists()
            || (self.is_git_ignored(directory) && !code_dirs.contains(directory))
    }

    fn is_git_ignored(&mut self, directory: &Path) -> bool {
        // The nearest file with a matching rule decides.
        for parent in directory.ancestors().skip(1).take_while(|it| it.starts_with(&self.base)) {
            let rules = self
                .files
                .entry(parent.to_owned())
                .or_insert_with(|| Gitignore::new(parent.join(".gitignore")).0);
            match rules.matched(directory, true) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn temporary_files_are_noise_and_modules_are_not() {
        for name in [
            ".app.py.swp",
            ".#app.py",
            "#app.py#",
            "4913",
            "app.py~",
            "app.py.tmp",
            "app.py___jb_tmp___",
            "app.py___jb_old___",
            "__pycache__",
            "node_modules",
            ".git",
        ] {
            assert!(is_noise(OsStr::new(name)), "{name}");
        }
        for name in ["app.py", "_private.py", "data.json", "venv"] {
            assert!(!is_noise(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn directories_that_git_ignores_are_skipped_and_the_nearest_file_decides() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        for name in [".git", "python/build", "python/kept/build", "python/env"] {
            fs::create_dir_all(path(name)).expect("a directory");
        }
        fs::write(path(".gitignore"), "build/\n*.py\n").expect("written");
        fs::write(path("python/kept/.gitignore"), "!build/\n").expect("written");
        fs::write(path("python/env/pyvenv.cfg"), "").expect("written");

        let mut rules = IgnoreRules::new(&path("python"));

        let mut skips = |name: &str| rules.skips(&path(name), &HashSet::new());
        assert!(skips("python/build"));
        assert!(skips("python/env"), "a virtual environment");
        assert!(!skips("python/kept"));
        assert!(!skips("python/kept/build"));
    }

    #[test]
    fn rules_that_ignore_the_project_itself_do_not_count() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        for name in [".git", "code/app/python/pkg", "code/app/python/built"] {
            fs::create_dir_all(path(name)).expect("a directory");
        }
        fs::write(path(".gitignore"), "*\n").expect("written");
        fs::write(path("code/app/.gitignore"), "built/\n").expect("written");

        let mut rules = IgnoreRules::new(&path("code/app/python"));

        let mut skips = |name: &str| rules.skips(&path(name), &HashSet::new());
        assert!(!skips("code/app/python/pkg"));
        assert!(skips("code/app/python/built"), "the project's own rule");
    }
}
