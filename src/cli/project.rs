//! Builds the configuration from the command line, the environment and the project.

use std::process::ExitCode;

use snaxum::config::{ServerOptions, SnaxumConfigBuilder};
use snaxum::error::Error;
use snaxum::project::{self, Project};
use snaxum::python_runtime::PythonRuntime;

use super::options::ProjectArgs;
use super::render::color;

/// Reads the project and merges its options: flags win over the environment, that over pyproject.
pub(crate) fn read(args: ProjectArgs) -> Result<(Project, SnaxumConfigBuilder), Error> {
    let (project, builder, warnings) = read_quietly(args)?;
    warnings.iter().for_each(|warning| color::print_warning(warning));
    Ok((project, builder))
}

/// Does the same, and returns the warnings.
pub(crate) fn read_quietly(
    args: ProjectArgs,
) -> Result<(Project, SnaxumConfigBuilder, Vec<String>), Error> {
    let project = Project::read(args.dir())?;
    let (environment, warnings) = project::options_from_env()?;
    let mut options = ServerOptions::default();
    if let Some(app) = args.app() {
        options.set("app", app).map_err(|problem| Error::BadValue {
            origin: "command line".to_owned(),
            name: "DIR",
            problem,
        })?;
    }
    let builder = project.configure(args.flags.0.or(options).or(environment));
    Ok((project, builder, warnings))
}

/// Loads a project without serving it, calls `inspect` with the runtime and stops it.
pub(crate) fn load(
    args: ProjectArgs,
    inspect: impl FnOnce(&PythonRuntime) -> ExitCode,
) -> Result<ExitCode, Error> {
    // In dev mode a module that does not load is data and does not end the process.
    let config = read(args)?.1.dev(true).load_only(true).build()?;
    let tokio = tokio_runtime()?;
    tokio.block_on(async {
        let runtime = PythonRuntime::with_config(config)?;
        let code = inspect(&runtime);
        runtime.shutdown(snaxum::server::DRAIN_TIMEOUT).await;
        Ok(code)
    })
}

/// Logs the warnings of the start.
pub(crate) fn log_warnings(runtime: &PythonRuntime) {
    for warning in &runtime.serving().last_reload.report.warnings {
        tracing::warn!("{}", color::escape(warning));
    }
}

/// Prints the warnings, and each module that did not load, on stderr.
pub(crate) fn print_failures(runtime: &PythonRuntime) {
    for warning in &runtime.serving().last_reload.report.warnings {
        color::print_warning(&color::escape(warning));
    }
    for failure in &runtime.serving().last_reload.report.failures {
        let name = color::escape(&failure.module);
        color::print_error(&format!("module `{name}` does not load"));
        color::print_stderr(&super::render::traceback::render(&failure.traceback));
    }
}

/// Starts the async runtime for sockets.
pub(crate) fn tokio_runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::io("cannot start the async runtime"))
}
