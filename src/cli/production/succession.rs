//! Another program for the parent: first a trial of it, then an exec, in the same process.
//!
//! The program on disk may not start, or be too old. So a trial gets the state that the program would: it
//! reads the state and the options, opens nothing, and sends its outcome. Decides nothing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use snaxum::error::Error;
use snaxum::shared_mapping;
use tokio::io::AsyncReadExt;

use super::parent_state::ParentState;
use super::program::{command, spawn};
use super::protocol::{Succession, Successor, TrialOutcome, protocol, to_line};
use crate::cli::descriptors::{self, set_inheritable};
use crate::cli::options::ProjectArgs;
use crate::cli::project;
use crate::cli::render::error::error_text;

/// How long a trial may take: Python may start from a cold disk.
const TRIAL_TIME: Duration = Duration::from_secs(60);
/// The most bytes of its output in an error.
const MAX_OUTPUT: u64 = 4096;

/// A trial of the program on disk.
pub(super) struct ProgramTrial {
    pid: u32,
    outcome: UnixStream,
    output: File,
}

impl ProgramTrial {
    /// Starts it.
    pub(super) fn start(state: &ParentState) -> io::Result<Self> {
        let state = state.write()?;
        let (outcome, of_program) = UnixStream::pair()?;
        let output = shared_mapping::create()?;
        let parameters =
            Succession::Trial { state: state.as_raw_fd(), outcome: of_program.as_raw_fd() };
        let mut command = command(&parameters)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
        let pid = spawn(command, vec![state.as_raw_fd(), of_program.as_raw_fd()])?;
        Ok(Self { pid, outcome, output })
    }

    /// Waits for its outcome.
    pub(super) async fn outcome(self) -> TrialOutcome {
        let Self { pid, outcome, output } = self;
        let reading = async {
            outcome.set_nonblocking(true)?;
            let mut text = String::new();
            tokio::net::UnixStream::from_std(outcome)?.read_to_string(&mut text).await?;
            Ok::<_, io::Error>(text)
        };
        match tokio::time::timeout(TRIAL_TIME, reading).await {
            Ok(Ok(text)) => serde_json::from_str(&text).unwrap_or_else(|_| {
                Err(match printed(output).unwrap_or_default().trim_end() {
                    "" => "it has ended without a word".to_owned(),
                    output => output.to_owned(),
                })
            }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                kill(pid);
                Err(format!("it has not responded within {TRIAL_TIME:?}"))
            }
        }
    }
}

/// The end of what the program has printed.
fn printed(mut output: File) -> io::Result<String> {
    let from = output.metadata()?.len().saturating_sub(MAX_OUTPUT);
    output.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    output.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Ends a process, if it is still a child of this one.
fn kill(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: all zeroes is valid, and the kernel fills it; `WNOWAIT` changes no state, and the id of a
    // process that has not been waited for is not used again.
    unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_PID, pid.unsigned_abs(), &raw mut info, options) == 0 {
            libc::kill(pid, libc::SIGKILL);
        }
    }
}

/// Checks whether this program can replace the parent's, and sends the outcome.
pub(super) fn run_trial(
    args: ProjectArgs,
    state: RawFd,
    outcome: RawFd,
) -> Result<ExitCode, Error> {
    // SAFETY: the parameters name descriptors that were opened for this process only.
    let (state, outcome) = unsafe { (descriptors::take(state), descriptors::take(outcome)) };
    let check = || -> TrialOutcome {
        ParentState::read(state.into())?;
        let options = project::read_quietly(args);
        let config = options.and_then(|(_, builder, _)| builder.build());
        config.map_err(|error| error_text(&error))?;
        Ok(Successor { protocol: protocol() })
    };
    let sent = UnixStream::from(outcome).write_all(&to_line(&check()));
    sent.map_err(Error::io("cannot reach the parent process"))?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces this program by the one on disk, in the same process; returns only on an error.
pub(super) fn exec(state: &ParentState) -> io::Error {
    let replace = || -> io::Result<io::Error> {
        let file = state.write()?;
        let parameters = Succession::Continue { state: file.as_raw_fd() };
        let mut command = command(&parameters)?;
        let descriptors = || state.descriptors().into_iter().chain([file.as_raw_fd()]);
        descriptors().for_each(|descriptor| set_inheritable(descriptor, true));
        let error = command.exec();
        descriptors().for_each(|descriptor| set_inheritable(descriptor, false));
        // SAFETY: a disposition that this process had; the call that has failed has changed it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        Ok(error)
    };
    replace().unwrap_or_else(|error| error)
}
