//! The reports of one process, received from its socket.
//!
//! Acts on no report: passes each on as it arrives, and the end of the process after the last one.

use std::io;
use std::os::unix::net::UnixStream;

use snaxum::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

use super::protocol::{Report, TrialOutcome};

/// The bytes of a report that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// A message about a process, or the program of all.
pub(super) enum ProcessMessage {
    Report(Report),
    /// It has ended, and its last report was received.
    Ended,
    /// A trial of the program on disk has ended.
    Tried(TrialOutcome),
}

pub(super) type ProcessMessages = mpsc::UnboundedSender<(u64, ProcessMessage)>;

/// The receiver of the reports of one process.
pub(super) struct Reports {
    /// The start of a report whose end has not arrived.
    rest: Arc<Mutex<Vec<u8>>>,
    /// Ends the task that receives them.
    finish: Option<oneshot::Sender<()>>,
}

impl Reports {
    /// Receives the reports of the process `id` from now on; the first one continues `rest`. Needs the
    /// async runtime.
    pub(super) fn receive(
        id: u64,
        control: &UnixStream,
        rest: Vec<u8>,
        messages: ProcessMessages,
    ) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        let control = tokio::net::UnixStream::from_std(control.try_clone()?)?;
        let rest = Arc::new(Mutex::new(rest));
        let (finish, finished) = oneshot::channel();
        tokio::spawn(receive(id, control, Arc::clone(&rest), messages, finished));
        Ok(Self { rest, finish: Some(finish) })
    }

    /// The process has ended: its last reports have arrived.
    pub(super) fn finish(&mut self) {
        self.finish.take();
    }

    /// The start of a report whose end has not arrived.
    pub(super) fn rest(&self) -> Vec<u8> {
        self.rest.lock().clone()
    }
}

/// Receives until the process has ended and `finished` is closed.
async fn receive(
    id: u64,
    control: tokio::net::UnixStream,
    rest: Arc<Mutex<Vec<u8>>>,
    messages: ProcessMessages,
    mut finished: oneshot::Receiver<()>,
) {
    let mut is_open = true;
    loop {
        let has_ended = tokio::select! {
            ready = control.readable(), if is_open => {
                is_open = ready.is_ok();
                false
            }
            _ = &mut finished => true,
        };
        let mut text = rest.lock();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match control.try_read(&mut bytes) {
                Ok(count @ 1..) => text.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {
                    is_open = false;
                    break;
                }
            }
        }
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(report) => drop(messages.send((id, ProcessMessage::Report(report)))),
                Err(error) => tracing::error!("unknown report of a process: {error}"),
            }
        }
        if has_ended {
            let _ = messages.send((id, ProcessMessage::Ended));
            return;
        }
    }
}
