//! The preloaders, which load the code once and fork the others (`--preload`), seen from the parent.
//!
//! Each generation has one, as long as it serves: replacements have the same code then, also if the files
//! have changed. Without one, each process loads the code itself.

use std::io;

use super::parent::Parent;
use super::process::{Role, ServingProcess, Stage};

impl Parent {
    /// Starts a process that loads the code for a generation, if the options ask for one; returns its id.
    pub(super) fn start_preloader(&mut self, generation: u64) -> Option<u64> {
        if !self.config.preload {
            return None;
        }
        let count = self.seats.len();
        let id = self.last_id + 1;
        let started = adopt_orphans().and_then(|()| {
            ServingProcess::start_preloader(id, count, generation, self.messages.clone())
        });
        match started {
            Ok(process) => {
                self.last_id = id;
                self.processes.push(process);
                Some(id)
            }
            Err(error) => {
                tracing::warn!("cannot preload the code: {error}; each process loads it itself");
                None
            }
        }
    }

    /// Starts the processes of the server from a process that has loaded the code.
    pub(super) fn on_preloaded(&mut self, id: u64) {
        if self.deploy.as_ref().is_some_and(|deploy| deploy.preloader == Some(id)) {
            self.start_candidates();
        } else if self.preloader == Some(id) {
            self.start_first_or_give_up();
        }
    }

    /// Starts them without it: the modules have started threads, which no fork would have.
    pub(super) fn on_threads(&mut self, id: u64, names: &[String]) {
        tracing::warn!(
            "the code is not preloaded: its modules start threads ({}), which a fork would lose; start \
             them in an `on_startup` hook, or remove `preload`",
            names.join(", ")
        );
        self.end_preloader(Some(id));
        match &mut self.deploy {
            Some(deploy) if deploy.preloader == Some(id) => {
                deploy.preloader = None;
                self.start_candidates();
            }
            _ => {
                self.preloader = None;
                self.start_first_or_give_up();
            }
        }
    }

    /// Takes note of the end of such a process, which was not asked for.
    pub(super) fn on_preloader_end(&mut self, process: &ServingProcess) {
        let failure = process.failure.clone();
        let (text, code) = failure.unwrap_or_else(|| (process.describe_end(), 1));
        if self.deploy.as_ref().is_some_and(|deploy| deploy.preloader == Some(process.id)) {
            self.reject_candidates(&text);
        } else if process.stage == Stage::Loading {
            self.give_up(&text, code);
        } else if self.preloader == Some(process.id) {
            self.preloader = None;
            tracing::error!("{text}\nuntil the next reload each new process loads the code itself");
        }
    }

    /// Ends such a process. It has no exit functions to run: the processes that it has forked run them.
    pub(super) fn end_preloader(&mut self, id: Option<u64>) {
        if let Some(process) = id.and_then(|id| self.process(id)) {
            process.kill("no process is forked from it any more");
            process.stage = Stage::Stopping;
            process.is_ending = true;
        }
    }

    /// Finds the process from which those for a role are forked.
    pub(super) fn preloader_for(&self, role: Role) -> Option<&ServingProcess> {
        let id = match role {
            Role::Candidate => self.deploy.as_ref()?.preloader?,
            _ => self.preloader?,
        };
        self.processes.iter().find(|process| process.id == id)
    }

    fn start_first_or_give_up(&mut self) {
        if let Err(error) = self.start_first() {
            self.give_up(&format!("cannot start the processes of the server: {error}"), 1);
        }
    }
}

/// Makes this process the parent of the orphans below it.
#[cfg(target_os = "linux")]
fn adopt_orphans() -> io::Result<()> {
    // SAFETY: sets an attribute of this process.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> io::Result<()> {
    Err(io::Error::other("only Linux can"))
}
