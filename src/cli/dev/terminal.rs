//! What a dev server says on the terminal: the banner, a line a request, a line a reload.
//!
//! Writes from a thread of its own behind a bounded queue: a terminal that is stopped or slow
//! loses lines, and is told how many, but never holds up a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use console::style;
use snaxum::dev::Dev;
use snaxum::event::{Event, Reload};
use snaxum::message::{LoadOutcome, LoadReport, RequestRecord, RouteRef};
use snaxum::python_runtime::PythonRuntime;

use super::super::style::{plain, say};
use super::super::traceback;

/// Events that may wait for the terminal.
const MAX_WAITING: usize = 1024;
/// How long a stopping server waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Routes that the banner lists; more are for `snaxum routes` and the console.
const MAX_LISTED: usize = 30;

/// The way to the terminal's thread.
#[derive(Clone)]
pub(crate) struct Terminal {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

enum Line {
    Event(Event),
    Done(SyncSender<()>),
}

impl Terminal {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (lines, received) = sync_channel(MAX_WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        std::thread::Builder::new()
            .name("terminal".into())
            .spawn(move || write(&received, &counted))?;
        Ok(Self { lines, lost })
    }

    /// Says what happened, soon.
    pub(crate) fn tell(&self, event: &Event) {
        if self.lines.try_send(Line::Event(event.clone())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for the lines so far, if the terminal takes them.
    pub(crate) fn finish(&self) {
        let (done, finished) = sync_channel(1);
        if self.lines.try_send(Line::Done(done)).is_ok() {
            let _ = finished.recv_timeout(LAST_LINES);
        }
    }
}

fn write(lines: &Receiver<Line>, lost: &AtomicU64) {
    while let Ok(line) = lines.recv() {
        match line {
            Line::Event(Event::RequestEnd(record)) => say(&request(&record)),
            Line::Event(Event::ReloadStart { .. }) => {}
            Line::Event(Event::ReloadEnd(ended)) => say(&reload(&ended)),
            Line::Event(Event::Paused(paused)) => say(&pause(paused)),
            Line::Done(done) => drop(done),
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            say(&format!("  … {missing} lines were left out: the terminal was too slow\n"));
        }
    }
}

/// What stands on the terminal when the server answers.
pub(crate) fn banner(
    runtime: &PythonRuntime,
    dev: &Dev,
    address: SocketAddr,
    took: Duration,
) -> String {
    let serving = runtime.serving();
    let arrow = style("➜").green();
    let console = dev.console_url(address);
    let app = console.split_once("__snaxum").map_or(&*console, |(app, _)| app);
    let mut out = format!(
        "\n  {} {}  {}   Python {}   ready in {} ms\n\n",
        style("SNAXUM").bold().green(),
        env!("CARGO_PKG_VERSION"),
        style("dev").cyan(),
        runtime.python_version(),
        took.as_millis()
    );
    out += &format!("  {arrow}  App      {}\n", style(app).cyan());
    let note = style("(token, this run only)").dim();
    out += &format!("  {arrow}  Console  {}   {note}\n\n", style(&console).cyan());
    out += &format!(
        "  {}  {} routes · {} modules · watching {}\n\n",
        state(serving.failing, serving.generation),
        serving.routes.len(),
        serving.last_reload.report.modules.len(),
        plain(&runtime.config().python_dir.display().to_string())
    );
    if (1..=MAX_LISTED).contains(&serving.routes.len()) {
        for route in &serving.routes {
            let (methods, handler) = (route.methods.join(","), style(plain(&route.handler)).dim());
            out += &format!("     {methods:<6} {}  {handler}\n", plain(&route.path));
        }
        out.push('\n');
    }
    for failure in &serving.last_reload.report.failures {
        out += &format!("  {} {}\n", style("✖").red(), plain(&failure.module));
        out += &traceback::render(&failure.traceback);
    }
    out += &warnings(&serving.last_reload.report);
    out
}

fn state(failing: bool, generation: u64) -> String {
    match (failing, generation) {
        (_, 0) => style("✖ no good generation".to_owned()).red().to_string(),
        (true, n) => style(format!("▲ G{n} serving, not all code loads")).yellow().to_string(),
        (false, n) => style(format!("● G{n} ok")).green().to_string(),
    }
}

fn request(record: &RequestRecord) -> String {
    // Browsers ask for these by themselves.
    let unasked = ["/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"];
    if unasked.contains(&&*record.head.path()) && record.status < 500 {
        return String::new();
    }
    let status = match record.status {
        500.. => style(record.status).red(),
        400.. => style(record.status).yellow(),
        _ => style(record.status).green(),
    };
    let generation = record.generation.map_or("-".to_owned(), |number| format!("G{number}"));
    let mut out = format!(
        "  {:<6} {}  {status}  {:.1} ms  {generation} #{}\n",
        plain(record.head.method()),
        plain(&record.head.path()),
        record.total.as_secs_f64() * 1e3,
        record.id,
    );
    if let Some(raised) = &record.traceback {
        out += &traceback::render(raised);
    }
    out
}

fn pause(paused: bool) -> String {
    let (sign, text) = if paused {
        (style("‖").yellow(), "paused: what is saved waits for `snaxum resume`")
    } else {
        (style("▶").green(), "resumed: what is saved is reloaded again")
    };
    format!("  {sign} {text}\n")
}

fn reload(reload: &Reload) -> String {
    let report = &reload.report;
    let ms = reload.total.as_secs_f64() * 1e3;
    let by_hand = reload.cause == "manual" && reload.files.is_empty();
    let files = if by_hand { "by hand".to_owned() } else { plain(&reload.files.join(", ")) };
    if report.outcome == LoadOutcome::Failed {
        let serving = state(true, report.generation);
        let mut out = format!("  {} {ms:.1} ms  {files}  {serving}\n", style("✖").red());
        for failure in &report.failures {
            out += &traceback::render(&failure.traceback);
        }
        return out;
    }
    if report.outcome == LoadOutcome::Noop {
        let reason = style(format!("no-op: {}", plain(&report.reason))).dim();
        return format!(
            "  {} G{}  {ms:.1} ms  {files}  {reason}\n",
            style("=").dim(),
            report.generation
        );
    }
    let diff = &report.diff;
    let diff: Vec<String> = [("+", &diff.added), ("-", &diff.removed), ("~", &diff.changed)]
        .iter()
        .flat_map(|(sign, routes)| {
            routes.iter().map(move |route| format!("{sign} {}", name(route)))
        })
        .collect();
    let line = format!("G{}  {ms:.1} ms  {files}  {}", report.generation, plain(&diff.join("  ")));
    let mut out = format!("  {} {}\n", style("↻").green(), line.trim_end());
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

fn warnings(report: &LoadReport) -> String {
    let line = |text: &String| format!("  {} {}\n", style("▲").yellow(), plain(text));
    report.warnings.iter().map(line).collect()
}

fn name(route: &RouteRef) -> String {
    format!("{} {}", route.methods.join(","), route.path)
}
