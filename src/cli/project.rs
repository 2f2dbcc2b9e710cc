//! From the command line to a configuration: project, environment, flags.

use std::process::ExitCode;

use snaxum::config::{Options, SnaxumConfigBuilder};
use snaxum::error::Error;
use snaxum::project::{self, Project};
use snaxum::python_runtime::PythonRuntime;

use super::ProjectArgs;
use super::render::color;

/// Reads the project and stacks the sources of its options: flags, environment, pyproject.
pub(crate) fn read(args: ProjectArgs) -> Result<(Project, SnaxumConfigBuilder), Error> {
    let project = Project::read(&args.dir)?;
    let (environment, warnings) = project::options_from_env()?;
    for warning in warnings {
        color::complain(&format!(
            "{} {warning}\n",
            console::style("warning:").yellow().bold().for_stderr()
        ));
    }
    let flags: Options = args.options.into();
    let builder = project.configure(flags.or(environment));
    Ok((project, builder))
}

/// Loads a project without serving it, hands the runtime to `use_it`, and stops it again.
pub(crate) fn load(
    args: ProjectArgs,
    use_it: impl FnOnce(&PythonRuntime) -> ExitCode,
) -> Result<ExitCode, Error> {
    // Dev mode, so that modules that do not load are data and not an end.
    let config = read(args)?.1.dev(true).load_only(true).build()?;
    let tokio = tokio_runtime()?;
    tokio.block_on(async {
        let runtime = PythonRuntime::with_config(config)?;
        let code = use_it(&runtime);
        runtime.shutdown(snaxum::server::DRAIN_TIMEOUT).await;
        Ok(code)
    })
}

/// Prints each module that did not load, on stderr.
pub(crate) fn print_failures(runtime: &PythonRuntime) {
    for failure in &runtime.serving().last_reload.report.failures {
        let name = color::plain(&failure.module);
        color::say_error(&format!("module `{name}` does not load"));
        color::complain(&super::render::traceback::render(&failure.traceback));
    }
}

/// The runtime that sockets live on.
pub(crate) fn tokio_runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "cannot start the async runtime".to_owned(), source })
}
