//! The seats of a production server: one process serves in each.
//!
//! Fills the seat of a process that has ended, with a growing wait if that happens again and again.
//! Replaces one at a time what hangs, or has served or grown enough: the new process serves before the
//! old one ends.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::parent::{Parent, Seat, TICK};
use super::process::{Assignment, Role, ServingProcess, Stage};
use super::protocol::Order;
use super::resident_memory;

/// A process that has served for this long, and for longer than it took to start, does not belong to a
/// row of crashes.
const MIN_CALM: Duration = Duration::from_secs(1);
/// The wait after the second crash in a row, and the longest one.
const RESTART_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);
/// The time in which a process that hangs writes its stacks.
const ABORT_TIME: Duration = Duration::from_secs(2);
/// The time beyond its own limits after which a process that was asked to end is killed.
const END_TIME: Duration = Duration::from_secs(30);

impl Parent {
    /// Starts the first process of each seat.
    pub(super) fn start_first(&mut self) -> io::Result<()> {
        for number in 1..=self.seats.len() {
            let id = self.start(number, self.generation, Role::First)?;
            self.seats[number - 1].serving = Some(id);
        }
        Ok(())
    }

    /// Starts a process for the seat `number`; returns its id.
    pub(super) fn start(&mut self, number: usize, generation: u64, role: Role) -> io::Result<u64> {
        let Some(shared) = &self.shared else {
            return Err(io::Error::other("the server stops"));
        };
        let Some(place) = self.table.assign() else {
            return Err(io::Error::other(
                "too many processes of earlier reloads are still draining",
            ));
        };
        self.last_id += 1;
        let (id, count) = (self.last_id, self.seats.len());
        // A replacement of complete code must be complete, too.
        let is_checked = match role {
            Role::First | Role::Preloader => false,
            Role::Replacement => !self.is_incomplete,
            Role::Candidate => true,
        };
        let is_quiet = number > 1 || role == Role::Replacement;
        let assigned =
            Assignment { id, number, count, place, generation, role, is_checked, is_quiet };
        let preloader = self.preloader_for(role);
        match ServingProcess::start(shared, &assigned, preloader, self.messages.clone()) {
            Ok(process) => self.processes.push(process),
            Err(error) => {
                self.table.free(place);
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Lets a process that has loaded the code serve, unless others must load it first.
    pub(super) fn on_loaded(&mut self, id: u64) {
        let Some(process) = self.process(id) else { return };
        let (role, number) = (process.role, process.number);
        if role == Role::Candidate {
            self.on_candidate_loaded();
            return;
        }
        process.serve();
        let pid = process.pid;
        let seat = &mut self.seats[number - 1];
        let old = (seat.next == Some(id)).then(|| seat.serving.replace(id)).flatten();
        if seat.next == Some(id) {
            seat.next = None;
        }
        if let Some(old) = old.and_then(|old| self.process(old)) {
            old.stop(&Order::Drain);
        }
        if role == Role::Replacement {
            tracing::info!("process {number} serves (pid {pid})");
        }
        if !self.is_started && self.seats.iter().all(|seat| self.serves(seat)) {
            self.announce();
            self.start_next_deploy();
        }
        self.replace_worn();
    }

    fn serves(&self, seat: &Seat) -> bool {
        let serving = self.processes.iter().find(|process| Some(process.id) == seat.serving);
        serving.is_some_and(|process| process.stage == Stage::Serving)
    }

    /// Takes note of the end of a process, and starts another if it is missed.
    pub(super) fn on_end(&mut self, id: u64) {
        let Some(index) = self.processes.iter().position(|process| process.id == id) else {
            return;
        };
        let process = self.processes.remove(index);
        if let Some(place) = process.place {
            self.table.free(place);
        }
        if self.stops > 0 {
            // The stop does not fail because a process that was starting could not serve.
            let counts = process.serves_since.is_some()
                || (process.failure.is_none() && !self.is_started && process.place.is_some());
            if counts && self.code == 0 {
                self.code = process.status.map_or(0, exit_code);
            }
            if process.ended_unexpectedly() {
                tracing::error!("{}", process.describe_end());
            }
            return;
        }
        match process.stage {
            // Its last requests are lost.
            Stage::Stopping if self.code == 0 && process.ended_unexpectedly() => {
                tracing::error!("{}", process.describe_end());
            }
            Stage::Stopping => {}
            _ if process.role == Role::Preloader => self.on_preloader_end(&process),
            _ if process.role == Role::Candidate && process.stage != Stage::Serving => {
                let failure = process.failure.as_ref().map(|(text, _)| text.clone());
                self.reject_candidates(&failure.unwrap_or_else(|| process.describe_end()));
            }
            _ if self.code != 0 => {} // it gives up
            Stage::Loading | Stage::Loaded if !self.is_started && process.role == Role::First => {
                match &process.failure {
                    Some((text, code)) => self.give_up(text, *code),
                    None => self.give_up(&process.describe_end(), 1),
                }
            }
            Stage::Serving if process.is_ending => {
                tracing::info!("process {} (pid {}) has stopped", process.number, process.pid);
                self.refill(&process);
            }
            _ => {
                match &process.failure {
                    Some((text, _)) => {
                        tracing::error!("process {} cannot serve: {text}", process.number);
                    }
                    None => tracing::error!("{}", process.describe_end()),
                }
                self.refill(&process);
            }
        }
        if self.worn.is_empty() && self.next_deploy.is_none() {
            return;
        }
        self.replace_worn();
        self.start_next_deploy();
    }

    /// Plans a process for the seat of one that has ended.
    fn refill(&mut self, ended: &ServingProcess) {
        let seat = &mut self.seats[ended.number - 1];
        if seat.next == Some(ended.id) {
            seat.next = None;
        } else if seat.serving == Some(ended.id) {
            seat.serving = None;
        } else {
            return; // another one serves
        }
        let was_calm = ended.serves_since.is_some_and(|since| {
            let start = since.duration_since(ended.began);
            since.elapsed() >= start.max(MIN_CALM)
        });
        seat.failures = if was_calm { 1 } else { seat.failures + 1 };
        if seat.next.is_none() && seat.restart.is_none() {
            let delay = delay_after(seat.failures);
            if !delay.is_zero() {
                let (number, failures) = (ended.number, seat.failures);
                tracing::warn!(
                    "process {number} has ended {failures} times in a row: starting it again in {} s",
                    delay.as_secs()
                );
            }
            seat.restart = Some(Instant::now() + delay);
        }
    }

    /// Starts the processes whose wait is over.
    pub(super) fn restart_due(&mut self) {
        let now = Instant::now();
        for number in 1..=self.seats.len() {
            if self.seats[number - 1].restart.is_some_and(|time| time <= now) {
                self.seats[number - 1].restart = None;
                self.start_next(number);
            }
        }
    }

    /// Starts the process that is to serve next in a seat.
    fn start_next(&mut self, number: usize) {
        match self.start(number, self.generation, Role::Replacement) {
            Ok(id) => self.seats[number - 1].next = Some(id),
            Err(error) => {
                tracing::error!("cannot start process {number}: {error}; trying again");
                self.seats[number - 1].restart = Some(Instant::now() + RESTART_DELAY);
            }
        }
    }

    /// Notes that a process should be replaced.
    pub(super) fn on_worn(&mut self, id: u64, why: &str) {
        let Some(process) = self.process(id) else { return };
        if process.stage != Stage::Serving || process.is_worn {
            return;
        }
        process.is_worn = true;
        let (number, pid) = (process.number, process.pid);
        tracing::info!("process {number} (pid {pid}) has reached {why}: replacing it");
        self.worn.push_back(number);
        self.replace_worn();
    }

    /// Starts the replacement of the next process that is worn, unless another one is under way.
    pub(super) fn replace_worn(&mut self) {
        let is_busy = self.deploy.is_some()
            || self.seats.iter().any(|seat| seat.next.is_some() || seat.restart.is_some());
        if is_busy || self.stops > 0 {
            return;
        }
        while let Some(number) = self.worn.pop_front() {
            let serving = self.seats[number - 1].serving;
            if serving.and_then(|id| self.process(id)).is_some_and(|process| process.is_worn) {
                self.start_next(number);
                return;
            }
        }
    }

    /// Checks each process, once a second.
    pub(super) fn tick(&mut self) {
        let max_rss = self.config.max_rss as u64;
        let mut worn = Vec::new();
        for process in &mut self.processes {
            match process.stage {
                Stage::Loading => {
                    let limit = self.config.start_timeout;
                    if !limit.is_zero() && process.began.elapsed() > limit {
                        let text = format!(
                            "{} has not started within {limit:?}; find out what blocks its modules, \
                             or raise `start-timeout`",
                            process.name()
                        );
                        process.failure.get_or_insert((text, 1));
                        process.kill("it had not started in time");
                    }
                    continue;
                }
                Stage::Stopping => {
                    // Its requests may be what it waits for.
                    let limit = self
                        .config
                        .drain_limit()
                        .saturating_add(self.config.shutdown_delay.saturating_add(END_TIME));
                    if process.stopped.is_some_and(|since| since.elapsed() > limit) {
                        process.kill("it had not ended in time");
                    }
                    continue;
                }
                Stage::Loaded if process.role == Role::Preloader => continue,
                Stage::Loaded => {}
                Stage::Serving => {
                    let (hangs, limit) = (hang_time(process), self.config.hang_timeout);
                    let has_limit = !limit.is_zero();
                    if has_limit && hangs >= limit.saturating_add(ABORT_TIME) {
                        process.kill("it did not respond");
                    } else if has_limit && hangs >= limit && !process.is_aborted {
                        process.is_aborted = true;
                        let (number, pid) = (process.number, process.pid);
                        tracing::error!(
                            "process {number} (pid {pid}) has not responded for {limit:?}: ending it"
                        );
                        process.signal(libc::SIGABRT); // Python writes its stacks
                    }
                    let rss = if max_rss > 0 { resident_memory::of(process.pid) } else { None };
                    if rss.is_some_and(|rss| rss > max_rss) {
                        worn.push(process.id);
                    }
                }
            }
            // One at a time: in front of a process that hangs there must be room for other orders.
            if process.unanswered == 0 {
                process.order(&Order::Ping);
            }
            process.unanswered += 1;
        }
        worn.into_iter().for_each(|id| self.on_worn(id, "`max-rss`"));
        self.check_candidates();
    }
}

/// How long the process, or its Python, has not responded. Counts checks: a server that was suspended
/// has made none.
fn hang_time(process: &ServingProcess) -> Duration {
    // The newest check may be on its way.
    TICK * process.silent.max(process.unanswered.saturating_sub(1))
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// The wait before the next start, after so many ends in a row.
fn delay_after(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        more => (RESTART_DELAY * (1 << (more - 2).min(5))).min(MAX_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_are_slower() {
        let delays: Vec<u64> = (1..=8).map(|failures| delay_after(failures).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 30, 30]);
    }
}
