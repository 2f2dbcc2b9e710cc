//! `snaxum dev` in a build without the cargo feature `dev`.

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;
use super::render::color;

/// No option of a dev mode that is not there.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Says what is missing.
pub(crate) fn run(_: ProjectArgs, _: Options) -> Result<ExitCode, Error> {
    color::say_error("this build has no dev mode; build Snaxum with the cargo feature `dev`");
    Ok(ExitCode::from(2))
}
