//! Renders the event stream as lines.
//!
//! Parses only the fields that it shows and ignores unknown messages: the server may be newer.

use std::time::Instant;

use console::style;
use serde::Deserialize;
use snaxum::event::PinRound;
use snaxum::message::{ContractDiff, ErrorSummary, Phases, Reload, RouteInfo};

use super::color::escape;
use super::contract;
use super::{Renderer, RequestView, WEBSOCKET, pause_line};

/// One message of the stream.
#[derive(Deserialize)]
pub(crate) struct StreamEvent {
    pub(crate) seq: u64,
    #[serde(flatten)]
    body: StreamEventBody,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum StreamEventBody {
    #[serde(rename = "hello")]
    Hello { run_id: String, generation: u64, python: String },
    #[serde(rename = "snapshot")]
    Snapshot {
        routes: Vec<RouteInfo>,
        requests: Vec<RequestView>,
        reloads: Vec<Reload>,
        pins: Vec<PinView>,
    },
    #[serde(rename = "request.end")]
    Request { request: Box<RequestView> },
    #[serde(rename = "websocket.message")]
    Message { message: MessageView },
    #[serde(rename = "websocket.close")]
    Close { close: CloseView },
    #[serde(rename = "log")]
    Log { log: LogView },
    #[serde(rename = "reload.ok", alias = "reload.fail")]
    Reload { reload: Box<Reload> },
    #[serde(rename = "contract.diff")]
    Contract { generation: u64, contract: ContractDiff },
    #[serde(rename = "routes")]
    Routes { routes: Vec<RouteInfo> },
    #[serde(rename = "pins")]
    Pins { pins: Vec<PinView> },
    #[serde(rename = "status")]
    Status { status: StatusView },
    #[serde(rename = "dropped")]
    Dropped { count: u64 },
    #[serde(rename = "bye")]
    Bye { reason: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct LogView {
    request: Option<String>,
    stream: String,
    line: String,
}

#[derive(Deserialize)]
struct MessageView {
    request: String,
    direction: String,
    size: u64,
    text: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct CloseView {
    request: String,
    time_ms: u64,
    path: String,
    route: Option<String>,
    generation: u64,
    code: u16,
    total_ms: f64,
    error: Option<ErrorSummary>,
}

#[derive(Deserialize)]
struct PinView {
    id: String,
    state: String,
    generation: Option<u64>,
    replays: u64,
}

#[derive(Deserialize)]
struct StatusView {
    paused: bool,
}

impl StreamEvent {
    /// Returns the run of the server, in its first message.
    pub(crate) fn run_id(&self) -> Option<&str> {
        match &self.body {
            StreamEventBody::Hello { run_id, .. } => Some(run_id),
            _ => None,
        }
    }

    /// Whether the server rejects the client because of its limit.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(&self.body, StreamEventBody::Bye { reason } if reason == "limit")
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        matches!(self.body, StreamEventBody::Snapshot { .. })
    }
}

/// The state between two events.
pub(crate) struct EventLines {
    pub(crate) renderer: Renderer,
    /// The number of past requests and reloads to show.
    last: usize,
    /// The run of the last snapshot.
    shown: Option<String>,
    /// The current run.
    run_id: Option<String>,
    pins: Vec<PinView>,
    /// Whether the reader has started the server: it prints builds itself, and has the server's output.
    is_parent: bool,
}

/// The strategy of a reload that is a build.
const BUILD: &str = "build";

impl EventLines {
    pub(crate) fn new(last: usize, shows_phases: bool) -> Self {
        let renderer = Renderer::new(shows_phases, None);
        Self { renderer, last, shown: None, run_id: None, pins: Vec::new(), is_parent: false }
    }

    /// For the process that has started the server.
    #[allow(dead_code, reason = "the builder is a part of dev mode")]
    pub(crate) fn of_parent(shows_phases: bool) -> Self {
        Self { is_parent: true, ..Self::new(usize::MAX, shows_phases) }
    }

    /// Renders an event; returns an empty text for one that is not shown.
    pub(crate) fn draw(&mut self, event: StreamEvent, now: Instant) -> String {
        match event.body {
            StreamEventBody::Hello { run_id, generation, python } => {
                self.run_id = Some(run_id);
                if self.is_parent {
                    return String::new();
                }
                let sign = style("●").green();
                self.renderer
                    .push(&format!("  {sign} version {generation}, Python {}\n", escape(&python)))
            }
            StreamEventBody::Snapshot { routes, mut requests, mut reloads, pins } => {
                // The lists are newest first, the lines oldest first.
                requests.reverse();
                reloads.reverse();
                self.renderer.set_routes(&routes);
                // A later snapshot of the same run repeats what is on the screen.
                let is_later = self.shown.is_some() && self.shown == self.run_id;
                self.shown.clone_from(&self.run_id);
                let last = if is_later { 0 } else { self.last };
                let reloads = if self.is_parent { &[][..] } else { &reloads };
                let history = self.renderer.history(&requests, reloads, last);
                if !is_later {
                    self.pins = Vec::new();
                }
                history + &self.update_pins(pins)
            }
            StreamEventBody::Request { request } => self.renderer.push_request(*request, now),
            StreamEventBody::Message { message } => self.renderer.push(&message.line()),
            StreamEventBody::Close { close } => self.renderer.push_request(close.view(), now),
            StreamEventBody::Log { .. } if self.is_parent => String::new(),
            StreamEventBody::Log { log } => self.renderer.push(&log.line()),
            StreamEventBody::Reload { reload } if self.is_parent => {
                let tracebacks: Vec<_> = reload.traceback.iter().collect();
                match &*reload.strategy {
                    // The notes are the server's own.
                    BUILD => {
                        let notes =
                            reload.notes.iter().map(|note| format!("    {}\n", escape(note)));
                        self.renderer.push(&notes.collect::<String>())
                    }
                    _ => self.renderer.push_reload(&reload, &tracebacks, now),
                }
            }
            StreamEventBody::Reload { reload } => self.renderer.push_reload(&reload, &[], now),
            StreamEventBody::Contract { generation, contract } => {
                self.renderer.push(&contract::lines(generation, &contract))
            }
            StreamEventBody::Routes { routes } => {
                self.renderer.set_routes(&routes);
                String::new()
            }
            StreamEventBody::Pins { pins } => self.update_pins(pins),
            StreamEventBody::Status { status } => self.renderer.push(&pause_line(status.paused)),
            StreamEventBody::Dropped { count } => {
                self.renderer.push(&format!("  … {count} events dropped\n"))
            }
            StreamEventBody::Bye { .. } | StreamEventBody::Other => String::new(),
        }
    }

    /// Renders the results of the pinned requests that were sent again.
    fn update_pins(&mut self, pins: Vec<PinView>) -> String {
        let is_sent = |pin: &&PinView| {
            let before = self.pins.iter().find(|before| before.id == pin.id);
            before.is_some_and(|before| before.replays < pin.replays)
        };
        let sent: Vec<&PinView> = pins.iter().filter(is_sent).collect();
        let failing = sent.iter().filter(|pin| pin.state == "failing").count();
        let round = (!sent.is_empty()).then(|| PinRound {
            generation: sent.iter().filter_map(|pin| pin.generation).max(),
            passing: sent.len() - failing,
            failing,
        });
        let failing = pins.iter().filter(|pin| pin.state == "failing").count();
        self.pins = pins;
        self.renderer.push_pins(failing, round)
    }
}

impl MessageView {
    fn line(&self) -> String {
        let arrow = if self.direction == "in" { "→" } else { "←" };
        let about = style(format!("#{} {arrow} {} B", escape(&self.request), self.size)).dim();
        let text = match (&self.text, &self.note) {
            (Some(text), _) => escape(text.lines().next().unwrap_or_default()),
            (None, note) => style(escape(note.as_deref().unwrap_or_default())).dim().to_string(),
        };
        format!("  │ {about}  {text}\n")
    }
}

impl CloseView {
    fn view(self) -> RequestView {
        RequestView {
            id: self.request,
            time_ms: self.time_ms,
            method: WEBSOCKET.to_owned(),
            path: self.path,
            route: self.route,
            status: self.code,
            generation: Some(self.generation),
            total_ms: self.total_ms,
            phases: Phases::default(),
            blocked_by: Vec::new(),
            error: self.error,
            traceback: None,
            repeats: None,
        }
    }
}

impl LogView {
    fn line(&self) -> String {
        let request = self.request.as_ref().map_or(String::new(), |id| format!("#{} ", escape(id)));
        let about = style(format!("{request}{}", escape(&self.stream))).dim();
        format!("  │ {about}  {}\n", escape(&self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn unknown_and_hidden_messages_are_ignored() {
        let mut events = EventLines::new(10, false);
        for kind in ["worker", "request.start", "error", "route.diff", "pong", "problem", "newer"] {
            let message = json!({"v": 2, "seq": 1, "type": kind, kind: {"what": ["ever"]}});
            assert_eq!(draw(&mut events, message), "", "{kind}");
        }
    }

    #[test]
    fn the_messages_and_the_end_of_a_websocket_are_lines() {
        let mut events = EventLines::new(10, false);
        let message = json!({
            "request": "7", "number": 1, "time_ms": 0, "direction": "in", "kind": "text", "size": 6,
            "text": "hi\nyou", "note": null,
        });
        let message = json!({"seq": 1, "type": "websocket.message", "message": message});
        assert_eq!(draw(&mut events, message), "  │ #7 → 6 B  hi\n");
        let close = json!({
            "request": "7", "time_ms": 0, "path": "/chat", "route": "/chat", "generation": 2,
            "code": 1011, "reason": "", "by": "handler", "total_ms": 3.1, "received": 1, "sent": 0,
            "error": {"type": "ValueError", "message": "", "file": null, "line": null,
                "function": null, "source": null, "locals": []},
        });
        let text = draw(&mut events, json!({"seq": 2, "type": "websocket.close", "close": close}));
        for part in ["WS     /chat", "1011", "ValueError", "v2 #7"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    fn draw(events: &mut EventLines, message: Value) -> String {
        let event = serde_json::from_value(message).expect("a message");
        events.draw(event, Instant::now())
    }

    #[test]
    fn later_lines_follow_a_pending_reload() {
        let mut events = EventLines::new(10, false);
        let pins = |state: &str, replays: u64| {
            let pin = json!({"id": "1", "state": state, "generation": 9, "replays": replays});
            json!({"seq": 1, "type": "pins", "pins": [pin]})
        };
        draw(&mut events, pins("failing", 0));
        let reload = json!({
            "id": 1, "time_ms": 0, "generation": 9, "outcome": "ok", "summary": "", "cause": "save", "strategy": "dependents",
            "reason": "", "files": ["python/app.py"], "modules": [], "total_ms": 38.0, "diff": {},
            "phases": {"settle": 20.0, "compile": 1.0, "stage": 9.0, "commit": 1.0},
            "state_reset": [], "warnings": [], "notes": [], "traceback": null, "others": [],
        });
        let reload = json!({"seq": 2, "type": "reload.ok", "reload": reload});
        assert_eq!(draw(&mut events, reload), "");
        let log = json!({"request": "2", "stream": "stdout", "line": "printed"});
        for message in [
            json!({"seq": 3, "type": "log", "log": log}),
            json!({"seq": 4, "type": "status", "status": {"paused": true}}),
            json!({"seq": 5, "type": "dropped", "count": 7}),
        ] {
            assert_eq!(draw(&mut events, message.clone()), "", "{message}");
        }
        let text = draw(&mut events, pins("passing", 1));
        let lines: Vec<&str> = text.lines().collect();
        for (line, part) in lines.iter().zip(["↻ v9", "printed", "paus", "7 events"]) {
            assert!(line.contains(part), "{part}: {text}");
        }
        assert_eq!(lines.len(), 4, "{text}");
    }
}
