//! Decides when a save is whole: gathers hints until nobody seems to be writing any more.
//!
//! Knows no clock, no disk and no Python: it is told what time it is, and whether a file is empty.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::dev::watch::{Hint, Kind};

/// How long to wait for a second file of the same save, when the first is finished.
const QUIET: Duration = Duration::from_micros(500);
/// How long a file must be left alone of which nobody says that its writer is done.
const QUIET_UNFINISHED: Duration = Duration::from_millis(20);
/// How long a file that went away may take to come back: editors move the old one aside first, and
/// on a busy machine write the new one a while later.
const REPLACEMENT: Duration = Duration::from_millis(100);
/// No file holds up the others for longer, whatever its writer does.
const MAX_SETTLE: Duration = Duration::from_millis(150);

/// The hints of what may be one save.
#[derive(Debug)]
pub(super) struct Batch {
    /// When the first hint came.
    pub(super) since: Instant,
    last: Instant,
    files: HashMap<PathBuf, File>,
    is_everything: bool,
}

#[derive(Debug)]
struct File {
    kind: Kind,
    since: Instant,
    last: Instant,
}

impl Batch {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, last: now, files: HashMap::new(), is_everything: false }
    }

    pub(super) fn note(&mut self, hint: Hint, now: Instant) {
        self.last = now;
        if hint.kind == Kind::Everything {
            self.is_everything = true;
            return;
        }
        let file =
            self.files.entry(hint.path).or_insert(File { kind: hint.kind, since: now, last: now });
        (file.kind, file.last) = (hint.kind, now);
    }

    /// Until when to wait, if nothing more comes. Time that has passed means: take it now.
    pub(super) fn ready_at(&self, is_empty: impl Fn(&Path) -> bool) -> Instant {
        let quiet = (self.last + QUIET).min(self.since + MAX_SETTLE);
        let ready = self.files.values().map(File::ready_at).fold(quiet, Instant::max);
        // Truncated, and not yet written: only worth a look at the disk when all else is ready.
        let emptied = self.files.iter().filter(|(path, file)| {
            file.kind != Kind::Gone && file.since + MAX_SETTLE > ready && is_empty(path)
        });
        emptied.map(|(_, file)| file.since + MAX_SETTLE).fold(ready, Instant::max)
    }

    /// Until when a file of which nobody says that it is finished may be half a file; `None` if
    /// there is none, or no longer.
    pub(super) fn partial_until(&self, now: Instant) -> Option<Instant> {
        let open = self.files.values().filter(|file| file.is_open());
        open.map(|file| file.since + MAX_SETTLE).filter(|until| *until > now).max()
    }

    /// What was hinted at; `None` if anything may have changed.
    pub(super) fn paths(&self) -> Option<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        paths.sort();
        (!self.is_everything).then_some(paths)
    }

    /// Whether there is nothing to be dealt with.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.is_everything
    }
}

impl File {
    fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Begun | Kind::Changed)
    }

    fn ready_at(&self) -> Instant {
        let limit = self.since + MAX_SETTLE;
        match self.kind {
            // Its end will be told.
            Kind::Begun => limit,
            Kind::Changed | Kind::Directory => limit.min(self.last + QUIET_UNFINISHED),
            Kind::Gone => limit.min(self.last + REPLACEMENT),
            Kind::Finished | Kind::Everything => self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hints at milliseconds; from when on the batch is ready, in milliseconds.
    fn ready(hints: &[(u64, &str, Kind)], empty: &[&str]) -> f64 {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut batch = Batch::new(at(hints[0].0));
        for (ms, path, kind) in hints {
            let hint = Hint { path: PathBuf::from(path), kind: *kind, is_entry: false };
            batch.note(hint, at(*ms));
        }
        let is_empty = |path: &Path| empty.iter().any(|name| path == Path::new(name));
        (batch.ready_at(is_empty) - start).as_secs_f64() * 1e3
    }

    use Kind::{Begun, Changed, Everything, Finished, Gone};

    #[test]
    fn a_finished_save_waits_only_for_a_second_file() {
        assert_eq!(ready(&[(0, "a", Begun), (1, "a", Finished)], &[]), 1.5);
        assert_eq!(ready(&[(0, "a", Finished), (3, "b", Finished)], &[]), 3.5);
        assert_eq!(ready(&[(0, "", Everything)], &[]), 0.5);
    }

    #[test]
    fn a_file_that_is_held_open_for_writing_is_waited_for_and_not_for_ever() {
        assert_eq!(ready(&[(0, "a", Begun)], &[]), 150.0);
        assert_eq!(ready(&[(0, "a", Begun), (140, "a", Begun)], &[]), 150.0);
        assert_eq!(ready(&[(0, "a", Finished), (100, "b", Begun)], &[]), 250.0);
    }

    #[test]
    fn where_nobody_tells_of_the_end_quiet_is_the_end() {
        assert_eq!(ready(&[(0, "a", Changed), (10, "a", Changed)], &[]), 30.0);
    }

    #[test]
    fn a_file_that_was_moved_away_may_come_back() {
        assert_eq!(ready(&[(0, "a", Gone)], &[]), 100.0);
        assert_eq!(ready(&[(0, "a", Gone), (2, "a", Begun), (3, "a", Finished)], &[]), 3.5);
    }

    #[test]
    fn an_emptied_file_is_waited_for_and_not_for_ever() {
        assert_eq!(ready(&[(0, "a", Finished)], &["a"]), 150.0);
        assert_eq!(ready(&[(0, "a", Gone)], &["a"]), 100.0, "it is not there");
        assert_eq!(ready(&[(0, "a", Finished), (160, "b", Finished)], &["a"]), 160.0);
    }

    #[test]
    fn a_stream_of_saves_is_dealt_with_in_between() {
        let saves: Vec<_> = (0..=200).map(|ms| (ms, "a", Finished)).collect();
        assert!(ready(&saves, &[]) <= 200.0);
    }

    #[test]
    fn only_what_nobody_finished_may_be_half_a_file() {
        let now = Instant::now();
        let mut batch = Batch::new(now);
        let hint = |path: &str, kind| Hint { path: PathBuf::from(path), kind, is_entry: false };
        batch.note(hint("a", Finished), now);
        assert_eq!(batch.partial_until(now), None);
        batch.note(hint("b", Changed), now);
        assert_eq!(batch.partial_until(now), Some(now + MAX_SETTLE));
        assert_eq!(batch.partial_until(now + MAX_SETTLE), None);
        assert_eq!(batch.paths(), Some(vec![PathBuf::from("a"), PathBuf::from("b")]));
        batch.note(hint("", Everything), now);
        assert_eq!(batch.paths(), None);
    }
}
