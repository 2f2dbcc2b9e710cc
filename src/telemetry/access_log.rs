//! The lines of the access log: one for each request, as text or as JSON.
//!
//! Owns their format (docs/serving.md has it for users). A path is logged without its query, which
//! often has secrets.

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::config::LogFormat;
use crate::escape;
use crate::message::{Phases, ms};

use super::identity::RequestIdentity;
use super::line_log::{LineLog, LogPlace};
use super::utc_time::{push_time, three_digits, time_text};

/// Stands for a field without a value, in text.
const NONE: &[u8] = b"-";
/// The same in JSON.
const NULL: &[u8] = b"null";

thread_local! {
    /// The line that this thread makes.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
            out.push(b'\n');
            self.lines.push(out);
        });
    }

    /// The number of lines that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.lines.dropped()
    }
}

impl AccessLine<'_> {
    fn push_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&time_text(self.time));
        out.push(b' ');
        out.extend_from_slice(self.identity.map_or(NONE, RequestIdentity::id));
        for word in [self.method, self.path, self.route] {
            out.push(b' ');
            match word {
                Some(word) => push_word(out, word),
                None => out.extend_from_slice(NONE),
            }
        }
        for number in [self.status.into(), self.bytes] {
            out.push(b' ');
            push_number(out, number);
        }
        push_ms(out, b" ", ms(self.total));
        let [read, queue, gil, py, convert, send] = self.phases();
        push_ms(out, b" read=", read);
        push_ms(out, b" queue=", queue);
        push_ms(out, b" gil=", gil);
        push_ms(out, b" py=", py);
        push_ms(out, b" convert=", convert);
        push_ms(out, b" send=", send);
        out.extend_from_slice(b" client=");
        match self.client {
            Some(client) => push_client(out, client),
            None => out.extend_from_slice(NONE),
        }
        out.extend_from_slice(b" trace=");
        out.extend_from_slice(self.identity.map_or(NONE, RequestIdentity::trace_id));
    }

    fn push_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&time_text(self.time));
        out.extend_from_slice(
            b"\",\"level\":\"info\",\"logger\":\"snaxum.access\",\"request_id\":",
        );
        match self.identity {
            Some(identity) => push_quoted(out, identity.id()),
            None => out.extend_from_slice(NULL),
        }
        push_json_text(out, b",\"method\":", self.method);
        push_json_text(out, b",\"path\":", self.path);
        push_json_text(out, b",\"route\":", self.route);
        out.extend_from_slice(b",\"status\":");
        push_number(out, self.status.into());
        out.extend_from_slice(b",\"bytes\":");
        push_number(out, self.bytes);
        push_ms(out, b",\"ms\":", ms(self.total));
        let [read, queue, gil, py, convert, send] = self.phases();
        push_ms(out, b",\"phases\":{\"read\":", read);
        push_ms(out, b",\"queue\":", queue);
        push_ms(out, b",\"gil\":", gil);
        push_ms(out, b",\"py\":", py);
        push_ms(out, b",\"convert\":", convert);
        push_ms(out, b",\"send\":", send);
        out.extend_from_slice(b"},\"client\":");
        match self.client {
            Some(client) => {
                out.push(b'"');
                push_client(out, client);
                out.push(b'"');
            }
            None => out.extend_from_slice(NULL),
        }
        out.extend_from_slice(b",\"generation\":");
        match self.generation {
            Some(generation) => push_number(out, generation),
            None => out.extend_from_slice(NULL),
        }
        let Some(identity) = self.identity else {
            return out.extend_from_slice(b",\"trace_id\":null,\"span_id\":null}");
        };
        out.extend_from_slice(b",\"trace_id\":");
        push_quoted(out, identity.trace_id());
        out.extend_from_slice(b",\"span_id\":");
        push_quoted(out, identity.span_id());
        out.push(b'}');
    }

    /// `read`, `queue`, `gil`, `py`, `convert` and `send`.
    fn phases(&self) -> [f64; 6] {
        let Phases { read, queue, gil, py, convert, error, stream, send, .. } = self.phases;
        [read, queue, gil, py, convert + error, stream + send]
    }
}

