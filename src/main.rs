//! The `snaxum` command.

mod cli;

use std::env;
use std::process::ExitCode;

use cli::Invocation;

fn main() -> ExitCode {
    let program = env::current_exe().into_iter().map(Into::into).collect();
    cli::run(Invocation { program, arguments: env::args_os().skip(1).collect() })
}
