//! Which news matter: sources, what the code read while it was loaded, and nothing that it wrote.
//!
//! Decides by names, never by what a file holds.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::ignore::is_noise;
use super::walk::{is_in_tree, is_source};
use super::{Hint, Kind};

#[derive(Debug)]
pub(super) struct Concern {
    root: PathBuf,
    inputs: HashSet<PathBuf>,
    outputs: HashSet<PathBuf>,
    /// Sources that are symlinks, by what they point to.
    links: HashMap<PathBuf, PathBuf>,
    /// Directories besides those of the tree that are watched for the sake of the above.
    directories: HashSet<PathBuf>,
}

impl Concern {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            inputs: HashSet::new(),
            outputs: HashSet::new(),
            links: HashMap::new(),
            directories: HashSet::new(),
        }
    }

    /// Adds to `kept` what of `hint` matters.
    pub(super) fn keep(&self, mut hint: Hint, kept: &mut Vec<Hint>) {
        if hint.kind == Kind::Everything {
            return kept.push(hint);
        }
        if hint.path.ends_with(".gitignore") {
            // Other directories may be worth a watch now.
            hint.kind = Kind::Directory;
            hint.path.pop();
            if !is_in_tree(&self.root, &hint.path) {
                hint.path.clone_from(&self.root);
            }
            return kept.push(hint);
        }
        if let Some(name) = self.links.get(&hint.path) {
            kept.push(Hint { path: name.clone(), ..hint.clone() });
        }
        let is_source = is_source(&hint.path);
        let is_output = !is_source && self.outputs.contains(&hint.path);
        if hint.is_entry
            && !is_output
            && !hint.path.file_name().is_none_or(is_noise)
            && let Some(list) = hint.path.parent().filter(|list| self.inputs.contains(*list))
        {
            kept.push(Hint { path: list.to_owned(), kind: Kind::Finished, is_entry: false });
        }
        let is_code =
            (is_source || hint.kind == Kind::Directory) && is_in_tree(&self.root, &hint.path);
        if is_code {
            return kept.push(hint);
        }
        if self.inputs.contains(&hint.path) && !is_output {
            if hint.kind == Kind::Directory {
                hint.kind = Kind::Finished;
            }
            kept.push(hint);
        }
    }

    /// Whether a style sheet was saved, of the tree or beside it, that is nothing to the code.
    pub(super) fn is_style(&self, hint: &Hint) -> bool {
        let Hint { path, kind, .. } = hint;
        let is_saved = matches!(kind, Kind::Finished | Kind::Changed);
        let is_ours = is_in_tree(&self.root, path)
            || (path.parent() == self.root.parent() && !path.file_name().is_none_or(is_noise));
        is_saved
            && path.extension().is_some_and(|suffix| suffix == "css")
            && is_ours
            && !self.inputs.contains(path)
            && !self.outputs.contains(path)
    }

    /// What the code read.
    pub(super) fn inputs(&self) -> &HashSet<PathBuf> {
        &self.inputs
    }

    /// Takes note of what the code read, which replaces what was known, and of what it wrote.
    /// Returns all directories besides those of the tree that are to be watched: another one may
    /// have the name of one that was.
    pub(super) fn follow(&mut self, inputs: &[String], outputs: &[String]) -> Vec<PathBuf> {
        self.outputs.extend(outputs.iter().map(PathBuf::from));
        let inputs: HashSet<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        for path in inputs.difference(&self.inputs) {
            let itself = path.is_dir().then_some(&**path);
            let directories = path.parent().into_iter().chain(itself);
            self.directories.extend(directories.map(Path::to_owned));
        }
        self.inputs = inputs;
        self.directories.iter().cloned().collect()
    }

    /// Takes note of sources that are symlinks. Returns all directories besides those of the tree
    /// that are to be watched.
    pub(super) fn link(&mut self, links: Vec<(PathBuf, PathBuf)>) -> Vec<PathBuf> {
        for (target, name) in links {
            self.directories.extend(target.parent().map(Path::to_owned));
            self.links.insert(target, name);
        }
        self.directories.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(concern: &Concern, path: &str, kind: Kind) -> Vec<String> {
        let mut kept = Vec::new();
        let hint = Hint { path: PathBuf::from(path), kind, is_entry: true };
        concern.keep(hint, &mut kept);
        kept.into_iter().map(|hint| hint.path.display().to_string()).collect()
    }

    #[test]
    fn sources_and_directories_matter_and_noise_does_not() {
        let concern = Concern::new(Path::new("/p/python"));
        for (path, kind) in [
            ("/p/python/app.py", Kind::Finished),
            ("/p/python/pkg", Kind::Directory),
            ("/p/python", Kind::Directory),
        ] {
            assert_eq!(kept(&concern, path, kind), [path]);
        }
        for path in [
            "/p/python/.#app.py",
            "/p/python/app.py~",
            "/p/python/4913",
            "/p/python/__pycache__/app.cpython-313.pyc",
            "/p/python/data.csv",
            "/p/other.py",
        ] {
            assert_eq!(kept(&concern, path, Kind::Finished), [""; 0], "{path}");
        }
        assert_eq!(kept(&concern, "/p/python/pkg/.gitignore", Kind::Finished), ["/p/python/pkg"]);
        assert_eq!(kept(&concern, "/p/.gitignore", Kind::Finished), ["/p/python"]);
        assert_eq!(kept(&concern, "/p/python/__pycache__", Kind::Directory), [""; 0]);
        assert_eq!(kept(&concern, "/p/beside", Kind::Directory), [""; 0]);
    }

    #[test]
    fn what_the_code_read_matters_and_what_it_wrote_does_not() {
        let mut concern = Concern::new(Path::new("/p/python"));
        let texts = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let inputs = texts(&["/p/.env", "/p/python/data.json", "/p/list", "/p/python/log.txt"]);
        let outputs = texts(&["/p/python/log.txt", "/p/list/out.txt", "/p/python/made.py"]);

        let directories = concern.follow(&inputs, &outputs);

        assert!(directories.contains(&PathBuf::from("/p")));
        for path in ["/p/.env", "/p/python/data.json", "/p/python/made.py"] {
            assert_eq!(kept(&concern, path, Kind::Finished), [path]);
        }
        assert_eq!(kept(&concern, "/p/list/new.txt", Kind::Begun), ["/p/list"]);
        for path in ["/p/python/log.txt", "/p/list/out.txt", "/p/list/.new.swp"] {
            assert_eq!(kept(&concern, path, Kind::Finished), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_style_sheet_is_one_if_no_code_was_made_from_it() {
        let mut concern = Concern::new(Path::new("/p/python"));
        concern.follow(&["/p/python/read.css".to_owned()], &["/p/python/made.css".to_owned()]);
        let is_style = |path: &str, kind| {
            concern.is_style(&Hint { path: PathBuf::from(path), kind, is_entry: false })
        };
        for path in ["/p/python/a.css", "/p/python/static/b.css", "/p/c.css"] {
            assert!(is_style(path, Kind::Finished), "{path}");
            assert!(!is_style(path, Kind::Begun) && !is_style(path, Kind::Gone), "{path}");
        }
        for path in [
            "/p/python/read.css",
            "/p/python/made.css",
            "/p/python/a.py",
            "/p/python/node_modules/a.css",
            "/p/.#a.css",
            "/elsewhere/a.css",
        ] {
            assert!(!is_style(path, Kind::Finished), "{path}");
        }
    }

    #[test]
    fn an_edit_of_what_a_source_is_a_link_to_is_an_edit_of_the_source() {
        let mut concern = Concern::new(Path::new("/p/python"));
        concern.link(vec![("/shared/app.py".into(), "/p/python/app.py".into())]);
        assert_eq!(kept(&concern, "/shared/app.py", Kind::Finished), ["/p/python/app.py"]);
    }
}
