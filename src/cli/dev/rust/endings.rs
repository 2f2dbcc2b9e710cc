//! Programs that end: on purpose, while they start, or in a crash, after which the last good binary starts
//! again.
//!
//! Slows down a loop of crashes until the next save, as `supervisor.rs` does for Python.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use console::style;
use serde_json::Value;
use snaxum::crash_record::CrashState;
use snaxum::dev::Crash;
use snaxum::server::StopSignal;

use super::attempt::{Candidate, StartCause};
use super::build_loop::BuildLoop;
use super::program::failed_start;
use crate::cli::dev::supervisor::{CALM, delay_after, exit_code};
use crate::cli::render::color::escape;
use crate::cli::render::traceback;
use crate::cli::terminal::key_reader;

impl BuildLoop {
    /// Handles the end of a program.
    pub(super) fn on_program_end(&mut self, id: u64) {
        self.followed.retain(|(followed, _)| *followed != id);
        self.leaving.retain(|(program, _)| program.id != id);
        if self.candidate.as_ref().is_some_and(|it| it.program.id == id) {
            return self.on_candidate_end();
        }
        let is_taking_over = self.candidate.as_ref().is_some_and(Candidate::is_taking_over);
        let Some(mut serving) = self.serving.take_if(|it| it.id == id) else { return };
        let Ok(status) = serving.reap() else { return };
        self.generation = self.generation.max(generation_of(&serving.crash_record));
        if self.stops > 0 {
            self.exit = Some(self.code_of_stop(status));
        } else if is_taking_over {
            self.finish_takeover(Value::Null); // it has ended before it reported that
        } else if serving.reports.is_ending {
            self.exit = Some(exit_code(status));
        } else {
            let state = CrashState::read(&serving.crash_record).unwrap_or_default();
            let (root, python) = (&self.package.root, &self.config.python_dir);
            let mut crash = Crash::new(state, status, root, python);
            crash.generation = self.generation.max(crash.generation);
            self.wanted_restart = None; // the next program is a new one
            let ran = serving.began.elapsed();
            drop(serving);
            self.crashes = if ran >= CALM { 0 } else { self.crashes };
            self.is_paused = false; // no program is there that could end it
            self.on_crash(crash);
            self.build_saved();
        }
    }

    /// A program that is tried has ended.
    fn on_candidate_end(&mut self) {
        let Some(Candidate { mut program, cause, .. }) = self.candidate.take() else { return };
        let Ok(status) = program.reap() else { return };
        let is_bound = program.reports.bound.is_some();
        let raised = failed_start(status, &program.last_lines(), is_bound, &self.package.places());
        drop(program);
        let failure = self.failure(raised);
        self.reject(cause, vec![failure]);
    }

    /// Reports a crash, and starts a program again unless a newer one is on its way.
    fn on_crash(&mut self, crash: Crash) {
        let sign = style("✖").red();
        let mut text = format!("\n  {sign} {}\n", escape(&crash.headline()));
        text += &traceback::render(&crash.traceback);
        self.screen.finish();
        self.screen.print(&text);
        match &self.candidate {
            Some(_) => {
                self.crashed = Some((crash, Instant::now())); // if the new one is not good
                self.check_candidate();
            }
            None => self.plan_restart(crash),
        }
    }

    /// Plans the next start after a crash: the first one in a row is at once.
    pub(super) fn plan_restart(&mut self, crash: Crash) {
        self.crashes += 1;
        let delay = delay_after(self.crashes, self.options.restart_delay);
        let sign = style("↻").green();
        let text = match delay {
            Duration::ZERO => format!("  {sign} starting again; connections wait\n"),
            _ => format!(
                "  {sign} {} crashes in a row: starting again in {} s, or on the next save\n",
                self.crashes,
                delay.as_secs()
            ),
        };
        self.screen.print(&text);
        self.crashed = Some((crash, Instant::now() + delay));
    }

    /// Starts the last good binary again after a crash.
    pub(super) fn start_again(&mut self) {
        let Some((crash, _)) = self.crashed.take() else { return };
        let Some(good) = &self.good else { return };
        let executable = good.kept.clone();
        if self.candidate.is_none() && self.serving.is_none() {
            self.try_program(executable, StartCause::Crash(Box::new(crash)));
        }
    }

    /// Ends the build, and passes the signal on; the third one kills the program.
    pub(super) fn stop(&mut self, signal: StopSignal) {
        self.stops += 1;
        self.end_builds();
        self.dev_file = None;
        match (&self.serving, self.stops, signal) {
            (None, ..) => self.exit = Some(0),
            (Some(serving), 3.., _) => serving.kill(),
            (Some(serving), _, StopSignal::Interrupt) => serving.signal(libc::SIGINT),
            (Some(serving), _, StopSignal::Terminate) => serving.signal(libc::SIGTERM),
        }
    }

    /// Stops all processes, as Ctrl-Z does; returns when they continue.
    pub(super) fn suspend(&self) {
        let programs = || {
            let candidate = self.candidate.as_ref().map(|candidate| &candidate.program);
            let leaving = self.leaving.iter().map(|(program, _)| program);
            self.serving.iter().chain(candidate).chain(leaving)
        };
        programs().for_each(|program| program.signal_group(libc::SIGSTOP));
        self.signal_build(libc::SIGSTOP);
        if self.has_keys {
            key_reader::stop_process();
        } else {
            // SAFETY: a signal to the own thread; it stops the process before the call returns.
            unsafe { libc::raise(libc::SIGSTOP) };
        }
        programs().for_each(|program| program.signal_group(libc::SIGCONT));
        self.signal_build(libc::SIGCONT);
    }

    /// The generation that served last; 0 if none did.
    pub(super) fn current_generation(&self) -> u64 {
        let serving = self.serving.as_ref();
        self.generation.max(serving.map_or(0, |serving| generation_of(&serving.crash_record)))
    }

    /// The exit code after the program has ended because of a signal.
    fn code_of_stop(&self, status: ExitStatus) -> i32 {
        match (status.code(), self.stops) {
            (Some(code), _) => code,
            (None, 1) => 0, // a program without a handler of its own
            (None, _) => exit_code(status),
        }
    }
}

/// The generation in the record that a program writes while it runs.
fn generation_of(record: &std::fs::File) -> u64 {
    CrashState::read(record).map_or(0, |state| state.generation)
}
