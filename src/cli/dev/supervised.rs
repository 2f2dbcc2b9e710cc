//! The server process's connection to its supervisor.
//!
//! One byte is one message. The supervisor forwards signals; the server reports that it receives
//! them, and that it ends on purpose: every other end is a crash.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use snaxum::server::{StopSignal, StopSignals};
use tokio::sync::mpsc;

use crate::cli::exit::BEFORE_EXIT;

/// To the supervisor: forward signals by message from now on.
pub(super) const LISTENING: u8 = b'L';
/// To the supervisor: this process ends on purpose.
pub(super) const ENDING: u8 = b'E';
/// To the server: SIGINT.
pub(super) const INTERRUPT: u8 = b'I';
/// To the server: SIGTERM.
pub(super) const TERMINATE: u8 = b'T';

/// The connection of this process, if it has a supervisor.
static CONTROL: OnceLock<UnixStream> = OnceLock::new();

/// Reports that this process ends on purpose.
pub(super) fn before_exit() {
    if let Some(mut control) = CONTROL.get() {
        let _ = control.write_all(&[ENDING]);
    }
}

/// Makes `control` the connection of this process.
pub(super) fn set_control(control: &UnixStream) -> io::Result<()> {
    let _ = CONTROL.set(control.try_clone()?);
    let _ = BEFORE_EXIT.set(before_exit);
    Ok(())
}

/// Receives the signals that the supervisor forwards too. Must be called within the async runtime.
pub(super) fn connect(control: &UnixStream, signals: StopSignals) -> io::Result<StopSignals> {
    let receiver = control.try_clone()?;
    receiver.set_nonblocking(true)?;
    let receiver = tokio::net::UnixStream::from_std(receiver)?;
    let mut sender = control;
    sender.write_all(&[LISTENING])?;
    let (forward, forwarded) = mpsc::unbounded_channel();
    tokio::spawn(receive(receiver, forward));
    Ok(signals.forwarded_by(forwarded))
}

/// Forwards signals; ends this process if the supervisor has ended.
async fn receive(control: tokio::net::UnixStream, forward: mpsc::UnboundedSender<StopSignal>) {
    let mut bytes = [0; 16];
    while control.readable().await.is_ok() {
        match control.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                for byte in &bytes[..count] {
                    let signal = match *byte {
                        INTERRUPT => StopSignal::Interrupt,
                        TERMINATE => StopSignal::Terminate,
                        _ => continue,
                    };
                    let _ = forward.send(signal); // an error: the server has stopped
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    // The supervisor has ended: no other process stops or starts this one.
    std::process::exit(1);
}
