//! The state of the parent, as it leaves it to another program in the same process.
//!
//! One JSON text in a file without a name. The program inherits its descriptor, and the descriptors that the
//! text names. Executes nothing.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use serde::{Deserialize, Serialize};
use snaxum::config::SnaxumConfig;
use snaxum::error::Error;
use snaxum::server::{Listener, Passage};
use snaxum::shared_mapping;
use tokio::sync::mpsc;

use super::commands::{CommandSocket, LeftCommands, ReloadClient};
use super::measurements::{LeftMetrics, ProcessMetrics};
use super::parent::{Deploy, Parent, Seat, new_table};
use super::process::{LeftProcess, Role, ServingProcess, Shared};
use super::protocol::{OLDEST_PROTOCOL, protocol};
use super::reports::ProcessMessages;
use crate::cli::descriptors;
use crate::cli::operations::MetricsAddress;

/// The version of [`ParentState`]: raise it with each change of a part that has no default.
const STATE: u32 = 1;

/// The part of the state that all versions have.
#[derive(Deserialize)]
struct StateOfAnyVersion {
    version: u32,
}

/// The state of a parent whose server has started and does not stop, between two deploys.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ParentState {
    version: u32,
    /// The version of its messages, and of the table.
    protocol: u32,
    listener: RawFd,
    /// The file of a Unix socket: a value that removes nothing when it is dropped.
    file: Option<serde_json::Value>,
    table: RawFd,
    passage: [RawFd; 2],
    bell: Option<RawFd>,
    commands: Option<LeftCommands>,
    metrics_address: Option<RawFd>,
    metrics: Option<LeftMetrics>,
    processes: Vec<LeftProcess>,
    seats: Vec<Seat>,
    preloader: Option<u64>,
    worn: VecDeque<usize>,
    generation: u64,
    last_id: u64,
    is_incomplete: bool,
    had_terminal: bool,
    /// The clients of a reload that begins then, if there is one.
    reload: Option<Vec<RawFd>>,
}

impl ParentState {
    /// Reads the state that the program before has written; the error is for people.
    pub(super) fn read(mut file: File) -> Result<Self, String> {
        let mut read = || {
            file.rewind()?;
            io::read_to_string(&mut file)
        };
        let text =
            read().map_err(|error| format!("cannot read the state of the server: {error}"))?;
        let unreadable = |error| format!("the state of the server is unreadable: {error}");
        let any: StateOfAnyVersion = serde_json::from_str(&text).map_err(unreadable)?;
        if any.version != STATE {
            let found = any.version;
            return Err(format!(
                "it reads version {STATE} of the server's state, not {found}; restart the server"
            ));
        }
        let state: Self = serde_json::from_str(&text).map_err(unreadable)?;
        let known = OLDEST_PROTOCOL..=protocol();
        let versions = state.processes.iter().map(LeftProcess::protocol).chain([state.protocol]);
        match versions.into_iter().find(|version| !known.contains(version)) {
            None => Ok(state),
            Some(other) => Err(format!(
                "it knows the versions {OLDEST_PROTOCOL} to {} of the messages between the processes, \
                 not {other}; restart the server",
                protocol()
            )),
        }
    }

    /// Writes it to a file for another program.
    pub(super) fn write(&self) -> io::Result<File> {
        let mut file = shared_mapping::create()?;
        file.write_all(&serde_json::to_vec(self).expect("plain data"))?;
        Ok(file)
    }

    /// The descriptors that it names.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let mut all = vec![self.listener, self.table];
        all.extend(self.passage);
        all.extend(self.bell);
        all.extend(self.commands.iter().flat_map(LeftCommands::descriptors));
        all.extend(self.metrics_address);
        all.extend(self.metrics.iter().flat_map(LeftMetrics::descriptors));
        all.extend(self.processes.iter().flat_map(LeftProcess::descriptors));
        all.extend(self.reload.iter().flatten());
        all
    }
}

