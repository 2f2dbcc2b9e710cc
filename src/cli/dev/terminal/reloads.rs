//! A line a reload: what serves now, why, and what that changed. One that fails has more.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use console::style;
use snaxum::event::Reload;
use snaxum::message::{
    LoadOutcome, LoadPhases, LoadReport, ModuleRun, RouteInfo, RouteRef, Traceback,
};

use super::super::super::style::plain;
use super::super::super::traceback;
use super::requests::took;
use super::status_line::state;

/// Routes of a diff that are named.
const MAX_ROUTES: usize = 6;

/// What the lines of reloads need to know of what was before.
pub(super) struct Reloads {
    /// Whether the phases are told.
    explains: bool,
    /// Where each route was.
    lines: HashMap<String, u32>,
    /// When the first of the saves that do not load came.
    broken_since: Option<SystemTime>,
}

impl Reloads {
    /// Starts with the routes that serve.
    pub(super) fn new(explains: bool, routes: &[RouteInfo]) -> Self {
        Self { explains, lines: places(routes), broken_since: None }
    }

    /// Draws one as of the time of day `at`; in short there is no stack.
    pub(super) fn draw(&mut self, reload: &Reload, at: &str, in_short: bool) -> String {
        let at = style(at).dim();
        let report = &reload.report;
        let (total, cause) = (took(reload.total), cause(reload));
        if report.outcome == LoadOutcome::Failed {
            self.broken_since.get_or_insert(reload.time);
            let next = report.generation + 1;
            let mut out = format!(" {at}  {} {total:>8}", style(format!("✖ G{next}")).red());
            out += &format!("   {}\n", failed(report, &cause));
            out += &format!("           {}\n", serving_still(report.generation));
            out += &details(report, in_short);
            return out + &self.phases(report);
        }
        let fixed = self.fixed(reload);
        if report.outcome == LoadOutcome::Noop {
            let reason = style(format!("no-op: {}", plain(&report.reason))).dim();
            let sign = style(format!("= G{}", report.generation)).dim();
            return format!(
                " {at}  {sign} {total:>8}   {}\n",
                words(&[cause, reason.to_string(), fixed])
            );
        }
        let sign = style(format!("↻ G{}", report.generation)).green();
        let line = words(&[cause, self.diff(report), fixed]);
        self.lines = places(&report.routes);
        let mut out = format!(" {at}  {sign} {total:>8}   {line}\n");
        out += &self.phases(report);
        out += &remarks(report);
        out
    }

    /// How long what this one mends was broken.
    fn fixed(&mut self, reload: &Reload) -> String {
        let Some(since) = self.broken_since.take() else { return String::new() };
        let broken = reload.time.duration_since(since).unwrap_or_default();
        style(format!("fixed after {}", long(broken))).green().to_string()
    }

    fn diff(&self, report: &LoadReport) -> String {
        let diff = &report.diff;
        let signed = [("+", &diff.added), ("-", &diff.removed), ("~", &diff.changed)];
        let mut all: Vec<String> = signed
            .iter()
            .flat_map(|(sign, routes)| {
                routes.iter().map(move |route| format!("{sign} {}", name(route)))
            })
            .collect();
        all.extend(diff.moved.iter().map(|route| {
            let from = self.lines.get(&name(route)).filter(|line| **line != route.line);
            let from = from.map_or(String::new(), |line| format!("{line}→"));
            format!("~ {} (moved {from}{})", name(route), route.line)
        }));
        let more = all.len().saturating_sub(MAX_ROUTES);
        all.truncate(MAX_ROUTES);
        if more > 0 {
            all.push(format!("+{more} more"));
        }
        plain(&all.join("  "))
    }

    fn phases(&self, report: &LoadReport) -> String {
        if !self.explains {
            return String::new();
        }
        let text = plain(&explained(&report.phases, &report.modules));
        format!("           {}\n", style(text).dim())
    }
}

/// A pause, or its end.
pub(super) fn pause(paused: bool) -> String {
    let (sign, text) = if paused {
        (style("‖").yellow(), "paused: what is saved waits for `snaxum resume`")
    } else {
        (style("▶").green(), "resumed: what is saved is reloaded again")
    };
    format!("  {sign} {text}\n")
}

