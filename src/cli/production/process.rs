//! A process that serves, seen from its parent.
//!
//! Starts it, sends it orders, receives its reports, and describes its end. Decides nothing.

use std::fs::File;
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use snaxum::crash_record::{CrashRecord, CrashState, read_stacks, signal_name};
use snaxum::server::{Listener, Passage};

use super::age;
use super::first_process;
use super::fork_socket::ForkSocket;
use super::measurements::ProcessMetrics;
use super::program::{command, spawn};
use super::protocol::{
    Order, Parameters, PreloaderParameters, ProcessParameters, protocol, to_line,
};
use super::reports::{ProcessMessages, Reports};
use crate::cli::descriptors;
use crate::cli::render::color::escape_lines;

/// The resources that all processes of a server share.
pub(super) struct Shared {
    pub(super) listener: Listener,
    pub(super) table: File,
    pub(super) passage: Passage,
    pub(super) bell: Option<OwnedFd>,
    /// The sum of the metrics, if the server has an address for them.
    pub(super) metrics: Option<ProcessMetrics>,
}

/// The purpose of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// The start of the server.
    First,
    /// In place of one that has ended, or that ends once this one serves.
    Replacement,
    /// New code, to replace all.
    Candidate,
    /// It loads the code and forks the others.
    Preloader,
}

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Loading,
    /// It waits for the order to serve.
    Loaded,
    Serving,
    /// It was asked to end.
    Stopping,
}

/// The plain data of a process that serves, or of the preloader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProcessState {
    pub(super) id: u64,
    /// The version of its messages.
    pub(super) protocol: u32,
    pub(super) number: usize,
    /// Its place in the table of loads; the preloader has none.
    pub(super) place: Option<usize>,
    pub(super) role: Role,
    pub(super) stage: Stage,
    #[serde(with = "age")]
    pub(super) began: Instant,
    /// When it was asked to serve.
    #[serde(
        serialize_with = "age::serialize_option",
        deserialize_with = "age::deserialize_option"
    )]
    pub(super) serves_since: Option<Instant>,
    /// Since when it is asked to end.
    #[serde(
        serialize_with = "age::serialize_option",
        deserialize_with = "age::deserialize_option"
    )]
    pub(super) stopped: Option<Instant>,
    /// Whether it accepts no more connections, and passes those on that it has.
    pub(super) has_left: bool,
    /// Why it cannot serve, and the exit code.
    pub(super) failure: Option<(String, u8)>,
    /// Whether it has reported that it ends.
    pub(super) is_ending: bool,
    /// Whether it is to be replaced.
    pub(super) is_worn: bool,
    /// Whether it gets a signal that ends it, because it hangs.
    pub(super) is_aborted: bool,
    /// Why its parent has killed it.
    killed: Option<String>,
    /// The pings since Python last responded.
    pub(super) silent: u32,
    /// The pings since the process last responded.
    pub(super) unanswered: u32,
    pub(super) pid: u32,
}

/// A process that serves, or the preloader. It dereferences to its plain data.
pub(super) struct ServingProcess {
    state: ProcessState,
    /// Set once it has ended.
    pub(super) status: Option<ExitStatus>,
    control: UnixStream,
    crash_record: File,
    /// Where it is asked to fork a process, if it serves nothing.
    forks: Option<ForkSocket>,
    reports: Reports,
    /// The checks in a row at which all its threads slept while it loaded new code.
    pub(super) asleep: u32,
}

/// A [`ServingProcess`] on its way to another program of its parent, which inherits the descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LeftProcess {
    state: ProcessState,
    control: RawFd,
    crash_record: RawFd,
    forks: Option<RawFd>,
    /// The start of a report.
    rest: Vec<u8>,
}

/// The part of [`ProcessParameters`] that differs between processes.
pub(super) struct Assignment {
    pub(super) id: u64,
    pub(super) number: usize,
    pub(super) count: usize,
    pub(super) place: usize,
    pub(super) generation: u64,
    pub(super) role: Role,
    pub(super) is_checked: bool,
    pub(super) is_quiet: bool,
}

