//! A process that serves, seen from its parent.
//!
//! Starts it, sends it orders, receives its reports, and describes its end. Decides nothing.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::time::Instant;

use snaxum::crash_record::{CrashRecord, CrashState, read_stacks, signal_name};
use snaxum::server::{Listener, Passage};
use tokio::sync::{mpsc, oneshot};

use super::fork_socket::ForkSocket;
use super::measurements::ProcessMetrics;
use super::protocol::{
    Order, PROTOCOL, Parameters, PreloaderParameters, ProcessParameters, Report, to_line,
};
use crate::cli::descriptors::set_inheritable;
use crate::cli::invocation::{self, HANDOVER};
use crate::cli::render::color::escape_lines;

/// The bytes of a report that are read at once.
const READ_BYTES: usize = 16 * 1024;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Loading,
    /// It waits for the order to serve.
    Loaded,
    Serving,
    /// It was asked to end.
    Stopping,
}

/// A message about a process.
pub(super) enum ProcessMessage {
    Report(Report),
    /// It has ended, and its last report was received.
    Ended,
}

/// A process that serves, or the preloader.
pub(super) struct ServingProcess {
    pub(super) id: u64,
    pub(super) number: usize,
    /// Its place in the table of loads; the preloader has none.
    pub(super) place: Option<usize>,
    pub(super) role: Role,
    pub(super) stage: Stage,
    pub(super) began: Instant,
    /// When it was asked to serve.
    pub(super) serves_since: Option<Instant>,
    /// Since when it is asked to end.
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
    killed: Option<&'static str>,
    /// The pings since Python last responded.
    pub(super) silent: u32,
    /// The pings since the process last responded.
    pub(super) unanswered: u32,
    pub(super) pid: u32,
    /// Set once it has ended.
    pub(super) status: Option<ExitStatus>,
    control: UnixStream,
    crash_record: File,
    /// Where it is asked to fork a process, if it serves nothing.
    forks: Option<ForkSocket>,
    /// Ends the task that receives its reports.
    finish: Option<oneshot::Sender<()>>,
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

pub(super) type ProcessMessages = mpsc::UnboundedSender<(u64, ProcessMessage)>;

impl ServingProcess {
    /// Starts a process that serves: the program again, or a fork of `preloader`. Its reports go to
    /// `messages`. Needs the async runtime.
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
        let metrics = match &shared.metrics {
            Some(metrics) => Some(metrics.add(id)?),
            None => None,
        };
        let parameters = ProcessParameters {
            protocol: PROTOCOL,
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
            None => {
                let descriptors = parameters.descriptors();
                spawn(&Parameters::Serve(parameters), descriptors)?
            }
        };
        let process = Self::new((id, role), pid, control, crash_record, messages)?;
        Ok(Self { number, place: Some(place), ..process })
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
            protocol: PROTOCOL,
            parent: std::process::id(),
            count,
            generation,
            control: of_child.as_raw_fd(),
            forks: forks_of_child.as_raw_fd(),
            crash_record: crash_record.as_raw_fd(),
        };
        let descriptors = vec![parameters.control, parameters.forks, parameters.crash_record];
        let pid = spawn(&Parameters::Preload(parameters), descriptors)?;
        let process = Self::new((id, Role::Preloader), pid, control, crash_record, messages)?;
        Ok(Self { forks: Some(forks), ..process })
    }

    fn new(
        (id, role): (u64, Role),
        pid: u32,
        control: UnixStream,
        crash_record: File,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        let (finish, finished) = oneshot::channel();
        let reports = tokio::net::UnixStream::from_std(control.try_clone()?)?;
        tokio::spawn(receive(id, reports, messages, finished));
        Ok(Self {
            id,
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
            status: None,
            control,
            crash_record,
            forks: None,
            finish: Some(finish),
        })
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
    pub(super) fn kill(&mut self, why: &'static str) {
        self.killed.get_or_insert(why);
        self.signal(libc::SIGKILL);
    }

    /// Whether it has ended by a crash, or by a signal that was not for its parent.
    pub(super) fn ended_unexpectedly(&self) -> bool {
        !self.is_ending && self.status.is_none_or(|status| !status.success())
    }

    /// Notices its end; its last reports follow.
    fn has_ended(&mut self, status: ExitStatus) {
        self.status = Some(status);
        self.finish.take();
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
        let cause = match (status.signal(), status.code(), self.killed) {
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

/// Starts this program again, with parameters and their descriptors; returns the id of the process.
fn spawn(parameters: &Parameters, descriptors: Vec<RawFd>) -> io::Result<u32> {
    let mut command = invocation::program()?;
    command.args(invocation::arguments());
    command.env(HANDOVER, serde_json::to_string(parameters).expect("plain data"));
    // SAFETY: between fork and exec it only calls the kernel.
    unsafe {
        command.pre_exec(move || {
            descriptors.iter().for_each(|descriptor| set_inheritable(*descriptor, true));
            Ok(())
        });
    }
    command.spawn().map(|process| process.id()) // `reap` waits for it
}

/// Receives the reports of a process, until it has ended and `finished` is closed.
async fn receive(
    id: u64,
    control: tokio::net::UnixStream,
    messages: ProcessMessages,
    mut finished: oneshot::Receiver<()>,
) {
    let mut text = Vec::new();
    let mut is_open = true;
    loop {
        let has_ended = tokio::select! {
            ready = control.readable(), if is_open => {
                is_open = ready.is_ok();
                false
            }
            _ = &mut finished => true,
        };
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match control.try_read(&mut bytes) {
                Ok(count @ 1..) => text.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {
                    is_open = false;
                    break;
                }
            }
        }
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(report) => drop(messages.send((id, ProcessMessage::Report(report)))),
                Err(error) => tracing::error!("unknown report of a process: {error}"),
            }
        }
        if has_ended {
            let _ = messages.send((id, ProcessMessage::Ended));
            return;
        }
    }
}
