//! `snaxum serve`: serves the routes in production.
//!
//! The started process is the parent of the processes that serve, which are the same program again.

mod child;
pub(crate) mod commands;
mod deploy;
mod link;
mod measurements;
mod parent;
mod process;
mod protocol;
mod resident_memory;
mod seats;

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;

/// Serves until a signal.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    match child::take_over() {
        Some(given) => child::run(args, given),
        None => parent::run(args),
    }
}
