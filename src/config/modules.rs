//! Finds the modules of a python dir. Imports nothing.

use std::path::Path;

use crate::error::Error;

/// Rejects a named module that does not exist, and a directory without modules.
pub(super) fn check(python_dir: &Path, named: &[String]) -> Result<(), Error> {
    let found = modules_in(python_dir)?;
    for name in named {
        let path = python_dir.join(name.replace('.', "/"));
        if !path.is_dir() && !path.with_extension("py").is_file() {
            return Err(Error::UnknownModule {
                name: name.clone(),
                python_dir: python_dir.to_owned(),
                known: if found.is_empty() { "none".to_owned() } else { found.join(", ") },
            });
        }
    }
    if named.is_empty() && found.is_empty() {
        return Err(Error::NoModule(python_dir.to_owned()));
    }
    Ok(())
}

/// Lists what would load by itself, by the same rule as `_reload.discovery.discover` in Python.
fn modules_in(python_dir: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |source| Error::Unreadable { path: python_dir.to_owned(), source };
    let mut names: Vec<String> = std::fs::read_dir(python_dir)
        .map_err(unreadable)?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let path = entry.path();
            let module = path.extension().is_some_and(|suffix| suffix == "py") && path.is_file();
            let package = path.join("__init__.py").is_file();
            let name = path.file_stem()?.to_str()?.to_owned();
            let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            let hidden =
                name.starts_with(['_', '.']) || name.starts_with("test_") || name == "conftest";
            ((module || package) && named && !hidden).then_some(name)
        })
        .collect();
    names.sort();
    Ok(names)
}
