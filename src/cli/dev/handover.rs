//! Restart: a new process takes over the listening socket.
//!
//! For changes that a running process cannot load: packages, settings, a rebuilt extension module.
//! A trial process first checks that the code loads. New connections wait in the socket's queue.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use console::style;
use serde::{Deserialize, Serialize};
use snaxum::dev::{Crash, Dev, RestartRequest};
use snaxum::error::Error;
use snaxum::python_runtime::PythonRuntime;
use snaxum::state_dir::StateDir;

use crate::cli::descriptors::{self, set_inheritable};
use crate::cli::invocation::{self, HANDOVER};
use crate::cli::render::color::escape;
use crate::cli::terminal::Terminal;

/// The environment variable that passes to a trial what this process has; Python reads it.
const TRIAL: &str = "SNAXUM_TRIAL";
/// The maximum bytes of a trial's output in the error.
const MAX_TRIAL_OUTPUT: u64 = 16 * 1024;

/// The environment at the start of this process: modules change it.
static ENVIRONMENT: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
/// The files that were open at the start of this process; the process after it gets them, too.
static FILES: OnceLock<Vec<RawFd>> = OnceLock::new();

/// The resources that a process gets from the one before it, or from the supervisor.
pub(crate) struct Handover {
    pub(super) socket: TcpListener,
    /// The connection to the supervisor.
    pub(super) control: UnixStream,
    /// The file for a crash.
    pub(super) crash_record: File,
    pub(super) inherited: Inherited,
}

/// The part of a [`Handover`] that is plain data.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Inherited {
    pub(super) supervisor: u32,
    pub(super) token: String,
    pub(super) mcp_token: String,
    /// The generation that served last; 0 if none did.
    pub(super) generation: u64,
    pub(super) paused: bool,
    /// The end of the process before, if it has crashed.
    pub(super) crash: Option<Crash>,
}

/// A [`Handover`] on its way to a program, which inherits the descriptors.
#[derive(Serialize, Deserialize)]
pub(super) struct HandoverState {
    pub(super) socket: RawFd,
    pub(super) control: RawFd,
    pub(super) crash_record: RawFd,
    pub(super) inherited: Inherited,
}

impl HandoverState {
    /// Passes it to a program; see [`Self::make_inheritable`].
    pub(super) fn pass_to(&self, command: &mut Command) {
        command.env(HANDOVER, serde_json::to_string(self).expect("plain data"));
    }

    /// Makes the descriptors inheritable for a program that this process starts or becomes.
    pub(super) fn make_inheritable(&self) {
        for descriptor in [self.socket, self.control, self.crash_record] {
            set_inheritable(descriptor, true);
        }
    }
}

/// Opens the resources from the process before this one, or from the supervisor; `None` in a process that a
/// person has started. Call it once, before any thread changes the environment or opens a file.
pub(crate) fn take_over() -> Option<Handover> {
    ENVIRONMENT.get_or_init(|| env::vars_os().collect());
    FILES.get_or_init(open_files);
    let state: HandoverState = serde_json::from_str(invocation::handover()?).ok()?;
    // SAFETY: the variable names a descriptor that was opened for this process only.
    let open = |descriptor| unsafe { descriptors::take(descriptor) };
    let socket = TcpListener::from(open(state.socket));
    socket.set_nonblocking(true).ok()?;
    let control = UnixStream::from(open(state.control));
    let crash_record = File::from(open(state.crash_record));
    Some(Handover { socket, control, crash_record, inherited: state.inherited })
}

