//! Renders a request as one line: time, request, status, duration and its phases.

use std::sync::Arc;

use console::{Alignment, pad_str, style};
use serde::Deserialize;
use snaxum::message::{CLIENT_CLOSED_REQUEST, ErrorSummary, Phases, Traceback};

use super::color::escape;
use super::repeats::Repeats;
use super::traceback;

/// The minimum columns of a path.
const PATH_WIDTH: usize = 18;
/// The milliseconds from which the phases are shown.
const SLOW: f64 = 20.0;
/// The same for time outside the handler.
const WAITED: f64 = 5.0;

/// The method of a line about the end of a WebSocket; its status is the code of the close.
pub(crate) const WEBSOCKET: &str = "WS";
/// The code of a close after an exception in the handler.
const INTERNAL_ERROR: u16 = 1011;

/// The shown fields of a request, or of several similar ones, as in the event stream.
#[derive(Clone, Deserialize)]
pub(crate) struct RequestView {
    pub(crate) id: String,
    pub(crate) time_ms: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) route: Option<String>,
    pub(crate) status: u16,
    pub(crate) generation: Option<u64>,
    pub(crate) total_ms: f64,
    pub(crate) phases: Phases,
    /// The requests that used the threads while it was queued, the longest first.
    #[serde(default)]
    pub(crate) blocked_by: Vec<BlockerView>,
    pub(crate) error: Option<ErrorSummary>,
    /// Replaces `error` where no key can show it.
    #[serde(skip)]
    pub(crate) traceback: Option<Arc<Traceback>>,
    /// The requests that share the line, if there are several.
    #[serde(skip)]
    pub(crate) repeats: Option<Repeats>,
}

/// The shown fields of a request that blocked a thread.
#[derive(Clone, Deserialize)]
pub(crate) struct BlockerView {
    pub(crate) id: String,
    pub(crate) path: String,
}

impl RequestView {
    /// Whether both can share a line: same route, status and place of an exception.
    pub(super) fn is_similar(&self, other: &Self) -> bool {
        let place = |request: &Self| {
            let raised = request.error.as_ref()?;
            Some((raised.kind.clone(), raised.file.clone(), raised.line))
        };
        let same_target = match (&self.route, &other.route) {
            (Some(one), Some(another)) => one == another,
            (None, None) => self.path == other.path,
            _ => false,
        };
        same_target
            && (&self.method, self.status, self.generation)
                == (&other.method, other.status, other.generation)
            && place(self) == place(other)
    }

    /// Merges a newer request, or several, which the line describes from now on.
    pub(super) fn add(&mut self, mut newer: Self) {
        let before = self.take_repeats();
        let after = newer.take_repeats();
        let repeats = before.and(&after, self.path == newer.path);
        *self = Self { repeats: Some(repeats), ..newer };
    }

    /// Takes the facts of its line, which begins with it.
    pub(crate) fn take_repeats(&mut self) -> Repeats {
        self.repeats.take().unwrap_or_else(|| Repeats::of(&self.id, self.total_ms))
    }

    /// Whether a browser sent it by itself, without a server error.
    pub(super) fn is_browser_probe(&self) -> bool {
        let probes = ["/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"];
        probes.contains(&&*self.path) && self.status < 500
    }

    /// Whether the server is at fault.
    pub(super) fn is_failure(&self) -> bool {
        match &*self.method {
            WEBSOCKET => self.status == INTERNAL_ERROR,
            _ => self.status >= 500,
        }
    }

