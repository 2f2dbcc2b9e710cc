//! The signals that stop a server.
//!
//! They reach the process from the system, and in `snaxum dev` also from the parent process. Ctrl-C
//! in a terminal does both, and so does the end of the terminal; it counts once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl StopSignal {
    /// The exit code of a process that this signal ends at once.
    pub fn exit_code(self) -> i32 {
        128 + match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
        }
    }
}

/// The number of signals that came one way.
#[derive(Debug, Default)]
struct ReceivedSignals {
    interrupts: u32,
    terminates: u32,
}

impl ReceivedSignals {
    fn of(&mut self, signal: StopSignal) -> &mut u32 {
        match signal {
            StopSignal::Interrupt => &mut self.interrupts,
            StopSignal::Terminate => &mut self.terminates,
        }
    }
}

/// SIGINT and SIGTERM, received by Rust.
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// SIGHUP, if it counts as SIGTERM.
    hangup: Option<Signal>,
    forwarded: Option<mpsc::UnboundedReceiver<StopSignal>>,
    direct_count: ReceivedSignals,
    forwarded_count: ReceivedSignals,
}

impl StopSignals {
    /// Registers both. Call it before Python starts, which handles SIGINT if it has no handler yet.
    ///
    /// # Errors
    ///
    /// The system rejects a handler. Needs a tokio runtime.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: None,
            forwarded: None,
            direct_count: ReceivedSignals::default(),
            forwarded_count: ReceivedSignals::default(),
        })
    }

    /// Also takes SIGHUP for SIGTERM, as a terminal sends it that is closed; not if the process was started to
    /// ignore it, as by `nohup`.
    ///
    /// # Errors
    ///
    /// The system rejects a handler.
    pub fn with_hangup(mut self) -> io::Result<Self> {
        if !is_ignored(libc::SIGHUP) {
            self.hangup = Some(signal(SignalKind::hangup())?);
        }
        Ok(self)
    }

    /// Also receives the signals that another process forwards.
    #[must_use]
    pub fn forwarded_by(mut self, signals: mpsc::UnboundedReceiver<StopSignal>) -> Self {
        self.forwarded = Some(signals);
        self
    }

    /// Waits for the next signal. A signal that comes both ways counts once.
    pub async fn next(&mut self) -> StopSignal {
        loop {
            let (signal, is_direct) = self.receive().await;
            let (way, other) = match is_direct {
                true => (&mut self.direct_count, &mut self.forwarded_count),
                false => (&mut self.forwarded_count, &mut self.direct_count),
            };
            *way.of(signal) += 1;
            if *way.of(signal) > *other.of(signal) {
                return signal;
            }
        }
    }

    async fn receive(&mut self) -> (StopSignal, bool) {
        let forwarded = async {
            match &mut self.forwarded {
                Some(forwarded) => match forwarded.recv().await {
                    Some(signal) => signal,
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => (StopSignal::Interrupt, true),
            _ = self.terminate.recv() => (StopSignal::Terminate, true),
            _ = hangup => (StopSignal::Terminate, true),
            signal = forwarded => (signal, false),
        }
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: reads the disposition of a signal into a value of our own, for which all zeroes is valid.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        let outcome = libc::sigaction(signal, std::ptr::null(), &raw mut action);
        outcome == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_signal_that_comes_both_ways_counts_once() {
        let (forward, forwarded) = mpsc::unbounded_channel();
        let mut signals = StopSignals::register().expect("a runtime").forwarded_by(forwarded);
        let raise = || {
            // SAFETY: the signal has a handler, registered above.
            unsafe { libc::raise(libc::SIGTERM) };
        };
        raise();
        assert_eq!(signals.next().await, StopSignal::Terminate);
        forward.send(StopSignal::Terminate).expect("it is received");
        assert_eq!(signals.next().now_or_never(), None);
        forward.send(StopSignal::Terminate).expect("it is received");
        assert_eq!(signals.next().await, StopSignal::Terminate);
        raise();
        forward.send(StopSignal::Interrupt).expect("it is received");
        assert_eq!(signals.next().await, StopSignal::Interrupt);
    }
}
