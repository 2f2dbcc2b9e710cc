//! The event stream as lines for people.
//!
//! Reads of each message what it shows, and passes over what it does not know: the server may be
//! newer.

use std::time::Instant;

use console::style;
use serde::Deserialize;
use snaxum::event::PinRound;
use snaxum::message::{Reload, RouteInfo};

use super::color::plain;
use super::{Lines, Request, pause};

/// One message of the stream.
#[derive(Deserialize)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    #[serde(flatten)]
    body: Body,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Body {
    #[serde(rename = "hello")]
    Hello { run_id: String, generation: u64, python: String },
    #[serde(rename = "snapshot")]
    Snapshot {
        routes: Vec<RouteInfo>,
        requests: Vec<Request>,
        reloads: Vec<Reload>,
        pins: Vec<Pin>,
    },
    #[serde(rename = "request.end")]
    Request { request: Box<Request> },
    #[serde(rename = "log")]
    Log { log: Log },
    #[serde(rename = "reload.ok", alias = "reload.fail")]
    Reload { reload: Box<Reload> },
    #[serde(rename = "routes")]
    Routes { routes: Vec<RouteInfo> },
    #[serde(rename = "pins")]
    Pins { pins: Vec<Pin> },
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
struct Log {
    request: Option<String>,
    stream: String,
    line: String,
}

#[derive(Deserialize)]
struct Pin {
    id: String,
    state: String,
    generation: Option<u64>,
    replays: u64,
}

#[derive(Deserialize)]
struct Status {
    paused: bool,
}

impl Event {
    /// Which run of the server it is from, in its first message.
    pub(crate) fn run_id(&self) -> Option<&str> {
        match &self.body {
            Body::Hello { run_id, .. } => Some(run_id),
            _ => None,
        }
    }

    /// Whether the server has no place for one more.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(&self.body, Body::Bye { reason } if reason == "limit")
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        matches!(self.body, Body::Snapshot { .. })
    }
}

/// How events are drawn.
pub(crate) struct Events {
    pub(crate) lines: Lines,
    /// How many requests and reloads of a snapshot are shown.
    last: usize,
    /// Which run of the server the last snapshot was of.
    shown: Option<String>,
    /// Which run it is now.
    run_id: Option<String>,
    pins: Vec<Pin>,
}

impl Events {
    pub(crate) fn new(last: usize, explains: bool) -> Self {
        let lines = Lines::new(explains);
        Self { lines, last, shown: None, run_id: None, pins: Vec::new() }
    }

    /// Draws an event; nothing for what nobody asks for.
    pub(crate) fn draw(&mut self, event: Event, now: Instant) -> String {
        match event.body {
            Body::Hello { run_id, generation, python } => {
                self.run_id = Some(run_id);
                let sign = style("●").green();
                self.lines.say(&format!("  {sign} G{generation}, Python {}\n", plain(&python)))
            }
            Body::Snapshot { routes, mut requests, mut reloads, pins } => {
                // The lists are newest first; what is shown is not.
                requests.reverse();
                reloads.reverse();
                self.lines.serve(&routes);
                // One that comes later in a run replaces what could not be told.
                let is_later = self.shown.is_some() && self.shown == self.run_id;
                self.shown.clone_from(&self.run_id);
                let last = if is_later { 0 } else { self.last };
                let past = self.lines.past(&requests, &reloads, last);
                if !is_later {
                    self.pins = Vec::new();
                }
                past + &self.pins(pins)
            }
            Body::Request { request } => self.lines.request(*request, now),
            Body::Log { log } => self.lines.say(&log.line()),
            Body::Reload { reload } => self.lines.reload(&reload, &[], now),
            Body::Routes { routes } => {
                self.lines.serve(&routes);
                String::new()
            }
            Body::Pins { pins } => self.pins(pins),
            Body::Status { status } => self.lines.say(&pause(status.paused)),
            Body::Dropped { count } => {
                self.lines.say(&format!("  … {count} events were too many to show\n"))
            }
            Body::Bye { .. } | Body::Other => String::new(),
        }
    }

    /// What came of those that have been sent since the last time.
    fn pins(&mut self, pins: Vec<Pin>) -> String {
        let is_sent = |pin: &&Pin| {
            let before = self.pins.iter().find(|before| before.id == pin.id);
            before.is_some_and(|before| before.replays < pin.replays)
        };
        let sent: Vec<&Pin> = pins.iter().filter(is_sent).collect();
        let failing = sent.iter().filter(|pin| pin.state == "failing").count();
        let round = (!sent.is_empty()).then(|| PinRound {
            generation: sent.iter().filter_map(|pin| pin.generation).max(),
            passing: sent.len() - failing,
            failing,
        });
        let failing = pins.iter().filter(|pin| pin.state == "failing").count();
        self.pins = pins;
        self.lines.pins(failing, round)
    }
}

impl Log {
    fn line(&self) -> String {
        let request = self.request.as_ref().map_or(String::new(), |id| format!("#{} ", plain(id)));
        let about = style(format!("{request}{}", plain(&self.stream))).dim();
        format!("  │ {about}  {}\n", plain(&self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_it_does_not_show_is_passed_over() {
        let mut events = Events::new(10, false);
        for kind in ["worker", "request.start", "error", "route.diff", "pong", "problem", "newer"] {
            let message = json!({"v": 2, "seq": 1, "type": kind, kind: {"what": ["ever"]}});
            assert_eq!(draw(&mut events, message), "", "{kind}");
        }
    }

    fn draw(events: &mut Events, message: Value) -> String {
        let event = serde_json::from_value(message).expect("a message");
        events.draw(event, Instant::now())
    }

    #[test]
    fn nothing_stands_above_the_reload_that_it_came_after() {
        let mut events = Events::new(10, false);
        let pins = |state: &str, replays: u64| {
            let pin = json!({"id": "1", "state": state, "generation": 9, "replays": replays});
            json!({"seq": 1, "type": "pins", "pins": [pin]})
        };
        draw(&mut events, pins("failing", 0));
        let reload = json!({
            "id": 1, "time_ms": 0, "generation": 9, "outcome": "ok", "cause": "save", "strategy": "dependents",
            "reason": "", "files": ["python/app.py"], "modules": [], "total_ms": 38.0, "diff": {},
            "phases": {"settle": 20.0, "compile": 1.0, "stage": 9.0, "commit": 1.0},
            "state_reset": [], "warnings": [], "notes": [], "traceback": null, "others": [],
        });
        let reload = json!({"seq": 2, "type": "reload.ok", "reload": reload});
        assert_eq!(draw(&mut events, reload), "");
        let log = json!({"request": "2", "stream": "stdout", "line": "said"});
        for message in [
            json!({"seq": 3, "type": "log", "log": log}),
            json!({"seq": 4, "type": "status", "status": {"paused": true}}),
            json!({"seq": 5, "type": "dropped", "count": 7}),
        ] {
            assert_eq!(draw(&mut events, message.clone()), "", "{message}");
        }
        let said = draw(&mut events, pins("passing", 1));
        let lines: Vec<&str> = said.lines().collect();
        for (line, part) in lines.iter().zip(["↻ G9", "said", "paus", "7 events"]) {
            assert!(line.contains(part), "{part}: {said}");
        }
        assert_eq!(lines.len(), 4, "{said}");
    }
}
