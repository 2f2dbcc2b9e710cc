//! The builder: builds the program on a save, and runs the newest one that is good.
//!
//! One loop owns all state and receives the events of the watcher, of cargo and of the programs as messages.
//! Runs no Python and no user code, so it outlives every program. `builds.rs` is about builds, `takeover.rs`
//! replaces the program that serves, and `endings.rs` is about programs that end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use snaxum::config::{LogFormat, SnaxumConfig};
use snaxum::dev::{Crash, DevFile, SourceWatch};
use snaxum::supervision::protocol::{BuilderOrder, McpAccess, ProgramReport, ProgramStart};
use tokio::sync::mpsc;

use super::attempt::{Candidate, RunningBuild, Save};
use super::binary::Binary;
use super::build::BuildEvent;
use super::followed_events::FollowedEvents;
use super::loop_event::LoopEvent;
use super::package::RustPackage;
use super::program::{Program, ProgramEvent, SharedSockets};
use super::saves::watch_sources;
use super::screen::{BannerFacts, Screen};
use super::waiting_page::WaitingPage;
use crate::cli::render::color::escape;

/// How long a cancelled cargo may take to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// The options of the command line that concern the builder.
pub(crate) struct BuilderOptions {
    pub(crate) explains: bool,
    pub(crate) mcp: Option<McpAccess>,
    pub(crate) editor: Option<String>,
    /// Whether single keys are read.
    pub(crate) reads_keys: bool,
    /// The wait after the second crash in a row.
    pub(crate) restart_delay: Duration,
}

pub(super) struct BuildLoop {
    pub(super) package: RustPackage,
    pub(super) config: SnaxumConfig,
    pub(super) options: BuilderOptions,
    pub(super) token: String,
    pub(super) shared: SharedSockets,
    pub(super) sender: mpsc::UnboundedSender<LoopEvent>,
    pub(super) watch: Arc<SourceWatch>,
    /// The changes of the watcher that have been received.
    pub(super) covered: u64,
    pub(super) screen: Screen,
    /// The files that were saved since the last build began, and when the first was.
    pub(super) saved: Option<Save>,
    pub(super) build: Option<RunningBuild>,
    /// The save whose program was rejected because of its Python modules.
    pub(super) rejected: Option<Save>,
    /// Whether the program waits for a build that is about to begin.
    pub(super) has_promised: bool,
    pub(super) is_paused: bool,
    pub(super) next_id: u64,
    pub(super) serving: Option<Program>,
    pub(super) candidate: Option<Candidate>,
    /// The reason of a restart that was requested, until a program replaces the old one or does not start.
    pub(super) wanted_restart: Option<String>,
    /// Programs that were replaced, and when each is killed.
    pub(super) leaving: Vec<(Program, Instant)>,
    /// Where programs find their libraries.
    pub(super) libraries: Vec<PathBuf>,
    /// The last binary that was good.
    pub(super) good: Option<Binary>,
    pub(super) page: Option<WaitingPage>,
    pub(super) dev_file: Option<DevFile>,
    /// The files that the last good build has read.
    pub(super) read: BTreeSet<PathBuf>,
    /// The events of the program that serves, and of programs that drain.
    pub(super) followed: Vec<(u64, FollowedEvents)>,
    pub(super) generation: u64,
    pub(super) began: Instant,
    pub(super) has_banner: bool,
    pub(super) crashes: u32,
    /// The crash after which a program starts again, unless one that is tried serves before, and when.
    pub(super) crashed: Option<(Crash, Instant)>,
    /// Whether the terminal is in raw mode.
    pub(super) has_keys: bool,
    pub(super) stops: u32,
    /// The exit code, once all has ended.
    pub(super) exit: Option<i32>,
}

impl BuildLoop {
    pub(super) fn new(
        package: RustPackage,
        config: SnaxumConfig,
        options: BuilderOptions,
        shared: SharedSockets,
        sender: mpsc::UnboundedSender<LoopEvent>,
    ) -> std::io::Result<Self> {
        let watch = watch_sources(&package, sender.clone())?;
        let screen = Screen::new(config.log_format == LogFormat::Json, options.explains);
        let new = Self {
            package,
            config,
            options,
            token: snaxum::dev::new_token(),
            shared,
            sender,
            covered: watch.changes(),
            watch,
            screen,
            saved: None,
            build: None,
            rejected: None,
            has_promised: false,
            is_paused: false,
            next_id: 1,
            serving: None,
            candidate: None,
            wanted_restart: None,
            leaving: Vec::new(),
            libraries: Vec::new(),
            good: None,
            page: None,
            dev_file: None,
            read: BTreeSet::new(),
            followed: Vec::new(),
            generation: 0,
            began: Instant::now(),
            has_banner: false,
            crashes: 0,
            crashed: None,
            has_keys: false,
            stops: 0,
            exit: None,
        };
        new.track(&[]);
        Ok(new)
    }

