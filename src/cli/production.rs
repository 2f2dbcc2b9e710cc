//! `snaxum serve`: serves the routes in production.
//!
//! The started process is the parent of the processes that serve, which are the same program again.

mod child;
pub(crate) mod commands;
mod deploy;
mod fork_socket;
mod link;
mod measurements;
mod parent;
mod preloader;
mod preloaders;
mod process;
mod protocol;
mod resident_memory;
mod seats;

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;
use child::ReadOptions;
use protocol::Parameters;

/// Serves until a signal.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    match child::parameters()? {
        None => parent::run(args),
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