impl Parent {
    /// Describes the state for another program; `None` if the server stops.
    pub(super) fn leave(&self) -> Option<ParentState> {
        let shared = self.shared.as_ref()?;
        let clients = |deploy: &Deploy| deploy.clients.iter().map(AsRawFd::as_raw_fd).collect();
        Some(ParentState {
            version: STATE,
            protocol: protocol(),
            listener: shared.listener.as_fd().as_raw_fd(),
            file: shared.listener.file().map(|file| serde_json::json!(file)),
            table: shared.table.as_raw_fd(),
            passage: shared.passage.ends().map(|end| end.as_raw_fd()),
            bell: shared.bell.as_ref().map(AsRawFd::as_raw_fd),
            commands: self.commands.as_ref().map(CommandSocket::leave),
            metrics_address: self.metrics_server.as_ref().map(AsRawFd::as_raw_fd),
            metrics: shared.metrics.as_ref().map(ProcessMetrics::leave),
            processes: self.processes.iter().map(ServingProcess::leave).collect(),
            seats: self.seats.clone(),
            preloader: self.preloader,
            worn: self.worn.clone(),
            generation: self.generation,
            last_id: self.last_id,
            is_incomplete: self.is_incomplete,
            had_terminal: self.had_terminal,
            reload: self.next_deploy.as_ref().map(clients),
        })
    }

    /// Continues as the program before, whose process this is. Needs the async runtime.
    ///
    /// # Safety
    ///
    /// The descriptors of the state are open, and nothing else in this process owns them.
    pub(super) unsafe fn take_over(
        state: ParentState,
        config: SnaxumConfig,
        messages: ProcessMessages,
        commands: mpsc::Sender<ReloadClient>,
    ) -> Result<Self, Error> {
        let failed = |error| Error::io("cannot take the server over from another program")(error);
        // SAFETY: here and below, the caller has checked it.
        let take = |descriptor| -> OwnedFd { unsafe { descriptors::take(descriptor) } };
        let listener = Listener::from_fd(take(state.listener)).map_err(failed)?;
        let file = state.file.map(serde_json::from_value);
        let file = file.transpose().map_err(|error| failed(error.into()))?;
        let commands = match state.commands {
            // SAFETY: see above.
            Some(left) => unsafe { CommandSocket::take_over(left, &config.project_dir, commands) },
            None => None,
        };
        let metrics = match state.metrics {
            // SAFETY: see above.
            Some(left) => Some(unsafe { left.take_over() }.map_err(failed)?),
            None => None,
        };
        let address =
            state.metrics_address.map(|socket| MetricsAddress::from_listener(take(socket)));
        let served = address.transpose().map_err(failed)?.zip(metrics.clone());
        let served = served.map(|(address, sum)| address.serve(sum, &config.project_dir));
        let is_same = state.protocol == protocol();
        let mut table = File::from(take(state.table));
        if !is_same {
            // The processes of the other version still take turns by their own table.
            table = new_table(state.seats.len()).map_err(failed)?;
        }
        let mut processes = Vec::new();
        for left in state.processes {
            // SAFETY: see above.
            let mut process = unsafe { left.take_over(messages.clone()) }.map_err(failed)?;
            if !is_same {
                process.place = None;
            }
            processes.push(process);
        }
        let next_deploy = state.reload.map(|clients| {
            let clients = clients.into_iter().map(take);
            let client = |client| commands.as_ref()?.client(client).ok();
            Deploy { clients: clients.filter_map(client).collect(), ..Deploy::default() }
        });
        let [entrance, exit] = state.passage.map(take);
        let shared = Shared {
            listener: listener.with_file(file),
            table,
            passage: Passage::from_ends(entrance, exit),
            bell: state.bell.map(take),
            metrics,
        };
        let mut parent = Self::new(config, shared, messages).map_err(failed)?;
        (parent.commands, parent.metrics_server) = (commands, served.transpose().map_err(failed)?);
        (parent.processes, parent.seats) = (processes, state.seats);
        (parent.generation, parent.last_id) = (state.generation, state.last_id);
        (parent.preloader, parent.worn) = (state.preloader, state.worn);
        (parent.is_incomplete, parent.had_terminal) = (state.is_incomplete, state.had_terminal);
        (parent.is_started, parent.next_deploy) = (true, next_deploy);
        parent.end_preloaders_of_other_versions();
        Ok(parent)
    }

    /// They would read the parameters of a new process by their own version.
    fn end_preloaders_of_other_versions(&mut self) {
        let others = self
            .processes
            .iter()
            .filter(|process| process.role == Role::Preloader && process.protocol != protocol());
        for id in others.map(|process| process.id).collect::<Vec<_>>() {
            self.end_preloader(Some(id));
            self.preloader = self.preloader.filter(|preloader| *preloader != id);
        }
    }
}
