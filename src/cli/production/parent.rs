//! The parent of a production server: has the listening socket, and the lives of the processes.
//!
//! Runs no user code and no Python. Starts a process for each seat, replaces a process that ends, hangs
//! or has served long enough (`seats.rs`), and all of them by new code (`deploy.rs`). The socket outlives
//! them: clients wait in its queue, and none is refused.

use std::collections::VecDeque;
use std::fs::File;
use std::future;
use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use snaxum::config::SnaxumConfig;
use snaxum::server::{self, LoadTable, StopSignal, StopSignals};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::age;
use super::commands::{CommandSocket, ReloadClient};
use super::first_process;
use super::measurements::ProcessMetrics;
use super::process::{self, Role, ServingProcess, Shared, Stage};
use super::protocol::{Order, Report};
use super::reports::{ProcessMessage, ProcessMessages};
use crate::cli::operations::{MetricsServer, announce};
use crate::cli::render::color::print_error;

/// How often the processes are asked for a sign of life.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// The signals of the parent.
struct ParentSignals {
    stop: StopSignals,
    reload: Signal,
    reopen: Signal,
    child: Signal,
}

impl ParentSignals {
    fn register() -> io::Result<Self> {
        Ok(Self {
            stop: StopSignals::register()?,
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            child: signal(SignalKind::child())?,
        })
    }
}

/// The sources of events.
pub(super) struct Inputs {
    signals: ParentSignals,
    messages: mpsc::UnboundedReceiver<(u64, ProcessMessage)>,
    commands: mpsc::Receiver<ReloadClient>,
    tick: Interval,
}

impl Inputs {
    /// Receives signals from now on. Needs the async runtime.
    pub(super) fn register(
        messages: mpsc::UnboundedReceiver<(u64, ProcessMessage)>,
        commands: mpsc::Receiver<ReloadClient>,
    ) -> io::Result<Self> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { signals: ParentSignals::register()?, messages, commands, tick })
    }

    /// Whether nothing waits that this process has received.
    pub(super) fn are_empty(&self) -> bool {
        self.messages.is_empty() && self.commands.is_empty()
    }
}

/// The place of one process that serves, and of its replacements.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Seat {
    /// The process that serves, or did.
    pub(super) serving: Option<u64>,
    /// Its replacement.
    pub(super) next: Option<u64>,
    /// The unexpected ends in a row.
    pub(super) failures: u32,
    /// When to start a process after such an end.
    #[serde(
        serialize_with = "age::serialize_option",
        deserialize_with = "age::deserialize_option"
    )]
    pub(super) restart: Option<Instant>,
}

/// A reload of the code.
#[derive(Default)]
pub(super) struct Deploy {
    /// The process that forks the new ones, if they share memory.
    pub(super) preloader: Option<u64>,
    /// The new processes, by seat.
    pub(super) candidates: Vec<u64>,
    /// The processes that they replace, once they serve.
    pub(super) replaced: Option<Vec<u64>>,
    /// They await the outcome.
    pub(super) clients: Vec<ReloadClient>,
}

/// How far the replacement of the parent's program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Upgrade {
    #[default]
    None,
    /// A trial of it runs, and a deploy waits for the outcome.
    Trying,
    /// It can replace the parent, and its processes are to serve first.
    Deploying,
    /// They do, and another trial runs.
    Confirming,
    /// It is to replace the parent now.
    Ready,
}

pub(super) struct Parent {
    pub(super) config: SnaxumConfig,
    /// `None` once the server stops.
    pub(super) shared: Option<Shared>,
    pub(super) table: LoadTable,
    pub(super) metrics: Option<ProcessMetrics>,
    pub(super) metrics_server: Option<MetricsServer>,
    /// `None` if the directory of the project cannot be written to.
    pub(super) commands: Option<CommandSocket>,
    address: String,
    pub(super) processes: Vec<ServingProcess>,
    pub(super) seats: Vec<Seat>,
    /// The process that has loaded the serving generation and forks the others, if they share memory.
    pub(super) preloader: Option<u64>,
    pub(super) deploy: Option<Deploy>,
    /// The reload that begins after the one under way.
    pub(super) next_deploy: Option<Deploy>,
    pub(super) upgrade: Upgrade,
    /// The seats whose process is to be replaced, one after the other.
    pub(super) worn: VecDeque<usize>,
    /// The generation that serves.
    pub(super) generation: u64,
    pub(super) last_id: u64,
    pub(super) messages: ProcessMessages,
    /// Whether the server has started although some modules do not load.
    pub(super) is_incomplete: bool,
    /// Whether all processes have served.
    pub(super) is_started: bool,
    /// The signals that asked for an end.
    pub(super) stops: u32,
    /// The exit code, if it is not 0.
    pub(super) code: i32,
    /// Whether stdin was a terminal at the start.
    pub(super) had_terminal: bool,
}

impl Parent {
    pub(super) fn new(
        config: SnaxumConfig,
        shared: Shared,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        Ok(Self {
            metrics: shared.metrics.clone(),
            metrics_server: None,
            commands: None,
            table: LoadTable::open(&shared.table)?,
            address: shared.listener.address()?.to_string(),
            shared: Some(shared),
            processes: Vec::new(),
            seats: (0..config.process_count()).map(|_| Seat::default()).collect(),
            preloader: None,
            deploy: None,
            next_deploy: None,
            upgrade: Upgrade::None,
            worn: VecDeque::new(),
            generation: 1,
            last_id: 0,
            messages,
            is_incomplete: false,
            is_started: false,
            stops: 0,
            code: 0,
            had_terminal: has_terminal(),
            config,
        })
    }

