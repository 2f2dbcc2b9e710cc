//! `snaxum serve`: serves the routes in production.
//!
//! The started process is the parent of the processes that serve, which are the same program again.

mod age;
mod child;
pub(crate) mod commands;
mod deploy;
mod first_process;
mod fork_socket;
mod link;
mod measurements;
mod parent;
mod parent_state;
mod preloader;
mod preloaders;
mod process;
mod program;
mod protocol;
mod reports;
mod resident_memory;
mod seats;
mod sleeping_threads;
mod start;
mod succession;
mod upgrade;

use std::process::ExitCode;

use snaxum::error::Error;

use super::invocation;
use super::options::ProjectArgs;
use child::ReadOptions;
#[cfg(feature = "extension-module")]
pub(super) use first_process::fork as fork_first_process;
use protocol::{Parameters, Succession};

/// Serves until a signal.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    let handover = invocation::handover();
    match handover.and_then(|text| serde_json::from_str(text).ok()) {
        Some(Succession::Trial { state, outcome }) => {
            return succession::run_trial(args, state, outcome);
        }
        Some(Succession::Continue { state }) => return start::run(args, Some(state)),
        None => {}
    }
    let parameters = match first_process::parameters() {
        Some(inherited) => Some(Parameters::Serve(inherited)),
        None => child::parameters()?,
    };
    match parameters {
        None => start::run(args, None),
        Some(Parameters::Serve(inherited)) => {
            let given = child::take_over(inherited)?;
            child::run(given, || ReadOptions::read(args)).map(ExitCode::from)
        }
        Some(Parameters::Preload(inherited)) => preloader::run(args, &inherited),
    }
}

/// Whether a process with these parameters loads the code for others.
#[cfg(feature = "extension-module")]
pub(crate) fn preloads(handover: Option<&str>) -> bool {
    let parameters = handover.and_then(|text| serde_json::from_str(text).ok());
    matches!(parameters, Some(Parameters::Preload(_)))
}
