//! The last rung of a reload: a new process that takes over the listening socket.
//!
//! For what no running process can take in: packages, settings, an extension module that was built
//! anew, a library that takes nothing twice. Before this process makes room, another one has shown
//! that the code loads. Connections that come meanwhile wait in the socket's queue.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use console::style;
use serde::{Deserialize, Serialize};
use snaxum::dev::{Dev, RestartRequest};
use snaxum::error::Error;

use crate::cli::render::color::{plain, say};
use crate::cli::serve::Start;

/// How the successor hears of what it takes over.
const VARIABLE: &str = "SNAXUM_TAKE_OVER";
/// Bytes of what a trial printed that are told.
const MAX_REFUSAL: u64 = 16 * 1024;

/// The environment that this process was started with: modules add to it.
static ENVIRONMENT: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();

#[derive(Serialize, Deserialize)]
struct Legacy {
    socket: RawFd,
    token: String,
    mcp_token: Option<String>,
    generation: u64,
    paused: bool,
}

/// What the process before this one has left.
pub(crate) struct Before {
    pub(crate) socket: TcpListener,
    pub(crate) token: String,
    pub(crate) mcp_token: Option<String>,
    pub(crate) generation: u64,
    pub(crate) paused: bool,
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
    let Legacy { token, mcp_token, generation, paused, .. } = legacy;
    Some(Before { socket, token, mcp_token, generation, paused })
}

/// Is ready when a reload, or somebody by hand, wants a new process and a trial one has loaded the
/// code.
pub(crate) fn wanted(dev: &Dev, project: &Path) -> impl Future<Output = ()> + use<> {
    let mut received = dev.restart_requests();
    let aside = project.join(".snaxum").join(format!("trial.{}", std::process::id()));
    async move {
        let mut wishes: Vec<RestartRequest> = Vec::new();
        while let Some(wish) = received.recv().await {
            wishes.push(wish);
            let aside = aside.clone();
            let trial = tokio::task::spawn_blocking(move || try_a_new_process(&aside));
            let outcome = trial.await.unwrap_or_else(|error| Err(error.to_string()));
            if !received.is_empty() {
                continue; // who wished meanwhile may have changed something before that
            }
            let mut reasons: Vec<&str> = wishes.iter().map(|wish| &*wish.reason).collect();
            reasons.dedup();
            tell(&plain(&reasons.join("; ")), outcome.is_ok());
            for wish in wishes.drain(..) {
                wish.respond(outcome.clone());
            }
            if outcome.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

fn tell(reason: &str, is_taken_over: bool) {
    if is_taken_over {
        say(&format!("  {} a new process takes over: {reason}\n", style("↻").green()));
    } else {
        let note = style("a new process could take over, but the code does not load there").dim();
        say(&format!("  {} {reason}: {note}\n", style("▲").yellow()));
    }
}

/// Runs `snaxum check` with the arguments of this process; gives what it printed if it fails.
fn try_a_new_process(aside: &Path) -> Result<(), String> {
    let mut arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some(command) = arguments.iter_mut().find(|argument| *argument == "dev") {
        *command = "check".into();
    }
    let arguments = known_to_check(arguments);
    let run = || -> io::Result<(bool, Vec<u8>)> {
        let mut options = fs::OpenOptions::new();
        // A file and no pipe: a process that the code leaves behind may keep it open.
        let mut printed =
            options.read(true).write(true).create_new(true).mode(0o600).open(aside)?;
        fs::remove_file(aside)?;
        let mut command = in_first_environment(Command::new(env::current_exe()?));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let is_good = command.stderr(printed.try_clone()?).status()?.success();
        let from = printed.metadata()?.len().saturating_sub(MAX_REFUSAL);
        printed.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        printed.take(MAX_REFUSAL).read_to_end(&mut text)?;
        Ok((is_good, text))
    };
    match run() {
        Ok((true, _)) => Ok(()),
        Ok((false, text)) => {
            let text = String::from_utf8_lossy(&text);
            Err(console::strip_ansi_codes(text.trim_end()).into_owned())
        }
        Err(error) => Err(format!("cannot try a new process: {error}")),
    }
}

/// Without what `dev` alone takes.
fn known_to_check(arguments: Vec<OsString>) -> Vec<OsString> {
    let (mut known, mut rest) = (Vec::new(), arguments.into_iter());
    while let Some(argument) = rest.next() {
        match &*argument.to_string_lossy() {
            "-v" | "--explain-reload" | "--no-keys" | "--mcp" | "--mcp-write" => {}
            "--log-format" | "--editor" => drop(rest.next()),
            text if text.starts_with("--log-format=") || text.starts_with("--editor=") => {}
            _ => known.push(argument),
        }
    }
    known
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
    mcp_token: Option<String>,
}

impl Successor {
    /// Keeps the socket open for it.
    pub(crate) fn new(start: &Start, dev: &Dev) -> Result<Self, Error> {
        let socket = start.listener.as_fd().try_clone_to_owned().map_err(|source| Error::Io {
            what: "cannot keep the listening socket".to_owned(),
            source,
        })?;
        let mcp_token = dev.mcp_token().map(str::to_owned);
        Ok(Self { socket, token: dev.token().to_owned(), mcp_token })
    }

    /// Becomes that process, which counts on from `generation`; returns only if it cannot.
    pub(crate) fn take_over(self, generation: u64, paused: bool) -> Error {
        keep_over_exec(self.socket.as_raw_fd(), true);
        let socket = self.socket.as_raw_fd();
        let (token, mcp_token) = (self.token, self.mcp_token);
        let legacy = Legacy { socket, token, mcp_token, generation, paused };
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
