//! The files of the console in the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The name and the path of each file of the console, vendored ones included; a name has its folders.
pub(crate) fn console_files() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/console");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("one").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("it is below").to_string_lossy();
            found.push((name.into_owned(), path));
        }
    }
    found
}
