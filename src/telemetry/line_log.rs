//! A log of lines, written to a file, to stdout or to stderr by a thread of its own.
//!
//! A slow reader or disk delays no request: lines wait in a bounded buffer, and while it is full the
//! newest ones are dropped and counted. So are lines that do not fit on a full disk. Never changes a line,
//! and begins each on a line of its own.

use std::borrow::Cow;
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
pub(super) fn finish_logs() {
    let logs: Vec<_> = LOGS.lock().iter().filter_map(Weak::upgrade).collect();
    for log in logs {
        let mut state = log.state.lock();
        state.is_ending = true;
        log.changed.notify_all();
        drop(log.changed.wait_timeout_while(state, LAST_LINES, |state| state.is_unwritten()));
    }
}

/// The place that a log is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// A file, which is opened again when its logs are.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The writer's end of a log.
#[derive(Debug)]
pub struct LineLog(Arc<SharedLog>);

#[derive(Debug)]
struct SharedLog {
    place: LogPlace,
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
    /// Opens the log and starts its thread; `note` makes the line about a number of dropped ones.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or the thread not be started.
    pub fn open(place: LogPlace, note: fn(u64) -> String) -> io::Result<Self> {
        let end = LogEnd::open(&place)?;
        let name = if place == LogPlace::Stderr { "log" } else { "access-log" };
        let shared = Arc::new(SharedLog {
            place,
            state: Mutex::default(),
            changed: Condvar::default(),
            dropped: AtomicU64::new(0),
            note,
        });
        let thread = Arc::clone(&shared);
        thread::Builder::new().name(name.into()).spawn(move || thread.write(end))?;
        LOGS.lock().push(Arc::downgrade(&shared));
        Ok(Self(shared))
    }