impl ServingProcess {
    /// Starts a process that serves: the program again, a fork of `preloader`, or the process that waits. Its
    /// reports go to `messages`. Needs the async runtime.
    pub(super) fn start(
        shared: &Shared,
        assigned: &Assignment,
        preloader: Option<&Self>,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        let Assignment { id, number, count, place, generation, role, is_checked, is_quiet } =
            *assigned;
        let (control, of_child) = UnixStream::pair()?;
        let crash_record = CrashRecord::create()?;
        let metrics = shared.metrics.as_ref().map(|metrics| metrics.add(id)).transpose()?;
        let parameters = ProcessParameters {
            protocol: protocol(),
            parent: std::process::id(),
            place,
            number,
            count,
            generation,
            is_checked,
            is_quiet,
            listener: shared.listener.as_fd().as_raw_fd(),
            control: of_child.as_raw_fd(),
            crash_record: crash_record.as_raw_fd(),
            table: shared.table.as_raw_fd(),
            passage: shared.passage.ends().map(|end| end.as_raw_fd()),
            bell: shared.bell.as_ref().map(|bell| bell.as_fd().as_raw_fd()),
            metrics: metrics.as_ref().map(AsRawFd::as_raw_fd),
        };
        let pid = match preloader.and_then(|preloader| preloader.forks.as_ref()) {
            Some(forks) => forks.request(&parameters)?,
            None => match first_process::start(&parameters) {
                Some(pid) => pid,
                None => {
                    let descriptors = parameters.descriptors();
                    spawn(command(&Parameters::Serve(parameters))?, descriptors)?
                }
            },
        };
        let mut process = Self::new((id, role), pid, control, crash_record, messages)?;
        (process.number, process.place) = (number, Some(place));
        Ok(process)
    }

    /// Starts a process that loads the code, and forks the processes that serve.
    pub(super) fn start_preloader(
        id: u64,
        count: usize,
        generation: u64,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        let (control, of_child) = UnixStream::pair()?;
        let (forks, forks_of_child) = ForkSocket::pair()?;
        let crash_record = CrashRecord::create()?;
        let parameters = PreloaderParameters {
            protocol: protocol(),
            parent: std::process::id(),
            count,
            generation,
            control: of_child.as_raw_fd(),
            forks: forks_of_child.as_raw_fd(),
            crash_record: crash_record.as_raw_fd(),
        };
        let descriptors = vec![parameters.control, parameters.forks, parameters.crash_record];
        let pid = spawn(command(&Parameters::Preload(parameters))?, descriptors)?;
        let mut process = Self::new((id, Role::Preloader), pid, control, crash_record, messages)?;
        process.forks = Some(forks);
        Ok(process)
    }

    fn new(
        (id, role): (u64, Role),
        pid: u32,
        control: UnixStream,
        crash_record: File,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        let reports = Reports::receive(id, &control, Vec::new(), messages)?;
        let state = ProcessState {
            id,
            protocol: protocol(),
            number: 0,
            place: None,
            role,
            stage: Stage::Loading,
            began: Instant::now(),
            serves_since: None,
            stopped: None,
            has_left: false,
            failure: None,
            is_ending: false,
            is_worn: false,
            is_aborted: false,
            killed: None,
            silent: 0,
            unanswered: 0,
            pid,
        };
        Ok(Self { state, status: None, control, crash_record, forks: None, reports, asleep: 0 })
    }

    /// Leaves it to the next program of this process.
    pub(super) fn leave(&self) -> LeftProcess {
        LeftProcess {
            state: self.state.clone(),
            control: self.control.as_raw_fd(),
            crash_record: self.crash_record.as_raw_fd(),
            forks: self.forks.as_ref().map(AsRawFd::as_raw_fd),
            rest: self.reports.rest(),
        }
    }

    fn is(&self, pid: libc::pid_t) -> bool {
        libc::pid_t::try_from(self.pid) == Ok(pid)
    }

    /// Sends an order.
    pub(super) fn order(&mut self, order: &Order) {
        let _ = self.control.write_all(&to_line(order)); // an error: it has ended, or hangs
    }

    /// Lets it serve.
    pub(super) fn serve(&mut self) {
        self.order(&Order::Serve);
        self.stage = Stage::Serving;
        self.serves_since = Some(Instant::now());
    }

