//! The status of a running dev server, and how commands print it.

use std::process::ExitCode;

use serde::Deserialize;
use snaxum::message::Reload;

use crate::cli::render::{color, traceback};

/// The note that saved changes may not be live.
pub(super) const PAUSED: &str =
    "reloading is paused; run `snaxum resume` to apply the saved changes";

/// The part of `/api/status` and `/api/wait` that commands use.
#[derive(Deserialize)]
pub(super) struct StatusResponse {
    pub(super) run_id: String,
    pub(super) generation: u64,
    pub(super) state: String,
    pub(super) paused: bool,
    pub(super) last_reload: Option<Reload>,
}

impl StatusResponse {
    /// Prints `G8 {live}`, or why the code on disk is not live; returns the exit code.
    pub(super) fn print(&self, live: &str) -> ExitCode {
        if self.state == "ok" {
            color::print(&format!("G{} {live}\n", self.generation));
            return ExitCode::SUCCESS;
        }
        let failed = self.last_reload.as_ref();
        let failed = failed.and_then(|reload| Some((reload, reload.traceback.as_ref()?)));
        match failed {
            Some((reload, raised)) => {
                color::print_error(&reload.summary());
                color::print_stderr(&traceback::render(raised));
            }
            None => {
                let generation = self.generation;
                color::print_error(&format!(
                    "not all modules load; G{generation} is still serving"
                ));
            }
        }
        ExitCode::from(1)
    }
}
