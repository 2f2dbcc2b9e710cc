//! The start of a parent: of a new server, or after another program in the same process.
//!
//! Opens the sockets, or takes them over, and starts no process.

use std::os::fd::RawFd;
use std::process::ExitCode;

use snaxum::config::SnaxumConfig;
use snaxum::error::Error;
use snaxum::python_runtime::LentThread;
use snaxum::server::{Listener, Passage, Turns};
use tokio::sync::mpsc;

use super::commands::{CommandSocket, ReloadClient};
use super::measurements::ProcessMetrics;
use super::parent::{Inputs, Parent, new_table};
use super::parent_state::ParentState;
use super::process::Shared;
use super::reports::ProcessMessages;
use crate::cli::operations::{MetricsAddress, announce};
use crate::cli::options::ProjectArgs;
use crate::cli::{descriptors, log, project, signal_mask};

/// Serves until a signal; after another program of this process, if there is a `state`.
pub(super) fn run(args: ProjectArgs, state: Option<RawFd>) -> Result<ExitCode, Error> {
    // Only this thread receives signals, so that it can make them wait for another program.
    signal_mask::block();
    LentThread::run_first(signal_mask::block);
    // SAFETY: the parameters name a descriptor that was opened for this process only.
    let state = state.map(|state| ParentState::read(unsafe { descriptors::take(state) }.into()));
    let state = state.transpose().map_err(Error::TakeOver)?;
    let (_, builder, _) = project::read_quietly(args)?; // the first process prints the warnings
    let config = builder.build()?;
    log::start_as("info", config.log_format);
    let io = |source| Error::io("cannot start the processes of the server")(source);
    let mut tokio = tokio::runtime::Builder::new_current_thread();
    let tokio = tokio.enable_all().on_thread_start(signal_mask::block).build().map_err(io)?;
    let code = tokio.block_on(async {
        let (message_sender, messages) = mpsc::unbounded_channel();
        let (command_sender, commands) = mpsc::channel(1);
        let inputs = Inputs::register(messages, commands).map_err(io)?;
        signal_mask::unblock();
        let parent = match state {
            None => Parent::open(config, message_sender, command_sender).await?,
            // SAFETY: the program before has opened its descriptors, for this one.
            Some(state) => unsafe {
                Parent::take_over(state, config, message_sender, command_sender)?
            },
        };
        parent.run(inputs).await.map_err(io)
    })?;
    log::finish();
    // A process that it has started may have its output still open.
    std::process::exit(code)
}

impl Parent {
    /// Opens the sockets of a server.
    async fn open(
        config: SnaxumConfig,
        messages: ProcessMessages,
        commands: mpsc::Sender<ReloadClient>,
    ) -> Result<Self, Error> {
        let io = |source| Error::io("cannot start the processes of the server")(source);
        let listener = Listener::open(&config)?;
        let commands = CommandSocket::open(&config.project_dir, commands)?;
        let metrics = config.metrics.map(|_| ProcessMetrics::new());
        let address = MetricsAddress::bind(&config).await?;
        let served = address.zip(metrics.clone());
        let served = served.map(|(address, sum)| address.serve(sum, &config.project_dir));
        let metrics_server = served.transpose().map_err(io)?;
        if let Some(server) = &metrics_server {
            announce(config.log_format, &format!("metrics on {}/metrics", server.url));
        }
        let table = new_table(config.process_count()).map_err(io)?;
        let passage = Passage::new().map_err(io)?;
        let shared = Shared { listener, table, passage, bell: Turns::new_bell(), metrics };
        let mut parent = Self::new(config, shared, messages).map_err(io)?;
        (parent.metrics_server, parent.commands) = (metrics_server, commands);
        Ok(parent)
    }
}
