//! The wish for a new process, on its way to whoever can start one.
//!
//! A program that embeds Snaxum may have nobody who can; then each wish is refused. Never starts a
//! process itself.

use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

use crate::event::Event;
use crate::python_runtime::PythonRuntime;

use crate::dev::protocol::Restart;

/// Wishes that may wait for the outcome of a trial.
const MAX_WISHES: usize = 64;

/// A wish for a new process; unanswered it counts as refused.
#[derive(Debug)]
pub struct Wish {
    /// Why.
    pub reason: String,
    answer: Option<oneshot::Sender<Result<(), String>>>,
}

impl Wish {
    /// Tells whoever waits whether a new process takes over, or why not.
    pub fn answer(self, outcome: Result<(), String>) {
        if let Some(answer) = self.answer {
            let _ = answer.send(outcome); // an error: nobody waits any more
        }
    }
}

/// Where wishes go.
#[derive(Debug, Default)]
pub(in crate::dev) struct Restarts {
    wishes: OnceLock<mpsc::Sender<Wish>>,
}

impl Restarts {
    /// Gives whoever calls it first what is wished for: by a reload, and by hand.
    pub(in crate::dev) fn listen(&self, runtime: &PythonRuntime) -> mpsc::Receiver<Wish> {
        let (wishes, received) = mpsc::channel(MAX_WISHES);
        let _ = self.wishes.set(wishes.clone());
        runtime.events().listen(move |event| {
            if let Event::ReloadEnd(reload) = event
                && reload.report.strategy == "restart"
            {
                let wish = Wish { reason: reload.report.reason.clone(), answer: None };
                let _ = wishes.try_send(wish); // an error: it is stopping, or wishes enough wait
            }
        });
        received
    }

    /// Wishes for a new process; what became of it.
    pub(in crate::dev) async fn wish(&self, reason: &str) -> Restart {
        let refused = |why: &str| Restart { accepted: false, refusal: why.to_owned() };
        let Some(wishes) = self.wishes.get() else {
            return refused("this program cannot start itself anew; do it by hand");
        };
        let (answer, outcome) = oneshot::channel();
        let wish = Wish { reason: reason.to_owned(), answer: Some(answer) };
        if wishes.send(wish).await.is_err() {
            return refused("the server is stopping");
        }
        match outcome.await {
            Ok(Ok(())) => Restart { accepted: true, refusal: String::new() },
            Ok(Err(why)) => refused(&why),
            Err(_) => refused("the server is stopping"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_nobody_can_start_a_process_a_wish_is_refused() {
        let restart = Restarts::default().wish("asked for by hand").await;
        assert!(!restart.accepted && restart.refusal.contains("cannot start itself"));
    }
}
