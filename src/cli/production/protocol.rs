//! The messages between the parent of a production server and the processes that serve.
//!
//! One JSON text a line, over a pair of sockets. Sends and receives nothing itself.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

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

/// The parameters of a process from its parent. It inherits the descriptors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProcessParameters {
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
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let Self {
            listener,
            control,
            crash_record,
            table,
            passage: [entrance, exit],
            bell,
            metrics,
            ..
        } = *self;
        let all = [listener, control, crash_record, table, entrance, exit];
        all.into_iter().chain(bell).chain(metrics)
    }
}

/// A message as a line.
pub(super) fn to_line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}
