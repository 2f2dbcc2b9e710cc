//! `snaxum check`: imports all modules and prints every problem.

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;
use super::project;
use super::render::color;

/// Exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    project::load(args, |runtime| {
        let serving = runtime.serving();
        let report = &serving.last_reload.report;
        project::print_failures(runtime);
        color::print(&format!(
            "{} routes, {} modules, {} problems\n",
            serving.routes.len(),
            report.modules.len(),
            report.failures.len()
        ));
        ExitCode::from(u8::from(!report.failures.is_empty()))
    })
}
