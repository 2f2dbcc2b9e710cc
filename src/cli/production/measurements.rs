//! The metrics of the processes, summed in their parent.
//!
//! Each process has a pair of sockets for them. The parent asks by a line, each second and for each
//! client of the metrics address; the process responds with a line of JSON, and sends a last one at its
//! end, so that counters do not go back when it is replaced.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use snaxum::python_runtime::PythonRuntime;
use snaxum::sync::{Arc, Mutex, OnceLock};
use snaxum::telemetry::{MetricsSource, Readiness, Snapshot};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;

use crate::cli::descriptors;

/// How often each process is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a client waits for processes that do not respond; their last values count then.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The bytes of a response that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// How long the last line of a process may take.
const LAST_LINE: Duration = Duration::from_secs(1);

/// The state of a process, as it sends it. After an upgrade, its program may be newer than the parent's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Measured {
    /// The number of the question.
    round: u64,
    snapshot: Snapshot,
    /// Why it should get no requests; `None` while it loads.
    reasons: Option<Vec<String>>,
}

/// The sum over the processes, in the parent.
#[derive(Clone)]
pub(super) struct ProcessMetrics {
    state: Arc<Mutex<SumState>>,
    /// The number of the newest question.
    rounds: watch::Sender<u64>,
    /// Changes with each response.
    responses: watch::Sender<()>,
}

#[derive(Default)]
struct SumState {
    live: Vec<MeasuredProcess>,
    /// The counters of processes that have ended.
    past: Snapshot,
    is_stopping: bool,
}

/// A process that is asked.
struct MeasuredProcess {
    id: u64,
    /// Its last response.
    measured: Measured,
    socket: UnixStream,
    /// The start of a response whose end has not arrived.
    rest: Vec<u8>,
}

/// The sum on its way to the next program of this process, which inherits the descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LeftMetrics {
    live: Vec<(u64, Measured, RawFd, Vec<u8>)>,
    past: Snapshot,
    round: u64,
}

impl LeftMetrics {
    /// The descriptors.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.live.iter().map(|(_, _, socket, _)| *socket)
    }

    /// Takes the sum over from the program before. Needs the async runtime.
    ///
    /// # Safety
    ///
    /// The descriptors are open, and nothing else in this process owns them.
    pub(super) unsafe fn take_over(self) -> io::Result<ProcessMetrics> {
        let metrics = ProcessMetrics::new();
        metrics.state.lock().past = self.past;
        metrics.rounds.send_replace(self.round);
        for (id, measured, socket, rest) in self.live {
            // SAFETY: the caller has checked it.
            let socket = UnixStream::from(unsafe { descriptors::take(socket) });
            metrics.ask_from_now_on(MeasuredProcess { id, measured, socket, rest })?;
        }
        Ok(metrics)
    }
}

impl ProcessMetrics {
    pub(super) fn new() -> Self {
        let (rounds, responses) = (watch::Sender::new(0), watch::Sender::new(()));
        Self { state: Arc::default(), rounds, responses }
    }

    /// Asks a process from now on, until it has ended; returns its end of the connection. Needs the
    /// async runtime.
    pub(super) fn add(&self, id: u64) -> io::Result<UnixStream> {
        let (socket, of_process) = UnixStream::pair()?;
        let (measured, rest) = (Measured::default(), Vec::new());
        self.ask_from_now_on(MeasuredProcess { id, measured, socket, rest })?;
        Ok(of_process)
    }

    fn ask_from_now_on(&self, process: MeasuredProcess) -> io::Result<()> {
        process.socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixStream::from_std(process.socket.try_clone()?)?;
        let (mut receiver, mut sender) = socket.into_split();
        let id = process.id;
        self.state.lock().live.push(process);
        let mut rounds = self.rounds.subscribe();
        let asking = tokio::spawn(async move {
            loop {
                let _ = tokio::time::timeout(INTERVAL, rounds.changed()).await;
                let line = format!("{}\n", *rounds.borrow_and_update());
                if sender.write_all(line.as_bytes()).await.is_err() {
                    return; // it has ended
                }
            }
        });
        let metrics = self.clone();
        tokio::spawn(async move {
            let mut bytes = vec![0; READ_BYTES];
            while let Ok(count @ 1..) = receiver.read(&mut bytes).await {
                metrics.receive(id, &bytes[..count]);
            }
            asking.abort();
            metrics.remove(id);
        });
        Ok(())
    }