    /// Asks it to end.
    pub(super) fn stop(&mut self, order: &Order) {
        self.order(order);
        self.stage = Stage::Stopping;
        self.stopped.get_or_insert_with(Instant::now);
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: i32) {
        if self.status.is_none()
            && let Ok(pid) = libc::pid_t::try_from(self.pid)
        {
            // SAFETY: a signal to our own child, which has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Ends it at once; `why` completes "was killed:".
    pub(super) fn kill(&mut self, why: &str) {
        self.killed.get_or_insert_with(|| why.to_owned());
        self.signal(libc::SIGKILL);
    }

    /// Whether it has ended by a crash, or by a signal that was not for its parent.
    pub(super) fn ended_unexpectedly(&self) -> bool {
        !self.is_ending && self.status.is_none_or(|status| !status.success())
    }

    /// Notices its end; its last reports follow.
    fn has_ended(&mut self, status: ExitStatus) {
        self.status = Some(status);
        self.reports.finish();
    }

    /// Describes the end of one that was not asked to end: the cause, and the stack.
    pub(super) fn describe_end(&self) -> String {
        // The signal reaches another thread than that of the handler that hangs.
        let stack = match self.is_aborted {
            true => read_stacks(&self.crash_record),
            false => CrashState::read(&self.crash_record).map(|state| state.stack),
        };
        let stack = stack.unwrap_or_default();
        let status = self.status.unwrap_or_default();
        let cause = match (status.signal(), status.code(), &self.killed) {
            (Some(libc::SIGKILL), _, Some(why)) => format!("was killed: {why}"),
            (Some(libc::SIGKILL), ..) => {
                "was killed (SIGKILL), by a person or for its use of memory".to_owned()
            }
            (Some(signal), ..) => format!("has crashed ({})", signal_name(signal)),
            (None, Some(0), _) => "has ended".to_owned(),
            (None, code, _) => format!("has ended with exit code {}", code.unwrap_or_default()),
        };
        let stack = match stack.trim_end() {
            "" => String::new(),
            stack => format!("\n{}", escape_lines(stack)),
        };
        format!("{} (pid {}) {cause}{stack}", self.name(), self.pid)
    }

    /// Its name in the log.
    pub(super) fn name(&self) -> String {
        match self.role {
            Role::Preloader => "the process that preloads the code".to_owned(),
            _ => format!("process {}", self.number),
        }
    }
}

impl LeftProcess {
    /// The version of its messages.
    pub(super) fn protocol(&self) -> u32 {
        self.state.protocol
    }

    /// The descriptors.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        [self.control, self.crash_record].into_iter().chain(self.forks)
    }

    /// Takes it over from the program before. Needs the async runtime.
    ///
    /// # Safety
    ///
    /// The descriptors are open, and nothing else in this process owns them.
    pub(super) unsafe fn take_over(self, messages: ProcessMessages) -> io::Result<ServingProcess> {
        // SAFETY: the caller has checked it.
        let take = |descriptor| unsafe { descriptors::take(descriptor) };
        let control = UnixStream::from(take(self.control));
        let crash_record = take(self.crash_record).into();
        let forks = self.forks.map(|descriptor| ForkSocket::from_descriptor(take(descriptor)));
        let reports = Reports::receive(self.state.id, &control, self.rest, messages)?;
        let state = self.state;
        Ok(ServingProcess { state, status: None, control, crash_record, forks, reports, asleep: 0 })
    }
}

impl Deref for ServingProcess {
    type Target = ProcessState;

    fn deref(&self) -> &ProcessState {
        &self.state
    }
}

impl DerefMut for ServingProcess {
    fn deref_mut(&mut self) -> &mut ProcessState {
        &mut self.state
    }
}

/// Notices the children of this process that have ended, adopted orphans among them.
pub(super) fn reap(processes: &mut [ServingProcess]) {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a number of our own; the call does not wait.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return; // no child, or none that has ended
        }
        let ended = processes.iter_mut().find(|each| each.status.is_none() && each.is(pid));
        if let Some(process) = ended {
            process.has_ended(ExitStatus::from_raw(status));
        }
    }
}
