//! `snaxum wait`: returns when the code on disk is live or rejected.

use std::path::Path;
use std::process::ExitCode;

use snaxum::error::Error;
use snaxum::message::still_serving;

use super::connection::DevClient;
use super::server_status::StatusResponse;
use crate::cli::project;
use crate::cli::render::{PAUSED, color};

/// Exits with 0 when the code is live, and with 1 when it does not load or reloading is paused.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let client = DevClient::find(dir)?;
    let status: StatusResponse = project::tokio_runtime()?.block_on(client.wait())?;
    if status.paused {
        color::print_error(&format!("{PAUSED}; {}", still_serving(status.generation)));
        return Ok(ExitCode::from(1));
    }
    Ok(status.print())
}