    /// Leaves the sum to the next program of this process.
    pub(super) fn leave(&self) -> LeftMetrics {
        let state = self.state.lock();
        let leave = |process: &MeasuredProcess| {
            let MeasuredProcess { id, measured, socket, rest } = process;
            (*id, measured.clone(), socket.as_raw_fd(), rest.clone())
        };
        LeftMetrics {
            live: state.live.iter().map(leave).collect(),
            past: state.past.clone(),
            round: *self.rounds.borrow(),
        }
    }

    /// The server begins to stop.
    pub(super) fn stop(&self) {
        self.state.lock().is_stopping = true;
    }

    fn receive(&self, id: u64, bytes: &[u8]) {
        let live = &mut self.state.lock().live;
        let Some(process) = live.iter_mut().find(|process| process.id == id) else { return };
        process.rest.extend_from_slice(bytes);
        while let Some(end) = process.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = process.rest.drain(..=end).collect();
            if let Ok(measured) = serde_json::from_slice(&line) {
                process.measured = measured;
            }
        }
        self.responses.send_replace(());
    }

    fn remove(&self, id: u64) {
        let SumState { live, past, .. } = &mut *self.state.lock();
        if let Some(index) = live.iter().position(|process| process.id == id) {
            past.merge(&live.remove(index).measured.snapshot.into_past());
        }
        self.responses.send_replace(());
    }

    /// Asks all processes, and waits until they have responded.
    async fn ask(&self) {
        let mut responses = self.responses.subscribe();
        let mut round = 0;
        self.rounds.send_modify(|last| {
            *last += 1;
            round = *last;
        });
        let is_behind = || self.state.lock().live.iter().any(|it| it.measured.round < round);
        let waiting = async { while is_behind() && responses.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(TIMEOUT, waiting).await;
    }
}

impl MetricsSource for ProcessMetrics {
    async fn snapshot(&self) -> Snapshot {
        self.ask().await;
        let state = self.state.lock();
        let mut sum = Snapshot::default();
        for process in &state.live {
            sum.merge(&process.measured.snapshot);
        }
        sum.merge(&state.past);
        sum
    }

    /// One process that is ready is enough: it gets the requests.
    async fn readiness(&self) -> Readiness {
        self.ask().await;
        let state = self.state.lock();
        if state.is_stopping {
            return Readiness { reasons: vec!["the server is stopping".to_owned()] };
        }
        let mut reasons = Vec::new();
        for found in state.live.iter().filter_map(|process| process.measured.reasons.as_ref()) {
            if found.is_empty() {
                return Readiness::default();
            }
            for reason in found {
                if !reasons.contains(reason) {
                    reasons.push(reason.clone());
                }
            }
        }
        if reasons.is_empty() {
            reasons.push("the server is starting".to_owned());
        }
        Readiness { reasons }
    }
}

/// The side of a process.
#[derive(Clone)]
pub(super) struct ProcessMeter {
    sender: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    number: u64,
    /// Set once the code is loaded.
    runtime: Arc<OnceLock<Arc<PythonRuntime>>>,
}

impl ProcessMeter {
    /// Responds to the parent from now on, as the process `number`. Needs the async runtime.
    pub(super) fn start(socket: UnixStream, number: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (receiver, sender) = tokio::net::UnixStream::from_std(socket)?.into_split();
        let sender = Arc::new(tokio::sync::Mutex::new(sender));
        let meter = Self { sender, number: number as u64, runtime: Arc::default() };
        let responding = meter.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(receiver).lines();
            // Until the parent has ended.
            while let Ok(Some(round)) = lines.next_line().await {
                responding.send(round.parse().unwrap_or_default()).await;
            }
        });
        Ok(meter)
    }

    /// Measures this runtime from now on.
    pub(super) fn watch(&self, runtime: &Arc<PythonRuntime>) {
        let _ = self.runtime.set(Arc::clone(runtime));
    }

    /// Sends a last line, which has all requests.
    pub(super) async fn finish(&self) {
        let _ = tokio::time::timeout(LAST_LINE, self.send(u64::MAX)).await;
    }

    async fn send(&self, round: u64) {
        // Measured with the lock: a line never follows a newer one.
        let mut sender = self.sender.lock().await;
        let line = self.line(round).await;
        let _ = sender.write_all(&line).await; // an error: the parent has ended
    }

    async fn line(&self, round: u64) -> Vec<u8> {
        let measured = match self.runtime.get() {
            None => Measured { round, ..Measured::default() },
            Some(runtime) => Measured {
                round,
                snapshot: runtime.measure(self.number).await,
                reasons: Some(PythonRuntime::readiness(runtime).reasons),
            },
        };
        let mut line = serde_json::to_vec(&measured).expect("plain data");
        line.push(b'\n');
        line
    }
}
