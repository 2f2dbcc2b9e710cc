//! The thread that waits for saves, and leaves out a save that changes no text.
//!
//! A build script that writes the same text again must not cause the next build.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use snaxum::dev::{SavedSources, SourceWatch};
use tokio::sync::mpsc;

use super::loop_event::LoopEvent;
use super::package::RustPackage;

/// Starts the thread; it reports each save, also one that leaves nothing to build.
pub(super) fn watch_sources(
    package: &RustPackage,
    sender: mpsc::UnboundedSender<LoopEvent>,
) -> io::Result<Arc<SourceWatch>> {
    let watch = Arc::new(SourceWatch::start(&package.sources)?);
    let waiting = Arc::clone(&watch);
    thread::Builder::new().name("sources".into()).spawn(move || {
        let mut texts = KnownTexts::default();
        while let Some(save) = waiting.next_save() {
            let files = save.files.map(|files| texts.changed(files));
            if sender.send(LoopEvent::Saved(SavedSources { files, ..save })).is_err() {
                return; // the builder has ended
            }
        }
    })?;
    Ok(watch)
}

/// The hashes of the texts that were saved last; `None` for a file that is gone.
#[derive(Default)]
struct KnownTexts(HashMap<PathBuf, Option<u64>>);

impl KnownTexts {
    /// Returns the files whose text is another one than at their last save.
    fn changed(&mut self, files: Vec<PathBuf>) -> Vec<PathBuf> {
        let is_new = |path: &PathBuf| {
            let now = hash(path);
            let before = self.0.insert(path.clone(), now);
            before != Some(now) || path.is_dir()
        };
        files.into_iter().filter(is_new).collect()
    }
}

fn hash(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_again_with_the_same_text_has_not_changed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("main.rs");
        let mut texts = KnownTexts::default();
        let mut save = |text: &str| {
            fs::write(&path, text).expect("written");
            texts.changed(vec![path.clone()]).len()
        };
        assert_eq!([save("a"), save("a"), save("b"), save("a")], [1, 0, 1, 1]);
        fs::remove_file(&path).expect("removed");
        assert_eq!(texts.changed(vec![path.clone()]).len(), 1);
        assert_eq!(texts.changed(vec![path]).len(), 0);
    }
}
