//! A line a request: when, what, how it went, how long it took and where that time went.

use std::sync::Arc;

use console::{Alignment, pad_str, style};
use serde::Deserialize;
use snaxum::message::{CLIENT_CLOSED_REQUEST, ErrorSummary, Phases, Traceback};

use super::color::plain;
use super::traceback;

/// Columns that a path is given at least.
const PATH_WIDTH: usize = 18;
/// Milliseconds from which on it is worth knowing where the time went.
const SLOW: f64 = 20.0;
/// And from which on if it did not go into the handler.
const WAITED: f64 = 5.0;

/// What is drawn of a request, or of several alike; as the socket tells it.
#[derive(Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) time_ms: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) route: Option<String>,
    pub(crate) status: u16,
    pub(crate) generation: Option<u64>,
    pub(crate) total_ms: f64,
    pub(crate) phases: Phases,
    /// Who held the threads while it was queued, the longest first.
    #[serde(default)]
    pub(crate) blocked_by: Vec<Holder>,
    pub(crate) error: Option<ErrorSummary>,
    /// Is drawn instead of `error`, where nobody can ask for it.
    #[serde(skip)]
    pub(crate) traceback: Option<Arc<Traceback>>,
    /// How many others it stands for; the newest is described.
    #[serde(skip)]
    pub(crate) others: usize,
}

/// What is drawn of a request that held a thread.
#[derive(Clone, Deserialize)]
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) path: String,
}