/// What came of the requests that are sent again after a reload.
pub(super) fn pins(green: usize, red: usize) -> String {
    let requests = if green + red == 1 { "request" } else { "requests" };
    let mut words = Vec::new();
    if green > 0 {
        words.push(style(format!("{green} green")).green().to_string());
    }
    if red > 0 {
        words.push(style(format!("{red} still red")).red().to_string());
    }
    format!("  ⚑ {} pinned {requests}: {}\n", green + red, words.join(", "))
}

/// What the code does that a reload cannot do justice to.
pub(super) fn warnings(report: &LoadReport) -> String {
    let line = |text: &String| format!("  {} {}\n", style("▲").yellow(), plain(text));
    report.warnings.iter().map(line).collect()
}

fn remarks(report: &LoadReport) -> String {
    let mut out = String::new();
    for lost in &report.diff.shadowed {
        let words =
            format!("{} answers for what {} did", plain(&lost.by), plain(&name(&lost.route)));
        out += &format!("    {} {words}\n", style("shadowed:").dim());
    }
    if report.rung == "all" && !report.reason.is_empty() {
        out += &format!("    {} {}\n", style("all modules ran:").dim(), plain(&report.reason));
    }
    if !report.state_reset.is_empty() {
        let names = plain(&report.state_reset.join(", "));
        out += &format!("    {} {names}\n", style("state reset:").dim());
    }
    out += &warnings(report);
    for note in &report.notes {
        out += &format!("    {}\n", plain(note));
    }
    out
}

fn cause(reload: &Reload) -> String {
    match &reload.files[..] {
        [] if reload.cause == "manual" => "by hand".to_owned(),
        [] => String::new(),
        [file] => plain(file),
        [file, more @ ..] => format!("{} +{} more", plain(file), more.len()),
    }
}

/// Where the first failure is and what it says.
fn failed(report: &LoadReport, cause: &str) -> String {
    let Some(failure) = report.failures.first() else { return cause.to_owned() };
    let raised = &failure.traceback;
    let place = raised.culprit().map(|frame| format!("{}:{}", plain(&frame.file), frame.line));
    let message = plain(raised.message.lines().next().unwrap_or_default());
    let kind = style(plain(&raised.kind)).red();
    let more = match report.failures.len() {
        0 | 1 => String::new(),
        count => format!("  +{} more", count - 1),
    };
    format!("{}  {kind}: {message}{more}", place.unwrap_or_else(|| cause.to_owned()))
}

fn serving_still(generation: u64) -> String {
    match generation {
        0 => state(0, None),
        n => style(format!("▲ still serving G{n}")).yellow().to_string(),
    }
}

fn details(report: &LoadReport, in_short: bool) -> String {
    let of = |raised: &Traceback| if in_short { lines(raised) } else { traceback::render(raised) };
    report.failures.iter().map(|failure| of(&failure.traceback)).collect()
}

/// The line that does not load, the one before it and the caret.
fn lines(raised: &Traceback) -> String {
    let Some(frame) = raised.culprit() else { return String::new() };
    let mut out = String::new();
    for source in &frame.source {
        if source.line != frame.line && source.line + 1 != frame.line {
            continue;
        }
        let sign = if source.line == frame.line { "›" } else { " " };
        out += &format!("           │ {} {sign} {}\n", source.line, plain(&source.text));
        if let (true, Some(column)) = (source.line == frame.line, frame.column) {
            let gutter = source.line.to_string().len() + 3;
            let before: String = source.text.chars().take(column as usize).collect();
            let space = console::measure_text_width(&plain(&before)) + gutter;
            out += &format!("           │ {}{}\n", " ".repeat(space), style("^").red());
        }
    }
    if let Some(hint) = &raised.hint {
        out += &format!("           {} {}\n", style("→").cyan(), plain(hint));
    }
    out
}

fn explained(phases: &LoadPhases, modules: &[ModuleRun]) -> String {
    let mut slowest: Vec<&ModuleRun> = modules.iter().collect();
    slowest.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    let ran = slowest.iter().take(4).map(|run| format!("{} {:.0}", run.name, run.ms));
    let mut ran: Vec<String> = ran.collect();
    if slowest.len() > 4 {
        ran.push(format!("+{} more", slowest.len() - 4));
    }
    let ran = if ran.is_empty() { String::new() } else { format!(" ({})", ran.join(", ")) };
    let LoadPhases { settle, compile, stage, commit } = phases;
    format!(
        "settle {settle:.0} · compile {compile:.0} · stage {stage:.0}{ran} · commit {commit:.0}"
    )
}

