//! `snaxum reload`, `restart`, `pause` and `resume`: the rungs of the ladder, climbed by hand.
//!
//! The server does it; these wait for the outcome, say it, and exit as `snaxum wait` does.

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};
use snaxum::error::Error;

use super::wait::{PAUSED, tell};
use super::{Conversation, Live, Reload, Status};
use crate::cli::project;
use crate::cli::render::color;

/// How often a connection may end with the old process before the new one has it.
const MAX_TRIES: usize = 100;

/// What the server answers to each of them.
#[derive(Deserialize)]
struct Outcome {
    status: Status,
    reload: Option<Reload>,
    restart: Option<Restart>,
}

/// Whether a new process takes over.
#[derive(Deserialize)]
struct Restart {
    accepted: bool,
    refusal: String,
}

/// Looks at all files now; with `full` all modules run whatever the files hold.
pub(crate) fn reload(dir: &Path, full: bool) -> Result<ExitCode, Error> {
    order(dir, "reload", &json!({ "full": full }), |outcome| {
        let is_new = outcome.reload.as_ref().is_some_and(|reload| reload.outcome != "noop");
        tell(&outcome.status, if is_new { "is live" } else { "is live; nothing had changed" })
    })
}

/// Lets a new process take over, and returns when it answers.
pub(crate) fn restart(dir: &Path) -> Result<ExitCode, Error> {
    order(dir, "restart", &json!({}), |outcome| tell(&outcome.status, "is live"))
}

/// Lets saves wait until [`resume`].
pub(crate) fn pause(dir: &Path) -> Result<ExitCode, Error> {
    order(dir, "pause", &json!({}), |outcome| {
        color::say(&format!("{PAUSED}; G{} serves\n", outcome.status.generation));
        ExitCode::SUCCESS
    })
}

/// Takes in what has been saved during the pause.
pub(crate) fn resume(dir: &Path) -> Result<ExitCode, Error> {
    order(dir, "resume", &json!({}), |outcome| tell(&outcome.status, "is live; reloading goes on"))
}

/// Has it done; `say` tells the outcome, unless a new process was wanted.
fn order(
    dir: &Path,
    what: &str,
    how: &Value,
    say: impl FnOnce(&Outcome) -> ExitCode,
) -> Result<ExitCode, Error> {
    let live = Live::find(dir)?;
    project::tokio_runtime()?.block_on(async {
        let (outcome, conversation): (Outcome, _) = live.order(what, how).await?;
        match &outcome.restart {
            None => Ok(say(&outcome)),
            Some(restart) if restart.accepted => {
                let status = successor(&live, &outcome.status.run_id, conversation).await?;
                Ok(tell(&status, &format!("is live in a new process, run {}", status.run_id)))
            }
            Some(restart) => {
                let generation = outcome.status.generation;
                color::say_error(&format!("no new process takes over; G{generation} serves"));
                color::complain(&color::plain_lines(&restart.refusal));
                color::complain("\n");
                Ok(ExitCode::from(1))
            }
        }
    })
}

/// Waits until the process after the run `before` answers.
async fn successor(live: &Live, before: &str, conversation: Conversation) -> Result<Status, Error> {
    // The old process has stopped listening when it closes this; others wait in the queue of the
    // socket. What it had accepted by then ends with it.
    conversation.closed().await;
    let mut answer = live.ask("wait").await;
    for _ in 1..MAX_TRIES {
        if answer.as_ref().is_ok_and(|status: &Status| status.run_id != before) {
            break;
        }
        answer = live.ask("wait").await;
    }
    answer
}
