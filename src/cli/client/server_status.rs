//! The status of a running dev server, and how commands print it.

use std::process::ExitCode;

use serde::Deserialize;
use snaxum::message::{Reload, still_serving};

use crate::cli::render::{color, traceback};

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
    /// Prints that the generation `is live`, or why the code on disk is not; returns the exit code.
    pub(super) fn print(&self) -> ExitCode {
        self.print_or(&format!("version {} is live", self.generation))
    }

    /// Prints `live`, or why the code on disk is not live; returns the exit code.
    pub(super) fn print_or(&self, live: &str) -> ExitCode {
        if self.state == "ok" {
            color::print(&format!("{live}\n"));
            return ExitCode::SUCCESS;
        }
        let failed = self.last_reload.as_ref();
        let failed = failed.and_then(|reload| Some((reload, reload.traceback.as_ref()?)));
        match failed {
            Some((reload, raised)) => {
                color::print_error(&reload.summary);
                color::print_stderr(&traceback::render(raised));
            }
            None => {
                let serving = still_serving(self.generation);
                color::print_error(&format!("not all modules load; {serving}"));
            }
        }
        ExitCode::from(1)
    }
}
