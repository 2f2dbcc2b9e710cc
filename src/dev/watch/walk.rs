//! Walks the directories that can contain the user's code, and finds the sources in them.
//!
//! Reads no file, and stores nothing from one walk to the next.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ignore::{IgnoreRules, is_noise};

/// The most names that symlinks may give one directory: links to links would make very many.
const MAX_NAMES: usize = 8;

/// The sources and links that a walk found.
#[derive(Debug, Default)]
pub(in crate::dev) struct WalkResult {
    pub(in crate::dev) sources: Vec<PathBuf>,
    /// Sources that are symlinks: the target, and the name in the tree.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

/// Walks every directory that is not ignored from `start` down, which is `root` or below it, and
/// each of `code_dirs`, even if git ignores it. Calls `enter` for each directory before it is listed.
pub(in crate::dev) fn walk(
    root: &Path,
    start: &Path,
    code_dirs: &HashSet<PathBuf>,
    mut enter: impl FnMut(&Path),
) -> WalkResult {
    let mut rules = IgnoreRules::new(root);
    let mut found = WalkResult::default();
    let mut names = HashMap::new();
    let home = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    // Each with the targets of the links on its path, after the tree's own place.
    let mut directories: Vec<(PathBuf, Rc<[PathBuf]>)> = vec![(start.to_owned(), [home].into())];
    while let Some((directory, mut way)) = directories.pop() {
        if directory != root && rules.skips(&directory, code_dirs) {
            continue;
        }
        if directory.is_symlink() && directory != root {
            let Ok(target) = directory.canonicalize() else { continue };
            let count = names.entry(target.clone()).or_insert(0);
            if way.iter().any(|place| place.starts_with(&target)) || *count == MAX_NAMES {
                continue; // a circle of links
            }
            *count += 1;
            way = way.iter().cloned().chain([target]).collect();
        }
        enter(&directory);
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let (name, path) = (entry.file_name(), entry.path());
            let Ok(kind) = entry.file_type() else { continue };
            if is_noise(&name) {
                continue;
            }
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                directories.push((path, Rc::clone(&way)));
            } else if is_source(&path) {
                if kind.is_symlink()
                    && let Ok(target) = path.canonicalize()
                {
                    found.links.push((target, path.clone()));
                }
                found.sources.push(path);
            }
        }
    }
    found
}

/// Whether this is the name of a Python source.
pub(in crate::dev) fn is_source(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("py"))
}

/// Whether a file of this name is not the user's, such as the temporary file of an editor.
pub(in crate::dev) fn is_noise_name(name: &OsStr) -> bool {
    is_noise(name)
}

/// Whether a path is below `root`, and none of its parts is noise.
pub(super) fn is_in_tree(root: &Path, path: &Path) -> bool {
    path.strip_prefix(root)
        .is_ok_and(|inside| !inside.components().any(|part| is_noise(part.as_os_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_of_loaded_code_is_walked_though_git_ignores_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("python");
        fs::create_dir_all(root.join("built/deep")).expect("directories");
        fs::write(root.join("built/deep/x.py"), "").expect("written");
        fs::write(dir.path().join(".gitignore"), "built/\n").expect("written");
        let found = |code_dirs: &[PathBuf]| {
            walk(&root, &root, &code_dirs.iter().cloned().collect(), |_| ()).sources
        };
        assert_eq!(found(&[]), [""; 0].map(PathBuf::from));
        let code_dirs = ["built", "built/deep"].map(|name| root.join(name));
        assert_eq!(found(&code_dirs), [root.join("built/deep/x.py")]);
    }

    #[test]
    fn a_directory_has_all_the_names_that_links_give_it_and_circles_end() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("python");
        for name in ["python", "shared/deep", "one", "other"] {
            fs::create_dir_all(dir.path().join(name)).expect("a directory");
        }
        fs::write(dir.path().join("shared/deep/x.py"), "").expect("written");
        for (target, name) in [
            ("../shared", "python/a"),
            ("../shared", "python/b"),
            ("../one", "python/one"),
            // Two that link to each other, with many paths between them.
            ("../other", "one/first"),
            ("../other", "one/second"),
            ("../one", "other/first"),
            ("../one", "other/second"),
        ] {
            symlink(target, dir.path().join(name)).expect("a link");
        }

        let mut entered = 0;
        let mut found = walk(&root, &root, &HashSet::new(), |_| entered += 1).sources;

        found.sort();
        assert_eq!(found, ["a/deep/x.py", "b/deep/x.py"].map(|name| root.join(name)));
        // The names of `shared`, and `one` with the two names of the other below it.
        assert_eq!(entered, 1 + 4 + 3);
    }

    #[test]
    fn a_walk_skips_ignored_directories_and_ends_at_circles_of_links() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("python");
        for name in ["pkg", "pkg/deep", "__pycache__", ".hidden", "env", "built"] {
            fs::create_dir_all(root.join(name)).expect("a directory");
            fs::write(root.join(name).join("x.py"), "").expect("written");
        }
        fs::write(root.join("env/pyvenv.cfg"), "").expect("written");
        fs::write(dir.path().join(".gitignore"), "built/\n").expect("written");
        fs::create_dir(dir.path().join("beside")).expect("a directory");
        fs::write(dir.path().join("beside/y.py"), "").expect("written");
        symlink("..", root.join("pkg/up")).expect("a link");
        symlink("../beside", root.join("linked")).expect("a link");
        symlink("nowhere", root.join(".#x.py")).expect("a link");

        let mut entered = Vec::new();
        let enter = |directory: &Path| entered.push(directory.to_owned());
        let found = walk(&root, &root, &HashSet::new(), enter);

        entered.sort();
        let expected = ["", "linked", "pkg", "pkg/deep"].map(|name| root.join(name));
        assert_eq!(entered, expected.map(|path| path.components().collect::<PathBuf>()));
        let mut sources = found.sources;
        sources.sort();
        assert_eq!(
            sources,
            ["linked/y.py", "pkg/deep/x.py", "pkg/x.py"].map(|name| root.join(name))
        );
    }
}
