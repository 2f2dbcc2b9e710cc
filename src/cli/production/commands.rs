//! The commands that a production server receives from this machine, such as `snaxum reload`.
//!
//! Through a Unix socket in `.snaxum`, which only its user can open; a lock beside it makes two servers
//! of one project an error. A project that cannot be written to has neither, and is served all the same.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use snaxum::error::Error;
use snaxum::state_dir::StateDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// The socket.
pub(crate) const SOCKET: &str = "serve.sock";
/// Locked by the server, and contains its process id.
const LOCK: &str = "serve.lock";
/// The most bytes of a command.
const MAX_COMMAND: u64 = 4096;

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

/// A reload that a client of the socket has asked for, and where it awaits the outcome.
pub(super) struct ReloadRequest(pub(super) oneshot::Sender<Outcome>);

/// The open socket. Dropping it removes it.
pub(super) struct CommandSocket {
    state: StateDir,
    /// Locked until it is dropped.
    _lock: File,
}

impl CommandSocket {
    /// Opens the socket of the project; `None` if its directory cannot be written to.
    pub(super) fn open(
        project: &Path,
        commands: mpsc::Sender<ReloadRequest>,
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
        let listener = write(&mut lock).and_then(|()| {
            let listener = state.bind_socket(SOCKET)?;
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        });
        match listener {
            Ok(listener) => drop(tokio::spawn(receive(listener, commands))),
            Err(error) => return Ok(unavailable(&error)),
        }
        Ok(Some(Self { state, _lock: lock }))
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

async fn receive(listener: UnixListener, commands: mpsc::Sender<ReloadRequest>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(respond(client, commands.clone()))),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// Passes one command on, and its response back.
async fn respond(mut client: UnixStream, commands: mpsc::Sender<ReloadRequest>) -> Option<()> {
    let user = rustix::process::geteuid().as_raw();
    let is_own = client.peer_cred().is_ok_and(|peer| peer.uid() == user || peer.uid() == 0);
    if !is_own {
        return None;
    }
    let mut line = String::new();
    BufReader::new((&mut client).take(MAX_COMMAND)).read_line(&mut line).await.ok()?;
    let response = match serde_json::from_str(&line).ok()? {
        ServerCommand::Reload => {
            let (reply, outcome) = oneshot::channel();
            commands.send(ReloadRequest(reply)).await.ok()?;
            serde_json::to_string(&outcome.await.ok()?).ok()?
        }
    };
    client.write_all(response.as_bytes()).await.ok()
}