/// Completes when a restart was requested and a trial process has loaded the code.
pub(crate) fn accepted_restart(
    dev: &Dev,
    runtime: &Arc<PythonRuntime>,
    project: &Path,
    terminal: &Terminal,
) -> impl Future<Output = ()> + use<> {
    let runtime = Arc::clone(runtime);
    let mut requests = dev.restart_requests();
    let terminal = terminal.clone();
    let project = project.to_owned();
    async move {
        let mut pending: Vec<RestartRequest> = Vec::new();
        while let Some(request) = requests.recv().await {
            pending.push(request);
            let project = project.clone();
            let serving = runtime.serving();
            let held = serde_json::json!(serving.last_reload.report.held).to_string();
            let trial = tokio::task::spawn_blocking(move || run_trial(&project, &held));
            let outcome = trial.await.unwrap_or_else(|error| Err(error.to_string()));
            if !requests.is_empty() {
                continue; // the later request may follow another change
            }
            let mut reasons: Vec<&str> = pending.iter().map(|request| &*request.reason).collect();
            reasons.dedup();
            terminal.print(outcome_line(&escape(&reasons.join("; ")), outcome.is_ok()));
            for request in pending.drain(..) {
                request.respond(outcome.clone());
            }
            if outcome.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

fn outcome_line(reason: &str, is_accepted: bool) -> String {
    if is_accepted {
        format!("  {} restarting in a new process: {reason}\n", style("↻").green())
    } else {
        let note = style("restart failed: the code does not load in a new process").dim();
        format!("  {} {reason}: {note}\n", style("▲").yellow())
    }
}

/// Runs `snaxum check` with the arguments of this process; returns its output if it fails. The code may
/// miss what this process has `held`.
fn run_trial(project: &Path, held: &str) -> Result<(), String> {
    let mut arguments: Vec<OsString> = invocation::arguments();
    if let Some(command) = arguments.iter_mut().find(|argument| *argument == "dev") {
        *command = "check".into();
    }
    let arguments = arguments_of_check(arguments);
    let run = || -> io::Result<(bool, Vec<u8>)> {
        let (state, name) = (StateDir::create(project)?, format!("trial.{}", std::process::id()));
        // A file, because a process that the code starts could block a pipe.
        let mut printed = state.create_new(&name)?;
        state.remove(&name)?;
        let mut command = with_original_environment(invocation::program()?);
        command.args(arguments).env(TRIAL, held).stdin(Stdio::null()).stdout(Stdio::null());
        let is_good = command.stderr(printed.try_clone()?).status()?.success();
        let from = printed.metadata()?.len().saturating_sub(MAX_TRIAL_OUTPUT);
        printed.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        printed.take(MAX_TRIAL_OUTPUT).read_to_end(&mut text)?;
        Ok((is_good, text))
    };
    match run() {
        Ok((true, _)) => Ok(()),
        Ok((false, text)) => {
            let text = String::from_utf8_lossy(&text);
            Err(console::strip_ansi_codes(text.trim_end()).into_owned())
        }
        Err(error) => Err(format!("cannot start a new process: {error}")),
    }
}

/// Removes the options of `dev` that `check` does not have.
fn arguments_of_check(arguments: Vec<OsString>) -> Vec<OsString> {
    let (mut known, mut rest) = (Vec::new(), arguments.into_iter());
    while let Some(argument) = rest.next() {
        match &*argument.to_string_lossy() {
            "-v" | "--explain-reload" | "--no-keys" | "--mcp" | "--mcp-write" => {}
            "--log-format" | "--editor" | "--restart-delay" => drop(rest.next()),
            text if ["--log-format=", "--editor=", "--restart-delay="]
                .iter()
                .any(|option| text.starts_with(option)) => {}
            _ => known.push(argument),
        }
    }
    known
}

/// Resets the environment: modules set their variables again.
fn with_original_environment(mut command: Command) -> Command {
    if let Some(environment) = ENVIRONMENT.get() {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    command
}

impl Handover {
    /// Duplicates the descriptors, for the process after this one.
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        let duplicate = || {
            let (socket, control) = (self.socket.try_clone()?, self.control.try_clone()?);
            Ok((socket, control, self.crash_record.try_clone()?))
        };
        let (socket, control, crash_record) =
            duplicate().map_err(Error::io("cannot duplicate the listening socket"))?;
        Ok(Self { socket, control, crash_record, inherited: self.inherited.clone() })
    }

    /// Replaces this process by a new one after `generation`; returns only on an error.
    pub(crate) fn exec(self, generation: u64, paused: bool) -> Error {
        let state = HandoverState {
            socket: self.socket.as_raw_fd(),
            control: self.control.as_raw_fd(),
            crash_record: self.crash_record.as_raw_fd(),
            inherited: Inherited { generation, paused, crash: None, ..self.inherited },
        };
        close_files_on_exec();
        state.make_inheritable();
        let source = match invocation::program() {
            Ok(program) => {
                let mut command = with_original_environment(program);
                state.pass_to(&mut command);
                command.args(invocation::arguments()).exec()
            }
            Err(error) => error,
        };
        Error::io("cannot start the new process")(source)
    }
}

/// Lets the files of this process end with it. A library may have made some inheritable, as loky does with
/// the pipe to its resource tracker: the tracker waits for the end of that pipe.
fn close_files_on_exec() {
    let before = FILES.get().map_or(&[][..], Vec::as_slice);
    let own = open_files().into_iter().filter(|file| *file > 2 && !before.contains(file));
    own.for_each(|file| set_inheritable(file, false));
}

/// Lists the open descriptors.
fn open_files() -> Vec<RawFd> {
    // On Linux and on macOS.
    let Ok(entries) = fs::read_dir("/dev/fd") else { return Vec::new() };
    let files = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut files: Vec<RawFd> = files.collect();
    // The descriptor of the list itself is closed by now.
    // SAFETY: reads a flag, or returns an error for a descriptor that is not open.
    files.retain(|file| unsafe { libc::fcntl(*file, libc::F_GETFD) } >= 0);
    files
}
