//! The log on stderr.
//!
//! Decides its content and its format; a thread of its own writes the lines (`LineLog`).

use std::io::{self, IsTerminal, Write};

use snaxum::config::LogFormat;
use snaxum::sync::OnceLock;
use snaxum::telemetry::{self, LineLog, LogPlace};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::json_lines::{self, JsonLines};

static LOG: OnceLock<LineLog> = OnceLock::new();

/// Sends the log to stderr; `RUST_LOG` overrides the default filter.
pub(crate) fn start(default: &str) {
    start_as(default, LogFormat::Text);
}

/// Sends the log to stderr in this format.
pub(crate) fn start_as(default: &str, format: LogFormat) {
    // h2 warns of each invalid frame, so a client could fill the log.
    let default = || EnvFilter::new(format!("{default},h2=error"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    let note = match format {
        LogFormat::Text => text_note,
        LogFormat::Json => json_note,
    };
    let writer = match LineLog::open(LogPlace::Stderr, note) {
        Ok(log) => {
            let log = LOG.get_or_init(|| log);
            BoxMakeWriter::new(move || LogWriter(log))
        }
        Err(_) => BoxMakeWriter::new(io::stderr), // there is no thread for it
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let has_color = console::colors_enabled_stderr() && io::stderr().is_terminal();
    match format {
        LogFormat::Text => log.with_ansi(has_color).with_writer(writer).init(),
        LogFormat::Json => log.event_format(JsonLines).with_writer(writer).init(),
    }
}

/// Waits for the queued lines of all logs, and the spans, within a time limit.
pub(crate) fn finish() {
    telemetry::finish();
}

fn text_note(dropped: u64) -> String {
    format!("… ({})\n", note(dropped))
}

fn json_note(dropped: u64) -> String {
    json_lines::line("warning", &note(dropped))
}

fn note(dropped: u64) -> String {
    format!("log: {dropped} lines dropped, as nothing read stderr")
}

/// Writes one line a call.
struct LogWriter(&'static LineLog);

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
