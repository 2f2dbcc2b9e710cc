//! The `snaxum` command.

mod cli;

use std::process::ExitCode;

use cli::Invocation;

fn main() -> ExitCode {
    // SAFETY: the program begins here, with one thread.
    cli::run(unsafe { Invocation::of_program() })
}