    /// Returns the exit code.
    pub(super) async fn run(mut self, mut inputs: Inputs) -> io::Result<i32> {
        server::raise_fd_limit();
        if self.is_started {
            let (version, generation) = (env!("CARGO_PKG_VERSION"), self.generation);
            tracing::info!(
                "the parent is the program on disk now, snaxum {version}; version {generation} of the code serves"
            );
            process::reap(&mut self.processes); // no signal has reported an end before
            self.start_next_deploy();
        } else {
            self.preloader = self.start_preloader(self.generation);
            if self.preloader.is_none() {
                self.start_first()?;
            }
            first_process::dismiss();
        }
        loop {
            self.act_on_event(&mut inputs, None).await;
            if self.upgrade == Upgrade::Ready && self.stops == 0 && self.code == 0 {
                self.hand_over(&mut inputs).await;
            }
            if self.processes.is_empty() && (self.stops > 0 || self.code != 0) {
                return Ok(self.code);
            }
        }
    }

    /// Acts on the next event; returns false if there is none within a time.
    pub(super) async fn act_on_event(
        &mut self,
        inputs: &mut Inputs,
        within: Option<Duration>,
    ) -> bool {
        let Inputs { signals, messages, commands, tick } = inputs;
        let restart = self.seats.iter().filter_map(|seat| seat.restart).min();
        let end = within.map(|time| Instant::now() + time);
        tokio::select! {
            biased; // the time is over only if nothing has happened
            _ = signals.child.recv() => process::reap(&mut self.processes),
            signal = signals.stop.next() => self.stop(signal),
            Some((id, message)) = messages.recv() => self.on_message(id, message),
            _ = signals.reload.recv() => self.on_hangup(),
            _ = signals.reopen.recv() => self.reopen_logs(),
            Some(client) = commands.recv() => self.request_deploy(Some(client)),
            _ = tick.tick() => self.tick(),
            () = until(restart) => self.restart_due(),
            () = until(end) => return false,
        }
        self.end_live_deploy();
        true
    }

    pub(super) fn process(&mut self, id: u64) -> Option<&mut ServingProcess> {
        self.processes.iter_mut().find(|process| process.id == id)
    }

    fn on_message(&mut self, id: u64, message: ProcessMessage) {
        match message {
            ProcessMessage::Ended => self.on_end(id),
            ProcessMessage::Report(report) => self.on_report(id, report),
            ProcessMessage::Tried(outcome) => self.on_tried(outcome),
        }
    }

    fn on_report(&mut self, id: u64, report: Report) {
        let Some(process) = self.process(id) else { return };
        match report {
            Report::Loaded { is_incomplete } if process.stage == Stage::Loading => {
                process.stage = Stage::Loaded;
                let role = process.role;
                self.is_incomplete |= is_incomplete;
                match role {
                    Role::Preloader => self.on_preloaded(id),
                    _ => self.on_loaded(id),
                }
            }
            Report::HasThreads { names } => self.on_threads(id, &names),
            Report::Loaded { .. } => {}
            Report::Failed { text, code } => {
                process.is_ending = true;
                let is_candidate = process.role == Role::Candidate;
                let is_candidate = is_candidate && process.stage != Stage::Stopping;
                process.failure = Some((text.clone(), code));
                if is_candidate {
                    self.reject_candidates(&text);
                }
            }
            Report::Alive { silent } => (process.unanswered, process.silent) = (0, silent),
            Report::Worn { why } => self.on_worn(id, &why),
            Report::Closing => {
                process.has_left = true;
                // From now on new connections are refused, by this process too. A process that drains
                // has closed for another reason.
                let is_current = self.seats.iter().any(|seat| seat.serving == Some(id));
                if is_current && self.stops > 0 {
                    self.shared = None;
                }
            }
            Report::Ending => process.is_ending = true,
        }
    }

    /// Prints the address once all processes serve.
    pub(super) fn announce(&mut self) {
        self.is_started = true;
        announce(self.config.log_format, &format!("listening on {}", self.address));
    }

    fn reopen_logs(&mut self) {
        self.processes.iter_mut().for_each(|process| process.order(&Order::ReopenLogs));
    }

    /// Passes a signal on; the third one ends the processes.
    fn stop(&mut self, signal: StopSignal) {
        self.stops += 1;
        if let Some(metrics) = &self.metrics {
            metrics.stop();
        }
        let order = match signal {
            StopSignal::Interrupt => Order::Interrupt,
            StopSignal::Terminate => Order::Terminate,
        };
        self.seats.iter_mut().for_each(|seat| seat.restart = None);
        self.reject_deploys("the server stops");
        for process in &mut self.processes {
            if self.stops >= 3 {
                process.kill("the server was asked three times to stop");
            }
            match process.role {
                // It has no requests and no exit functions.
                Role::Preloader => {
                    process.kill("the server stops");
                    process.is_ending = true;
                }
                _ => process.stop(&order),
            }
        }
    }

    /// Loads new code. A terminal that was closed sends the same signal, and ends the server.
    fn on_hangup(&mut self) {
        if self.had_terminal && !has_terminal() {
            self.stop(StopSignal::Terminate);
        } else {
            self.request_deploy(None);
        }
    }

    /// Ends the server before it has served, for this reason.
    pub(super) fn give_up(&mut self, text: &str, code: u8) {
        if self.code == 0 {
            print_error(text);
            self.code = i32::from(code.max(1));
        }
        for process in &mut self.processes {
            process.kill("another process cannot serve");
            process.stage = Stage::Stopping;
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => future::pending().await,
    }
}

/// Creates the table of the loads of so many processes, with room for processes that drain.
pub(super) fn new_table(processes: usize) -> io::Result<File> {
    LoadTable::create(4 * processes + 8)
}

fn has_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdin())
}
