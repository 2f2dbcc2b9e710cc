//! A log of lines, written to a file or to stdout by a thread of its own.
//!
//! A slow reader or disk delays no request: lines wait in a bounded buffer, and while it is full the
//! newest ones are dropped and counted. Never changes a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Weak;
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Condvar, Mutex};

/// The most bytes that wait to be written.
const MAX_WAITING: usize = 1 << 20;
/// Lines of this time are written together: waking the thread for each one would cost more.
const BATCH: Duration = Duration::from_millis(5);
/// The limit for the last lines of a process.
const LAST_LINES: Duration = Duration::from_millis(500);
/// The most bytes of one write to a pipe that no other writer can divide.
const MAX_WRITE: usize = libc::PIPE_BUF;
/// How often a failure is logged while it lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The logs of this process.
static LOGS: Mutex<Vec<Weak<SharedLog>>> = Mutex::new(Vec::new());

/// Opens the files of all logs again: a log rotation has renamed them.
pub fn reopen_logs() {
    for log in LOGS.lock().iter().filter_map(Weak::upgrade) {
        log.state.lock().must_reopen = true;
        log.changed.notify_all();
    }
}

/// Waits for the last lines of all logs within a time limit.
pub fn finish_logs() {
    let logs: Vec<_> = LOGS.lock().iter().filter_map(Weak::upgrade).collect();
    for log in logs {
        let mut state = log.state.lock();
        state.is_ending = true;
        log.changed.notify_all();
        drop(log.changed.wait_timeout_while(state, LAST_LINES, |state| state.is_unwritten()));
    }
}

/// The writer's end of a log.
#[derive(Debug)]
pub(super) struct LineLog(Arc<SharedLog>);

#[derive(Debug)]
struct SharedLog {
    /// The file; `None` for stdout.
    path: Option<PathBuf>,
    state: Mutex<LogLines>,
    changed: Condvar,
    /// All lines that were dropped so far.
    dropped: AtomicU64,
    /// Makes the line about a number of dropped ones.
    note: fn(u64) -> String,
}

#[derive(Debug, Default)]
struct LogLines {
    waiting: Vec<u8>,
    /// Lines that were dropped after those.
    dropped: u64,
    /// Whether the thread waits to be woken.
    is_parked: bool,
    is_writing: bool,
    must_reopen: bool,
    is_ending: bool,
}

impl LineLog {
    /// Opens the log and starts its thread; `None` for stdout.
    pub(super) fn open(path: Option<PathBuf>, note: fn(u64) -> String) -> io::Result<Self> {
        let file = path.as_ref().map(open).transpose()?;
        let shared = Arc::new(SharedLog {
            path,
            state: Mutex::default(),
            changed: Condvar::default(),
            dropped: AtomicU64::new(0),
            note,
        });
        let thread = Arc::clone(&shared);
        thread::Builder::new().name("access-log".into()).spawn(move || thread.write(file))?;
        LOGS.lock().push(Arc::downgrade(&shared));
        Ok(Self(shared))
    }

