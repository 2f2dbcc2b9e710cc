//! The metrics of the processes, summed in their parent.
//!
//! Each process has a pair of sockets for them. The parent asks by a line, each second and for each
//! client of the metrics address; the process responds with a line of JSON, and sends a last one at its
//! end, so that counters do not go back when it is replaced.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use snaxum::python_runtime::PythonRuntime;
use snaxum::sync::{Arc, Mutex, OnceLock};
use snaxum::telemetry::{MetricsSource, Readiness, Snapshot};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;

/// How often each process is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a client waits for processes that do not respond; their last values count then.
const TIMEOUT: Duration = Duration::from_secs(2);
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
    /// By the ids of the processes.
    live: Vec<(u64, Measured)>,
    /// The counters of processes that have ended.
    past: Snapshot,
    is_stopping: bool,
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
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixStream::from_std(socket)?;
        self.state.lock().live.push((id, Measured::default()));
        let (receiver, mut sender) = socket.into_split();
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
            let mut lines = BufReader::new(receiver).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(measured) = serde_json::from_str(&line) {
                    metrics.update(id, Some(measured));
                }
            }
            asking.abort();
            metrics.update(id, None);
        });
        Ok(of_process)
    }

    /// The server begins to stop.
    pub(super) fn stop(&self) {
        self.state.lock().is_stopping = true;
    }

    fn update(&self, id: u64, measured: Option<Measured>) {
        let SumState { live, past, .. } = &mut *self.state.lock();
        if let Some(index) = live.iter().position(|(each, _)| *each == id) {
            match measured {
                Some(measured) => live[index].1 = measured,
                None => past.merge(&live.remove(index).1.snapshot.into_past()),
            }
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
        let is_behind = || self.state.lock().live.iter().any(|(_, it)| it.round < round);
        let waiting = async { while is_behind() && responses.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(TIMEOUT, waiting).await;
    }
}

impl MetricsSource for ProcessMetrics {
    async fn snapshot(&self) -> Snapshot {
        self.ask().await;
        let state = self.state.lock();
        let mut sum = Snapshot::default();
        for (_, measured) in &state.live {
            sum.merge(&measured.snapshot);
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
        for found in state.live.iter().filter_map(|(_, measured)| measured.reasons.as_ref()) {
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