/// Appends a name, and milliseconds with three decimals. Formatting a float would cost more than the rest;
/// copying a name whose length is not known to the compiler would cost a call.
fn push_ms<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], ms: f64) {
    out.extend_from_slice(name);
    let us = (ms * 1e3 + 0.5) as u64;
    let [a, b, c] = three_digits((us % 1000) as u32);
    if us < 1000 {
        return out.extend_from_slice(&[b'0', b'.', a, b, c]);
    }
    push_number(out, us / 1000);
    out.extend_from_slice(&[b'.', a, b, c]);
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_client(out: &mut Vec<u8>, client: IpAddr) {
    match client {
        // Formatting it would cost more than the rest.
        IpAddr::V4(client) => {
            let [a, b, c, d] = client.octets();
            push_number(out, a.into());
            for number in [b, c, d] {
                out.push(b'.');
                push_number(out, number.into());
            }
        }
        IpAddr::V6(client) => drop(write!(out, "{client}")),
    }
}

/// Appends a text without spaces and control characters.
fn push_word(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return out.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        let _ = match c.is_whitespace() || escape::is_unsafe(c) {
            true => write!(out, "{}", c.escape_unicode()),
            false => write!(out, "{c}"),
        };
    }
}

/// Appends a name, and a string or null.
fn push_json_text(out: &mut Vec<u8>, name: &[u8], text: Option<&str>) {
    out.extend_from_slice(name);
    let Some(text) = text else { return out.extend_from_slice(NULL) };
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
        return push_quoted(out, text.as_bytes());
    }
    let text = escape::escape_json(&serde_json::Value::from(text).to_string());
    out.extend_from_slice(text.as_bytes());
}

/// Appends visible ASCII without quotes and backslashes as a string.
fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
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

    fn text(line: &AccessLine<'_>) -> String {
        let mut out = Vec::new();
        line.push_text(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn json_text(line: &AccessLine<'_>) -> String {
        let mut out = Vec::new();
        line.push_json(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_text_line_has_its_fields_in_a_fixed_order() {
        let identity = identity();
        assert_eq!(
            text(&line(&identity, "/user/7", Some("/user/<id>"))),
            "2026-11-30T14:02:11.007Z abc-1 GET /user/7 /user/<id> 200 12 1.234 read=0.000 \
             queue=0.010 gil=0.000 py=1.100 convert=0.000 send=0.000 client=::1 \
             trace=4bf92f3577b34da6a3ce929d0e0e4736"
        );
        let client = Some("10.0.200.1".parse().expect("an address"));
        let out = text(&AccessLine { client, ..line(&identity, "/a\n b\u{202e}é", None) });
        assert!(out.contains(" GET /a\\u{a}\\u{20}b\\u{202e}é - 200 "), "{out}");
        assert!(out.contains(" client=10.0.200.1 trace="), "{out}");
    }

    #[test]
    fn a_refused_request_has_no_more_than_its_status() {
        let identity = identity();
        let refused =
            AccessLine { identity: None, method: None, path: None, ..line(&identity, "", None) };
        let out = text(&refused);
        assert!(out.contains("Z - - - - 200 12 ") && out.ends_with(" trace=-"), "{out}");
        let out = json_text(&refused);
        let found: Value = serde_json::from_str(&out).expect("JSON");
        for name in ["request_id", "method", "path", "route", "trace_id", "span_id"] {
            assert_eq!(found.get(name), Some(&Value::Null), "{name}: {out}");
        }
    }

    #[test]
    fn a_json_line_has_the_same_fields() {
        let identity = identity();
        let out = json_text(&line(&identity, "/user/\"7\\\u{202e}", None));
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
