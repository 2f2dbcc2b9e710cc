//! A line a request: when, what, how it went, how long it took and where that time went.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use console::{Alignment, pad_str, style};
use snaxum::message::{Frame, Phases, RequestRecord, Traceback};

use super::super::super::style::plain;
use super::super::super::traceback;

/// Columns that a path is given at least.
const PATH_WIDTH: usize = 18;
/// From here on it is worth knowing where the time went.
const SLOW: Duration = Duration::from_millis(20);
/// And from here on if it did not go into the handler.
const WAITED: f64 = 5.0;
/// Variables that are told beside the line that raised.
const MAX_LOCALS: usize = 2;
/// Characters of one of them.
const MAX_VALUE: usize = 40;

/// What the terminal keeps of a request, or of several alike.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) id: u64,
    pub(super) time: SystemTime,
    pub(super) method: String,
    pub(super) path: String,
    route: Option<String>,
    pub(super) status: u16,
    generation: Option<u64>,
    total: Duration,
    phases: Phases,
    pub(super) traceback: Option<Arc<Traceback>>,
    /// How many requests it stands for; the newest is described.
    pub(super) times: usize,
}

impl Heard {
    pub(super) fn of(record: &RequestRecord<'_>) -> Self {
        Self {
            id: record.id,
            time: record.time,
            method: record.head.method().to_owned(),
            path: record.head.path().into_owned(),
            route: record.route.map(ToOwned::to_owned),
            status: record.status,
            generation: record.generation,
            total: record.total,
            phases: record.phases,
            traceback: record.traceback.cloned(),
            times: 1,
        }
    }

    /// Whether one line may tell of both: the same route, status and place of an exception.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let place = |heard: &Self| {
            let raised = heard.traceback.as_ref()?;
            let frame = raised.culprit()?;
            Some((raised.kind.clone(), frame.file.clone(), frame.line))
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
        let times = self.times + newer.times;
        *self = Self { times, ..newer };
    }

    /// Whether browsers ask for it by themselves, and nothing is wrong.
    pub(super) fn is_unasked(&self) -> bool {
        let unasked = ["/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"];
        unasked.contains(&&*self.path) && self.status < 500
    }
}

/// Draws it as of the time of day `at`. An exception in short has two lines and no stack.
pub(super) fn draw(heard: &Heard, at: &str, in_short: bool) -> String {
    let status = match heard.status {
        500.. => style(heard.status).red(),
        400.. => style(heard.status).yellow(),
        _ => style(heard.status).green(),
    };
    let times = if heard.times > 1 { format!("(×{})  ", heard.times) } else { String::new() };
    let generation = heard.generation.map_or("-".to_owned(), |number| format!("G{number}"));
    let about = match &heard.traceback {
        Some(raised) => style(plain(&raised.kind)).red().to_string(),
        None => style(split(heard.total, &heard.phases)).dim().to_string(),
    };
    let path = plain(&heard.path);
    let mut out = format!(
        " {}  {:<6} {}  {status}  {:>8}  {}  {times}{}\n",
        style(at).dim(),
        plain(&heard.method),
        pad_str(&path, PATH_WIDTH, Alignment::Left, None),
        took(heard.total),
        pad_str(&about, PATH_WIDTH, Alignment::Left, None),
        style(format!("{generation} #{}", heard.id)).dim(),
    );
    if let Some(raised) = &heard.traceback {
        out += &if in_short { place(raised) } else { traceback::render(raised) };
    }
    out
}

