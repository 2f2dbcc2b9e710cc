//! The log on stderr, written by a thread of its own.
//!
//! Without a reader of stderr, the newest lines are dropped and counted: no request waits for it.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use snaxum::config::LogFormat;
use snaxum::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use snaxum::telemetry;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::json_lines::{self, JsonLines};

/// The most bytes that wait for the reader.
const MAX_WAITING: usize = 1 << 20;
/// The limit for the last lines of a process.
const LAST_LINES: Duration = Duration::from_millis(500);

static QUEUE: OnceLock<LogQueue> = OnceLock::new();

struct LogQueue {
    format: LogFormat,
    state: Mutex<LogState>,
    condvar: Condvar,
}

#[derive(Default)]
struct LogState {
    waiting: Vec<u8>,
    dropped: usize,
    is_writing: bool,
}

/// Sends the log to stderr; `RUST_LOG` overrides the default filter.
pub(crate) fn start(default: &str) {
    start_as(default, LogFormat::Text);
}

/// Sends the log to stderr in this format.
pub(crate) fn start_as(default: &str, format: LogFormat) {
    // h2 warns of each invalid frame, so a client could fill the log.
    let default = || EnvFilter::new(format!("{default},h2=error"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    let queue = QUEUE.get_or_init(|| LogQueue {
        format,
        state: Mutex::default(),
        condvar: Condvar::default(),
    });
    let writer = match thread::Builder::new().name("log".into()).spawn(|| queue.write()) {
        Ok(_) => BoxMakeWriter::new(move || queue),
        Err(_) => BoxMakeWriter::new(io::stderr),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let has_color = console::colors_enabled_stderr() && io::stderr().is_terminal();
    match format {
        LogFormat::Text => log.with_ansi(has_color).with_writer(writer).init(),
        LogFormat::Json => log.event_format(JsonLines).with_writer(writer).init(),
    }
}

/// Waits for the queued lines, the access log and the spans, within a time limit.
pub(crate) fn finish() {
    telemetry::finish();
    if let Some(queue) = QUEUE.get() {
        let has_lines = |state: &mut LogState| state.is_writing || state.has_lines();
        drop(queue.condvar.wait_timeout_while(queue.lock(), LAST_LINES, has_lines));
    }
}

impl LogQueue {
    fn write(&self) {
        let mut state = self.lock();
        loop {
            state = self.condvar.wait_while(state, |state| !state.has_lines());
            let lines = state.take(self.format);
            state.is_writing = true;
            drop(state);
            write_lines(&lines);
            state = self.lock();
            state.is_writing = false;
            self.condvar.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock()
    }
}

/// Writes in parts that end with a line: other processes of the server write to the same pipe.
fn write_lines(mut lines: &[u8]) {
    while !lines.is_empty() {
        let part = telemetry::first_lines(lines);
        if io::stderr().write_all(part).is_err() {
            return; // it may be closed
        }
        lines = &lines[part.len()..];
    }
}

impl LogState {
    fn has_lines(&self) -> bool {
        !self.waiting.is_empty() || self.dropped > 0
    }

    fn add(&mut self, line: &[u8]) {
        // The lines after a gap come once the number of the gap is written.
        if self.dropped == 0 && self.waiting.len() + line.len() <= MAX_WAITING {
            self.waiting.extend_from_slice(line);
        } else {
            self.dropped += 1;
        }
    }

    fn take(&mut self, format: LogFormat) -> Vec<u8> {
        let mut lines = std::mem::take(&mut self.waiting);
        match std::mem::take(&mut self.dropped) {
            0 => {}
            dropped => {
                let note = format!("log: {dropped} lines dropped, as nothing read stderr");
                let note = match format {
                    LogFormat::Text => format!("… ({note})\n"),
                    LogFormat::Json => json_lines::line("warning", &note),
                };
                lines.extend_from_slice(note.as_bytes());
            }
        }
        lines
    }
}

/// The log writes one line a call.
impl Write for &LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lock().add(line);
        self.condvar.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_dropped_lines_is_where_they_are_missing() {
        let mut state = LogState::default();
        let line = [b'x'; MAX_WAITING / 2];
        for _ in 0..5 {
            state.add(&line);
        }
        state.add(b"small\n");
        let text = String::from_utf8(state.take(LogFormat::Text)).expect("UTF-8");
        assert_eq!(text.len() - text.find('…').expect("a note"), {
            "… (log: 4 lines dropped, as nothing read stderr)\n".len()
        });
        assert!(!state.has_lines());
        state.add(b"after\n");
        assert_eq!(state.take(LogFormat::Json), b"after\n");
    }
}