    /// Appends a line, which ends with a line break.
    pub(super) fn push(&self, line: &str) {
        let mut state = self.0.state.lock();
        // The lines after a gap come once the number of the gap is written.
        if state.dropped == 0 && state.waiting.len() + line.len() <= MAX_WAITING {
            state.waiting.extend_from_slice(line.as_bytes());
        } else {
            state.dropped += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        let is_parked = std::mem::take(&mut state.is_parked);
        drop(state);
        if is_parked {
            self.0.changed.notify_all();
        }
    }

    /// The number of dropped lines so far.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl SharedLog {
    fn write(&self, mut file: Option<File>) {
        let mut last_warning: Option<Instant> = None;
        loop {
            let mut state = self.state.lock();
            while !state.is_unwritten() && !state.must_reopen {
                state.is_parked = true;
                state = self.changed.wait(state);
            }
            state.is_parked = false;
            state = self
                .changed
                .wait_timeout_while(state, BATCH, |state| !state.must_reopen && !state.is_ending);
            let mut lines = std::mem::take(&mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            let must_reopen = std::mem::take(&mut state.must_reopen);
            state.is_writing = true;
            drop(state);
            if dropped > 0 {
                lines.extend_from_slice((self.note)(dropped).as_bytes());
            }
            let mut result = self.write_lines(&mut file, &lines);
            if must_reopen && let Some(path) = &self.path {
                match open(path) {
                    Ok(opened) => {
                        file = Some(opened);
                        tracing::info!("opened the access log `{}` again", path.display());
                    }
                    // Still writes to the file that was open.
                    Err(error) => result = Err(error),
                }
            }
            if let (Err(error), Some(path)) = (result, &self.path)
                && last_warning.is_none_or(|last| last.elapsed() > LOG_INTERVAL)
            {
                last_warning = Some(Instant::now());
                tracing::warn!("cannot write the access log `{}`: {error}", path.display());
            }
            self.state.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn write_lines(&self, file: &mut Option<File>, lines: &[u8]) -> io::Result<()> {
        let result = match file {
            Some(file) => file.write_all(lines),
            None => whole_lines(lines).try_for_each(|part| io::stdout().lock().write_all(part)),
        };
        if result.is_err() {
            let lost = lines.iter().filter(|byte| **byte == b'\n').count();
            self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        }
        result
    }
}

impl LogLines {
    fn is_unwritten(&self) -> bool {
        !self.waiting.is_empty() || self.dropped > 0 || self.is_writing
    }
}

/// Divides lines into parts that end with a line and are short, unless one line is long.
fn whole_lines(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let fits = &lines[..lines.len().min(MAX_WRITE)];
        let end = fits.iter().rposition(|byte| *byte == b'\n');
        let end = end.or_else(|| lines.iter().position(|byte| *byte == b'\n'))?;
        let (part, rest) = lines.split_at(end + 1);
        lines = rest;
        Some(part)
    })
}

/// Opens a file to append to it: several processes may do so.
fn open(path: impl AsRef<std::path::Path>) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(dropped: u64) -> String {
        format!("{dropped} dropped\n")
    }

    fn written(log: &LineLog) {
        let state = log.0.state.lock();
        drop(log.0.changed.wait_while(state, |state| state.is_unwritten() || state.must_reopen));
    }

    #[test]
    fn a_renamed_file_is_opened_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (path, old) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        let log = LineLog::open(Some(path.clone()), note).expect("a log");
        log.push("one\n");
        written(&log);
        std::fs::rename(&path, &old).expect("renamed");
        log.push("two\n");
        written(&log);
        reopen_logs();
        written(&log);
        log.push("three\n");
        written(&log);
        assert_eq!(std::fs::read_to_string(old).expect("a file"), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(path).expect("a file"), "three\n");
    }

    #[test]
    fn the_number_of_dropped_lines_is_where_they_are_missing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let fifo = dir.path().join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().expect("UTF-8")).expect("no zero");
        // SAFETY: the name is a valid string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        // Open at both ends, so that the log opens it at once, and writes until it is full.
        let reader = OpenOptions::new().read(true).write(true).open(&fifo).expect("a pipe");
        let log = LineLog::open(Some(fifo), note).expect("a log");
        let line = "x".repeat(1023) + "\n";
        let mut pushed: u64 = 0;
        while log.dropped() == 0 {
            log.push(&line);
            pushed += 1;
        }
        log.push("short\n");
        assert_eq!(log.dropped(), 2);
        let mut lines = io::BufRead::lines(io::BufReader::new(reader));
        for _ in 1..pushed {
            assert_eq!(lines.next().expect("a line").expect("UTF-8").len(), 1023);
        }
        assert_eq!(lines.next().expect("a line").expect("UTF-8"), "2 dropped");
    }

    #[test]
    fn output_is_divided_at_the_ends_of_lines() {
        let long = "x".repeat(MAX_WRITE) + "\n";
        let text = format!("{}{long}a\nb\n", "y\n".repeat(MAX_WRITE / 2));
        let parts: Vec<_> = whole_lines(text.as_bytes()).map(<[u8]>::len).collect();
        assert_eq!(parts, [MAX_WRITE, MAX_WRITE + 1, 4]);
        assert_eq!(parts.iter().sum::<usize>(), text.len());
    }
}