    /// Appends a line, which ends with a line break.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        // The lines after a gap come once the number of the gap is written.
        if state.dropped == 0 && state.waiting.len() + line.len() <= MAX_WAITING {
            state.waiting.extend_from_slice(line);
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
    fn write(&self, end: LogEnd) {
        let mut output = LogOutput { end, lost: 0, is_torn: false };
        let mut last_warning: Option<Instant> = None;
        // The memory of two batches takes turns: that of a new one would have to grow.
        let mut lines = Vec::new();
        loop {
            lines.clear();
            let mut state = self.state.lock();
            while !state.is_unwritten() && !state.must_reopen {
                state.is_parked = true;
                state = self.changed.wait(state);
            }
            state.is_parked = false;
            state = self
                .changed
                .wait_timeout_while(state, BATCH, |state| !state.must_reopen && !state.is_ending);
            std::mem::swap(&mut lines, &mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            let must_reopen = std::mem::take(&mut state.must_reopen);
            state.is_writing = true;
            drop(state);
            if dropped > 0 {
                lines.extend_from_slice((self.note)(dropped).as_bytes());
            }
            let (lost, mut result) = output.write(&lines, self.note);
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            if must_reopen && let LogPlace::File(path) = &self.place {
                match LogEnd::open(&self.place) {
                    Ok(opened) => {
                        output.end = opened;
                        tracing::info!("opened the access log `{}` again", path.display());
                    }
                    // Still writes to the file that was open.
                    Err(error) => result = Err(error),
                }
            }
            if let (Err(error), LogPlace::File(path)) = (result, &self.place)
                && last_warning.is_none_or(|last| last.elapsed() > LOG_INTERVAL)
            {
                last_warning = Some(Instant::now());
                tracing::warn!("cannot write the access log `{}`: {error}", path.display());
            }
            self.state.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

/// A [`LogPlace`] that is open.
enum LogEnd {
    File(File),
    Stdout,
    Stderr,
}

impl LogEnd {
    /// Opens a file to append to it: several processes may do so.
    fn open(place: &LogPlace) -> io::Result<Self> {
        Ok(match place {
            LogPlace::File(path) => {
                Self::File(OpenOptions::new().create(true).append(true).open(path)?)
            }
            LogPlace::Stdout => Self::Stdout,
            LogPlace::Stderr => Self::Stderr,
        })
    }

    /// Writes the first lines; other processes of the server write to the same pipe.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(lines),
            Self::Stdout => io::stdout().lock().write(first_lines(lines)),
            Self::Stderr => io::stderr().write(first_lines(lines)),
        }
    }
}

/// The end of a log that writes.
struct LogOutput {
    end: LogEnd,
    /// Lines that could not be written since the last that could.
    lost: u64,
    /// Whether only the start of a line was written.
    is_torn: bool,
}

impl LogOutput {
    /// Writes lines, after a note about lines that were lost before; returns how many are lost now.
    fn write(&mut self, lines: &[u8], note: fn(u64) -> String) -> (u64, io::Result<()>) {
        let mut start = String::new();
        if self.is_torn {
            start.push('\n');
        }
        if self.lost > 0 {
            start.push_str(&note(self.lost));
        }
        let all = match start.is_empty() {
            true => Cow::Borrowed(lines),
            false => Cow::Owned([start.as_bytes(), lines].concat()),
        };
        let (written, result) = self.write_all(&all);
        if written > 0 {
            self.is_torn = all[written - 1] != b'\n';
        }
        if written >= start.len() {
            self.lost = 0;
        }
        let lost = all[written.max(start.len())..].iter().filter(|byte| **byte == b'\n').count();
        self.lost += lost as u64;
        (lost as u64, result)
    }

    /// Writes bytes, and returns how many were written.
    fn write_all(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < bytes.len() {
            match self.end.write(&bytes[written..]) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}

impl LogLines {
    fn is_unwritten(&self) -> bool {
        !self.waiting.is_empty() || self.dropped > 0 || self.is_writing
    }
}

/// The first lines that fit into one write; one line if it is longer.
fn first_lines(lines: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| *byte == b'\n';
    let fits = &lines[..lines.len().min(MAX_WRITE)];
    let end = fits.iter().rposition(is_end).or_else(|| lines.iter().position(is_end));
    end.map_or(lines, |end| &lines[..=end])
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
        let log = LineLog::open(LogPlace::File(path.clone()), note).expect("a log");
        log.push(b"one\n");
        written(&log);
        std::fs::rename(&path, &old).expect("renamed");
        log.push(b"two\n");
        written(&log);
        reopen_logs();
        written(&log);
        log.push(b"three\n");
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
        let log = LineLog::open(LogPlace::File(fifo), note).expect("a log");
        let line = "x".repeat(1023) + "\n";
        let mut pushed: u64 = 0;
        while log.dropped() == 0 {
            log.push(line.as_bytes());
            pushed += 1;
        }
        log.push(b"short\n");
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
        let (mut rest, mut parts) = (text.as_bytes(), Vec::new());
        while !rest.is_empty() {
            let (part, others) = rest.split_at(first_lines(rest).len());
            (rest, parts) = (others, [parts, vec![part.len()]].concat());
        }
        assert_eq!(parts, [MAX_WRITE, MAX_WRITE + 1, 4]);
    }

    #[test]
    fn a_line_that_was_written_in_part_is_lost_and_the_next_one_is_whole() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("it fails if it is full, as a disk does");
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut output = LogOutput { end: LogEnd::File(file), lost: 0, is_torn: false };
        let line = "x".repeat(99) + "\n";
        let mut written: u64 = 0;
        let lost = loop {
            // More than the kernel takes as a whole, so that it takes a part.
            match output.write(line.repeat(1000).as_bytes(), note) {
                (0, Ok(())) => written += 1000,
                (lost, Err(_)) => break lost,
                (lost, Ok(())) => unreachable!("{lost} lines were lost without an error"),
            }
        };
        assert!(output.is_torn && lost > 1, "{lost}");
        let mut bytes = vec![0; 1 << 20];
        let count = io::Read::read(&mut reader, &mut bytes).expect("bytes");
        let mut text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let (none, result) = output.write(b"next\n", note);
        assert!(none == 0 && result.is_ok() && output.lost == 0, "{result:?}");
        drop(output);
        io::Read::read_to_string(&mut reader, &mut text).expect("the end");
        let lines: Vec<_> = text.lines().collect();
        let whole = lines.iter().filter(|found| found.len() == 99).count() as u64;
        assert_eq!(whole, written + 1000 - lost);
        assert_eq!(lines[lines.len() - 2..], [&*format!("{lost} dropped"), "next"]);
    }
}
