//! `--log-format json`: each event of the log is a line of JSON, with the keys that `snaxum.logs` has.

use std::fmt::{self, Debug, Write};
use std::time::SystemTime;

use serde_json::Value;
use snaxum::telemetry::push_time;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::render::color::escape_json;

/// The prefix of the fields that a log of text does not show.
const HIDDEN: &str = "log.";

/// Formats events as lines of JSON.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut line = begin(level, &metadata.target().replace("::", "."));
        event.record(&mut FieldWriter(&mut line));
        line.push('}');
        writeln!(writer, "{}", escape_json(&line))
    }
}

/// Makes a line about the server itself.
pub(super) fn line(level: &str, message: &str) -> String {
    let mut line = begin(level, "snaxum");
    add(&mut line, "message", &message.into());
    escape_json(&line) + "}\n"
}

fn begin(level: &str, logger: &str) -> String {
    let mut line = String::with_capacity(128);
    line.push_str("{\"time\":\"");
    push_time(&mut line, SystemTime::now());
    let _ = write!(line, "\",\"level\":\"{level}\",\"logger\":\"{logger}\"");
    line
}

fn add(line: &mut String, name: &str, value: &Value) {
    let _ = write!(line, ",{}:{value}", Value::from(name));
}

/// Appends the fields of an event.
struct FieldWriter<'a>(&'a mut String);

impl FieldWriter<'_> {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        add(self.0, name.strip_prefix(HIDDEN).unwrap_or(name), &value.into());
    }
}

impl Visit for FieldWriter<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_cannot_control_a_terminal() {
        let line = line("info", "a \"quoted\"\n\u{202e}path");
        assert!(line.is_ascii() && line.ends_with("}\n"), "{line}");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["message"], "a \"quoted\"\n\u{202e}path");
        assert_eq!((&line["level"], &line["logger"]), (&"info".into(), &"snaxum".into()));
        assert_eq!(line["time"].as_str().map(str::len), Some("2026-11-30T14:02:11.123Z".len()));
    }
}
