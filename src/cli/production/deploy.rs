//! A deploy: new processes load the new code, and all of them replace the old ones at once, or none does.
//!
//! The old ones pass their connections on and finish their requests. Code that does not load, a smoke
//! request that fails, or a process that does not start in time changes nothing.

use std::time::Duration;

use super::commands::{Outcome, ReloadClient};
use super::parent::{Deploy, Parent};
use super::process::{Role, ServingProcess, Stage};
use super::protocol::Order;
use super::sleeping_threads;

/// A process that sleeps at so many checks in a row, one a second, waits for something, such as another process.
const ASLEEP_CHECKS: u32 = 3;
/// The time within which a process that runs stops beginning requests.
const LEAVE_TIME: Duration = Duration::from_secs(2);

impl Parent {
    /// Reloads the code: now, or after the reload that is under way, whose code may be older.
    pub(super) fn request_deploy(&mut self, client: Option<ReloadClient>) {
        self.next_deploy.get_or_insert_default().clients.extend(client);
        if self.stops > 0 {
            self.reject_deploys("the server stops");
        }
        self.start_next_deploy();
    }

    /// Starts the reload that waits, if there is one.
    pub(super) fn start_next_deploy(&mut self) {
        let must_wait = self.stops > 0 || !self.is_started || self.deploy.is_some();
        if must_wait || self.next_deploy.is_none() || self.begins_upgrade() {
            return;
        }
        let deploy = self.next_deploy.take().unwrap_or_default();
        let preloader = self.start_preloader(self.generation + 1);
        self.deploy = Some(Deploy { preloader, ..deploy });
        if preloader.is_none() {
            self.start_candidates();
        }
    }

    /// Starts the new processes.
    pub(super) fn start_candidates(&mut self) {
        let count = self.seats.len();
        tracing::info!("reload: starting {count} new {}", processes(count));
        self.start_next_candidates();
    }

    /// Starts as many new processes as may load the code at once.
    fn start_next_candidates(&mut self) {
        let limit = self.max_loading();
        while let Some(deploy) = &self.deploy
            && deploy.candidates.len() < self.seats.len()
            && self.loading_candidates() < limit
        {
            let number = deploy.candidates.len() + 1;
            match self.start(number, self.generation + 1, Role::Candidate) {
                Ok(id) => {
                    if let Some(deploy) = &mut self.deploy {
                        deploy.candidates.push(id);
                    }
                }
                Err(error) => {
                    self.reject_candidates(&format!("cannot start a process: {error}"));
                    return;
                }
            }
        }
    }

    /// The most processes that load code at once: requests need the other cores. Processes that are forked
    /// from a preloader have it already.
    fn max_loading(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        match self.deploy.as_ref().and_then(|deploy| deploy.preloader) {
            Some(_) => self.seats.len(),
            None => (cores / 2).max(1),
        }
    }

    /// The processes that need a core to load code.
    fn loading_candidates(&self) -> usize {
        let is_loading = |it: &&ServingProcess| is_loading(it) && it.asleep < ASLEEP_CHECKS;
        self.processes.iter().filter(is_loading).count()
    }

    /// Starts further processes if the loading ones only wait: it may be for each other.
    pub(super) fn check_candidates(&mut self) {
        for process in self.processes.iter_mut().filter(|it| is_loading(it)) {
            let sleeps = sleeping_threads::all_sleep(process.pid);
            process.asleep = if sleeps { process.asleep + 1 } else { 0 };
        }
        if self.deploy.as_ref().is_some_and(|deploy| !deploy.candidates.is_empty()) {
            self.start_next_candidates();
        }
    }

