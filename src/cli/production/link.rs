//! The connection of a process that serves to its parent.
//!
//! Receives orders and responds to pings. The end of the parent, of any kind, ends this process too: it
//! stops as on SIGTERM.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use snaxum::python_runtime::PythonRuntime;
use snaxum::server::{StopSignal, StopSignals};
use snaxum::sync::Mutex;
use snaxum::telemetry::reopen_logs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::protocol::{Order, Report, to_line};
use crate::cli::exit::BEFORE_EXIT;

/// The connection of this process.
static CONTROL: OnceLock<Mutex<UnixStream>> = OnceLock::new();
/// How long a report waits for a parent that does not read.
const SEND_TIMEOUT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The orders that a process waits for.
#[derive(Clone, Default)]
pub(super) struct Orders {
    pub(super) serve: CancellationToken,
    pub(super) drain: CancellationToken,
    /// Set once the code is loaded.
    runtime: Arc<OnceLock<Arc<PythonRuntime>>>,
}

/// Makes `control` the connection of this process.
pub(super) fn set(control: &UnixStream) -> io::Result<()> {
    control.set_nonblocking(true)?; // a parent that hangs delays nothing
    let _ = CONTROL.set(Mutex::new(control.try_clone()?));
    let _ = BEFORE_EXIT.set(|| send(&Report::Ending));
    Ok(())
}

/// Sends a report to the parent.
pub(super) fn send(report: &Report) {
    if let Some(control) = CONTROL.get() {
        let _ = write(&mut control.lock(), &to_line(report)); // an error: it has ended
    }
}

fn write(control: &mut UnixStream, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match control.write(line) {
            Ok(count) => line = &line[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut room = [PollFd::new(&*control, PollFlags::OUT)];
                if poll(&mut room, Some(&SEND_TIMEOUT))? == 0 {
                    // Half of a line would join the next one.
                    return control.shutdown(Shutdown::Both);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives orders from now on; signals come from the parent too. Needs the async runtime.
pub(super) fn connect(
    control: UnixStream,
    signals: StopSignals,
) -> io::Result<(StopSignals, Orders)> {
    let control = tokio::net::UnixStream::from_std(control)?;
    let (forward, forwarded) = mpsc::unbounded_channel();
    let orders = Orders::default();
    tokio::spawn(receive(control, forward, orders.clone()));
    Ok((signals.forwarded_by(forwarded), orders))
}

impl Orders {
    /// Also tests from now on whether Python responds.
    pub(super) fn watch(&self, runtime: &Arc<PythonRuntime>) {
        let _ = self.runtime.set(Arc::clone(runtime));
    }
}

async fn receive(
    control: tokio::net::UnixStream,
    forward: mpsc::UnboundedSender<StopSignal>,
    orders: Orders,
) {
    let mut lines = BufReader::new(control).lines();
    let mut pulse = Pulse::default();
    let mut is_stopping = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let stop = match serde_json::from_str(&line) {
            Ok(Order::ReopenLogs) => {
                reopen_logs();
                continue;
            }
            Ok(Order::Interrupt) => StopSignal::Interrupt,
            Ok(Order::Terminate) => StopSignal::Terminate,
            Ok(Order::Serve) => {
                orders.serve.cancel();
                continue;
            }
            Ok(Order::Drain) => {
                orders.drain.cancel();
                continue;
            }
            Ok(Order::Ping) => {
                let silent = pulse.beat(orders.runtime.get());
                send(&Report::Alive { silent });
                continue;
            }
            Err(error) => {
                tracing::error!("unknown order of the parent process: {error}");
                continue;
            }
        };
        is_stopping = true;
        let _ = forward.send(stop); // an error: the server has stopped
    }
    if !is_stopping && !orders.drain.is_cancelled() {
        tracing::error!("the parent process has ended; stopping");
        let _ = forward.send(StopSignal::Terminate);
    }
}

/// Tests whether Python responds: one test at a time.
#[derive(Default)]
struct Pulse {
    /// The pings since the test began; 0 if there is none.
    silent: Arc<AtomicU32>,
}

impl Pulse {
    /// Returns the pings that the current test has not responded to.
    fn beat(&mut self, runtime: Option<&Arc<PythonRuntime>>) -> u32 {
        let Some(runtime) = runtime else { return 0 };
        let silent = self.silent.fetch_add(1, Ordering::Relaxed);
        if silent == 0 {
            let (runtime, silent) = (Arc::clone(runtime), Arc::clone(&self.silent));
            tokio::spawn(async move {
                runtime.responds().await;
                silent.store(0, Ordering::Relaxed);
            });
        }
        silent
    }
}
