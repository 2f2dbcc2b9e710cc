//! The messages between the parent of a production server and the processes that serve.
//!
//! One JSON text a line, over a pair of sockets. Sends and receives nothing itself. The program of the
//! parent may have been replaced since it started, so both sides compare the version of the messages.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

/// The version of the messages and of the table of loads: raise it with each change of one.
///
/// `ParametersOfAnyVersion`, [`Report::Failed`] and the line of JSON never change.
pub(super) const PROTOCOL: u32 = 1;

/// The part of [`ProcessParameters`] that all versions have.
#[derive(Debug, Deserialize)]
pub(super) struct ParametersOfAnyVersion {
    pub(super) protocol: u32,
    pub(super) control: RawFd,
}

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Accept connections from now on.
    Serve,
    /// Pass connections on to other processes, finish the requests and end.
    Drain,
    /// Act as on SIGINT.
    Interrupt,
    /// Act as on SIGTERM.
    Terminate,
    /// Send [`Report::Alive`].
    Ping,
    /// Open the logs again.
    ReopenLogs,
}

/// From a process that serves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// The code is loaded, and the checks have passed: it can serve.
    Loaded {
        /// Whether some modules do not load.
        is_incomplete: bool,
    },
    /// The modules have started these threads, so a process that loads the code for others cannot fork.
    HasThreads { names: Vec<String> },
    /// It cannot serve, and ends.
    Failed {
        /// Why: tracebacks, or the text of an error.
        text: String,
        /// The exit code of a server that cannot start.
        code: u8,
    },
    /// It responds; `silent` pings have passed since Python last did.
    Alive { silent: u32 },
    /// Another process should replace it.
    Worn { why: String },
    /// It accepts no more connections.
    Closing,
    /// It ends on purpose: every other end is a crash.
    Ending,
}

/// The parameters of a process from its parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub(super) enum Parameters {
    Serve(ProcessParameters),
    Preload(PreloaderParameters),
}

/// The parameters of a process that loads the code, and forks the processes that serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PreloaderParameters {
    pub(super) protocol: u32,
    pub(super) parent: u32,
    pub(super) count: usize,
    pub(super) generation: u64,
    pub(super) control: RawFd,
    /// For requests to fork.
    pub(super) forks: RawFd,
    pub(super) crash_record: RawFd,
}

/// The parameters of a process that serves. It gets the descriptors with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProcessParameters {
    pub(super) protocol: u32,
    pub(super) parent: u32,
    /// Its place in the table of loads.
    pub(super) place: usize,
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) count: usize,
    pub(super) generation: u64,
    /// Whether all code must load: it is to replace code that serves.
    pub(super) is_checked: bool,
    /// Whether another process logs the same.
    pub(super) is_quiet: bool,
    pub(super) listener: RawFd,
    pub(super) control: RawFd,
    pub(super) crash_record: RawFd,
    pub(super) table: RawFd,
    pub(super) passage: [RawFd; 2],
    pub(super) bell: Option<RawFd>,
    /// For its metrics, if there are any.
    pub(super) metrics: Option<RawFd>,
}

impl ProcessParameters {
    /// The descriptors.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let mut found = Vec::new();
        self.clone().map_descriptors(|descriptor| {
            found.push(descriptor);
            descriptor
        });
        found
    }

    /// Replaces each descriptor by that which `map` returns.
    pub(super) fn map_descriptors(&mut self, mut map: impl FnMut(RawFd) -> RawFd) {
        let Self { listener, control, crash_record, table, passage, bell, metrics, .. } = self;
        let all = [listener, control, crash_record, table].into_iter().chain(passage);
        all.chain(bell).chain(metrics).for_each(|descriptor| *descriptor = map(*descriptor));
    }
}

/// A message as a line.
pub(super) fn to_line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}