    /// Handles one event.
    pub(super) fn on_event(&mut self, event: LoopEvent) {
        match event {
            LoopEvent::Saved(save) => self.on_save(save),
            LoopEvent::Build(BuildEvent::Line(line)) => self.screen.cargo_line(&line),
            LoopEvent::Build(BuildEvent::Blocked) => self.screen.blocked(),
            LoopEvent::Build(BuildEvent::Ended(output)) => self.on_build_end(*output),
            LoopEvent::Program(id, ProgramEvent::Report(report)) => self.on_report(id, report),
            LoopEvent::Program(id, ProgramEvent::Ended) => self.on_program_end(id),
            LoopEvent::Key(key) => self.on_key(key),
            LoopEvent::Text(text) => self.screen.print(&text),
            LoopEvent::Frame(frame) => self.screen.event(&frame),
        }
    }

    fn on_report(&mut self, id: u64, report: ProgramReport) {
        if let Some(candidate) = self.candidate.as_mut().filter(|it| it.program.id == id) {
            candidate.program.receive(&report);
            return self.check_candidate();
        }
        let Some(serving) = self.serving.as_mut().filter(|it| it.id == id) else { return };
        serving.receive(&report);
        match report {
            ProgramReport::Ask { id } => self.respond(id),
            ProgramReport::Left { state } => self.on_left(state),
            ProgramReport::Saved { is_held } => self.on_python_save(is_held),
            ProgramReport::Restart { reason } => self.restart(reason),
            ProgramReport::Paused { is_paused } => {
                self.is_paused = is_paused;
                self.build_unless_paused();
            }
            ProgramReport::Dev => self.follow(),
            _ => {}
        }
    }

    /// Responds whether Python saves must wait for a build.
    fn respond(&mut self, id: u64) {
        let is_saving = self.watch.changes() != self.covered || self.saved.is_some();
        let is_building =
            self.build.is_some() || self.candidate.is_some() || (is_saving && !self.is_paused);
        self.has_promised |= is_building;
        if let Some(serving) = &mut self.serving {
            serving.send(&BuilderOrder::Answer { id, is_building });
        }
    }

    /// Reports to the program that nothing is built after all.
    pub(super) fn keep_promise(&mut self) {
        let is_idle = self.build.is_none() && self.candidate.is_none() && self.saved.is_none();
        if !std::mem::take(&mut self.has_promised) || !is_idle {
            return;
        }
        if let Some(serving) = &mut self.serving {
            serving.send(&BuilderOrder::NotBuilt);
        }
    }

    /// The first message to the next program.
    pub(super) fn program_start(&self, crash: Option<&Crash>) -> ProgramStart {
        ProgramStart {
            token: self.token.clone(),
            mcp: self.options.mcp.clone(),
            editor: self.options.editor.clone(),
            generation: self.current_generation(),
            crash: crash.and_then(|crash| serde_json::to_value(crash).ok()),
        }
    }

    /// Prints the banner once.
    pub(super) fn show_banner(&mut self) {
        let Some(serving) = self.serving.as_ref().filter(|_| !self.has_banner) else { return };
        let Ok(address) = self.shared.listener.local_addr() else { return };
        self.screen.banner(&BannerFacts {
            address,
            token: &self.token,
            has_dev: serving.reports.has_dev,
            has_mcp: self.options.mcp.is_some(),
            generation: serving.generation(),
            binary: &self.package.binary,
            profile: &self.config.cargo_profile,
            crates: self.package.crates.len(),
            took: self.began.elapsed(),
        });
        self.has_banner = true;
    }

    /// Returns when something is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let cancelled = self.build.as_ref().and_then(|running| running.cancelled);
        let cancelled = cancelled.map(|since| since + CANCEL_TIMEOUT);
        let leaving = self.leaving.iter().map(|(_, until)| *until).min();
        let restart = self.crashed.as_ref().filter(|_| self.candidate.is_none());
        let restart = restart.map(|(_, at)| *at);
        let candidate = self.candidate.as_ref().and_then(|it| it.deadline(&self.config));
        [cancelled, leaving, restart, candidate, self.screen.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self) {
        let now = Instant::now();
        self.screen.print_due();
        if let Some(running) = &mut self.build
            && running.cancelled.is_some_and(|since| since + CANCEL_TIMEOUT <= now)
        {
            running.build.signal(libc::SIGKILL);
            running.cancelled = Some(now); // its end follows
        }
        for (program, _) in self.leaving.iter().filter(|(_, until)| *until <= now) {
            program.kill();
        }
        self.leaving.retain(|(_, until)| *until > now);
        if self.candidate.is_none() && self.crashed.as_ref().is_some_and(|(_, at)| *at <= now) {
            self.start_again();
        }
        self.check_candidate();
    }

    /// The name of the binary, safe for a terminal.
    pub(super) fn binary_name(&self) -> String {
        escape(&self.package.binary)
    }
}
