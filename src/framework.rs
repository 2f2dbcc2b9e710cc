//! The framework's Python files, compiled into the binary.
//!
//! A debug build reads them from the repository instead, so a change needs no rebuild. Never runs
//! them.

use std::fs;
use std::path::Path;

use rust_embed::Embed;

#[derive(Embed)]
#[folder = "python/snaxum"]
#[include = "*.py"]
#[include = "*.json"]
#[include = "py.typed"]
struct Framework;

/// The code objects of the files, compiled by the build's Python; see `_embed.py`. Empty if a file
/// is newer, which only a debug build can meet.
pub(crate) fn compiled() -> &'static [u8] {
    static COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/framework.bin"));
    if cfg!(debug_assertions) && changed_since_build() { &[] } else { COMPILED }
}

/// Whether a file was written after the build compiled it.
fn changed_since_build() -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    let Ok(built) = written(Path::new(concat!(env!("OUT_DIR"), "/framework.bin"))) else {
        return true;
    };
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/python/snaxum"));
    files().any(|name| written(&directory.join(name)).is_ok_and(|time| time > built))
}

/// The names of the files of the Python package `snaxum`.
pub(crate) fn files() -> impl Iterator<Item = String> {
    Framework::iter().map(|name| name.to_string())
}

/// The text of one file.
pub(crate) fn source(name: &str) -> Option<String> {
    let file = Framework::get(name)?;
    Some(String::from_utf8_lossy(&file.data).into_owned())
}

/// The name and text of each file.
pub(crate) fn sources() -> impl Iterator<Item = (String, String)> {
    files().map(|name| {
        let text = source(&name).expect("the name came from the same list");
        (name, text)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_framework_is_in_the_binary() {
        let names: Vec<String> = super::sources().map(|(name, _)| name).collect();
        for name in ["__init__.py", "_bridge.py", "_embed.py", "_debug/redact.json", "py.typed"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
    }
}
