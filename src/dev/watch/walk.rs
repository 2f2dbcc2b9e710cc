//! Walks the directories that can hold the user's code, and finds the sources in them.
//!
//! Reads no file, and remembers nothing from one walk to the next.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ignore::{Ignoring, is_noise};

/// Names that a directory may have by way of symlinks: links among links would make it very many.
const MAX_NAMES: usize = 8;

/// What a walk came across.
#[derive(Debug, Default)]
pub(in crate::dev) struct Found {
    pub(in crate::dev) sources: Vec<PathBuf>,
    /// Sources that are symlinks: the file itself, and the name in the tree.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

/// Walks what is not ignored from `start` down, which is `root` or lies below it. `enter` hears of
/// each directory before it is listed.
pub(in crate::dev) fn walk(root: &Path, start: &Path, mut enter: impl FnMut(&Path)) -> Found {
    let mut ignoring = Ignoring::new(root);
    let mut found = Found::default();
    let mut names = HashMap::new();
    let home = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    // Each with where the links on the way to it lead, the tree's own place first.
    let mut directories: Vec<(PathBuf, Rc<[PathBuf]>)> = vec![(start.to_owned(), [home].into())];
    while let Some((directory, mut way)) = directories.pop() {
        if directory != root && ignoring.skips(&directory) {
            continue;
        }
        if directory.is_symlink() && directory != root {
            let Ok(target) = directory.canonicalize() else { continue };
            let count = names.entry(target.clone()).or_insert(0);
            if way.iter().any(|place| place.starts_with(&target)) || *count == MAX_NAMES {
                continue; // it goes in a circle
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

/// Whether a path below `root` is no noise, and in no directory that is.
pub(super) fn is_in_tree(root: &Path, path: &Path) -> bool {
    path.strip_prefix(root)
        .is_ok_and(|inside| !inside.components().any(|part| is_noise(part.as_os_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_has_all_the_names_that_links_give_it_and_links_among_links_end() {
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
            // Two that lead to each other, and many ways between them.
            ("../other", "one/first"),
            ("../other", "one/second"),
            ("../one", "other/first"),
            ("../one", "other/second"),
        ] {
            symlink(target, dir.path().join(name)).expect("a link");
        }

        let mut entered = 0;
        let mut found = walk(&root, &root, |_| entered += 1).sources;

        found.sort();
        assert_eq!(found, ["a/deep/x.py", "b/deep/x.py"].map(|name| root.join(name)));
        // Those of `shared`, and `one` with the two names of the other below it.
        assert_eq!(entered, 1 + 4 + 3);
    }

    #[test]
    fn a_walk_leaves_out_what_is_ignored_and_ends_where_links_go_in_circles() {
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
        let found = walk(&root, &root, |directory| entered.push(directory.to_owned()));

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