    /// Renders the request at the time of day `at`.
    pub(super) fn draw(&self, at: &str) -> String {
        let status = match self.status {
            _ if self.is_failure() => style(self.status).red(),
            400..500 => style(self.status).yellow(),
            _ => style(self.status).green(),
        };
        let (id, mut path) = (escape(&self.id), &self.path);
        let (mut times, mut total, mut ids) =
            (String::new(), format_ms(self.total_ms), format!("#{id}"));
        if let Some(repeats) = &self.repeats {
            times = format!("(×{})  ", repeats.count);
            total = format!("≤{}", format_ms(repeats.slowest_ms));
            ids = format!("#{}–#{id}", escape(&repeats.first_id));
            if !repeats.is_one_path {
                path = self.route.as_ref().unwrap_or(path);
            }
        }
        let generation = self.generation.map_or("-".to_owned(), |number| format!("v{number}"));
        let about = match &self.error {
            Some(raised) => style(escape(&raised.kind)).red().to_string(),
            // A handler may also return that status.
            None if self.status == CLIENT_CLOSED_REQUEST && self.generation.is_none() => {
                style("client disconnected").dim().to_string()
            }
            None => style(phase_summary(self.total_ms, &self.phases, self.blocked_by.first()))
                .dim()
                .to_string(),
        };
        let mut out = format!(
            " {}  {:<6} {}  {status}  {:>8}  {}  {times}{}\n",
            style(at).dim(),
            escape(&self.method),
            pad_str(&escape(path), PATH_WIDTH, Alignment::Left, None),
            total,
            pad_str(&about, PATH_WIDTH, Alignment::Left, None),
            style(format!("{generation} {ids}")).dim(),
        );
        match (&self.traceback, &self.error) {
            (Some(raised), _) => out += &traceback::render(raised),
            (None, Some(raised)) => out += &error_place(raised),
            (None, None) => {}
        }
        out
    }
}

