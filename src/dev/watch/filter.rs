//! Selects the events that matter: sources, files that the code read while it loaded, and no file
//! that it wrote.
//!
//! Decides by names, never by contents.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::event::{FileEvent, FileEventKind};
use super::ignore::is_noise;
use super::walk::{is_in_tree, is_source};

/// A saved file that pages use, but not code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dev) enum Asset {
    /// A style sheet, which an open page can swap.
    Style,
    /// A static file or a template.
    File,
}

#[derive(Debug)]
pub(super) struct EventFilter {
    root: PathBuf,
    /// The directories of static files and templates.
    asset_dirs: Vec<PathBuf>,
    inputs: HashSet<PathBuf>,
    outputs: HashSet<PathBuf>,
    /// Sources that are symlinks, by their target.
    links: HashMap<PathBuf, PathBuf>,
    /// Directories outside the tree that are watched for inputs and links.
    directories: HashSet<PathBuf>,
}

impl EventFilter {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            asset_dirs: Vec::new(),
            inputs: HashSet::new(),
            outputs: HashSet::new(),
            links: HashMap::new(),
            directories: HashSet::new(),
        }
    }

    /// Adds the event to `selected` if it matters, translated to the affected source or input.
    pub(super) fn filter(&self, mut event: FileEvent, selected: &mut Vec<FileEvent>) {
        if event.kind == FileEventKind::Rescan {
            return selected.push(event);
        }
        if event.path.ends_with(".gitignore") {
            // Other directories may have to be watched now.
            event.kind = FileEventKind::Directory;
            event.path.pop();
            if !is_in_tree(&self.root, &event.path) {
                event.path.clone_from(&self.root);
            }
            return selected.push(event);
        }
        if let Some(name) = self.links.get(&event.path) {
            selected.push(FileEvent { path: name.clone(), ..event.clone() });
        }
        let is_source = is_source(&event.path);
        let is_output = !is_source && self.outputs.contains(&event.path);
        if event.is_entry
            && !is_output
            && !event.path.file_name().is_none_or(is_noise)
            && let Some(list) = event.path.parent().filter(|list| self.inputs.contains(*list))
        {
            selected.push(FileEvent {
                path: list.to_owned(),
                kind: FileEventKind::Closed,
                is_entry: false,
            });
        }
        let is_code = (is_source || event.kind == FileEventKind::Directory)
            && is_in_tree(&self.root, &event.path);
        if is_code {
            return selected.push(event);
        }
        if self.inputs.contains(&event.path) && !is_output {
            if event.kind == FileEventKind::Directory {
                event.kind = FileEventKind::Closed;
            }
            selected.push(event);
        }
    }

    /// Returns the kind of asset that the event saved, if no code read or wrote it: any file in a
    /// directory of assets, or a style sheet in the tree or beside it.
    pub(super) fn asset(&self, event: &FileEvent) -> Option<Asset> {
        let FileEvent { path, kind, .. } = event;
        let is_saved = matches!(kind, FileEventKind::Closed | FileEventKind::Modified);
        if !is_saved || self.inputs.contains(path) || self.outputs.contains(path) {
            return None;
        }
        let is_asset = self.asset_dirs.iter().any(|directory| is_in_tree(directory, path));
        let is_beside =
            path.parent() == self.root.parent() && !path.file_name().is_none_or(is_noise);
        let is_style = path.extension().is_some_and(|suffix| suffix == "css");
        if is_style && (is_asset || is_beside || is_in_tree(&self.root, path)) {
            return Some(Asset::Style);
        }
        let is_code = is_source(path) && is_in_tree(&self.root, path);
        (is_asset && !is_code).then_some(Asset::File)
    }

    /// Whether the event is a new directory of assets: one of the given ones, or one below it.
    pub(super) fn is_asset_dir(&self, event: &FileEvent) -> bool {
        event.kind == FileEventKind::Directory
            && self.asset_dirs.iter().any(|directory| is_in_tree(directory, &event.path))
    }

    /// Replaces the directories of assets. Returns the new ones.
    pub(super) fn track_assets(&mut self, directories: &[String]) -> Vec<PathBuf> {
        let directories: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
        let known = std::mem::replace(&mut self.asset_dirs, directories);
        self.asset_dirs.iter().filter(|directory| !known.contains(directory)).cloned().collect()
    }

    /// The directories of static files and templates.
    pub(super) fn asset_dirs(&self) -> &[PathBuf] {
        &self.asset_dirs
    }

    /// Ignores a file that the code writes.
    pub(super) fn add_output(&mut self, path: &Path) {
        self.outputs.insert(path.to_owned());
    }

    /// The files that the code read.
    pub(super) fn inputs(&self) -> &HashSet<PathBuf> {
        &self.inputs
    }

    /// Replaces the files that the code read, and adds the files that it wrote. Returns all directories
    /// to watch outside the tree: another directory may have the name of a watched one.
    pub(super) fn track_files(&mut self, inputs: &[String], outputs: &[String]) -> Vec<PathBuf> {
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

    /// Records sources that are symlinks. Returns all directories to watch outside the tree.
    pub(super) fn add_links(&mut self, links: Vec<(PathBuf, PathBuf)>) -> Vec<PathBuf> {
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

    fn selected(filter: &EventFilter, path: &str, kind: FileEventKind) -> Vec<String> {
        let mut selected = Vec::new();
        let event = FileEvent { path: PathBuf::from(path), kind, is_entry: true };
        filter.filter(event, &mut selected);
        selected.into_iter().map(|event| event.path.display().to_string()).collect()
    }

    #[test]
    fn sources_and_directories_matter_and_noise_does_not() {
        let filter = EventFilter::new(Path::new("/p/python"));
        for (path, kind) in [
            ("/p/python/app.py", FileEventKind::Closed),
            ("/p/python/pkg", FileEventKind::Directory),
            ("/p/python", FileEventKind::Directory),
        ] {
            assert_eq!(selected(&filter, path, kind), [path]);
        }
        for path in [
            "/p/python/.#app.py",
            "/p/python/app.py~",
            "/p/python/4913",
            "/p/python/__pycache__/app.cpython-313.pyc",
            "/p/python/data.csv",
            "/p/other.py",
        ] {
            assert_eq!(selected(&filter, path, FileEventKind::Closed), [""; 0], "{path}");
        }
        assert_eq!(
            selected(&filter, "/p/python/pkg/.gitignore", FileEventKind::Closed),
            ["/p/python/pkg"]
        );
        assert_eq!(selected(&filter, "/p/.gitignore", FileEventKind::Closed), ["/p/python"]);
        assert_eq!(selected(&filter, "/p/python/__pycache__", FileEventKind::Directory), [""; 0]);
        assert_eq!(selected(&filter, "/p/beside", FileEventKind::Directory), [""; 0]);
    }

    #[test]
    fn files_that_the_code_read_matter_and_files_that_it_wrote_do_not() {
        let mut filter = EventFilter::new(Path::new("/p/python"));
        let texts = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let inputs = texts(&["/p/.env", "/p/python/data.json", "/p/list", "/p/python/log.txt"]);
        let outputs = texts(&["/p/python/log.txt", "/p/list/out.txt", "/p/python/made.py"]);

        let directories = filter.track_files(&inputs, &outputs);

        assert!(directories.contains(&PathBuf::from("/p")));
        for path in ["/p/.env", "/p/python/data.json", "/p/python/made.py"] {
            assert_eq!(selected(&filter, path, FileEventKind::Closed), [path]);
        }
        assert_eq!(selected(&filter, "/p/list/new.txt", FileEventKind::Opened), ["/p/list"]);
        for path in ["/p/python/log.txt", "/p/list/out.txt", "/p/list/.new.swp"] {
            assert_eq!(selected(&filter, path, FileEventKind::Closed), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_file_of_pages_counts_if_no_code_read_or_wrote_it() {
        let mut filter = EventFilter::new(Path::new("/p/python"));
        filter.track_files(&["/p/python/read.css".to_owned()], &["/p/python/made.css".to_owned()]);
        let assets = ["/p/assets", "/p/python/static"].map(str::to_owned);
        assert_eq!(filter.track_assets(&assets[..1]), [PathBuf::from("/p/assets")]);
        assert_eq!(filter.track_assets(&assets), [PathBuf::from("/p/python/static")]);
        filter.add_output(Path::new("/p/assets/plot.png"));
        let asset = |path: &str, kind| {
            filter.asset(&FileEvent { path: PathBuf::from(path), kind, is_entry: false })
        };
        let is_style = |path: &str, kind| asset(path, kind) == Some(Asset::Style);
        for path in ["/p/assets/a.js", "/p/assets/deep/a.py", "/p/python/static/a.png"] {
            assert_eq!(asset(path, FileEventKind::Closed), Some(Asset::File), "{path}");
            assert_eq!(asset(path, FileEventKind::Opened), None, "{path}");
        }
        for path in [
            "/p/assets/plot.png",
            "/p/assets/.a.js.swp",
            "/p/assets/node_modules/a.js",
            "/p/python/static/a.py",
            "/p/python/a.png",
            "/p/a.png",
        ] {
            assert_eq!(asset(path, FileEventKind::Closed), None, "{path}");
        }
        for path in ["/p/python/a.css", "/p/python/pkg/b.css", "/p/c.css", "/p/assets/d.css"] {
            assert!(is_style(path, FileEventKind::Closed), "{path}");
            assert!(
                !is_style(path, FileEventKind::Opened) && !is_style(path, FileEventKind::Removed),
                "{path}"
            );
        }
        for path in [
            "/p/python/read.css",
            "/p/python/made.css",
            "/p/python/a.py",
            "/p/python/node_modules/a.css",
            "/p/.#a.css",
            "/elsewhere/a.css",
        ] {
            assert!(!is_style(path, FileEventKind::Closed), "{path}");
        }
    }

    #[test]
    fn an_edit_of_the_target_of_a_link_is_an_edit_of_the_source() {
        let mut filter = EventFilter::new(Path::new("/p/python"));
        filter.add_links(vec![("/shared/app.py".into(), "/p/python/app.py".into())]);
        assert_eq!(
            selected(&filter, "/shared/app.py", FileEventKind::Closed),
            ["/p/python/app.py"]
        );
    }
}
