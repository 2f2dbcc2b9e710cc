//! The event stream as lines for people.
//!
//! Reads of each message what it shows, and passes over what it does not know: the server may be
//! newer.

use console::style;
use serde::Deserialize;
use snaxum::message::Traceback;

use super::super::style::plain;
use super::super::traceback;

/// One message of the stream.
#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) seq: u64,
    #[serde(flatten)]
    body: Body,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Body {
    #[serde(rename = "hello")]
    Hello { run_id: String, generation: u64, python: String },
    #[serde(rename = "snapshot")]
    Snapshot { requests: Vec<Request>, reloads: Vec<Reload> },
    #[serde(rename = "request.end")]
    Request { request: Request },
    #[serde(rename = "log")]
    Log { log: Log },
    #[serde(rename = "reload.ok")]
    ReloadOk { reload: Reload },
    #[serde(rename = "reload.fail")]
    ReloadFail { reload: Reload },
    #[serde(rename = "status")]
    Status { status: Status },
    #[serde(rename = "dropped")]
    Dropped { count: u64 },
    #[serde(rename = "bye")]
    Bye { reason: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Request {
    id: String,
    time_ms: u64,
    method: String,
    path: String,
    status: u16,
    generation: Option<u64>,
    total_ms: f64,
    error: Option<Raised>,
}

#[derive(Deserialize)]
struct Raised {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    file: Option<String>,
    line: Option<u32>,
}

#[derive(Deserialize)]
struct Reload {
    time_ms: u64,
    generation: u64,
    outcome: String,
    reason: String,
    files: Vec<String>,
    total_ms: f64,
    diff: Diff,
    traceback: Option<Traceback>,
}

#[derive(Deserialize)]
struct Diff {
    added: Vec<Route>,
    removed: Vec<Route>,
    changed: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    methods: Vec<String>,
    path: String,
}

#[derive(Deserialize)]
struct Log {
    request: Option<String>,
    stream: String,
    line: String,
}

#[derive(Deserialize)]
struct Status {
    paused: bool,
}

impl Event {
    /// Which run of the server it is from, in its first message.
    pub(super) fn run_id(&self) -> Option<&str> {
        match &self.body {
            Body::Hello { run_id, .. } => Some(run_id),
            _ => None,
        }
    }

    /// Whether the server has no place for one more.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(&self.body, Body::Bye { reason } if reason == "limit")
    }

    pub(super) fn is_snapshot(&self) -> bool {
        matches!(self.body, Body::Snapshot { .. })
    }
}

/// How events are drawn.
pub(super) struct Events {
    /// How many requests and reloads of a snapshot are shown.
    pub(super) last: usize,
}

impl Events {
    /// Draws an event; nothing for what nobody asks for.
    pub(super) fn lines(&self, event: &Event) -> String {
        match &event.body {
            Body::Hello { generation, python, .. } => {
                format!("  {} G{generation}, Python {}\n", style("●").green(), plain(python))
            }
            Body::Snapshot { requests, reloads } => self.newest(requests, reloads),
            Body::Request { request } => request.line(),
            Body::Log { log } => log.line(),
            Body::ReloadOk { reload } | Body::ReloadFail { reload } => reload.lines(),
            Body::Status { status } if status.paused => {
                format!("  {} paused\n", style("‖").yellow())
            }
            Body::Status { .. } => format!("  {} not paused\n", style("▶").green()),
            Body::Dropped { count } => format!("  … {count} events were too many to show\n"),
            Body::Bye { .. } | Body::Other => String::new(),
        }
    }

    /// The lists are newest first; what is shown is not.
    fn newest(&self, requests: &[Request], reloads: &[Reload]) -> String {
        let requests = requests.iter().rev().map(|request| (request.time_ms, request.line()));
        let reloads = reloads.iter().rev().map(|reload| (reload.time_ms, reload.lines()));
        let mut all: Vec<_> = requests.chain(reloads).collect();
        all.sort_by_key(|(time, _)| *time);
        let start = all.len().saturating_sub(self.last);
        all.drain(start..).map(|(_, lines)| lines).collect()
    }
}

impl Request {
    fn line(&self) -> String {
        let status = match self.status {
            500.. => style(self.status).red(),
            400.. => style(self.status).yellow(),
            _ => style(self.status).green(),
        };
        let generation = self.generation.map_or("-".to_owned(), |number| format!("G{number}"));
        let (method, path) = (plain(&self.method), plain(&self.path));
        let raised = self.error.as_ref().map_or(String::new(), Raised::words);
        format!(
            "  {method:<6} {path}  {status}  {:.1} ms  {generation} #{}{raised}\n",
            self.total_ms,
            plain(&self.id)
        )
    }
}

impl Raised {
    fn words(&self) -> String {
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("  {}:{line}", plain(file)),
            _ => String::new(),
        };
        let kind = style(plain(&self.kind)).red();
        format!("  {kind}: {}{place}", plain(&self.message))
    }
}

impl Reload {
    fn lines(&self) -> String {
        let files = plain(&self.files.join(", "));
        let ms = self.total_ms;
        let generation = self.generation;
        match &*self.outcome {
            "failed" => {
                let serving = style(format!("G{generation} serves")).yellow();
                let traceback = self.traceback.as_ref().map_or(String::new(), traceback::render);
                format!("  {} {ms:.1} ms  {files}  {serving}\n{traceback}", style("✖").red())
            }
            "noop" => {
                let reason = plain(&self.reason);
                format!("  {} G{generation}  {ms:.1} ms  {files}  {reason}\n", style("=").dim())
            }
            _ => {
                let line = format!("G{generation}  {ms:.1} ms  {files}  {}", self.diff.words());
                format!("  {} {}\n", style("↻").green(), line.trim_end())
            }
        }
    }
}

impl Diff {
    fn words(&self) -> String {
        let signed = [("+", &self.added), ("-", &self.removed), ("~", &self.changed)];
        let words = signed.iter().flat_map(|(sign, routes)| {
            routes.iter().map(move |route| {
                format!("{sign} {} {}", plain(&route.methods.join(",")), plain(&route.path))
            })
        });
        words.collect::<Vec<_>>().join("  ")
    }
}

impl Log {
    fn line(&self) -> String {
        let request = self.request.as_ref().map_or(String::new(), |id| format!("#{} ", plain(id)));
        let about = style(format!("{request}{}", plain(&self.stream))).dim();
        format!("  │ {about}  {}\n", plain(&self.line))
    }
}
