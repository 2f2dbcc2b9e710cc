//! Requests for a new process, on their way to the program that can start one.
//!
//! A program that embeds Snaxum may not be able to; then each request is refused. Never starts a
//! process itself.

use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot, watch};

use crate::event::Event;
use crate::python_runtime::PythonRuntime;

use crate::dev::protocol::RestartOutcome;

/// The most requests that may wait for the outcome of a trial process.
const MAX_WAITING: usize = 64;

/// A request for a new process. Dropping it refuses it.
#[derive(Debug)]
pub struct RestartRequest {
    /// Why a new process is needed.
    pub reason: String,
    reply: Option<oneshot::Sender<Result<(), String>>>,
    trial: Trial,
}

impl RestartRequest {
    /// Sends the outcome to the client: whether a new process takes over, or why not.
    pub fn respond(self, outcome: Result<(), String>) {
        self.trial.0.send_if_modified(|trials| {
            trials.has_successor |= outcome.is_ok();
            outcome.is_ok()
        });
        if let Some(reply) = self.reply {
            let _ = reply.send(outcome); // an error: the client has disconnected
        }
    }
}

/// The requests without an outcome.
#[derive(Debug, Default)]
struct Trials {
    waiting: usize,
    /// Whether a new process takes over.
    has_successor: bool,
}

/// Counts a request until it is dropped.
#[derive(Debug)]
struct Trial(Arc<watch::Sender<Trials>>);

impl Trial {
    fn new(trials: &Arc<watch::Sender<Trials>>) -> Self {
        trials.send_modify(|trials| trials.waiting += 1);
        Self(Arc::clone(trials))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.send_modify(|trials| trials.waiting -= 1);
    }
}

/// Passes requests to their one receiver.
#[derive(Debug, Default)]
pub(in crate::dev) struct RestartRequests {
    sender: OnceLock<mpsc::Sender<RestartRequest>>,
    trials: Arc<watch::Sender<Trials>>,
}

impl RestartRequests {
    /// Returns the requests of reloads and of clients. A second receiver gets none from clients.
    pub(in crate::dev) fn subscribe(
        &self,
        runtime: &PythonRuntime,
    ) -> mpsc::Receiver<RestartRequest> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let _ = self.sender.set(sender.clone());
        let trials = Arc::clone(&self.trials);
        runtime.events().listen(move |event| {
            if let Event::ReloadEnd(reload) = event
                && reload.report.strategy == "restart"
            {
                let reason = reload.report.reason.clone();
                let request = RestartRequest { reason, reply: None, trial: Trial::new(&trials) };
                let _ = sender.try_send(request); // an error: it is stopping, or enough of them wait
            }
        });
        receiver
    }

    /// Records that a new process takes over.
    pub(in crate::dev) fn has_successor(&self) {
        self.trials.send_modify(|trials| trials.has_successor = true);
    }

    /// Waits until no request is without an outcome. Returns whether a new process takes over.
    pub(in crate::dev) async fn end_of_trials(&self) -> bool {
        let mut trials = self.trials.subscribe();
        let ended = trials.wait_for(|trials| trials.has_successor || trials.waiting == 0).await;
        ended.is_ok_and(|trials| trials.has_successor)
    }

    /// Requests a new process, and waits for the outcome.
    pub(in crate::dev) async fn request(&self, reason: &str) -> RestartOutcome {
        let refused = |why: &str| RestartOutcome { accepted: false, refusal: why.to_owned() };
        let Some(sender) = self.sender.get() else {
            return refused("this server cannot restart itself; restart it manually");
        };
        let (reply, outcome) = oneshot::channel();
        let request = RestartRequest {
            reason: reason.to_owned(),
            reply: Some(reply),
            trial: Trial::new(&self.trials),
        };
        if sender.send(request).await.is_err() {
            return refused("the server is stopping");
        }
        match outcome.await {
            Ok(Ok(())) => RestartOutcome { accepted: true, refusal: String::new() },
            Ok(Err(why)) => refused(&why),
            Err(_) => refused("the server is stopping"),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn without_a_receiver_a_restart_is_refused() {
        let restart = RestartRequests::default().request("requested manually").await;
        assert!(!restart.accepted && restart.refusal.contains("cannot restart itself"));
    }

    #[tokio::test]
    async fn the_end_of_trials_is_awaited_until_a_new_process_takes_over() {
        let requests = RestartRequests::default();
        assert!(!requests.end_of_trials().await, "there is none");
        let request = || RestartRequest {
            reason: String::new(),
            reply: None,
            trial: Trial::new(&requests.trials),
        };
        let (dropped, refused, accepted) = (request(), request(), request());
        drop(dropped);
        refused.respond(Err(String::new()));
        let mut end = std::pin::pin!(requests.end_of_trials());
        assert!(end.as_mut().now_or_never().is_none());
        accepted.respond(Ok(()));
        assert!(end.await && requests.end_of_trials().await);
    }
}
