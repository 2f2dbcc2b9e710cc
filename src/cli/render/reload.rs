//! Renders a reload as one line: the generation, the cause and the changed routes.

use std::collections::HashMap;
use std::time::Duration;

use console::style;
use snaxum::message::{
    BuildPhases, ErrorSummary, LoadOutcome, LoadPhases, ModuleRun, Reload, RouteDiff, RouteInfo,
    RouteRef, RustBuild, Traceback, nothing_to_reload,
};

use super::color::escape;
use super::contract;
use super::failure;
use super::layout::{cause, counted, join};
use super::printed::Cause;
use super::request::format_ms;

/// The maximum number of changed routes to name.
const MAX_ROUTES: usize = 6;
/// The maximum number of modules or crates to name.
const MAX_PARTS: usize = 4;

/// The state between two reloads.
pub(super) struct ReloadLines {
    shows_phases: bool,
    /// The file of each route.
    files: HashMap<String, String>,
    /// The time of the first failed reload in a row.
    broken_since: Option<u64>,
    /// The errors of the last reload, which the screen shows.
    printed: Vec<Cause>,
}

/// The line of a reload, which can get a suffix, and the details below it.
pub(super) struct ReloadLine {
    line: String,
    /// The time since the first failure that it fixes.
    fixed: String,
    below: String,
}

impl ReloadLine {
    /// Returns the whole text, with `more` at the end of the line.
    pub(super) fn with(&self, more: String) -> String {
        let last = [&*self.fixed, &*more].into_iter().filter(|part| !part.is_empty());
        let line = join(&[self.line.clone(), last.collect::<Vec<_>>().join(" · ")]);
        format!("{}\n{}", line.trim_end(), self.below)
    }
}

impl ReloadLines {
    pub(super) fn new(shows_phases: bool) -> Self {
        Self { shows_phases, files: HashMap::new(), broken_since: None, printed: Vec::new() }
    }

    /// Sets the routes that are serving.
    pub(super) fn set_routes(&mut self, routes: &[RouteInfo]) {
        let place = |route: &RouteInfo| {
            (format!("{} {}", route.methods.join(","), route.path), route.file.clone())
        };
        self.files = routes.iter().map(place).collect();
    }

    /// Renders a reload at the time of day `at`, with the full `tracebacks` of a failure.
    pub(super) fn draw(
        &mut self,
        reload: &Reload,
        tracebacks: &[&Traceback],
        at: &str,
    ) -> ReloadLine {
        let head = |sign| format!(" {}  {sign} {:>8}", style(at).dim(), format_ms(reload.total_ms));
        let (generation, cause) = (reload.generation, cause(reload));
        let mut drawn =
            ReloadLine { line: String::new(), fixed: String::new(), below: String::new() };
        let is_repeated = self.store_causes(reload);
        if reload.outcome == LoadOutcome::Failed {
            self.broken_since.get_or_insert(reload.time_ms);
            let sign = style(format!("✖ v{}", generation + 1)).red();
            if is_repeated {
                drawn.line = join(&[head(sign), cause, failure::same_as_before(reload)]);
                drawn.below = self.phases(reload);
                return drawn;
            }
            drawn.line = join(&[head(sign), failure::headline(reload, cause)]);
            drawn.below = failure::details(reload, tracebacks) + &self.phases(reload);
            return drawn;
        }
        if reload.traceback.is_some() {
            self.broken_since.get_or_insert(reload.time_ms);
        } else if let Some(since) = self.broken_since.take() {
            let broken = Duration::from_millis(reload.time_ms.saturating_sub(since));
            drawn.fixed =
                style(format!("fixed after {}", format_duration(broken))).green().to_string();
        }
        if reload.outcome == LoadOutcome::Noop {
            let reason = style(nothing_to_reload(&reload.reason)).dim();
            let sign = style(format!("= v{generation}")).dim();
            drawn.line = join(&[head(sign), cause, reason.to_string()]);
        } else {
            let sign = match generation {
                0 => style("✖ v0".to_owned()).red(),
                _ => style(format!("↻ v{generation}")).green(),
            };
            let failing = match (&reload.traceback, is_repeated) {
                (Some(_), true) => failure::same_as_before(reload),
                _ => String::new(),
            };
            drawn.line = join(&[head(sign), cause, self.diff(&reload.diff), failing]);
            drawn.below = self.phases(reload) + &remarks(reload);
            if reload.traceback.is_some() && !is_repeated {
                drawn.below += &failure::partial(reload, tracebacks);
            }
        }
        drawn
    }

    /// Stores the errors of a reload; returns whether the reload before it had the same.
    pub(super) fn store_causes(&mut self, reload: &Reload) -> bool {
        if reload.outcome == LoadOutcome::Noop {
            return true; // no code ran
        }
        let first = reload.traceback.as_ref().map(ErrorSummary::from);
        let now: Vec<Cause> = first.iter().chain(&reload.others).map(Cause::from).collect();
        let is_repeated = !now.is_empty() && now == self.printed;
        self.printed = now;
        is_repeated
    }

