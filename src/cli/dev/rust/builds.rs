//! Builds: which files are watched, when a build begins and which save it is for, and its outcome.
//!
//! A save during a build cancels it: the crates that it has finished are not compiled again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use snaxum::dev::{SavedSources, UnbuiltProgram};
use snaxum::message::{BuildPhases, LoadOutcome, ModuleFailure, RustBuild, ms, unix_ms};
use snaxum::supervision::protocol::{BuildReport, BuilderOrder};

use super::attempt::{Candidate, RunningBuild, Save, StartCause};
use super::build::{Build, BuildOutput, files_of};
use super::build_loop::BuildLoop;
use super::loop_event::LoopEvent;
use super::waiting_page::WaitingPage;

impl BuildLoop {
    /// Watches the files of the project's crates, and the files that the last build has read.
    pub(super) fn track(&self, read: &[PathBuf]) {
        let package = &self.package;
        let mut trees: Vec<PathBuf> = package.crates.iter().map(|dir| dir.join("src")).collect();
        // The directory of a crate has more than sources, such as cargo's builds.
        let dirs = package.mains.iter().filter_map(|main| main.parent());
        trees.extend(
            dirs.filter(|dir| !package.crates.iter().any(|it| it == dir)).map(Path::to_owned),
        );
        let mut files: Vec<PathBuf> = ["Cargo.lock", "rust-toolchain", "rust-toolchain.toml"]
            .iter()
            .chain(&[".cargo/config.toml", "Cargo.toml"])
            .map(|name| package.workspace.join(name))
            .collect();
        let of_crate = |dir: &PathBuf| [dir.join("Cargo.toml"), dir.join("build.rs")];
        files.extend(package.crates.iter().flat_map(of_crate));
        files.extend_from_slice(&package.mains);
        files.extend_from_slice(read);
        let mut except = vec![self.config.python_dir.clone()];
        // A directory that has the modules beside the Rust sources, such as `src`, is not left out.
        except.retain(|dir| !trees.iter().any(|tree| tree.starts_with(dir)));
        self.watch.track(&trees, &files, &except);
    }

    pub(super) fn on_save(&mut self, save: SavedSources) {
        self.covered = save.covers;
        let mut files: BTreeSet<PathBuf> =
            save.files.clone().unwrap_or_default().into_iter().collect();
        if self.build.is_some() {
            // Cargo writes it itself.
            files.retain(|path| !path.ends_with("Cargo.lock"));
        }
        if save.files.is_some() && files.is_empty() {
            return self.keep_promise();
        }
        let all = self.saved.get_or_insert_default();
        all.since.get_or_insert(save.began);
        all.files.extend(files);
        self.build_unless_paused();
    }

    /// Builds the saved files, unless they wait for the end of a pause.
    pub(super) fn build_unless_paused(&mut self) {
        if !self.is_paused {
            self.build_saved();
        }
    }

    /// Builds the saved files, after the end of an older build or start.
    pub(super) fn build_saved(&mut self) {
        if self.stops > 0 || self.saved.is_none() {
            return;
        }
        self.crashes = 0;
        if let Some(running) = &mut self.build {
            running.cancelled.get_or_insert_with(Instant::now);
            return running.build.signal(libc::SIGTERM);
        }
        if self.candidate.as_ref().is_some_and(Candidate::is_taking_over) {
            return; // it is quick, and a build follows
        }
        // Newer code replaces it. A start after a crash continues: the new code may not compile.
        self.candidate.take_if(|it| !matches!(it.cause, StartCause::Crash(_)));
        self.start_build();
    }

    /// Builds again if the last program was rejected because of its Python modules, which may be good now.
    pub(super) fn on_python_save(&mut self, is_held: bool) {
        if self.is_paused || self.build.is_some() || self.candidate.is_some() {
            return;
        }
        if let Some(save) = self.rejected.take() {
            self.saved.get_or_insert_default().files.extend(save.files);
            self.build_saved();
        } else if is_held {
            self.screen.print(
                "  = saved Python waits for the next program that is good; `snaxum reload` loads it now\n",
            );
        }
    }

    /// Starts a build; the first one has no saved files.
    pub(super) fn start_build(&mut self) {
        let save = self.saved.take().unwrap_or_default();
        self.rejected = None;
        let files = self.shown(&save);
        self.has_promised = false;
        if let Some(serving) = &mut self.serving {
            serving.send(&BuilderOrder::Building { files });
        }
        self.screen.build_begins(&self.package.binary, !self.has_banner && self.page.is_none());
        let sender = self.sender.clone();
        let send = move |event| drop(sender.send(LoopEvent::Build(event)));
        match Build::start(&self.package, &self.config, send) {
            Ok(build) => {
                let time = SystemTime::now();
                self.build = Some(RunningBuild { build, save, time, cancelled: None });
            }
            Err(error) => {
                let output = BuildOutput::not_started(&self.package.binary, &error);
                self.end_build(output, save, SystemTime::now(), Instant::now());
            }
        }
    }

