//! The output of the builder: the banner, builds, and the requests and reloads of the program, in the form
//! that `snaxum dev` has for Python.
//!
//! Writes; never decides. With `--log-format json` the events are on stdout and all else is on stderr.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use console::style;
use snaxum::message::{LoadOutcome, LoadPhases, Reload, RouteDiff, ms};
use snaxum::supervision::protocol::BuildReport;

use crate::cli::render::color::{escape, escape_json, escape_lines, print, print_stderr};
use crate::cli::render::event::{EventLines, StreamEvent};
use crate::cli::render::layout::counted;
use crate::cli::terminal;

/// A build that takes longer is shown while it runs, and again after each further interval.
const LONG: Duration = Duration::from_secs(5);

pub(super) struct Screen {
    events: EventLines,
    is_json: bool,
    /// The build that runs, as it is shown.
    building: Option<ShownBuild>,
}

struct ShownBuild {
    since: Instant,
    /// Whether the lines of cargo are shown.
    shows_lines: bool,
    next_note: Instant,
    last_line: String,
}

/// The facts of the banner.
pub(super) struct BannerFacts<'a> {
    pub(super) address: SocketAddr,
    pub(super) token: &'a str,
    /// Whether the program has a console.
    pub(super) has_dev: bool,
    pub(super) has_mcp: bool,
    pub(super) generation: u64,
    pub(super) binary: &'a str,
    pub(super) profile: &'a str,
    pub(super) crates: usize,
    pub(super) took: Duration,
}

impl Screen {
    pub(super) fn new(is_json: bool, explains: bool) -> Self {
        Self { events: EventLines::of_parent(explains), is_json, building: None }
    }

    /// Prints text for people.
    pub(super) fn print(&self, text: &str) {
        if self.is_json { print_stderr(text) } else { print(text) }
    }

    /// Prints that a build begins. The first one shows the lines of cargo: it may compile all crates.
    pub(super) fn build_begins(&mut self, binary: &str, is_first: bool) {
        let now = Instant::now();
        let next_note = now + LONG;
        let last_line = String::new();
        self.building =
            Some(ShownBuild { since: now, shows_lines: is_first, next_note, last_line });
        if is_first {
            let sign = style("⚙").cyan();
            self.print(&format!("  {sign} cargo builds {}; connections wait\n", escape(binary)));
        }
    }

    /// Shows a line of cargo, or stores it for the next note.
    pub(super) fn cargo_line(&mut self, line: &str) {
        let Some(building) = &mut self.building else { return };
        let line = escape(&console::strip_ansi_codes(line));
        let is_progress =
            ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Adding"]
                .iter()
                .any(|word| line.trim_start().starts_with(word));
        if !is_progress {
            return; // errors and warnings have a form of their own
        }
        line.trim().clone_into(&mut building.last_line);
        if building.shows_lines {
            self.print(&format!("{}\n", style(line).dim()));
        }
    }

    /// Prints where the errors are shown while no program serves.
    pub(super) fn waiting(&self, address: SocketAddr) {
        let sign = style("➜").green();
        let url = style(snaxum::dev::base_url(address)).cyan();
        self.print(&format!("  {sign}  {url} shows the errors until a program serves\n"));
    }

    /// Prints that another cargo builds in the same directory.
    pub(super) fn blocked(&self) {
        let sign = style("▲").yellow();
        self.print(&format!(
            "  {sign} another cargo has locked the directory of the builds, such as that of an editor; \
             cargo waits. Give this one its own: `cargo-target-dir = \"target/snaxum\"` in [tool.snaxum]\n"
        ));
    }

    pub(super) fn build_ended(&mut self) {
        self.building = None;
    }

