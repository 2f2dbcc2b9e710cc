//! The lines of the access log: one for each request, as text or as JSON.
//!
//! Owns their format (docs/serving.md has it for users). A path is logged without its query, which
//! often has secrets.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::config::LogFormat;
use crate::escape;
use crate::message::{Phases, ms};

use super::identity::RequestIdentity;
use super::line_log::{LineLog, LogPlace};
use super::utc_time::push_time;

/// Stands for a field without a value, in text.
const NONE: &str = "-";

thread_local! {
    /// The line that this thread makes.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The log, and the format of its lines.
#[derive(Debug)]
pub(super) struct AccessLog {
    lines: LineLog,
    format: LogFormat,
}

/// A request that has ended.
pub(super) struct AccessLine<'a> {
    pub(super) time: SystemTime,
    /// `None` for a request that was refused before any handler, as are the next fields without a value.
    pub(super) identity: Option<&'a RequestIdentity>,
    pub(super) client: Option<IpAddr>,
    pub(super) method: Option<&'a str>,
    /// As it was sent, without the query.
    pub(super) path: Option<&'a str>,
    /// The pattern.
    pub(super) route: Option<&'a str>,
    pub(super) status: u16,
    /// The size of the body that was sent.
    pub(super) bytes: u64,
    pub(super) total: Duration,
    pub(super) phases: Phases,
    pub(super) generation: Option<u64>,
}

impl AccessLog {
    /// Opens a file, or stdout for `None`.
    pub(super) fn open(path: Option<PathBuf>, format: LogFormat) -> io::Result<Self> {
        let note = match format {
            LogFormat::Text => text_note,
            LogFormat::Json => json_note,
        };
        let place = path.map_or(LogPlace::Stdout, LogPlace::File);
        Ok(Self { lines: LineLog::open(place, note)?, format })
    }

    /// Writes a line.
    pub(super) fn write(&self, line: &AccessLine<'_>) {
        LINE.with_borrow_mut(|out| {
            out.clear();
            match self.format {
                LogFormat::Text => line.push_text(out),
                LogFormat::Json => line.push_json(out),
            }
            out.push('\n');
            self.lines.push(out.as_bytes());
        });
    }

    /// The number of lines that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.lines.dropped()
    }
}

impl AccessLine<'_> {
    fn phases(&self) -> [(&'static str, f64); 6] {
        let Phases { read, queue, gil, py, convert, error, stream, send, .. } = self.phases;
        [
            ("read", read),
            ("queue", queue),
            ("gil", gil),
            ("py", py),
            ("convert", convert + error),
            ("send", stream + send),
        ]
    }

    fn push_text(&self, out: &mut String) {
        push_time(out, self.time);
        for word in [self.identity.map(RequestIdentity::id), self.method, self.path, self.route] {
            out.push(' ');
            push_word(out, word.unwrap_or(NONE));
        }
        for number in [self.status.into(), self.bytes] {
            out.push(' ');
            out.push_str(itoa::Buffer::new().format(number));
        }
        out.push(' ');
        push_ms(out, ms(self.total));
        for (name, ms) in self.phases() {
            out.push(' ');
            out.push_str(name);
            out.push('=');
            push_ms(out, ms);
        }
        out.push_str(" client=");
        push_client(out, self.client);
        out.push_str(" trace=");
        out.push_str(self.identity.map_or(NONE, RequestIdentity::trace_id));
    }

    fn push_json(&self, out: &mut String) {
        out.push_str("{\"time\":\"");
        push_time(out, self.time);
        out.push_str("\",\"level\":\"info\",\"logger\":\"snaxum.access\"");
        for (name, text) in [
            ("request_id", self.identity.map(RequestIdentity::id)),
            ("method", self.method),
            ("path", self.path),
            ("route", self.route),
        ] {
            push_name(out, name);
            match text {
                Some(text) => push_json_text(out, text),
                None => out.push_str("null"),
            }
        }
        for (name, number) in [("status", self.status.into()), ("bytes", self.bytes)] {
            push_name(out, name);
            out.push_str(itoa::Buffer::new().format(number));
        }
        push_name(out, "ms");
        push_ms(out, ms(self.total));
        out.push_str(",\"phases\":{");
        for (index, (name, ms)) in self.phases().into_iter().enumerate() {
            out.push_str(if index == 0 { "\"" } else { ",\"" });
            out.push_str(name);
            out.push_str("\":");
            push_ms(out, ms);
        }
        out.push_str("},\"client\":");
        match self.client {
            Some(_) => {
                out.push('"');
                push_client(out, self.client);
                out.push('"');
            }
            None => out.push_str("null"),
        }
        push_name(out, "generation");
        match self.generation {
            Some(generation) => out.push_str(itoa::Buffer::new().format(generation)),
            None => out.push_str("null"),
        }
        let Some(identity) = self.identity else {
            return out.push_str(",\"trace_id\":null,\"span_id\":null}");
        };
        out.push_str(",\"trace_id\":\"");
        out.push_str(identity.trace_id());
        out.push_str("\",\"span_id\":\"");
        out.push_str(identity.span_id());
        out.push_str("\"}");
    }
}

