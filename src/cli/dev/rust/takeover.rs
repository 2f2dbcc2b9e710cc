//! The takeover: a new program is tried beside the serving one, and replaces it once it is good.
//!
//! The order of the steps is that of `supervision/protocol.rs`. A program that is not good changes nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use snaxum::config::LogFormat;
use snaxum::dev::DevFile;
use snaxum::message::{LoadOutcome, ModuleFailure, Traceback, unix_ms};
use snaxum::server::DRAIN_TIMEOUT;
use snaxum::supervision::protocol::{BuildReport, BuilderOrder};

use super::attempt::{Candidate, Save, StartCause};
use super::binary::Binary;
use super::build_loop::BuildLoop;
use super::followed_events::FollowedEvents;
use super::loop_event::LoopEvent;
use super::program::{Launch, Program, late_start};
use super::screen::between;

/// How long the old program may take to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for one that is ended by a signal.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The time after its drain in which a program must have ended.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// The drain without a limit: a moment that is later by `Duration::MAX` cannot be expressed.
const LONGEST_DRAIN: Duration = Duration::from_secs(365 * 24 * 3600);

impl BuildLoop {
    /// Starts a program beside the serving one.
    pub(super) fn try_program(&mut self, executable: PathBuf, cause: StartCause) {
        if let Some(Candidate { cause: StartCause::Crash(crash), .. }) = self.candidate.take() {
            self.crashed = Some((*crash, Instant::now())); // if this one is not good
        }
        let id = self.next_id;
        self.next_id += 1;
        let crash = match &cause {
            StartCause::Crash(crash) => Some(&**crash),
            _ => None,
        };
        let start = self.program_start(crash);
        let launch = Launch {
            id,
            executable: &executable,
            arguments: &self.config.cargo_args,
            directory: &self.package.root,
            libraries: &self.libraries,
            start: &start,
            prints_to_stderr: self.config.log_format == LogFormat::Json,
        };
        let sender = self.sender.clone();
        let send = move |event| drop(sender.send(LoopEvent::Program(id, event)));
        match Program::start(&launch, &self.shared, send) {
            Ok(program) => {
                let is_first = self.serving.is_none();
                self.candidate = Some(Candidate::new(program, cause, is_first));
            }
            Err(error) => {
                let traceback = Traceback {
                    kind: "no start".to_owned(),
                    message: format!("`{}` does not start: {error}", executable.display()),
                    ..Traceback::default()
                };
                self.reject(cause, vec![self.failure(traceback)]);
            }
        }
    }

    /// Starts the same binary again, for the program's own reasons.
    pub(super) fn restart(&mut self, reason: String) {
        let is_saving = self.saved.is_some() && !self.is_paused;
        self.wanted_restart = Some(reason.clone());
        if self.candidate.is_some() || is_saving {
            return; // a new program follows; if it is not good, the restart does
        }
        let Some(executable) = self.good.as_ref().map(|good| good.kept.clone()) else { return };
        if let Some(serving) = &mut self.serving {
            serving.send(&BuilderOrder::Building { files: Vec::new() });
        }
        self.screen.print(&format!(
            "  {} {} starts in a new process: {}\n",
            console::style("↻").green(),
            self.binary_name(),
            crate::cli::render::color::escape(&reason)
        ));
        self.try_program(executable, StartCause::Restart);
    }

    /// Takes the next step with the program that is tried, if it is due.
    pub(super) fn check_candidate(&mut self) {
        let Some(candidate) = &mut self.candidate else { return };
        if let Some((_, until)) = candidate.asked {
            if until <= Instant::now() {
                // It has not left in time.
                if let Some(serving) = &self.serving {
                    serving.signal(libc::SIGTERM);
                }
                self.finish_takeover(Value::Null);
            }
            return;
        }
        if !candidate.program.is_started() {
            if candidate.is_late(&self.config) {
                let limit = self.config.cargo_start_timeout;
                let lines = candidate.program.last_lines();
                let late = late_start(limit, &candidate.program.reports, &lines);
                let Some(Candidate { cause, .. }) = self.candidate.take() else { return };
                let failure = self.failure(late);
                self.reject(cause, vec![failure]);
            }
            return;
        }
        candidate.good_at.get_or_insert_with(Instant::now);
        let can_move = candidate.program.reports.is_serving;
        let is_late = candidate.is_late(&self.config);
        let Some(serving) = &mut self.serving else {
            if can_move || is_late {
                self.finish_takeover(Value::Null);
            }
            return;
        };
        let failures = candidate.program.reports.loaded.as_ref().map(|(.., failures)| failures);
        let failures = failures.filter(|failures| !failures.is_empty()).cloned();
        if let Some(failures) = failures {
            let Some(Candidate { cause, .. }) = self.candidate.take() else { return };
            if let StartCause::Build { report, .. } = &cause {
                let root = &self.package.root;
                let files = report.files.iter().map(|file| root.join(file)).collect();
                self.rejected = Some(Save { files, since: None });
            }
            return self.reject(cause, failures);
        }
        if serving.reports.is_serving && !can_move && !is_late {
            return;
        }
        let now = Instant::now();
        if serving.reports.is_serving {
            candidate.asked = Some((now, now + LEAVE_TIMEOUT));
            serving.send(&BuilderOrder::Leave { can_move });
        } else {
            candidate.asked = Some((now, now + SIGNAL_TIMEOUT));
            serving.signal(libc::SIGTERM);
        }
    }

