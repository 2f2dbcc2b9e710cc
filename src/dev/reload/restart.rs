//! Requests for a new process, on their way to the program that can start one.
//!
//! A program that embeds Snaxum may not be able to; then each request is refused. Never starts a
//! process itself.

use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

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
}

impl RestartRequest {
    /// Sends the outcome to the client: whether a new process takes over, or why not.
    pub fn respond(self, outcome: Result<(), String>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(outcome); // an error: the client has disconnected
        }
    }
}

/// Passes requests to their one receiver.
#[derive(Debug, Default)]
pub(in crate::dev) struct RestartRequests {
    sender: OnceLock<mpsc::Sender<RestartRequest>>,
}

impl RestartRequests {
    /// Returns the requests of reloads and of clients. A second receiver gets none from clients.
    pub(in crate::dev) fn subscribe(
        &self,
        runtime: &PythonRuntime,
    ) -> mpsc::Receiver<RestartRequest> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let _ = self.sender.set(sender.clone());
        runtime.events().listen(move |event| {
            if let Event::ReloadEnd(reload) = event
                && reload.report.strategy == "restart"
            {
                let request = RestartRequest { reason: reload.report.reason.clone(), reply: None };
                let _ = sender.try_send(request); // an error: it is stopping, or enough of them wait
            }
        });
        receiver
    }

    /// Requests a new process, and waits for the outcome.
    pub(in crate::dev) async fn request(&self, reason: &str) -> RestartOutcome {
        let refused = |why: &str| RestartOutcome { accepted: false, refusal: why.to_owned() };
        let Some(sender) = self.sender.get() else {
            return refused("this server cannot restart itself; restart it manually");
        };
        let (reply, outcome) = oneshot::channel();
        let request = RestartRequest { reason: reason.to_owned(), reply: Some(reply) };
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
    use super::*;

    #[tokio::test]
    async fn without_a_receiver_a_restart_is_refused() {
        let restart = RestartRequests::default().request("requested manually").await;
        assert!(!restart.accepted && restart.refusal.contains("cannot restart itself"));
    }
}