    /// Lets the new processes serve if all of them can serve.
    pub(super) fn on_candidate_loaded(&mut self) {
        self.start_next_candidates();
        let Some(deploy) = &self.deploy else { return };
        let candidates = deploy.candidates.clone();
        let is_loaded =
            |id: &u64| self.processes.iter().any(|it| it.id == *id && it.stage == Stage::Loaded);
        if candidates.len() < self.seats.len() || !candidates.iter().all(is_loaded) {
            return;
        }
        self.generation += 1;
        // First all new ones serve: the old ones pass their connections on.
        for id in &candidates {
            if let Some(process) = self.process(*id) {
                process.serve();
            }
        }
        let mut replaced = Vec::new();
        for (index, id) in candidates.into_iter().enumerate() {
            let seat = &mut self.seats[index];
            let (old, next) = (seat.serving.replace(id), seat.next.take());
            (seat.failures, seat.restart) = (0, None);
            for old in [old, next].into_iter().flatten() {
                if let Some(process) = self.process(old) {
                    process.stop(&Order::Drain);
                }
                replaced.push(old);
            }
        }
        self.worn.clear();
        self.is_incomplete = false;
        if let Some(deploy) = &mut self.deploy {
            deploy.replaced = Some(replaced);
            let old = std::mem::replace(&mut self.preloader, deploy.preloader);
            self.end_preloader(old);
        }
    }

    /// Ends the reload once the new code serves and no old process begins another request.
    pub(super) fn end_live_deploy(&mut self) {
        let deploy = self.deploy.as_ref();
        let Some(replaced) = deploy.and_then(|deploy| deploy.replaced.as_ref()) else { return };
        let serves = |process: &ServingProcess| {
            // A process that hangs begins none, either.
            let is_late = process.stopped.is_some_and(|since| since.elapsed() > LEAVE_TIME);
            replaced.contains(&process.id) && !process.has_left && !is_late
        };
        if self.stops == 0 && self.processes.iter().any(serves) {
            return;
        }
        let (generation, count) = (self.generation, self.seats.len());
        let text = match count {
            1 => format!("version {generation} is live in a new process"),
            _ => format!("version {generation} is live in {count} new processes"),
        };
        tracing::info!("reload: {text}");
        self.end_deploy(&Outcome { is_live: true, generation, text });
    }

    /// Ends the reload: the old code is still serving.
    pub(super) fn reject_candidates(&mut self, why: &str) {
        let Some(deploy) = self.deploy.as_ref().filter(|it| it.replaced.is_none()) else { return };
        for id in deploy.candidates.clone() {
            if let Some(process) = self.process(id) {
                process.stop(&Order::Terminate);
            }
        }
        self.end_preloader(self.deploy.as_ref().and_then(|deploy| deploy.preloader));
        let generation = self.generation;
        tracing::error!(
            "reload: the new code does not serve; version {generation} is still serving\n{why}"
        );
        self.end_deploy(&Outcome { is_live: false, generation, text: why.to_owned() });
    }

    /// Rejects the reloads that are under way or wait.
    pub(super) fn reject_deploys(&mut self, why: &str) {
        self.end_live_deploy();
        if let Some(deploy) = self.deploy.take() {
            deploy.respond(&self.rejection(why));
        }
        self.reject_next_deploy(why);
    }

    /// Rejects the reload that waits.
    pub(super) fn reject_next_deploy(&mut self, why: &str) {
        if let Some(deploy) = self.next_deploy.take() {
            deploy.respond(&self.rejection(why));
        }
    }

    fn rejection(&self, why: &str) -> Outcome {
        Outcome { is_live: false, generation: self.generation, text: why.to_owned() }
    }

    fn end_deploy(&mut self, outcome: &Outcome) {
        if let Some(deploy) = self.deploy.take() {
            deploy.respond(outcome);
        }
        self.continue_upgrade(outcome.is_live);
        self.replace_worn();
        self.start_next_deploy();
    }
}

impl Deploy {
    fn respond(self, outcome: &Outcome) {
        self.clients.into_iter().for_each(|client| client.respond(outcome));
    }
}

fn is_loading(process: &ServingProcess) -> bool {
    process.role == Role::Candidate && process.stage == Stage::Loading
}

fn processes(count: usize) -> &'static str {
    if count == 1 { "process" } else { "processes" }
}
