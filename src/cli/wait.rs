//! `snaxum wait`: returns when what is on disk now is live, or has been rejected.

use std::path::Path;
use std::process::ExitCode;

use snaxum::error::Error;

use super::live::{Live, Status};
use super::{project, style, traceback};

/// Exits with 0 when the code is live, and with 1 when it does not load.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let live = Live::find(dir)?;
    let status: Status = project::tokio_runtime()?.block_on(live.ask("wait"))?;
    if status.state == "ok" {
        style::say(&format!("G{} is live\n", status.generation));
        return Ok(ExitCode::SUCCESS);
    }
    style::say_error(&format!("not all code loads; G{} serves", status.generation));
    if let Some(raised) = status.last_reload.and_then(|reload| reload.traceback) {
        style::complain(&traceback::render(&raised));
    }
    Ok(ExitCode::from(1))
}
