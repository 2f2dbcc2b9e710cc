//! `snaxum check`: imports all modules and prints every problem.

use std::process::ExitCode;

use snaxum::error::Error;

use super::options::ProjectArgs;
use super::project;
use super::render::color;
use super::render::layout::counted;

/// Exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs) -> Result<ExitCode, Error> {
    project::load(args, |runtime| {
        let serving = runtime.serving();
        let report = &serving.last_reload.report;
        project::print_failures(runtime);
        color::print(&format!(
            "{}, {}, {}\n",
            counted(serving.routes.len(), "route"),
            counted(report.modules.len(), "module"),
            counted(report.failures.len(), "problem")
        ));
        ExitCode::from(u8::from(!report.failures.is_empty()))
    })
}
