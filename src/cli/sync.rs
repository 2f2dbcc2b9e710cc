//! `snaxum sync`: updates the project's `.venv` from its `pyproject.toml`.

use std::path::Path;
use std::process::ExitCode;

use snaxum::error::Error;
use snaxum::project::Project;
use snaxum::venv;

use super::render::color;

/// Creates or updates `.venv`, and links the framework's types into it.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let project = Project::read(dir)?;
    let environment = venv::sync(&project, &color::print_setup)?;
    if environment.is_none() {
        color::print_setup(
            "nothing to do: pyproject.toml has no dependencies and there is no .venv",
        );
    }
    venv::link_framework(&project.root, environment.as_ref())?;
    Ok(ExitCode::SUCCESS)
}
