//! A process that serves, seen from its parent.
//!
//! Starts it, sends it orders, receives its reports, and describes its end. Decides nothing.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus};
use std::time::Instant;

use snaxum::crash_record::{CrashRecord, CrashState, read_stacks, signal_name};
use snaxum::server::{Listener, Passage};
use tokio::sync::{mpsc, oneshot};

use super::measurements::ProcessMetrics;
use super::protocol::{Order, ProcessParameters, Report, to_line};
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

/// A process that serves.
pub(super) struct ServingProcess {
    pub(super) id: u64,
    pub(super) number: usize,
    /// Its place in the table of loads.
    pub(super) place: usize,
    pub(super) role: Role,
    pub(super) stage: Stage,
    pub(super) began: Instant,
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
    /// The pings since Python last responded.
    pub(super) silent: u32,
    /// The pings since the process last responded.
    pub(super) unanswered: u32,
    pub(super) status: Option<ExitStatus>,
    process: Child,
    control: UnixStream,
    crash_record: File,
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

impl ServingProcess {
    /// Starts the program again; its reports go to `messages`. Needs the async runtime.
    pub(super) fn start(
        shared: &Shared,
        assigned: &Assignment,
        messages: mpsc::UnboundedSender<(u64, ProcessMessage)>,
    ) -> io::Result<Self> {
        let Assignment { id, number, count, place, generation, role, is_checked, is_quiet } =
            *assigned;
        let (control, of_child) = UnixStream::pair()?;
        control.set_nonblocking(true)?;
        let crash_record = CrashRecord::create()?;
        let metrics = match &shared.metrics {
            Some(metrics) => Some(metrics.add(id)?),
            None => None,
        };
        let inherited = ProcessParameters {
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
        let mut command = invocation::program()?;
        command.args(invocation::arguments());
        command.env(HANDOVER, serde_json::to_string(&inherited).expect("plain data"));
        // SAFETY: between fork and exec it only calls the kernel.
        unsafe {
            command.pre_exec(move || {
                inherited.descriptors().for_each(|descriptor| set_inheritable(descriptor, true));
                Ok(())
            });
        }
        let process = command.spawn()?;
        let (finish, finished) = oneshot::channel();
        let reports = tokio::net::UnixStream::from_std(control.try_clone()?)?;
        tokio::spawn(receive(id, reports, messages, finished));
        Ok(Self {
            id,
            number,
            place,
            role,
            stage: Stage::Loading,
            began: Instant::now(),
            stopped: None,
            has_left: false,
            failure: None,
            is_ending: false,
            is_worn: false,
            is_aborted: false,
            silent: 0,
            unanswered: 0,
            status: None,
            process,
            control,
            crash_record,
            finish: Some(finish),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends an order.
    pub(super) fn order(&mut self, order: &Order) {
        let _ = self.control.write_all(&to_line(order)); // an error: it has ended, or hangs
    }

    /// Asks it to end: by `order`, once.
    pub(super) fn stop(&mut self, order: &Order) {
        self.order(order);
        self.stage = Stage::Stopping;
        self.stopped.get_or_insert_with(Instant::now);
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: i32) {
        if self.status.is_none()
            && let Ok(pid) = libc::pid_t::try_from(self.pid())
        {
            // SAFETY: a signal to our own child, which has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Notices its end; its last reports follow.
    pub(super) fn reap(&mut self) {
        if self.status.is_none()
            && let Ok(Some(status)) = self.process.try_wait()
        {
            self.status = Some(status);
            self.finish.take();
        }
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
        let cause = match (status.signal(), status.code()) {
            (Some(libc::SIGKILL), _) => {
                "was killed (SIGKILL), by a person or for its use of memory".to_owned()
            }
            (Some(signal), _) => format!("has crashed ({})", signal_name(signal)),
            (None, Some(0)) => "has ended".to_owned(),
            (None, code) => format!("has ended with exit code {}", code.unwrap_or_default()),
        };
        let stack = match stack.trim_end() {
            "" => String::new(),
            stack => format!("\n{}", escape_lines(stack)),
        };
        format!("process {} (pid {}) {cause}{stack}", self.number, self.pid())
    }
}

/// Receives the reports of a process, until it has ended and `finished` is closed.
async fn receive(
    id: u64,
    control: tokio::net::UnixStream,
    messages: mpsc::UnboundedSender<(u64, ProcessMessage)>,
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
