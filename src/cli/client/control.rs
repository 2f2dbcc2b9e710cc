//! `snaxum reload`, `restart`, `pause` and `resume`.
//!
//! Each sends one command, waits for the outcome, prints it and exits as `snaxum wait` does.

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};
use snaxum::error::Error;
use snaxum::message::{LoadOutcome, Reload};

use super::connection::{Connection, DevClient};
use super::server_status::{PAUSED, StatusResponse};
use crate::cli::project;
use crate::cli::render::color;

/// The number of connections that may close with the old process before the new one accepts.
const MAX_TRIES: usize = 100;

/// The response to a command.
#[derive(Deserialize)]
struct CommandResponse {
    status: StatusResponse,
    reload: Option<Reload>,
    restart: Option<RestartResponse>,
}

/// Whether a new process takes over.
#[derive(Deserialize)]
struct RestartResponse {
    accepted: bool,
    refusal: String,
}

/// Checks all files; with `full` runs all modules again.
pub(crate) fn reload(dir: &Path, full: bool) -> Result<ExitCode, Error> {
    send(dir, "reload", &json!({ "full": full }), |outcome| {
        let is_new =
            outcome.reload.as_ref().is_some_and(|reload| reload.outcome != LoadOutcome::Noop);
        outcome.status.print(if is_new { "is live" } else { "is live; nothing has changed" })
    })
}

/// Replaces the process; returns when the new one responds.
pub(crate) fn restart(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "restart", &json!({}), |outcome| outcome.status.print("is live"))
}

/// Delays reloads until [`resume`].
pub(crate) fn pause(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "pause", &json!({}), |outcome| {
        color::print(&format!("{PAUSED}; G{} is still serving\n", outcome.status.generation));
        ExitCode::SUCCESS
    })
}

/// Ends a pause and reloads the changes saved in between.
pub(crate) fn resume(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "resume", &json!({}), |outcome| outcome.status.print("is live; reloading is resumed"))
}

/// Sends a command; prints its outcome with `print`, or that of the restart it caused.
fn send(
    dir: &Path,
    command: &str,
    arguments: &Value,
    print: impl FnOnce(&CommandResponse) -> ExitCode,
) -> Result<ExitCode, Error> {
    let client = DevClient::find(dir)?;
    project::tokio_runtime()?.block_on(async {
        let (outcome, connection): (CommandResponse, _) = client.post(command, arguments).await?;
        match &outcome.restart {
            None => Ok(print(&outcome)),
            Some(restart) if restart.accepted => {
                let status =
                    wait_for_successor(&client, &outcome.status.run_id, connection).await?;
                Ok(status.print(&format!("is live in a new process, run {}", status.run_id)))
            }
            Some(restart) => {
                let generation = outcome.status.generation;
                color::print_error(&format!(
                    "restart failed; generation {generation} is still serving"
                ));
                color::print_stderr(&color::escape_lines(&restart.refusal));
                color::print_stderr("\n");
                Ok(ExitCode::from(1))
            }
        }
    })
}

/// Waits until the process after the run `old_run` responds.
async fn wait_for_successor(
    client: &DevClient,
    old_run: &str,
    connection: Connection,
) -> Result<StatusResponse, Error> {
    // The old process has stopped accepting when it closes this connection. New ones wait in the
    // queue of the socket; any that it had accepted before close with it.
    connection.closed().await;
    let mut response = client.get("wait").await;
    for _ in 1..MAX_TRIES {
        if response.as_ref().is_ok_and(|status: &StatusResponse| status.run_id != old_run) {
            break;
        }
        response = client.get("wait").await;
    }
    response
}
