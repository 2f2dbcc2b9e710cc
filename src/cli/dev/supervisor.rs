//! The parent of the server process: starts it again after a crash.
//!
//! Runs no user code and no Python. Has the listening socket, so that clients wait for the new
//! process and none is refused; passes it on like a restart does (`handover.rs`). Forwards signals,
//! reports crashes, and slows down a loop of them until the next save.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::style;
use snaxum::config::SnaxumConfig;
use snaxum::crash_record::{CrashRecord, CrashState};
use snaxum::dev::{Crash, SaveWatch, new_token, remove_dev_file};
use snaxum::error::Error;
use snaxum::server::{self, StopSignal, StopSignals};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::handover::{HandoverState, Inherited};
use super::supervised::{ENDING, INTERRUPT, LISTENING, TERMINATE};
use crate::cli::end_with_parent::end_with_parent;
use crate::cli::invocation;
use crate::cli::options::ProjectArgs;
use crate::cli::project;
use crate::cli::render::color::{escape, print_stderr};
use crate::cli::render::traceback;
use crate::cli::terminal::raw_mode::TerminalMode;

/// A process that ran for this long does not belong to a loop of crashes.
pub(super) const CALM: Duration = Duration::from_secs(30);
/// The longest wait before the next start.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Starts the server process until it ends on purpose.
pub(super) fn run(args: ProjectArgs, restart_delay: Duration) -> Result<ExitCode, Error> {
    let (_, builder, _) = project::read_quietly(args)?;
    let config = builder.dev(true).build()?;
    let io = |source| Error::io("cannot supervise the server")(source);
    // One thread: the server process ends with the thread that started it.
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let code = tokio.block_on(async {
        let signals = Signals::register().map_err(io)?;
        let listener = server::bind(SocketAddr::new(config.host, config.port)).await?;
        let listener = listener.into_std().map_err(io)?;
        Supervisor::new(config, listener, restart_delay).run(signals).await.map_err(io)
    })?;
    // A thread may still wait for a save.
    std::process::exit(code)
}

/// The signals of the supervisor.
struct Signals {
    stop: StopSignals,
    suspend: Signal,
    child: Signal,
}

impl Signals {
    fn register() -> io::Result<Self> {
        Ok(Self {
            stop: StopSignals::register()?.with_hangup()?,
            suspend: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            child: signal(SignalKind::child())?,
        })
    }
}

struct Supervisor {
    config: SnaxumConfig,
    /// `None` once the server stops.
    listener: Option<TcpListener>,
    token: String,
    mcp_token: String,
    terminal: Option<TerminalMode>,
    saves: Option<Arc<SaveWatch>>,
    /// Crashes in a row.
    crashes: u32,
    /// The wait after the second one.
    restart_delay: Duration,
    /// The signals that asked for an end.
    stops: u32,
}

/// A running server process.
struct Server {
    process: Child,
    control: UnixStream,
    crash_record: File,
    began: Instant,
    /// Whether it receives signals by message.
    is_listening: bool,
    is_ending: bool,
    /// Whether it was asked to stop as Ctrl-Z does.
    is_suspending: bool,
}

impl Supervisor {
    fn new(config: SnaxumConfig, listener: TcpListener, restart_delay: Duration) -> Self {
        Self {
            config,
            listener: Some(listener),
            token: new_token(),
            mcp_token: new_token(),
            terminal: TerminalMode::current(),
            saves: None,
            crashes: 0,
            restart_delay,
            stops: 0,
        }
    }

