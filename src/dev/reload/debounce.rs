//! Decides when a save is complete: gathers file events until no program seems to write any more.
//!
//! Reads no clock and no disk: the caller passes the time, and whether a file is empty.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::dev::watch::{FileEvent, FileEventKind};

/// The wait for a second file of the same save, once the first is closed.
const QUIET: Duration = Duration::from_micros(500);
/// The quiet time before new code serves: by then, the next file of the same save has an event. Most
/// of it passes while the modules run.
const QUIET_COMMIT: Duration = Duration::from_micros(1500);
/// The quiet time of a save that wrote more files than it seemed at first.
const QUIET_BURST: Duration = Duration::from_millis(30);
/// The quiet time after which a file counts as complete where no event reports its end.
const QUIET_UNCLOSED: Duration = Duration::from_millis(20);
/// The wait for a removed file to come back: editors move the old one aside first, and on a busy
/// machine write the new one a while later.
const REPLACEMENT: Duration = Duration::from_millis(100);
/// The longest time that one file delays the others, whatever its writer does.
const MAX_SETTLE: Duration = Duration::from_millis(150);
/// The same for a module that its writer has emptied and not closed: without its text, its routes would be
/// gone. Meanwhile the old code serves.
const MAX_EMPTIED: Duration = Duration::from_secs(2);
/// The longest time that a save takes which writes one file after the other.
const MAX_BURST: Duration = Duration::from_secs(10);

/// The file events that may belong to one save.
#[derive(Clone, Debug)]
pub(in crate::dev) struct Debouncer {
    /// When the first event came.
    pub(in crate::dev) since: Instant,
    last: Instant,
    /// When the newest file joined.
    last_new: Instant,
    quiet: Duration,
    files: HashMap<PathBuf, PendingFile>,
    needs_rescan: bool,
}

#[derive(Clone, Debug)]
struct PendingFile {
    kind: FileEventKind,
    since: Instant,
    last: Instant,
}

impl Debouncer {
    pub(in crate::dev) fn new(now: Instant) -> Self {
        let (files, needs_rescan) = (HashMap::new(), false);
        Self { since: now, last: now, last_new: now, quiet: QUIET, files, needs_rescan }
    }

    /// Waits longer from now on: the save writes one file after the other.
    pub(super) fn expect_more(&mut self) {
        self.quiet = QUIET_BURST;
    }

    /// Returns the time before which no new code serves: more files of the save may come.
    pub(super) fn commits_at(&self) -> Instant {
        self.last + QUIET_COMMIT
    }

    /// Whether a file that changes now, during the reload, belongs to this save.
    pub(super) fn is_joined_by(&self, path: &Path, now: Instant) -> bool {
        // A file that never stops changing must not delay the others.
        let limit = if self.files.contains_key(path) { MAX_SETTLE } else { MAX_BURST };
        now < self.since + limit
    }

    /// Whether a change of this file, just after the reload of this save, may belong to it.
    pub(super) fn is_continued_by(&self, path: &Path) -> bool {
        !self.files.contains_key(path)
    }

    pub(in crate::dev) fn add(&mut self, event: FileEvent, now: Instant) {
        self.last = now;
        if event.kind == FileEventKind::Rescan {
            self.needs_rescan = true;
            return;
        }
        if !self.files.contains_key(&event.path) {
            self.last_new = now;
        }
        let new = PendingFile { kind: event.kind, since: now, last: now };
        let file = self.files.entry(event.path).or_insert(new);
        if file.kind == FileEventKind::Closed && event.kind == FileEventKind::Opened {
            file.since = now; // another save of the file, which may have emptied it
        }
        (file.kind, file.last) = (event.kind, now);
    }

    /// Returns when the save is complete, if no more events come; a time in the past means now.
    pub(in crate::dev) fn ready_at(&self, is_empty: impl Fn(&Path) -> bool) -> Instant {
        // More events of the same files delay it for a limited time, and each new file again.
        let new_files = (self.last_new + self.quiet).min(self.since + MAX_BURST);
        let quiet = (self.last + self.quiet).min(new_files.max(self.since + MAX_SETTLE));
        let ready = self.files.values().map(PendingFile::ready_at).fold(quiet, Instant::max);
        // Truncated, and not written yet: the disk is read only once all else is ready.
        let filled = self.files.iter().filter_map(|(path, file)| {
            let end = file.since + file.wait_for_text(path)?;
            (end > ready && is_empty(path)).then_some(end)
        });
        filled.fold(ready, Instant::max)
    }

    /// Returns until when a file without a reported end may be half written; `None` if there is
    /// none any more.
    pub(super) fn partial_until(&self, now: Instant) -> Option<Instant> {
        let open = self.files.values().filter(|file| file.is_open());
        open.map(|file| file.since + MAX_SETTLE).filter(|until| *until > now).max()
    }

    /// Returns the changed files; `None` if any file may have changed.
    pub(in crate::dev) fn paths(&self) -> Option<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        paths.sort();
        (!self.needs_rescan).then_some(paths)
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.needs_rescan
    }
}

impl PendingFile {
    fn is_open(&self) -> bool {
        matches!(self.kind, FileEventKind::Opened | FileEventKind::Modified)
    }

    /// How long it is waited for if it is empty.
    fn wait_for_text(&self, path: &Path) -> Option<Duration> {
        match self.kind {
            FileEventKind::Removed => None,
            // An event will report its end.
            FileEventKind::Opened if path.extension().is_some_and(|it| it == "py") => {
                Some(MAX_EMPTIED)
            }
            _ => Some(MAX_SETTLE),
        }
    }

