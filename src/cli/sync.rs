//! `snaxum sync`: brings the project's `.venv` up to date with its `pyproject.toml`.

use std::path::Path;
use std::process::ExitCode;

use snaxum::error::Error;
use snaxum::project::Project;
use snaxum::venv;

use super::render::color;

/// Makes or updates `.venv`, and links the framework's types into it.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let project = Project::read(dir)?;
    let environment = venv::sync(&project, &color::say_setup)?;
    if environment.is_none() {
        color::say_setup(
            "nothing to do: pyproject.toml has no dependencies, and there is no .venv",
        );
    }
    venv::link_framework(&project.root, environment.as_ref()).map_err(|source| Error::Io {
        what: format!("cannot write `{}`", project.root.join(".snaxum").display()),
        source,
    })?;
    Ok(ExitCode::SUCCESS)
}