    fn diff(&self, diff: &RouteDiff) -> String {
        let signed = [("+", &diff.added), ("-", &diff.removed), ("~", &diff.changed)];
        let mut all: Vec<String> = signed
            .iter()
            .flat_map(|(sign, routes)| {
                routes.iter().map(move |route| format!("{sign} {}", name(route)))
            })
            .collect();
        // A route on another line of its file is the same route.
        let has_moved = |route: &&RouteRef| {
            self.files.get(&name(route)).is_some_and(|file| *file != route.file)
        };
        let moved = diff.moved.iter().filter(has_moved);
        all.extend(moved.map(|route| format!("~ {} (moved to {})", name(route), route.file)));
        let more = all.len().saturating_sub(MAX_ROUTES);
        all.truncate(MAX_ROUTES);
        if more > 0 {
            all.push(format!("+{more} more"));
        }
        escape(&all.join("  "))
    }

    fn phases(&self, reload: &Reload) -> String {
        if !self.shows_phases {
            return String::new();
        }
        let text = match &reload.build {
            Some(build) => phases_and_crates(reload.phases.settle, build),
            None => phases_and_modules(&reload.phases, &reload.modules),
        };
        let text = escape(&text);
        format!("           {}\n", style(text).dim())
    }
}

/// The note that saved changes are not live during a pause.
pub(crate) const PAUSED: &str =
    "reloading is paused; run `snaxum resume` to apply the saved changes";

/// Renders a pause, or its end.
pub(crate) fn pause_line(paused: bool) -> String {
    let (sign, text) = if paused {
        (style("‖").yellow(), PAUSED)
    } else {
        (style("▶").green(), "reloading is resumed")
    };
    format!("  {sign} {text}\n")
}

/// Renders the warnings about code that a reload cannot fully update.
pub(crate) fn warnings(warnings: &[String]) -> String {
    let line = |text: &String| format!("  {} {}\n", style("▲").yellow(), escape(text));
    warnings.iter().map(line).collect()
}

fn remarks(reload: &Reload) -> String {
    let mut out = String::new();
    for lost in &reload.diff.shadowed {
        let words =
            format!("{} now handles requests of {}", escape(&lost.by), escape(&name(&lost.route)));
        out += &format!("    {} {words}\n", style("shadowed:").dim());
    }
    if reload.strategy == "all" && !reload.reason.is_empty() {
        out += &format!("    {} {}\n", style("all modules ran:").dim(), escape(&reload.reason));
    }
    if !reload.state_reset.is_empty() {
        let names = escape(&reload.state_reset.join(", "));
        out += &format!("    {} {names}\n", style("state reset:").dim());
    }
    if let Some(diff) = &reload.contract {
        out += &contract::lines(reload.generation, diff);
    }
    if let Some(count @ 1..) = reload.build.as_ref().map(|build| build.warnings) {
        let count = counted(count as usize, "warning");
        out += &format!("    {}\n", style(format!("{count} of the compiler")).dim());
    }
    out += &warnings(&reload.warnings);
    for note in &reload.notes {
        out += &format!("    {}\n", escape(note));
    }
    out
}

fn phases_and_modules(phases: &LoadPhases, modules: &[ModuleRun]) -> String {
    let ran = slowest(modules.iter().map(|run| (&*run.name, run.ms)).collect());
    let LoadPhases { settle, compile, stage, commit } = phases;
    format!(
        "settle {settle:.0} · compile {compile:.0} · stage {stage:.0}{ran} · commit {commit:.0}"
    )
}

fn phases_and_crates(settle: f64, build: &RustBuild) -> String {
    let crates = build.crates.iter().map(|it| (&*it.name, it.ms)).collect();
    let BuildPhases { cargo, link, start, load, handover } = &build.phases;
    let link = if *link > 0.0 { format!(" · link {link:.0}") } else { String::new() };
    format!(
        "settle {settle:.0} · cargo {cargo:.0}{}{link} · start {start:.0} · load {load:.0} · handover \
         {handover:.0}",
        slowest(crates)
    )
}

/// Formats ` (orders 7, models 2, +1 more)`.
fn slowest(mut parts: Vec<(&str, f64)>) -> String {
    parts.sort_by(|one, another| another.1.total_cmp(&one.1));
    let more = parts.len().saturating_sub(MAX_PARTS);
    let named = parts.iter().take(MAX_PARTS).map(|(name, ms)| format!("{name} {ms:.0}"));
    let mut named: Vec<String> = named.collect();
    if more > 0 {
        named.push(format!("+{more} more"));
    }
    if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
}