/// `13 s`, `4 min`.
fn long(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn words(parts: &[String]) -> String {
    let parts: Vec<&str> =
        parts.iter().map(|part| &**part).filter(|part| !part.is_empty()).collect();
    parts.join("   ")
}

fn places(routes: &[RouteInfo]) -> HashMap<String, u32> {
    let place =
        |route: &RouteInfo| (format!("{} {}", route.methods.join(","), route.path), route.line);
    routes.iter().map(place).collect()
}

fn name(route: &RouteRef) -> String {
    format!("{} {}", route.methods.join(","), route.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reload(second: u64, files: &[&str], report: serde_json::Value) -> Reload {
        Reload {
            id: 8,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            cause: "save",
            files: files.iter().map(ToString::to_string).collect(),
            total: Duration::from_millis(38),
            report: serde_json::from_value(report).expect("a report"),
        }
    }

    fn ok(generation: u64, diff: &serde_json::Value) -> serde_json::Value {
        json!({
            "outcome": "ok", "generation": generation, "diff": diff, "failures": [], "routes": [],
            "broken": [], "modules": [{"name": "orders", "ms": 7.0}, {"name": "models", "ms": 2.0}],
            "phases": {"settle": 20.0, "compile": 1.0, "stage": 9.0, "commit": 1.0},
        })
    }

    fn route(method: &str, path: &str, line: u32) -> serde_json::Value {
        json!({"methods": [method], "path": path, "handler": "o.f", "file": "python/orders.py", "line": line})
    }

    fn broken() -> serde_json::Value {
        let source = json!([
            {"line": 13, "text": "def create(req):"},
            {"line": 14, "text": "    total = sum((i.price for i in req.items)"},
        ]);
        let frame = json!({
            "file": "python/orders.py", "line": 14, "end_line": 14, "column": 15, "end_column": 16,
            "function": "<module>", "user": true, "source": source, "locals": [],
        });
        let traceback = json!({
            "type": "SyntaxError", "message": "'(' was never closed", "hint": null, "notes": [],
            "frames": [frame], "cause": null, "relation": null,
        });
        json!({
            "outcome": "failed", "generation": 8, "routes": [], "broken": [], "modules": [],
            "phases": {}, "failures": [{"module": "orders", "traceback": traceback}],
        })
    }

    #[test]
    fn reloads_tell_cause_diff_failure_and_how_long_it_was_broken() {
        let mut reloads = Reloads::new(false, &[]);
        reloads.lines.insert("POST /orders".to_owned(), 31);
        let added = json!({
            "added": [route("GET", "/orders/export", 52)], "moved": [route("POST", "/orders", 36)],
        });
        let none = json!({});
        let mut out = reloads.draw(
            &reload(0, &["python/orders.py", "a", "b"], ok(8, &added)),
            "14:03:40",
            true,
        );
        out += &reloads.draw(&reload(12, &["python/orders.py"], broken()), "14:03:52", true);
        out += &reloads.draw(&reload(25, &["python/orders.py"], ok(9, &none)), "14:04:05", true);
        insta::assert_snapshot!(out, @r"
 14:03:40  ↻ G8  38.0 ms   python/orders.py +2 more   + GET /orders/export  ~ POST /orders (moved 31→36)
 14:03:52  ✖ G9  38.0 ms   python/orders.py:14  SyntaxError: '(' was never closed
           ▲ still serving G8
           │ 13   def create(req):
           │ 14 ›     total = sum((i.price for i in req.items)
           │                     ^
 14:04:05  ↻ G9  38.0 ms   python/orders.py   fixed after 13 s
");
    }

    #[test]
    fn the_phases_are_told_on_request() {
        let mut reloads = Reloads::new(true, &[]);
        let out =
            reloads.draw(&reload(0, &["python/orders.py"], ok(8, &json!({}))), "14:03:40", true);
        insta::assert_snapshot!(out, @r"
 14:03:40  ↻ G8  38.0 ms   python/orders.py
           settle 20 · compile 1 · stage 9 (orders 7, models 2) · commit 1
");
    }

    #[test]
    fn text_of_the_users_stays_on_its_line() {
        let mut reloads = Reloads::new(false, &[]);
        let out = reloads.draw(
            &reload(0, &["python/a\n\u{1b}[2J.py"], ok(8, &json!({}))),
            "14:03:40",
            true,
        );
        assert!(out.contains("python/a\\u{a}\\u{1b}[2J.py") && out.lines().count() == 1, "{out}");
    }
}
