//! An upgrade: a deploy after which the parent is the program on disk, too, in the same process.
//!
//! The sockets, the processes that serve and the counters stay. First a trial checks whether the program
//! can replace the parent's; if not, the deploy is rejected, and nothing has changed. Then its processes serve,
//! and have shown that it works, before it replaces the parent. A program with other messages than the parent
//! replaces it first, and the deploy follows: a process joins only a parent of its own version.

use std::time::Duration;

use super::commands::CommandSocket;
use super::parent::{Inputs, Parent, Upgrade};
use super::protocol::{TrialOutcome, protocol};
use super::reports::ProcessMessage;
use super::succession::{self, ProgramTrial};
use crate::cli::render::color::escape_lines;
use crate::cli::{invocation, log, signal_mask};

/// Nothing has happened for this long before the parent is replaced: each event that the kernel has had been
/// acted on.
const REST: Duration = Duration::from_millis(2);
/// The most events that are acted on in the hope of such a rest.
const MAX_EVENTS: usize = 100;

impl Parent {
    /// Whether a deploy must wait for an upgrade; begins one if the program on disk is another one.
    pub(super) fn begins_upgrade(&mut self) -> bool {
        match self.upgrade {
            Upgrade::None if invocation::is_replaced() => self.try_program(Upgrade::Trying),
            Upgrade::None | Upgrade::Deploying => return false,
            Upgrade::Trying | Upgrade::Confirming | Upgrade::Ready => {}
        }
        true
    }

    /// Continues the upgrade after its deploy.
    pub(super) fn continue_upgrade(&mut self, is_live: bool) {
        if self.upgrade == Upgrade::Deploying {
            self.upgrade = Upgrade::None;
            if is_live {
                self.try_program(Upgrade::Confirming);
            }
        }
    }

    /// Starts a trial of the program on disk.
    fn try_program(&mut self, upgrade: Upgrade) {
        let Some(state) = self.leave() else { return };
        self.upgrade = upgrade;
        let (trial, messages) = (ProgramTrial::start(&state), self.messages.clone());
        tokio::spawn(async move {
            let outcome = match trial {
                Ok(trial) => trial.outcome().await,
                Err(error) => Err(error.to_string()),
            };
            let _ = messages.send((0, ProcessMessage::Tried(outcome))); // an error: the server has ended
        });
    }

    /// Takes note of the outcome of a trial.
    pub(super) fn on_tried(&mut self, outcome: TrialOutcome) {
        match (std::mem::take(&mut self.upgrade), outcome) {
            _ if self.stops > 0 => {}
            (Upgrade::Trying, Ok(successor)) if successor.protocol == protocol() => {
                self.upgrade = Upgrade::Deploying;
                self.start_next_deploy();
            }
            (_, Ok(_)) => self.upgrade = Upgrade::Ready,
            (_, Err(why)) => self.reject_program(&why),
        }
    }

    /// Ends the upgrade: this program is still the parent.
    fn reject_program(&mut self, why: &str) {
        self.upgrade = Upgrade::None;
        let text = format!("the new program cannot replace the parent: {why}");
        tracing::error!("{}", escape_lines(&text));
        self.reject_next_deploy(&text);
    }

    /// Replaces this program, if everything that has happened has been acted on; returns if that is not so, or
    /// on an error.
    pub(super) async fn hand_over(&mut self, inputs: &mut Inputs) {
        if let Some(server) = &mut self.metrics_server {
            server.pause().await;
        }
        signal_mask::block(); // from here on signals wait for the next program
        tokio::task::yield_now().await; // the async runtime reads signals that arrived before
        let mut has_rested = false;
        for _ in 0..MAX_EVENTS {
            has_rested = !self.act_on_event(inputs, Some(REST)).await;
            if has_rested {
                break;
            }
        }
        let is_ready = has_rested && self.is_at_rest(inputs);
        let failed = is_ready.then(|| self.leave()).flatten().map(|state| {
            log::finish();
            succession::exec(&state)
        });
        signal_mask::unblock();
        if let Some(error) = failed {
            self.reject_program(&error.to_string());
        }
        if let Some((server, metrics)) = self.metrics_server.as_mut().zip(self.metrics.clone())
            && let Err(error) = server.resume(metrics)
        {
            tracing::error!("cannot serve the metrics: {error}");
        }
    }

    fn is_at_rest(&self, inputs: &Inputs) -> bool {
        self.upgrade == Upgrade::Ready
            && self.stops == 0
            && self.code == 0
            && self.deploy.is_none()
            && inputs.are_empty()
            && !self.commands.as_ref().is_some_and(CommandSocket::is_busy)
            && self.processes.iter().all(|process| process.status.is_none())
    }
}