    /// Returns the exit code of `snaxum dev`.
    async fn run(mut self, mut signals: Signals) -> io::Result<i32> {
        let (mut crash, mut generation) = (None, 0);
        loop {
            let Some(listener) = &self.listener else { return Ok(0) };
            let mut server = self.start(listener, crash.take())?;
            let status = self.watch(&mut server, &mut signals).await?;
            server.receive(); // its last messages
            let by_signal = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
            let was_stopped = status.signal().is_some_and(|signal| by_signal.contains(&signal));
            if server.is_ending || self.stops > 0 || was_stopped {
                if !server.is_ending {
                    self.clean_up();
                }
                return Ok(exit_code(status));
            }
            let state = CrashState::read(&server.crash_record).unwrap_or_default();
            let (project, python_dir) = (&self.config.project_dir, &self.config.python_dir);
            let mut new = Crash::new(state, status, project, python_dir);
            generation = new.generation.max(generation);
            new.generation = generation;
            if !self.recover(&new, server.began.elapsed(), &mut signals).await {
                self.clean_up();
                return Ok(0);
            }
            crash = Some(new);
        }
    }

    fn start(&self, listener: &TcpListener, crash: Option<Crash>) -> io::Result<Server> {
        let (control, of_server) = UnixStream::pair()?;
        control.set_nonblocking(true)?;
        let crash_record = CrashRecord::create()?;
        let supervisor = std::process::id();
        let state = HandoverState {
            socket: listener.as_raw_fd(),
            control: of_server.as_raw_fd(),
            crash_record: crash_record.as_raw_fd(),
            inherited: Inherited {
                supervisor,
                token: self.token.clone(),
                mcp_token: self.mcp_token.clone(),
                generation: crash.as_ref().map_or(0, |crash| crash.generation),
                paused: false,
                crash,
            },
        };
        let mut command = invocation::program()?;
        command.args(invocation::arguments());
        state.pass_to(&mut command);
        // SAFETY: between fork and exec it only calls the kernel.
        unsafe {
            command.pre_exec(move || {
                state.make_inheritable();
                end_with_parent(supervisor);
                Ok(())
            });
        }
        Ok(Server {
            process: command.spawn()?,
            control,
            crash_record,
            began: Instant::now(),
            is_listening: false,
            is_ending: false,
            is_suspending: false,
        })
    }

    /// Waits for the end of the server process; forwards signals meanwhile.
    async fn watch(
        &mut self,
        server: &mut Server,
        signals: &mut Signals,
    ) -> io::Result<ExitStatus> {
        let control = tokio::net::UnixStream::from_std(server.control.try_clone()?)?;
        let mut is_open = true;
        loop {
            if let Some(status) = server.process.try_wait()? {
                return Ok(status);
            }
            tokio::select! {
                _ = signals.child.recv() => server.on_child_change(),
                signal = signals.stop.next() => self.forward(server, signal),
                _ = signals.suspend.recv() => {
                    server.is_suspending = true;
                    server.signal(libc::SIGTSTP);
                }
                _ = control.readable(), if is_open => {
                    let mut byte = [0];
                    match control.try_read(&mut byte) {
                        Ok(0) => is_open = false,
                        Ok(_) => server.on_message(byte[0]),
                        Err(_) => {}
                    }
                    if server.is_ending {
                        self.listener = None; // new connections are refused
                    }
                }
            }
        }
    }

    /// Passes a signal on; the third one ends the server process.
    fn forward(&mut self, server: &mut Server, signal: StopSignal) {
        self.stops += 1;
        let (message, number) = match signal {
            StopSignal::Interrupt => (INTERRUPT, libc::SIGINT),
            StopSignal::Terminate => (TERMINATE, libc::SIGTERM),
        };
        if self.stops >= 3 {
            let _ = server.process.kill();
            return;
        }
        server.send(message); // a signal that comes both ways counts once
        if !server.is_listening {
            server.signal(number);
        }
    }