/// Formats `13 s`, `4 min`.
fn format_duration(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn name(route: &RouteRef) -> String {
    format!("{} {}", route.methods.join(","), route.path)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in super::super) fn reload(
        second: u64,
        files: &[&str],
        fields: serde_json::Value,
    ) -> Reload {
        let mut reload = json!({
            "id": 1, "time_ms": second * 1000, "summary": "", "cause": "save", "strategy": "dependents", "reason": "",
            "files": files, "total_ms": 38.0, "state_reset": [], "warnings": [], "notes": [],
            "modules": [{"name": "orders", "ms": 7.0}, {"name": "models", "ms": 2.0}],
            "phases": {"settle": 20.0, "compile": 1.0, "stage": 9.0, "commit": 1.0},
            "diff": {}, "traceback": null, "others": [],
        });
        let fields = fields.as_object().expect("an object").clone();
        reload.as_object_mut().expect("an object").extend(fields);
        serde_json::from_value(reload).expect("a reload")
    }

    pub(in super::super) fn ok(generation: u64, diff: &serde_json::Value) -> serde_json::Value {
        json!({"outcome": "ok", "generation": generation, "diff": diff})
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
        let other = json!({
            "type": "SyntaxError", "message": "invalid syntax", "file": "python/users.py", "line": 3,
            "function": "<module>", "source": "def f(:", "locals": [],
        });
        json!({"outcome": "failed", "generation": 8, "traceback": traceback, "others": [other]})
    }

    fn draw(reloads: &mut ReloadLines, reload: &Reload) -> String {
        reloads.draw(reload, &[], "14:03:40").with(String::new())
    }

    #[test]
    fn a_reload_shows_cause_diff_failure_and_time_to_fix() {
        let mut reloads = ReloadLines::new(false);
        for (route, file) in
            [("POST /orders", "python/orders.py"), ("GET /orders", "python/app.py")]
        {
            reloads.files.insert(route.to_owned(), file.to_owned());
        }
        let changed = json!({
            "added": [route("GET", "/orders/export", 52)],
            "moved": [route("POST", "/orders", 36), route("GET", "/orders", 40)],
        });
        let all = [
            reload(0, &["python/orders.py", "a", "b"], ok(8, &changed)),
            reload(12, &["python/orders.py"], broken()),
            reload(19, &["python/users.py"], broken()),
            reload(25, &["python/orders.py"], ok(9, &json!({}))),
        ];
        let out = all.map(|reload| draw(&mut reloads, &reload)).concat();
        insta::assert_snapshot!(out, @r"
 14:03:40  ↻ v8  38.0 ms   python/orders.py +2 more   + GET /orders/export  ~ GET /orders (moved to python/orders.py)
 14:03:40  ✖ v9  38.0 ms   python/orders.py:14     SyntaxError: '(' was never closed  +1 more
           ▲ version 8 is still serving
           │ 13   def create(req):
           │ 14 ›     total = sum((i.price for i in req.items)
           │                     ^
           └ python/users.py:3   SyntaxError: invalid syntax
 14:03:40  ✖ v9  38.0 ms   python/users.py         still SyntaxError in python/orders.py:14  +1 more
 14:03:40  ↻ v9  38.0 ms   python/orders.py        fixed after 13 s
");
    }

    #[test]
    fn the_phases_are_shown_on_request() {
        let out =
            draw(&mut ReloadLines::new(true), &reload(0, &["python/orders.py"], ok(8, &json!({}))));
        insta::assert_snapshot!(out, @r"
 14:03:40  ↻ v8  38.0 ms   python/orders.py
           settle 20 · compile 1 · stage 9 (orders 7, models 2) · commit 1
");
    }

    #[test]
    fn the_phases_of_a_build_name_the_slowest_crates() {
        let build = json!({
            "phases": {"cargo": 20.0, "link": 0.0, "start": 2.0, "load": 3.0, "handover": 1.0}, "warnings": 2,
            "crates": [{"name": "a", "ms": 1.0}, {"name": "b", "ms": 5.0}, {"name": "c", "ms": 3.0},
                {"name": "d", "ms": 2.0}, {"name": "e", "ms": 4.0}],
        });
        let mut fields = ok(8, &json!({}));
        fields["build"] = build;
        let out = draw(&mut ReloadLines::new(true), &reload(0, &["src/main.rs"], fields));
        insta::assert_snapshot!(out, @r"
 14:03:40  ↻ v8  38.0 ms   src/main.rs
           settle 20 · cargo 20 (b 5, e 4, c 3, d 2, +1 more) · start 2 · load 3 · handover 1
    2 warnings of the compiler
");
    }

    #[test]
    fn text_from_the_user_stays_on_its_line() {
        let hostile = reload(0, &["python/a\n\u{1b}[2J.py"], ok(8, &json!({})));
        let out = draw(&mut ReloadLines::new(false), &hostile);
        assert!(out.contains("python/a\\u{a}\\u{1b}[2J.py") && out.lines().count() == 1, "{out}");
    }
}