fn push_client(out: &mut String, client: Option<IpAddr>) {
    use std::fmt::Write;

    match client {
        // Formatting it would cost more than the rest.
        Some(IpAddr::V4(client)) => {
            for (index, number) in client.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                out.push_str(itoa::Buffer::new().format(number));
            }
        }
        Some(IpAddr::V6(client)) => drop(write!(out, "{client}")),
        None => out.push_str(NONE),
    }
}

fn push_name(out: &mut String, name: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}

/// Appends milliseconds with three decimals. Formatting a float would cost more than the rest.
fn push_ms(out: &mut String, ms: f64) {
    let us = (ms * 1e3 + 0.5) as u64;
    out.push_str(itoa::Buffer::new().format(us / 1000));
    out.push('.');
    for unit in [100, 10, 1] {
        out.push(char::from(b'0' + (us / unit % 10) as u8));
    }
}

/// Appends a text without spaces and control characters.
fn push_word(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return out.push_str(text);
    }
    for c in text.chars() {
        if c.is_whitespace() || escape::is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
}

fn push_json_text(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    out.push_str(&escape::escape_json(&serde_json::Value::from(text).to_string()));
}

fn text_note(dropped: u64) -> String {
    format!("… ({dropped} lines of the access log dropped, as nothing read it)\n")
}

fn json_note(dropped: u64) -> String {
    let mut time = String::new();
    push_time(&mut time, SystemTime::now());
    let message = format!("{dropped} lines of the access log dropped, as nothing read it");
    format!(
        "{{\"time\":\"{time}\",\"level\":\"warning\",\"logger\":\"snaxum.access\",\"message\":\"{message}\"}}\n"
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::identity::{Identities, TRACEPARENT, X_REQUEST_ID};

    fn identity() -> RequestIdentity {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = [(TRACEPARENT, trace), (X_REQUEST_ID, "abc-1")];
        let headers = headers.map(|(name, value)| (name, value.parse().expect("a value")));
        Identities::new(true).identify(1, &HeaderMap::from_iter(headers))
    }

    fn line<'a>(
        identity: &'a RequestIdentity,
        path: &'a str,
        route: Option<&'a str>,
    ) -> AccessLine<'a> {
        AccessLine {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_796_047_331_007),
            identity: Some(identity),
            client: Some("::1".parse().expect("an address")),
            method: Some("GET"),
            path: Some(path),
            route,
            status: 200,
            bytes: 12,
            total: Duration::from_micros(1234),
            phases: Phases { queue: 0.01, py: 1.1, ..Phases::default() },
            generation: Some(1),
        }
    }

    #[test]
    fn a_text_line_has_its_fields_in_a_fixed_order() {
        let (mut out, identity) = (String::new(), identity());
        line(&identity, "/user/7", Some("/user/<id>")).push_text(&mut out);
        assert_eq!(
            out,
            "2026-11-30T14:02:11.007Z abc-1 GET /user/7 /user/<id> 200 12 1.234 read=0.000 \
             queue=0.010 gil=0.000 py=1.100 convert=0.000 send=0.000 client=::1 \
             trace=4bf92f3577b34da6a3ce929d0e0e4736"
        );
        out.clear();
        let client = Some("10.0.200.1".parse().expect("an address"));
        let other = AccessLine { client, ..line(&identity, "/a\n b\u{202e}é", None) };
        other.push_text(&mut out);
        assert!(out.contains(" GET /a\\u{a}\\u{20}b\\u{202e}é - 200 "), "{out}");
        assert!(out.contains(" client=10.0.200.1 trace="), "{out}");
    }

    #[test]
    fn a_refused_request_has_no_more_than_its_status() {
        let (mut out, identity) = (String::new(), identity());
        let refused =
            AccessLine { identity: None, method: None, path: None, ..line(&identity, "", None) };
        refused.push_text(&mut out);
        assert!(out.contains("Z - - - - 200 12 ") && out.ends_with(" trace=-"), "{out}");
        out.clear();
        refused.push_json(&mut out);
        let found: Value = serde_json::from_str(&out).expect("JSON");
        for name in ["request_id", "method", "path", "route", "trace_id", "span_id"] {
            assert_eq!(found.get(name), Some(&Value::Null), "{name}: {out}");
        }
    }

    #[test]
    fn a_json_line_has_the_same_fields() {
        let (mut out, identity) = (String::new(), identity());
        line(&identity, "/user/\"7\\\u{202e}", None).push_json(&mut out);
        assert!(out.is_ascii(), "{out}");
        let mut found: Value = serde_json::from_str(&out).expect("JSON");
        let span = found["span_id"].take();
        assert_eq!(span.as_str().map(str::len), Some(16));
        assert_eq!(
            found,
            json!({
                "time": "2026-11-30T14:02:11.007Z", "level": "info", "logger": "snaxum.access",
                "request_id": "abc-1", "client": "::1", "method": "GET",
                "path": "/user/\"7\\\u{202e}", "route": null, "status": 200, "bytes": 12,
                "ms": 1.234,
                "phases": {"read": 0.0, "queue": 0.01, "gil": 0.0, "py": 1.1, "convert": 0.0, "send": 0.0},
                "generation": 1, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": null,
            })
        );
        let note: Value = serde_json::from_str(&json_note(3)).expect("JSON");
        assert_eq!(note["message"], "3 lines of the access log dropped, as nothing read it");
    }
}
