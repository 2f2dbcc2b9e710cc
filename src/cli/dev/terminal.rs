//! What a dev server says on the terminal: the banner, a line a request, a line a reload.
//!
//! Writes from a thread of its own behind a bounded queue: a terminal that is stopped or slow
//! loses lines, and is told how many, but never holds up a request. Of many requests at once the
//! first are listed, and the others counted.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use console::style;
use snaxum::dev::Dev;
use snaxum::event::{Event, Reload};
use snaxum::message::{LoadOutcome, LoadReport, RouteRef, Traceback};
use snaxum::python_runtime::PythonRuntime;

use super::super::style::{plain, say};
use super::super::traceback;

/// Lines that may wait for the terminal.
const MAX_WAITING: usize = 1024;
/// How long it waits after it has written: nobody reads faster, and a server under load has other
/// things to do than to wake a thread for each request.
const FRAME: Duration = Duration::from_millis(50);
/// Requests that are listed in that time; those that went well are counted from then on.
const MAX_REQUESTS: usize = 20;
/// How long a stopping server waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Routes that the banner lists; more are for `snaxum routes` and the console.
const MAX_LISTED: usize = 30;

/// The way to the terminal's thread.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<News>,
    requests: usize,
    /// Requests that are counted and not listed.
    more: usize,
    /// Lines that found no place.
    lost: usize,
    /// Whether the thread sleeps until something happens.
    is_resting: bool,
    /// Whether somebody waits for the last lines.
    is_ending: bool,
    has_ended: bool,
}

impl Terminal {
    pub(crate) fn start() -> std::io::Result<Self> {
        let terminal = Self(Arc::default());
        let shared = Arc::clone(&terminal.0);
        thread::Builder::new().name("terminal".into()).spawn(move || shared.write())?;
        Ok(terminal)
    }

    /// Says what happened, soon.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        let mut state = self.0.lock();
        state.add(event);
        if state.has_news() && std::mem::take(&mut state.is_resting) {
            drop(state);
            self.0.bell.notify_all();
        }
    }

    /// Waits for the lines so far, if the terminal takes them.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock();
        state.is_ending = true;
        self.0.bell.notify_all();
        let _ = self.0.bell.wait_timeout_while(state, LAST_LINES, |state| !state.has_ended);
    }
}

impl Shared {
    fn write(&self) {
        let mut state = self.lock();
        loop {
            state.is_resting = true;
            let waited = self.bell.wait_while(state, |state| !state.is_ending && !state.has_news());
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.is_resting = false;
            let news = std::mem::take(&mut state.waiting);
            let (more, lost) = (std::mem::take(&mut state.more), std::mem::take(&mut state.lost));
            state.requests = 0;
            drop(state);

            let mut text: String = news.iter().map(line).collect();
            if more > 0 {
                text += &format!("  … and {more} more requests\n");
            }
            if lost > 0 {
                text += &format!("  … {lost} lines were left out: the terminal was too slow\n");
            }
            say(&text);

            state = self.lock();
            if state.is_ending && !state.has_news() {
                state.has_ended = true;
                self.bell.notify_all();
                return;
            }
            let paused = self.bell.wait_timeout_while(state, FRAME, |state| !state.is_ending);
            state = paused.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_news(&self) -> bool {
        !self.waiting.is_empty() || self.more > 0 || self.lost > 0
    }

    fn add(&mut self, event: &Event<'_>) {
        if let Event::RequestEnd(record) = event {
            self.requests += 1;
            if self.requests > MAX_REQUESTS && record.status < 400 {
                self.more += 1;
                return;
            }
        }
        let Some(news) = News::of(event) else { return };
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(news);
        } else {
            self.lost += 1;
        }
    }
}

/// What there is to say, as the terminal's thread takes it.
enum News {
    Request(Heard),
    Reload(Arc<Reload>),
    Pause(bool),
}

/// What the terminal keeps of a request.
struct Heard {
    id: u64,
    method: String,
    path: String,
    status: u16,
    generation: Option<u64>,
    total: Duration,
    traceback: Option<Arc<Traceback>>,
}

impl News {
    fn of(event: &Event<'_>) -> Option<Self> {
        match event {
            Event::RequestEnd(record) => Some(Self::Request(Heard {
                id: record.id,
                method: record.head.method().to_owned(),
                path: record.head.path().into_owned(),
                status: record.status,
                generation: record.generation,
                total: record.total,
                traceback: record.traceback.cloned(),
            })),
            // Lines that are printed reach the terminal by themselves.
            Event::ReloadStart { .. } | Event::Log(_) => None,
            Event::ReloadEnd(reload) => Some(Self::Reload(Arc::clone(reload))),
            Event::Paused(is_paused) => Some(Self::Pause(*is_paused)),
        }
    }
}

fn line(news: &News) -> String {
    match news {
        News::Request(heard) => request(heard),
        News::Reload(ended) => reload(ended),
        News::Pause(is_paused) => pause(*is_paused),
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

fn request(heard: &Heard) -> String {
    // Browsers ask for these by themselves.
    let unasked = ["/favicon.ico", "/.well-known/appspecific/com.chrome.devtools.json"];
    if unasked.contains(&&*heard.path) && heard.status < 500 {
        return String::new();
    }
    let status = match heard.status {
        500.. => style(heard.status).red(),
        400.. => style(heard.status).yellow(),
        _ => style(heard.status).green(),
    };
    let generation = heard.generation.map_or("-".to_owned(), |number| format!("G{number}"));
    let mut out = format!(
        "  {:<6} {}  {status}  {:.1} ms  {generation} #{}\n",
        plain(&heard.method),
        plain(&heard.path),
        heard.total.as_secs_f64() * 1e3,
        heard.id,
    );
    if let Some(raised) = &heard.traceback {
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