    fn ready_at(&self) -> Instant {
        let limit = self.since + MAX_SETTLE;
        match self.kind {
            // An event will report its end.
            FileEventKind::Opened => limit,
            FileEventKind::Modified | FileEventKind::Directory => {
                limit.min(self.last + QUIET_UNCLOSED)
            }
            FileEventKind::Removed => limit.min(self.last + REPLACEMENT),
            FileEventKind::Closed | FileEventKind::Rescan => self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds events at these milliseconds; returns from which millisecond on the batch is ready.
    fn ready(events: &[(u64, &str, FileEventKind)], empty: &[&str]) -> f64 {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut batch = Debouncer::new(at(events[0].0));
        for (ms, path, kind) in events {
            let event = FileEvent { path: PathBuf::from(path), kind: *kind, is_entry: false };
            batch.add(event, at(*ms));
        }
        let is_empty = |path: &Path| empty.iter().any(|name| path == Path::new(name));
        (batch.ready_at(is_empty) - start).as_secs_f64() * 1e3
    }

    use FileEventKind::{Closed, Modified, Opened, Removed, Rescan};

    #[test]
    fn a_closed_file_waits_only_for_a_second_file() {
        assert_eq!(ready(&[(0, "a", Opened), (1, "a", Closed)], &[]), 1.5);
        assert_eq!(ready(&[(0, "a", Closed), (3, "b", Closed)], &[]), 3.5);
        assert_eq!(ready(&[(0, "", Rescan)], &[]), 0.5);
    }

    #[test]
    fn the_wait_for_a_file_that_is_open_for_writing_is_bounded() {
        assert_eq!(ready(&[(0, "a", Opened)], &[]), 150.0);
        assert_eq!(ready(&[(0, "a", Opened), (140, "a", Opened)], &[]), 150.0);
        assert_eq!(ready(&[(0, "a", Closed), (100, "b", Opened)], &[]), 250.0);
    }

    #[test]
    fn a_file_that_is_opened_again_is_not_read_before_it_is_closed() {
        let again = [(0, "a", Closed), (90, "b", Removed), (160, "a", Opened)];
        assert_eq!(ready(&again, &["a"]), 310.0);
        assert_eq!(ready(&[&again[..], &[(170, "a", Closed)]].concat(), &[]), 190.0);
    }

    #[test]
    fn without_an_event_for_the_end_quiet_is_the_end() {
        assert_eq!(ready(&[(0, "a", Modified), (10, "a", Modified)], &[]), 30.0);
    }

    #[test]
    fn a_file_that_was_moved_away_may_come_back() {
        assert_eq!(ready(&[(0, "a", Removed)], &[]), 100.0);
        assert_eq!(ready(&[(0, "a", Removed), (2, "a", Opened), (3, "a", Closed)], &[]), 3.5);
    }

    #[test]
    fn the_wait_for_an_emptied_file_is_bounded() {
        assert_eq!(ready(&[(0, "a", Closed)], &["a"]), 150.0);
        assert_eq!(ready(&[(0, "a", Removed)], &["a"]), 100.0, "it does not exist");
        assert_eq!(ready(&[(0, "a", Closed), (160, "b", Closed)], &["a"]), 160.5);
    }

    #[test]
    fn an_emptied_module_is_waited_for_longer_while_its_writer_has_it_open() {
        assert_eq!(ready(&[(0, "a.py", Opened)], &["a.py"]), 2000.0);
        assert_eq!(ready(&[(0, "a.py", Opened)], &[]), 150.0, "it has text");
        assert_eq!(ready(&[(0, "a.py", Opened), (9, "a.py", Closed)], &["a.py"]), 150.0);
        assert_eq!(ready(&[(0, "a.txt", Opened)], &["a.txt"]), 150.0);
    }

    #[test]
    fn a_stream_of_saves_is_reloaded_in_between() {
        let saves: Vec<_> = (0..=200).map(|ms| (ms, "a", Closed)).collect();
        assert!(ready(&saves, &[]) <= 200.0);
    }

    #[test]
    fn a_growing_save_waits_longer_for_each_new_file() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut batch = Debouncer::new(start);
        batch.expect_more();
        for ms in (0..=400).step_by(20) {
            let event = FileEvent { path: ms.to_string().into(), kind: Closed, is_entry: false };
            batch.add(event, at(ms));
            assert_eq!(batch.ready_at(|_| false), at(ms) + QUIET_BURST);
        }
        assert!(batch.is_joined_by(Path::new("new"), at(400)));
        assert!(!batch.is_joined_by(Path::new("400"), at(400)), "the same file delays no longer");
        assert!(!batch.is_joined_by(Path::new("new"), start + MAX_BURST));
    }

    #[test]
    fn only_an_unclosed_file_may_be_half_written() {
        let now = Instant::now();
        let mut batch = Debouncer::new(now);
        let event = |path: &str, kind| FileEvent { path: path.into(), kind, is_entry: false };
        batch.add(event("a", Closed), now);
        assert_eq!(batch.partial_until(now), None);
        batch.add(event("b", Modified), now);
        assert_eq!(batch.partial_until(now), Some(now + MAX_SETTLE));
        assert_eq!(batch.partial_until(now + MAX_SETTLE), None);
        assert_eq!(batch.paths(), Some(vec![PathBuf::from("a"), PathBuf::from("b")]));
        batch.add(event("", Rescan), now);
        assert_eq!(batch.paths(), None);
    }
}
