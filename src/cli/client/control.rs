//! `snaxum reload`, `restart`, `pause` and `resume`.
//!
//! Each sends one command, waits for the outcome, prints it and exits as `snaxum wait` does.

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};
use snaxum::error::Error;
use snaxum::message::still_serving;

use super::connection::DevClient;
use super::production;
use super::server_status::StatusResponse;
use crate::cli::project;
use crate::cli::render::{PAUSED, color};

/// The response to a command.
#[derive(Deserialize)]
struct CommandResponse {
    status: StatusResponse,
    summary: String,
    restart: Option<RestartResponse>,
}

/// Whether a new process takes over.
#[derive(Deserialize)]
struct RestartResponse {
    accepted: bool,
    refusal: String,
}

/// Checks all files; with `full` runs all modules again. In production new processes load the code.
pub(crate) fn reload(dir: &Path, full: bool) -> Result<ExitCode, Error> {
    if let Some(code) = production::reload(dir)? {
        return Ok(code);
    }
    send(dir, "reload", &json!({ "full": full }), |outcome| {
        outcome.status.print_or(&outcome.summary)
    })
}

/// Checks all files of a dev server; returns the outcome in words.
#[allow(dead_code, reason = "the builder is a part of dev mode")]
pub(crate) async fn reload_of(client: &DevClient) -> Result<String, Error> {
    let (response, _): (CommandResponse, _) = client.post("reload", &json!({})).await?;
    Ok(response.summary)
}

/// Replaces the process; returns when the new one responds.
pub(crate) fn restart(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "restart", &json!({}), |outcome| outcome.status.print())
}

/// Delays reloads until [`resume`].
pub(crate) fn pause(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "pause", &json!({}), |outcome| {
        color::print(&format!("{PAUSED}; {}\n", still_serving(outcome.status.generation)));
        ExitCode::SUCCESS
    })
}

/// Ends a pause and reloads the changes saved in between.
pub(crate) fn resume(dir: &Path) -> Result<ExitCode, Error> {
    send(dir, "resume", &json!({}), |outcome| {
        outcome.status.print_or(&format!("reloading is resumed; {}", outcome.summary))
    })
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
                let status: StatusResponse = client.wait_for_successor(connection).await?;
                let (generation, run) = (status.generation, &status.run_id);
                Ok(status
                    .print_or(&format!("version {generation} is live in a new process, run {run}")))
            }
            Some(restart) => {
                color::print_error(&outcome.summary);
                color::print_stderr(&color::escape_lines(&restart.refusal));
                color::print_stderr("\n");
                Ok(ExitCode::from(1))
            }
        }
    })
}