/// `3.1 ms`, `905 ms`.
pub(super) fn took(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 99.95 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Where the time went, if that is worth a word.
fn split(total: Duration, phases: &Phases) -> String {
    let all = [
        ("read", phases.read),
        ("queue", phases.queue),
        ("gil", phases.gil),
        ("py", phases.py),
        ("convert", phases.convert),
    ];
    let half = total.as_secs_f64() * 1e3 / 2.0;
    let has_waited = all.iter().any(|(name, ms)| *name != "py" && *ms >= half.max(WAITED));
    if total < SLOW && !has_waited {
        return String::new();
    }
    let told = all.iter().filter(|(_, ms)| *ms >= 0.5);
    told.map(|(name, ms)| format!("{name} {ms:.0}")).collect::<Vec<_>>().join(" · ")
}

/// The line that raised, and what it worked with.
fn place(raised: &Traceback) -> String {
    let Some(frame) = raised.culprit() else { return String::new() };
    let line = frame.source.iter().find(|source| source.line == frame.line);
    let text = line.map_or(String::new(), |line| plain(line.text.trim()));
    format!(
        "           └ {} {}   {text}{}\n",
        style(format!("{}:{}", plain(&frame.file), frame.line)).cyan(),
        style(format!("in {}", plain(&frame.function))).dim(),
        style(locals(frame, &text)).dim()
    )
}

fn locals(frame: &Frame, text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let on_line = frame.locals.iter().filter(|local| words.contains(&&*local.name));
    let told = on_line.take(MAX_LOCALS).map(|local| {
        let mut value: String = local.value.chars().take(MAX_VALUE).collect();
        if value.len() < local.value.len() {
            value.push('…');
        }
        format!("   {}={}", plain(&local.name), plain(&value))
    });
    told.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use snaxum::message::{Local, SourceLine};

    pub(in super::super) fn heard(path: &str, status: u16) -> Heard {
        Heard {
            id: 118,
            time: SystemTime::UNIX_EPOCH,
            method: "GET".to_owned(),
            path: path.to_owned(),
            route: None,
            status,
            generation: Some(7),
            total: Duration::from_micros(3100),
            phases: Phases::default(),
            traceback: None,
            times: 1,
        }
    }

    pub(in super::super) fn raised() -> Traceback {
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
        let quick = heard("/users/42", 200);
        let mut slow = heard("/orders", 201);
        slow.total = Duration::from_millis(48);
        slow.phases = Phases { queue: 1.2, py: 45.9, convert: 0.9, ..Phases::default() };
        let mut repeated = quick.clone();
        repeated.times = 14;
        let lines = [quick, slow, repeated].map(|heard| draw(&heard, "14:02:11", true)).concat();
        insta::assert_snapshot!(lines, @r"
 14:02:11  GET    /users/42           200    3.1 ms                      G7 #118
 14:02:11  GET    /orders             201   48.0 ms  queue 1 · py 46 · convert 1  G7 #118
 14:02:11  GET    /users/42           200    3.1 ms                      (×14)  G7 #118
");
    }

    #[test]
    fn an_exception_is_told_in_two_lines_with_what_the_line_worked_with() {
        let mut failed = heard("/boom", 500);
        failed.traceback = Some(Arc::new(raised()));
        insta::assert_snapshot!(draw(&failed, "14:02:13", true), @r"
 14:02:13  GET    /boom               500    3.1 ms  ZeroDivisionError   G7 #118
           └ python/app.py:31 in boom   return total / count   total=12   count=0
");
        assert!(draw(&failed, "14:02:13", false).contains("ZeroDivisionError: division by zero"));
    }

    #[test]
    fn a_short_wait_is_noise_and_a_long_one_is_told() {
        let phases = |queue, py| Phases { queue, py, ..Phases::default() };
        let of = |ms, phases| split(Duration::from_millis(ms), &phases);
        assert_eq!(of(4, phases(3.0, 1.0)), "");
        assert_eq!(of(12, phases(1.0, 11.0)), "");
        assert_eq!(of(12, phases(11.0, 1.0)), "queue 11 · py 1");
        assert_eq!(of(20, phases(0.1, 19.9)), "py 20");
    }

    #[test]
    fn what_differs_has_lines_of_its_own() {
        let one = heard("/a", 200);
        assert!(one.is_like(&heard("/a", 200)));
        assert!(!one.is_like(&heard("/b", 200)) && !one.is_like(&heard("/a", 404)));
        let mut raising = heard("/a", 500);
        raising.traceback = Some(Arc::new(raised()));
        assert!(raising.is_like(&raising.clone()) && !raising.is_like(&heard("/a", 500)));
    }

    #[test]
    fn a_5xx_is_told_whatever_asked() {
        assert!(
            heard("/favicon.ico", 404).is_unasked() && !heard("/favicon.ico", 500).is_unasked()
        );
        assert!(!heard("/", 404).is_unasked());
    }
}