/// Formats `3.1 ms`, `905 ms`.
pub(super) fn format_ms(ms: f64) -> String {
    if ms < 99.95 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Lists the longest phases of a slow request; the queue with its cause.
fn phase_summary(total_ms: f64, phases: &Phases, holder: Option<&BlockerView>) -> String {
    let all = [
        ("read", phases.read),
        ("queue", phases.queue),
        ("gil", phases.gil),
        ("py", phases.py),
        ("convert", phases.convert),
        ("send", phases.send),
    ];
    let has_waited =
        all.iter().any(|(name, ms)| *name != "py" && *ms >= (total_ms / 2.0).max(WAITED));
    if total_ms < SLOW && !has_waited {
        return String::new();
    }
    let shown = all.iter().filter(|(_, ms)| *ms >= 0.5);
    let words = shown.map(|(name, ms)| match holder.filter(|_| *name == "queue") {
        Some(BlockerView { id, path }) => {
            format!("{name} {ms:.0} ← #{} {}", escape(id), escape(path))
        }
        None => format!("{name} {ms:.0}"),
    });
    words.collect::<Vec<_>>().join(" · ")
}

/// Renders the line that raised, and its local variables.
fn error_place(raised: &ErrorSummary) -> String {
    let (Some(file), Some(line)) = (&raised.file, raised.line) else { return String::new() };
    let locals = raised.locals.iter();
    let locals = locals.map(|local| format!("   {}={}", escape(&local.name), escape(&local.value)));
    format!(
        "           └ {} {}   {}{}\n",
        style(format!("{}:{line}", escape(file))).cyan(),
        style(format!("in {}", escape(raised.function.as_deref().unwrap_or_default()))).dim(),
        escape(raised.source.as_deref().unwrap_or_default()),
        style(locals.collect::<String>()).dim()
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use snaxum::message::{Frame, Local, SourceLine};

    pub(in super::super) fn request(path: &str, status: u16) -> RequestView {
        RequestView {
            id: "118".to_owned(),
            time_ms: 0,
            method: "GET".to_owned(),
            path: path.to_owned(),
            route: None,
            status,
            generation: Some(7),
            total_ms: 3.1,
            phases: Phases::default(),
            blocked_by: Vec::new(),
            error: None,
            traceback: None,
            repeats: None,
        }
    }

    fn raised() -> Traceback {
        let local = |name: &str, value: &str| Local {
            name: name.to_owned(),
            value: value.to_owned(),
            ..Local::default()
        };
        let frame = Frame {
            file: "python/app.py".to_owned(),
            line: 31,
            function: "boom".to_owned(),
            user: true,
            source: vec![SourceLine { line: 31, text: "    return total / count".to_owned() }],
            locals: vec![local("req", "<Request>"), local("total", "12"), local("count", "0")],
            ..Frame::default()
        };
        Traceback {
            kind: "ZeroDivisionError".to_owned(),
            message: "division by zero".to_owned(),
            frames: vec![frame],
            ..Traceback::default()
        }
    }

    #[test]
    fn a_request_has_a_line() {
        let quick = request("/users/42", 200);
        let mut slow = request("/orders", 201);
        slow.total_ms = 48.0;
        slow.phases = Phases { queue: 1.2, py: 45.9, convert: 0.9, ..Phases::default() };
        let mut repeated = quick.clone();
        repeated.route = Some("/users/<int:id>".to_owned());
        let newer = RequestView { id: "131".to_owned(), total_ms: 1.2, ..repeated.clone() };
        repeated.add(newer);
        let mut other = repeated.clone();
        let (id, path) = ("140".to_owned(), "/users/43".to_owned());
        other.add(RequestView { id, path, total_ms: 9.0, repeats: None, ..other.clone() });
        let repeated = [repeated, other].map(|request| request.draw("14:02:12")).concat();
        let lines = [quick, slow].map(|request| request.draw("14:02:11")).concat() + &repeated;
        insta::assert_snapshot!(lines, @r"
 14:02:11  GET    /users/42           200    3.1 ms                      v7 #118
 14:02:11  GET    /orders             201   48.0 ms  queue 1 · py 46 · convert 1  v7 #118
 14:02:12  GET    /users/42           200   ≤3.1 ms                      (×2)  v7 #118–#131
 14:02:12  GET    /users/<int:id>     200   ≤9.0 ms                      (×3)  v7 #118–#140
");
    }

    #[test]
    fn an_exception_has_a_second_line_with_its_locals() {
        let mut failed = request("/boom", 500);
        failed.error = Some((&raised()).into());
        insta::assert_snapshot!(failed.draw("14:02:13"), @r"
 14:02:13  GET    /boom               500    3.1 ms  ZeroDivisionError   v7 #118
           └ python/app.py:31 in boom   return total / count   total=12   count=0
");
        failed.traceback = Some(Arc::new(raised()));
        assert!(failed.draw("14:02:13").contains("ZeroDivisionError: division by zero"));
    }

    #[test]
    fn a_disconnected_client_is_named() {
        let mut cancelled = request("/slow", CLIENT_CLOSED_REQUEST);
        let sent_by_a_handler = cancelled.draw("14:02:13");
        cancelled.generation = None;
        let line = cancelled.draw("14:02:13");
        assert!(line.contains("499") && line.contains("client disconnected"), "{line}");
        assert!(!sent_by_a_handler.contains("disconnected"), "{sent_by_a_handler}");
    }

    #[test]
    fn only_a_long_wait_is_shown() {
        let phases = |queue, py| Phases { queue, py, ..Phases::default() };
        let of = |ms, phases| phase_summary(ms, &phases, None);
        assert_eq!(of(4.0, phases(3.0, 1.0)), "");
        assert_eq!(of(12.0, phases(1.0, 11.0)), "");
        assert_eq!(of(12.0, phases(11.0, 1.0)), "queue 11 · py 1");
        assert_eq!(of(20.0, phases(0.1, 19.9)), "py 20");
        let holder = BlockerView { id: "120".to_owned(), path: "/report\u{1b}[2J".to_owned() };
        let text = phase_summary(905.0, &phases(812.0, 93.0), Some(&holder));
        assert_eq!(text, "queue 812 ← #120 /report\\u{1b}[2J · py 93");
    }

    #[test]
    fn different_requests_have_lines_of_their_own() {
        let one = request("/a", 200);
        assert!(one.is_similar(&request("/a", 200)));
        assert!(!one.is_similar(&request("/b", 200)) && !one.is_similar(&request("/a", 404)));
        let mut raising = request("/a", 500);
        raising.error = Some((&raised()).into());
        assert!(raising.is_similar(&raising.clone()) && !raising.is_similar(&request("/a", 500)));
    }

    #[test]
    fn a_5xx_is_shown_for_a_browser_probe_too() {
        assert!(
            request("/favicon.ico", 404).is_browser_probe()
                && !request("/favicon.ico", 500).is_browser_probe()
        );
        assert!(!request("/", 404).is_browser_probe());
    }
}
