//! `snaxum dev` in a build without the cargo feature `dev`.

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;
use super::render::color;

/// No options: there is no dev mode.
#[derive(clap::Args)]
pub(crate) struct DevOptions {}

/// Prints an error.
pub(crate) fn run(_: ProjectArgs, _: DevOptions) -> Result<ExitCode, Error> {
    color::print_error("this build has no dev mode; build Snaxum with the cargo feature `dev`");
    Ok(ExitCode::from(2))
}
