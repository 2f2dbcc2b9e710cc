//! The parent of a production server: has the listening socket, and the lives of the processes.
//!
//! Runs no user code and no Python. Starts a process for each seat, replaces a process that ends, hangs
//! or has served long enough (`seats.rs`), and all of them by new code (`deploy.rs`). The socket outlives
//! them: clients wait in its queue, and none is refused.

use std::collections::VecDeque;
use std::future;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use snaxum::config::SnaxumConfig;
use snaxum::error::Error;
use snaxum::server::{self, Listener, LoadTable, Passage, StopSignal, StopSignals, Turns};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

use super::commands::{CommandSocket, Outcome, ReloadRequest};
use super::measurements::ProcessMetrics;
use super::process::{self, ProcessMessage, ProcessMessages, Role, ServingProcess, Shared, Stage};
use super::protocol::{Order, Report};
use crate::cli::operations::{MetricsAddress, announce};
use crate::cli::options::ProjectArgs;
use crate::cli::render::color::print_error;
use crate::cli::{log, project};

/// How often the processes are asked for a sign of life.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Serves until a signal.
pub(super) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    let (_, builder, _) = project::read_quietly(args)?; // the first process prints the warnings
    let config = builder.build()?;
    log::start_as("info", config.log_format);
    let io = |source| Error::io("cannot start the processes of the server")(source);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let code = tokio.block_on(async {
        let signals = ParentSignals::register().map_err(io)?;
        let (command_sender, commands) = mpsc::channel(1);
        let listener = Listener::open(&config)?;
        let socket = CommandSocket::open(&config.project_dir, command_sender)?;
        let (sender, messages) = mpsc::unbounded_channel();
        let sum = config.metrics.map(|_| ProcessMetrics::new());
        let address = MetricsAddress::bind(&config).await?;
        let metrics = address.zip(sum.clone()).map(|(address, sum)| {
            let metrics = address.serve(sum, &config.project_dir);
            announce(config.log_format, &format!("metrics on {}/metrics", metrics.url));
            metrics
        });
        let parent = Parent::new(config, listener, sender, sum).map_err(io)?;
        let code = parent.run(signals, messages, commands).await.map_err(io)?;
        drop((socket, metrics));
        Ok(code)
    })?;
    log::finish();
    // A process that it has started may have its output still open.
    std::process::exit(code)
}

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

/// The place of one process that serves, and of its replacements.
#[derive(Default)]
pub(super) struct Seat {
    /// The process that serves, or did.
    pub(super) serving: Option<u64>,
    /// Its replacement.
    pub(super) next: Option<u64>,
    /// The unexpected ends in a row.
    pub(super) failures: u32,
    /// When to start a process after such an end.
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
    /// Where the outcome is awaited.
    pub(super) replies: Vec<oneshot::Sender<Outcome>>,
}

pub(super) struct Parent {
    pub(super) config: SnaxumConfig,
    /// `None` once the server stops.
    pub(super) shared: Option<Shared>,
    pub(super) table: LoadTable,
    metrics: Option<ProcessMetrics>,
    address: String,
    pub(super) processes: Vec<ServingProcess>,
    pub(super) seats: Vec<Seat>,
    /// The process that has loaded the serving generation and forks the others, if they share memory.
    pub(super) preloader: Option<u64>,
    pub(super) deploy: Option<Deploy>,
    /// The reload that begins after the one under way.
    pub(super) next_deploy: Option<Deploy>,
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
    had_terminal: bool,
}

impl Parent {
    fn new(
        config: SnaxumConfig,
        listener: Listener,
        messages: ProcessMessages,
        metrics: Option<ProcessMetrics>,
    ) -> io::Result<Self> {
        let count = config.process_count();
        let address = listener.address()?.to_string();
        // Room for processes that drain.
        let table_file = LoadTable::create(4 * count + 8)?;
        let table = LoadTable::open(&table_file)?;
        let (passage, bell) = (Passage::new()?, Turns::new_bell());
        Ok(Self {
            shared: Some(Shared {
                listener,
                table: table_file,
                passage,
                bell,
                metrics: metrics.clone(),
            }),
            metrics,
            table,
            address,
            processes: Vec::new(),
            seats: (0..count).map(|_| Seat::default()).collect(),
            preloader: None,
            deploy: None,
            next_deploy: None,
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
    async fn run(
        mut self,
        mut signals: ParentSignals,
        mut messages: mpsc::UnboundedReceiver<(u64, ProcessMessage)>,
        mut commands: mpsc::Receiver<ReloadRequest>,
    ) -> io::Result<i32> {
        server::raise_fd_limit();
        let mut tick: Interval = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.preloader = self.start_preloader(self.generation);
        if self.preloader.is_none() {
            self.start_first()?;
        }
        loop {
            let restart = self.seats.iter().filter_map(|seat| seat.restart).min();
            tokio::select! {
                _ = signals.child.recv() => process::reap(&mut self.processes),
                Some((id, message)) = messages.recv() => self.on_message(id, message),
                signal = signals.stop.next() => self.stop(signal),
                _ = signals.reload.recv() => self.on_hangup(),
                _ = signals.reopen.recv() => self.reopen_logs(),
                Some(ReloadRequest(reply)) = commands.recv() => self.request_deploy(Some(reply)),
                _ = tick.tick() => self.tick(),
                () = until(restart) => self.restart_due(),
            }
            self.end_live_deploy();
            if self.processes.is_empty() && (self.stops > 0 || self.code != 0) {
                return Ok(self.code);
            }
        }
    }

    pub(super) fn process(&mut self, id: u64) -> Option<&mut ServingProcess> {
        self.processes.iter_mut().find(|process| process.id == id)
    }

    fn on_message(&mut self, id: u64, message: ProcessMessage) {
        match message {
            ProcessMessage::Ended => self.on_end(id),
            ProcessMessage::Report(report) => self.on_report(id, report),
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

fn has_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdin())
}