impl Request {
    /// Whether one line may tell of both: the same route, status and place of an exception.
    pub(super) fn is_like(&self, other: &Self) -> bool {
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

    /// Lets `newer` describe what both stand for.
    pub(super) fn add(&mut self, newer: Self) {
        let others = self.others + newer.others + 1;
        *self = Self { others, ..newer };
    }

    /// Whether browsers ask for it by themselves, and nothing is wrong.
    pub(super) fn is_unasked(&self) -> bool {
        let unasked = ["/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"];
        unasked.contains(&&*self.path) && self.status < 500
    }

    /// Draws it as of the time of day `at`.
    pub(super) fn draw(&self, at: &str) -> String {
        let status = match self.status {
            500.. => style(self.status).red(),
            400.. => style(self.status).yellow(),
            _ => style(self.status).green(),
        };
        let times = match self.others {
            0 => String::new(),
            others => format!("(×{})  ", others + 1),
        };
        let generation = self.generation.map_or("-".to_owned(), |number| format!("G{number}"));
        let about = match &self.error {
            Some(raised) => style(plain(&raised.kind)).red().to_string(),
            // A handler may answer with that status, too.
            None if self.status == CLIENT_CLOSED_REQUEST && self.generation.is_none() => {
                style("the client went away").dim().to_string()
            }
            None => {
                style(split(self.total_ms, &self.phases, self.blocked_by.first())).dim().to_string()
            }
        };
        let mut out = format!(
            " {}  {:<6} {}  {status}  {:>8}  {}  {times}{}\n",
            style(at).dim(),
            plain(&self.method),
            pad_str(&plain(&self.path), PATH_WIDTH, Alignment::Left, None),
            took(self.total_ms),
            pad_str(&about, PATH_WIDTH, Alignment::Left, None),
            style(format!("{generation} #{}", plain(&self.id))).dim(),
        );
        match (&self.traceback, &self.error) {
            (Some(raised), _) => out += &traceback::render(raised),
            (None, Some(raised)) => out += &place(raised),
            (None, None) => {}
        }
        out
    }
}

/// `3.1 ms`, `905 ms`.
pub(super) fn took(ms: f64) -> String {
    if ms < 99.95 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Where the time went, if that is worth a word; the wait in the queue with its cause.
fn split(total_ms: f64, phases: &Phases, holder: Option<&Holder>) -> String {
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
    let told = all.iter().filter(|(_, ms)| *ms >= 0.5);
    let words = told.map(|(name, ms)| match holder.filter(|_| *name == "queue") {
        Some(Holder { id, path }) => format!("{name} {ms:.0} ← #{} {}", plain(id), plain(path)),
        None => format!("{name} {ms:.0}"),
    });
    words.collect::<Vec<_>>().join(" · ")
}

/// The line that raised, and what it worked with.
fn place(raised: &ErrorSummary) -> String {
    let (Some(file), Some(line)) = (&raised.file, raised.line) else { return String::new() };
    let locals = raised.locals.iter();
    let locals = locals.map(|local| format!("   {}={}", plain(&local.name), plain(&local.value)));
    format!(
        "           └ {} {}   {}{}\n",
        style(format!("{}:{line}", plain(file))).cyan(),
        style(format!("in {}", plain(raised.function.as_deref().unwrap_or_default()))).dim(),
        plain(raised.source.as_deref().unwrap_or_default()),
        style(locals.collect::<String>()).dim()
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use snaxum::message::{Frame, Local, SourceLine};

    pub(in super::super) fn request(path: &str, status: u16) -> Request {
        Request {
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
            others: 0,
        }
    }

    fn raised() -> Traceback {
        let local =
            |name: &str, value: &str| Local { name: name.to_owned(), value: value.to_owned() };
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
        repeated.others = 13;
        let lines = [quick, slow, repeated].map(|request| request.draw("14:02:11")).concat();
        insta::assert_snapshot!(lines, @r"
 14:02:11  GET    /users/42           200    3.1 ms                      G7 #118
 14:02:11  GET    /orders             201   48.0 ms  queue 1 · py 46 · convert 1  G7 #118
 14:02:11  GET    /users/42           200    3.1 ms                      (×14)  G7 #118
");
    }

    #[test]
    fn an_exception_is_told_in_two_lines_with_what_the_line_worked_with() {
        let mut failed = request("/boom", 500);
        failed.error = Some((&raised()).into());
        insta::assert_snapshot!(failed.draw("14:02:13"), @r"
 14:02:13  GET    /boom               500    3.1 ms  ZeroDivisionError   G7 #118
           └ python/app.py:31 in boom   return total / count   total=12   count=0
");
        failed.traceback = Some(Arc::new(raised()));
        assert!(failed.draw("14:02:13").contains("ZeroDivisionError: division by zero"));
    }

    #[test]
    fn a_client_that_went_away_is_told_of() {
        let mut given_up = request("/slow", CLIENT_CLOSED_REQUEST);
        let sent_by_a_handler = given_up.draw("14:02:13");
        given_up.generation = None;
        let line = given_up.draw("14:02:13");
        assert!(line.contains("499") && line.contains("the client went away"), "{line}");
        assert!(!sent_by_a_handler.contains("went away"), "{sent_by_a_handler}");
    }

    #[test]
    fn a_short_wait_is_noise_and_a_long_one_is_told() {
        let phases = |queue, py| Phases { queue, py, ..Phases::default() };
        let of = |ms, phases| split(ms, &phases, None);
        assert_eq!(of(4.0, phases(3.0, 1.0)), "");
        assert_eq!(of(12.0, phases(1.0, 11.0)), "");
        assert_eq!(of(12.0, phases(11.0, 1.0)), "queue 11 · py 1");
        assert_eq!(of(20.0, phases(0.1, 19.9)), "py 20");
        let holder = Holder { id: "120".to_owned(), path: "/report\u{1b}[2J".to_owned() };
        let told = split(905.0, &phases(812.0, 93.0), Some(&holder));
        assert_eq!(told, "queue 812 ← #120 /report\\u{1b}[2J · py 93");
    }

    #[test]
    fn what_differs_has_lines_of_its_own() {
        let one = request("/a", 200);
        assert!(one.is_like(&request("/a", 200)));
        assert!(!one.is_like(&request("/b", 200)) && !one.is_like(&request("/a", 404)));
        let mut raising = request("/a", 500);
        raising.error = Some((&raised()).into());
        assert!(raising.is_like(&raising.clone()) && !raising.is_like(&request("/a", 500)));
    }

    #[test]
    fn a_5xx_is_told_whatever_asked() {
        assert!(
            request("/favicon.ico", 404).is_unasked() && !request("/favicon.ico", 500).is_unasked()
        );
        assert!(!request("/", 404).is_unasked());
    }
}
