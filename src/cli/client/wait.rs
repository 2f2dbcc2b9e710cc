//! `snaxum wait`: returns when what is on disk now is live, or has been rejected.

use std::path::Path;
use std::process::ExitCode;

use snaxum::error::Error;

use super::{Live, Status};
use crate::cli::project;
use crate::cli::render::{color, traceback};

/// What a pause means for whoever expects that a save is live.
pub(super) const PAUSED: &str =
    "reloading is paused; `snaxum resume` takes in what has been saved since";

/// Exits with 0 when the code is live, and with 1 when it does not load, or may not be live because
/// of a pause.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let live = Live::find(dir)?;
    let status: Status = project::tokio_runtime()?.block_on(live.ask("wait"))?;
    if status.paused {
        color::say_error(&format!("{PAUSED}; G{} serves", status.generation));
        return Ok(ExitCode::from(1));
    }
    Ok(tell(&status, "is live"))
}

/// Says that the generation is what `live` says, or else what does not load.
pub(super) fn tell(status: &Status, live: &str) -> ExitCode {
    if status.state == "ok" {
        color::say(&format!("G{} {live}\n", status.generation));
        return ExitCode::SUCCESS;
    }
    color::say_error(&format!("not all code loads; G{} serves", status.generation));
    if let Some(raised) = status.last_reload.as_ref().and_then(|reload| reload.traceback.as_ref()) {
        color::complain(&traceback::render(raised));
    }
    ExitCode::from(1)
}
