//! The commands that a production server receives from this machine, such as `snaxum reload`.
//!
//! Through a Unix socket in `.snaxum`, which only its user can open; a lock beside it makes two servers
//! of one project an error. A project that cannot be written to has neither, and is served all the same.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use snaxum::error::Error;
use snaxum::state_dir::StateDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::cli::descriptors;

/// The socket.
pub(crate) const SOCKET: &str = "serve.sock";
/// Locked by the server, and contains its process id.
const LOCK: &str = "serve.lock";
/// The most bytes of a command.
const MAX_COMMAND: u64 = 4096;
/// How long a client may take to send a command, or to receive the response.
const CLIENT_TIME: Duration = Duration::from_secs(5);

/// A command, as a client sends it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServerCommand {
    /// Load the code again; the response is an [`Outcome`].
    Reload,
}

/// The outcome of a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Whether the new code serves.
    pub(crate) is_live: bool,
    /// The generation that serves.
    pub(crate) generation: u64,
    /// A sentence, or why the new code does not serve; it cannot control a terminal.
    pub(crate) text: String,
}

/// A client of the socket that has asked for a reload, and awaits its outcome.
pub(super) struct ReloadClient {
    socket: UnixStream,
    tasks: TaskTracker,
}

/// The open socket. Dropping it removes it.
pub(super) struct CommandSocket {
    state: StateDir,
    /// Locked until it is dropped.
    lock: File,
    listener: StdListener,
    /// The clients that send a command or receive a response.
    tasks: TaskTracker,
}

/// A [`CommandSocket`] on its way to the next program of this process, which inherits the descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LeftCommands {
    lock: RawFd,
    listener: RawFd,
}

impl CommandSocket {
    /// Opens the socket of the project; `None` if its directory cannot be written to.
    pub(super) fn open(
        project: &Path,
        commands: mpsc::Sender<ReloadClient>,
    ) -> Result<Option<Self>, Error> {
        let state = match StateDir::create(project) {
            Ok(state) => state,
            Err(error) => return Ok(unavailable(&error)),
        };
        let mut lock = match state.open_lock(LOCK) {
            Ok(lock) => lock,
            Err(error) => return Ok(unavailable(&error)),
        };
        if let Err(error) = lock.try_lock() {
            if matches!(error, std::fs::TryLockError::Error(_)) {
                return Ok(unavailable(&error.into()));
            }
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            return Err(Error::ServerRunning {
                path: project.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        let listener = write(&mut lock).and_then(|()| state.bind_socket(SOCKET));
        let opened = listener.and_then(|listener| Self::receive(state, lock, listener, commands));
        Ok(opened.map_or_else(|error| unavailable(&error), Some))
    }

    /// Takes it over from the program before; `None` if the directory is gone.
    ///
    /// # Safety
    ///
    /// The descriptors are open, and nothing else in this process owns them.
    pub(super) unsafe fn take_over(
        left: LeftCommands,
        project: &Path,
        commands: mpsc::Sender<ReloadClient>,
    ) -> Option<Self> {
        // SAFETY: the caller has checked it.
        let take = |descriptor| unsafe { descriptors::take(descriptor) };
        let (lock, listener) = (take(left.lock).into(), take(left.listener).into());
        let state = StateDir::create(project);
        let opened = state.and_then(|state| Self::receive(state, lock, listener, commands));
        opened.map_or_else(|error| unavailable(&error), Some)
    }

    fn receive(
        state: StateDir,
        lock: File,
        listener: StdListener,
        commands: mpsc::Sender<ReloadClient>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let tasks = TaskTracker::new();
        let accepting = UnixListener::from_std(listener.try_clone()?)?;
        tokio::spawn(receive(accepting, commands, tasks.clone()));
        Ok(Self { state, lock, listener, tasks })
    }

    /// Whether a client sends a command or receives a response.
    pub(super) fn is_busy(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Leaves it to the next program of this process.
    pub(super) fn leave(&self) -> LeftCommands {
        LeftCommands { lock: self.lock.as_raw_fd(), listener: self.listener.as_raw_fd() }
    }

    /// Continues with a client of the program before. Needs the async runtime.
    ///
    /// # Errors
    ///
    /// The descriptor is not a socket.
    pub(super) fn client(&self, descriptor: OwnedFd) -> io::Result<ReloadClient> {
        let socket = UnixStream::from_std(descriptor.into())?;
        Ok(ReloadClient { socket, tasks: self.tasks.clone() })
    }
}

impl LeftCommands {
    /// The descriptors.
    pub(super) fn descriptors(&self) -> [RawFd; 2] {
        [self.lock, self.listener]
    }
}

impl ReloadClient {
    /// Sends the outcome.
    pub(super) fn respond(mut self, outcome: &Outcome) {
        let text = serde_json::to_string(outcome).expect("plain data");
        let sending = async move { self.socket.write_all(text.as_bytes()).await };
        self.tasks.spawn(tokio::time::timeout(CLIENT_TIME, sending));
    }
}

impl AsRawFd for ReloadClient {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for CommandSocket {
    fn drop(&mut self) {
        let _ = self.state.remove(SOCKET);
    }
}

fn unavailable(error: &io::Error) -> Option<CommandSocket> {
    tracing::info!("`snaxum reload` cannot reach this server ({error}); send SIGHUP instead");
    None
}

async fn receive(listener: UnixListener, commands: mpsc::Sender<ReloadClient>, tasks: TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let client = ReloadClient { socket: client, tasks: tasks.clone() };
                tasks.spawn(tokio::time::timeout(CLIENT_TIME, pass_on(client, commands.clone())));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Reads the command of a client, and passes it on.
async fn pass_on(mut client: ReloadClient, commands: mpsc::Sender<ReloadClient>) -> Option<()> {
    let user = rustix::process::geteuid().as_raw();
    let is_own = client.socket.peer_cred().is_ok_and(|peer| peer.uid() == user || peer.uid() == 0);
    if !is_own {
        return None;
    }
    let mut line = String::new();
    let mut reader = BufReader::new((&mut client.socket).take(MAX_COMMAND));
    reader.read_line(&mut line).await.ok()?;
    match serde_json::from_str(&line).ok()? {
        ServerCommand::Reload => commands.send(client).await.ok(),
    }
}