    pub(super) fn on_build_end(&mut self, output: BuildOutput) {
        let Some(running) = self.build.take() else { return };
        if running.cancelled.is_some() {
            let all = self.saved.get_or_insert_default();
            all.since = running.save.since.or(all.since);
            all.files.extend(running.save.files);
            self.screen.build_ended();
            return self.build_saved();
        }
        self.end_build(output, running.save, running.time, running.build.began);
    }

    fn end_build(&mut self, output: BuildOutput, save: Save, time: SystemTime, began: Instant) {
        self.screen.build_ended();
        let since = save.since.unwrap_or(began);
        let phases = BuildPhases { cargo: ms(output.took), ..BuildPhases::default() };
        let report = BuildReport {
            time_ms: unix_ms(time),
            outcome: LoadOutcome::Failed,
            reason: String::new(),
            files: self.shown(&save),
            settle_ms: ms(began.saturating_duration_since(since)),
            total_ms: ms(since.elapsed()),
            build: RustBuild { phases, crates: output.crates, warnings: output.warnings },
            failures: output.failures,
        };
        let Some(executable) = output.executable else {
            return self.end_attempt(report, &output.rendered);
        };
        self.track_read(files_of(&executable), time);
        self.libraries = output.libraries;
        if self.serving.is_some() && self.good.as_ref().is_some_and(|it| it.is_same(&executable)) {
            let reason = "the program is the same as before".to_owned();
            return self
                .end_attempt(BuildReport { outcome: LoadOutcome::Noop, reason, ..report }, "");
        }
        self.try_program(executable, StartCause::Build { report: Box::new(report), since });
    }

    /// Reports a build after which the same program serves as before.
    pub(super) fn end_attempt(&mut self, report: BuildReport, rendered: &str) {
        self.screen.report(&report, rendered, self.current_generation());
        match &mut self.serving {
            Some(serving) => serving.send(&BuilderOrder::Built { build: Box::new(report) }),
            None => self.show_page(&report.failures),
        }
        if self.candidate.is_none()
            && let Some(reason) = self.wanted_restart.take()
        {
            self.restart(reason);
        }
        self.build_unless_paused();
    }

    /// Responds with the errors while no program serves.
    fn show_page(&mut self, failures: &[ModuleFailure]) {
        let is_first = self.page.take().is_none();
        let binary = &self.package.binary;
        let detail = match failures.first().map(|failure| &failure.traceback) {
            Some(raised) => format!("{binary} does not serve: {}: {}", raised.kind, raised.message),
            None => format!("{binary} does not serve"),
        };
        let hosts = &self.config.allow_hosts;
        let page = UnbuiltProgram::new(hosts, detail, failures.to_vec());
        match WaitingPage::start(&self.shared.listener, page) {
            Ok(page) => {
                self.page = Some(page);
                if let (true, Ok(address)) = (is_first, self.shared.listener.local_addr()) {
                    self.screen.waiting(address);
                }
            }
            Err(error) => tracing::warn!("cannot respond with the errors of the build: {error}"),
        }
    }

    /// Watches the files that a build has read. A new one had no event when it was saved
    /// during the build.
    fn track_read(&mut self, read: Vec<PathBuf>, began: SystemTime) {
        self.track(&read);
        let read: BTreeSet<PathBuf> = read.into_iter().collect();
        let is_late = |path: &&PathBuf| {
            let time = std::fs::metadata(path).and_then(|found| found.modified());
            !self.read.contains(*path) && time.is_ok_and(|time| time >= began)
        };
        let late: Vec<PathBuf> = read.iter().filter(is_late).cloned().collect();
        self.read = read;
        if !late.is_empty() {
            let all = self.saved.get_or_insert_default();
            all.since.get_or_insert_with(Instant::now);
            all.files.extend(late);
        }
    }

    /// Names files from the project.
    fn shown(&self, save: &Save) -> Vec<String> {
        let root = &self.package.root;
        let shown = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
        save.files.iter().map(shown).collect()
    }

    /// Ends the build and the program that is tried, for a stop.
    pub(super) fn end_builds(&mut self) {
        (self.build, self.candidate, self.saved, self.page) = (None, None, None, None);
        self.crashed = None;
        self.watch.stop();
    }

    /// Sends a signal to cargo and its compilers.
    pub(super) fn signal_build(&self, signal: i32) {
        if let Some(running) = &self.build {
            running.build.signal(signal);
        }
    }
}