    /// Prints the banner.
    pub(super) fn banner(&self, facts: &BannerFacts<'_>) {
        let base = snaxum::dev::base_url(facts.address);
        let console = format!("{base}{}?t={}", snaxum::dev::PREFIX, facts.token);
        let mut out = format!(
            "\n  {} {}  {}   Rust and Python   ready in {} ms\n\n",
            style("SNAXUM").bold().green(),
            env!("CARGO_PKG_VERSION"),
            style("dev").cyan(),
            facts.took.as_millis()
        );
        let mcp = (facts.has_mcp && facts.has_dev).then(|| format!("{base}/__snaxum/mcp"));
        out += &terminal::addresses(facts.address, facts.has_dev.then_some(&*console), mcp, None);
        if !facts.has_dev {
            let sign = style("▲").yellow();
            out += &format!(
                "  {sign} the program has no console: merge `snaxum::dev::router(&runtime)?` into its \
                 router\n\n"
            );
        }
        let version = facts.generation;
        let state = style(format!("● version {version} live")).green();
        let profile = escape(facts.profile);
        let crates = counted(facts.crates, "crate");
        out += &format!(
            "  {state}  {} · profile {profile} · watching {crates}\n\n",
            escape(facts.binary)
        );
        self.print(&out);
    }

    /// Prints a build that has ended, with the errors as rustc prints them.
    pub(super) fn report(&mut self, report: &BuildReport, rendered: &str, generation: u64) {
        let reload = reload(report, generation);
        let mut text = self.events.renderer.push_reload(&reload, &[], Instant::now());
        if report.outcome == LoadOutcome::Failed && !rendered.is_empty() {
            text.push('\n');
            text += &shown_errors(rendered);
        }
        self.print(&text);
    }

    /// Prints an event of the program.
    pub(super) fn event(&mut self, frame: &str) {
        if self.is_json {
            print(&format!("{}\n", escape_json(frame)));
            return;
        }
        if let Ok(event) = serde_json::from_str::<StreamEvent>(frame) {
            let text = self.events.draw(event, Instant::now());
            self.print(&text);
        }
    }

    /// Returns when a line is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let note = self.building.as_ref().map(|building| building.next_note);
        [self.events.renderer.next_deadline(), note].into_iter().flatten().min()
    }

    /// Prints the lines that are due.
    pub(super) fn print_due(&mut self) {
        let now = Instant::now();
        let text = self.events.renderer.due(now);
        self.print(&text);
        let Some(building) = self.building.as_mut().filter(|it| it.next_note <= now) else {
            return;
        };
        building.next_note = now + 2 * LONG;
        let (seconds, line) = (building.since.elapsed().as_secs(), building.last_line.clone());
        if !building.shows_lines {
            let sign = style("⚙").cyan();
            self.print(&format!("  {sign} cargo has been building for {seconds} s   {line}\n"));
        }
    }

    /// Prints the lines that wait for more.
    pub(super) fn finish(&mut self) {
        let text = self.events.renderer.flush();
        self.print(&text);
    }
}

/// The errors with the colors of rustc, or without.
fn shown_errors(rendered: &str) -> String {
    if console::colors_enabled() {
        // rustc shows the text of sources as it is, with the control characters escaped.
        return rendered.to_owned();
    }
    escape_lines(&console::strip_ansi_codes(rendered))
}

/// The build in the form of a reload, without the excerpts of the source: rustc prints them.
fn reload(report: &BuildReport, generation: u64) -> Reload {
    let first = report.failures.first().map(|failure| {
        let mut traceback = failure.traceback.clone();
        traceback.hint = None;
        traceback.frames.iter_mut().for_each(|frame| frame.source.clear());
        traceback
    });
    Reload {
        id: 0,
        time_ms: report.time_ms,
        generation,
        outcome: report.outcome,
        summary: String::new(),
        cause: "save".to_owned(),
        strategy: "build".to_owned(),
        reason: report.reason.clone(),
        files: report.files.clone(),
        save: 0,
        modules: Vec::new(),
        phases: LoadPhases { settle: report.settle_ms, ..LoadPhases::default() },
        total_ms: report.total_ms,
        diff: RouteDiff::default(),
        contract: None,
        state_reset: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        traceback: first,
        others: Vec::new(),
        build: Some(report.build.clone()),
    }
}

/// The time between two moments in milliseconds.
pub(super) fn between(from: Instant, to: Instant) -> f64 {
    ms(to.saturating_duration_since(from))
}