    /// Reports a crash, and waits before the next start if it is not the first in a row. Returns
    /// false if a signal ended the wait.
    async fn recover(&mut self, crash: &Crash, ran: Duration, signals: &mut Signals) -> bool {
        if let Some(terminal) = &self.terminal {
            terminal.restore_after_crash();
        }
        // Before the report: a save that follows it must end the wait.
        match &self.saves {
            Some(saves) => saves.clear(),
            None => self.saves = SaveWatch::start(&self.config.python_dir).ok().map(Arc::new),
        }
        self.crashes = if ran >= CALM { 1 } else { self.crashes + 1 };
        let delay = delay_after(self.crashes, self.restart_delay);
        let sign = style("✖").red().for_stderr();
        let mut text = format!("\n  {sign} {}\n", escape(&crash.headline()));
        text += &traceback::render(&crash.traceback);
        let restart = style("↻").green().for_stderr();
        text += &match delay {
            Duration::ZERO => format!("  {restart} starting again; connections wait\n"),
            _ => format!(
                "  {restart} {} crashes in a row: starting again in {} s, or on the next save\n",
                self.crashes,
                delay.as_secs()
            ),
        };
        print_stderr(&text);
        if delay.is_zero() {
            return true;
        }
        let waiting = self.wait(delay);
        tokio::select! {
            was_saved = waiting => {
                if was_saved {
                    self.crashes = 0;
                }
                true
            }
            _ = signals.stop.next() => false,
        }
    }

    /// Waits for a save since the crash, at most for `delay`; returns whether there was one.
    fn wait(&self, delay: Duration) -> impl Future<Output = bool> + use<> {
        let saves = self.saves.clone();
        async move {
            let Some(saves) = saves else {
                tokio::time::sleep(delay).await;
                return false;
            };
            tokio::task::spawn_blocking(move || saves.wait(delay)).await.unwrap_or(false)
        }
    }

    /// Removes what a process that was killed has left.
    fn clean_up(&self) {
        remove_dev_file(&self.config.project_dir, std::process::id());
        if let Some(terminal) = &self.terminal {
            terminal.restore_after_crash();
        }
    }
}

impl Server {
    fn on_message(&mut self, message: u8) {
        match message {
            LISTENING => self.is_listening = true,
            ENDING => self.is_ending = true,
            _ => {}
        }
    }

    /// Reads the messages that have arrived.
    fn receive(&mut self) {
        let mut byte = [0];
        while io::Read::read(&mut self.control, &mut byte).is_ok_and(|count| count == 1) {
            self.on_message(byte[0]);
        }
    }

    /// Stops this process too once the server process has stopped; then both continue.
    fn on_child_change(&mut self) {
        if !self.is_suspending || !self.has_stopped() {
            return;
        }
        self.is_suspending = false;
        // SAFETY: a signal to the own thread; it stops the process before the call returns.
        unsafe { libc::raise(libc::SIGSTOP) };
        self.signal(libc::SIGCONT);
    }

    fn has_stopped(&self) -> bool {
        // SAFETY: all zeroes is valid, and the kernel fills it; `WNOWAIT` changes no state.
        unsafe {
            let mut info = std::mem::zeroed::<libc::siginfo_t>();
            let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
            let outcome = libc::waitid(libc::P_PID, self.process.id(), &raw mut info, options);
            outcome == 0 && info.si_signo == libc::SIGCHLD
        }
    }

    fn send(&mut self, message: u8) {
        let _ = io::Write::write_all(&mut self.control, &[message]);
    }

    fn signal(&self, signal: i32) {
        if let Ok(pid) = libc::pid_t::try_from(self.process.id()) {
            // SAFETY: a signal to our own child, which has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
    }
}

/// The wait before the next start, after so many crashes in a row.
pub(super) fn delay_after(crashes: u32, second: Duration) -> Duration {
    match crashes {
        0 | 1 => Duration::ZERO,
        more => (second * (1 << (more - 2).min(5))).min(MAX_DELAY.max(second)),
    }
}

/// The exit code that a shell reports for it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_are_slower() {
        let delays: Vec<u64> =
            (1..=8).map(|crashes| delay_after(crashes, Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 30, 30]);
    }
}
