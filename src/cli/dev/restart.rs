//! The last rung of a reload: a new process that takes over the listening socket.
//!
//! For what no running process can take in: packages, settings, an extension module that was built
//! anew, a library that takes nothing twice. Before this process makes room, another one has shown
//! that the code loads. Connections that come meanwhile wait in the socket's queue.

use std::env;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use console::style;
use serde::{Deserialize, Serialize};
use snaxum::error::Error;
use snaxum::event::Event;
use snaxum::python_runtime::PythonRuntime;
use tokio::sync::mpsc;

use super::super::serve::Start;
use super::super::style::{plain, say};

/// How the successor hears of what it takes over.
const VARIABLE: &str = "SNAXUM_TAKE_OVER";

/// The environment that this process was started with: modules add to it.
static ENVIRONMENT: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();

#[derive(Serialize, Deserialize)]
struct Legacy {
    socket: RawFd,
    token: String,
    generation: u64,
}

/// What the process before this one has left.
pub(crate) struct Before {
    pub(crate) socket: TcpListener,
    pub(crate) token: String,
    pub(crate) generation: u64,
}

/// Takes what the process before this one has left, if there was one. Call it before any thread
/// is started.
pub(crate) fn take_over() -> Option<Before> {
    let legacy = env::var(VARIABLE);
    // SAFETY: the command line is being parsed; no other thread has been started yet.
    unsafe { env::remove_var(VARIABLE) };
    ENVIRONMENT.get_or_init(|| env::vars_os().collect());
    let legacy: Legacy = serde_json::from_str(&legacy.ok()?).ok()?;
    // SAFETY: the variable names a descriptor that `Successor::take_over` left open for us alone.
    let socket = TcpListener::from(unsafe { OwnedFd::from_raw_fd(legacy.socket) });
    keep_over_exec(socket.as_raw_fd(), false);
    socket.set_nonblocking(true).ok()?;
    Some(Before { socket, token: legacy.token, generation: legacy.generation })
}

/// Is ready when a reload wants a new process and a trial one has loaded the code.
pub(crate) fn wanted(runtime: &Arc<PythonRuntime>) -> impl Future<Output = ()> + use<> {
    let (reasons, mut received) = mpsc::unbounded_channel();
    runtime.events().listen(move |event| {
        if let Event::ReloadEnd(reload) = event
            && reload.report.rung == "restart"
        {
            // An error means that the server is stopping.
            let _ = reasons.send(reload.report.reason.clone());
        }
    });
    async move {
        while let Some(reason) = received.recv().await {
            let reason = plain(&reason);
            let trial = tokio::task::spawn_blocking(loads_in_a_new_process);
            if received.is_empty() && trial.await.unwrap_or(false) {
                say(&format!("  {} a new process takes over: {reason}\n", style("↻").green()));
                return;
            }
            let note = style("only a new process could, and there it does not load either").dim();
            say(&format!("  {} {reason}: {note}\n", style("▲").yellow()));
        }
        std::future::pending().await
    }
}

/// Runs `snaxum check` with the arguments of this process.
fn loads_in_a_new_process() -> bool {
    let mut arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some(command) = arguments.iter_mut().find(|argument| *argument == "dev") {
        *command = "check".into();
    }
    env::current_exe().is_ok_and(|program| {
        let mut command = in_first_environment(Command::new(program));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// What modules have set, they will set again.
fn in_first_environment(mut command: Command) -> Command {
    if let Some(environment) = ENVIRONMENT.get() {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    command
}

/// A process that could take over.
pub(crate) struct Successor {
    socket: OwnedFd,
    token: String,
}

impl Successor {
    /// Keeps the socket open for it.
    pub(crate) fn new(start: &Start, token: &str) -> Result<Self, Error> {
        let socket = start.listener.as_fd().try_clone_to_owned().map_err(|source| Error::Io {
            what: "cannot keep the listening socket".to_owned(),
            source,
        })?;
        Ok(Self { socket, token: token.to_owned() })
    }

    /// Becomes that process, which counts on from `generation`; returns only if it cannot.
    pub(crate) fn take_over(self, generation: u64) -> Error {
        keep_over_exec(self.socket.as_raw_fd(), true);
        let legacy = Legacy { socket: self.socket.as_raw_fd(), token: self.token, generation };
        let legacy = serde_json::to_string(&legacy).expect("plain data");
        let source = match env::current_exe() {
            Ok(program) => in_first_environment(Command::new(program))
                .args(env::args_os().skip(1))
                .env(VARIABLE, legacy)
                .exec(),
            Err(error) => error,
        };
        Error::Io { what: "cannot start again".to_owned(), source }
    }
}

fn keep_over_exec(descriptor: RawFd, kept: bool) {
    let flags = if kept { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: sets a flag of a descriptor that the caller owns.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, flags) };
}