    /// The old program accepts no more.
    pub(super) fn on_left(&mut self, state: Value) {
        if self.candidate.as_ref().is_some_and(Candidate::is_taking_over) {
            self.finish_takeover(state);
        }
    }

    /// Lets the program that is tried serve.
    pub(super) fn finish_takeover(&mut self, state: Value) {
        let Some(Candidate { mut program, cause, asked, .. }) = self.candidate.take() else {
            return;
        };
        let now = Instant::now();
        if let Some(old) = self.serving.take() {
            let drain = match self.config.drain_timeout {
                Some(_) => self.config.drain_limit().min(LONGEST_DRAIN),
                None => 2 * DRAIN_TIMEOUT, // a program of its own: for requests, then for Python
            };
            self.leaving.push((old, now + drain + END_TIMEOUT));
        }
        (self.page, self.crashed) = (None, None);
        self.is_paused &= !state.is_null(); // it is part of the state
        let built = matches!(cause, StartCause::Build { .. });
        let report = self.report_of_takeover(cause, &program, asked.map(|(at, _)| at));
        program.send(&BuilderOrder::Live { build: report.clone().map(Box::new), state });
        self.generation = program.generation();
        self.wanted_restart = None;
        if built || self.good.is_none() {
            self.good = Some(Binary::link(&program.executable));
        }
        self.serving = Some(program);
        self.write_dev_file();
        match report.filter(|_| self.has_banner) {
            Some(report) => self.screen.report(&report, "", self.generation),
            None if self.has_banner => self.screen.print(&format!(
                "  {} {} serves again, as version {}\n",
                console::style("↻").green(),
                self.binary_name(),
                self.generation
            )),
            None => self.show_banner(),
        }
        self.follow();
        self.build_unless_paused();
    }

    fn report_of_takeover(
        &self,
        cause: StartCause,
        program: &Program,
        asked: Option<Instant>,
    ) -> Option<BuildReport> {
        let StartCause::Build { report, since } = cause else { return None };
        let mut report = *report;
        let now = Instant::now();
        let loaded = program.reports.loaded.as_ref().map_or(now, |(at, ..)| *at);
        let bound = program.reports.bound.unwrap_or(loaded);
        let phases = &mut report.build.phases;
        phases.start = between(program.began, bound.min(loaded));
        phases.load = between(bound.min(loaded), bound.max(loaded));
        phases.handover = asked.map_or(0.0, |asked| between(asked, now));
        report.total_ms = between(since, now);
        report.outcome = LoadOutcome::Ok;
        Some(report)
    }

    /// Reports a program that is not good; the old one is still serving.
    pub(super) fn reject(&mut self, cause: StartCause, failures: Vec<ModuleFailure>) {
        let first = failures.first().map(|failure| &failure.traceback);
        let reason = first.map_or(String::new(), |raised| {
            format!("the new program does not start: {}: {}", raised.kind, raised.message)
        });
        let rendered = first.map(|raised| raised.hint.clone().unwrap_or_default());
        let rendered = rendered.filter(|hint| !hint.is_empty()).map(|hint| format!("  → {hint}\n"));
        match cause {
            StartCause::Build { report, since } => {
                let total_ms = between(since, Instant::now());
                let outcome = LoadOutcome::Failed;
                let report = BuildReport { outcome, reason, failures, total_ms, ..*report };
                self.end_attempt(report, &rendered.unwrap_or_default());
            }
            StartCause::Restart => {
                self.wanted_restart = None;
                let first = first.cloned().unwrap_or_default();
                let reason = format!("{reason}\n{}", first.text);
                let reason = reason.trim_end().to_owned();
                self.screen.print(&format!(
                    "  {} the restart failed: {}\n",
                    console::style("▲").yellow(),
                    crate::cli::render::color::escape_lines(&reason)
                ));
                if let Some(serving) = &mut self.serving {
                    serving.send(&BuilderOrder::RestartFailed { reason });
                }
                self.build_unless_paused();
            }
            StartCause::Crash(crash) => {
                let report = BuildReport {
                    time_ms: unix_ms(SystemTime::now()),
                    outcome: LoadOutcome::Failed,
                    reason,
                    failures,
                    ..BuildReport::default()
                };
                self.end_attempt(report, &rendered.unwrap_or_default());
                self.plan_restart(*crash);
            }
        }
    }

    /// The failure of a program that does not start.
    pub(super) fn failure(&self, traceback: Traceback) -> ModuleFailure {
        ModuleFailure { module: self.package.binary.clone(), importers: Vec::new(), traceback }
    }

    /// Writes where tools find this server.
    fn write_dev_file(&mut self) {
        let Some(serving) = &self.serving else { return };
        let Ok(address) = self.shared.listener.local_addr() else { return };
        let root: &Path = &self.package.root;
        let mcp = self.options.mcp.as_ref().map(|mcp| &*mcp.token);
        let pids = (std::process::id(), serving.pid());
        match DevFile::write(root, address, &self.token, mcp, pids) {
            Ok(file) => self.dev_file = Some(file),
            Err(error) => tracing::warn!("{error}"),
        }
    }

    /// Follows the events of the program that serves, if it has dev mode.
    pub(super) fn follow(&mut self) {
        let Some(serving) = self.serving.as_ref().filter(|it| it.reports.has_dev) else { return };
        let id = serving.id;
        if self.followed.iter().any(|(known, _)| *known == id) {
            return;
        }
        let Some(client) = self.client() else { return };
        let sender = self.sender.clone();
        let send = move |frame| drop(sender.send(LoopEvent::Frame(frame)));
        self.followed.push((id, FollowedEvents::start(client, send)));
    }
}
