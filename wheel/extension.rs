//! The extension module `snaxum._snaxum`: the `snaxum` command in the interpreter of the user.
//!
//! The interpreter's main thread becomes the runtime thread; the command runs in a thread of its own.
//! It is compiled from the sources of the binary. Contains no logic of a command.

#![cfg(feature = "extension-module")]

/// The command; its files name it `crate::cli`.
#[path = "../src"]
mod sources {
    pub(crate) mod cli;
}

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use snaxum::build_info::HostPython;
use snaxum::python_runtime::LentThread;

use sources::cli::{self, Invocation};

/// The stack of the command's thread: that of a main thread.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// The exit code after a panic, as of a binary.
const PANIC: i32 = 101;

/// The interpreter: its file, its version, its prefix.
type Host = (String, String, PathBuf);

fn announce((executable, version, prefix): Host) {
    HostPython { executable, version, prefix }.announce();
}

/// Runs the command line, and ends the process with its exit code.
///
/// `program` starts this program again: the interpreter's file, its options, `-m snaxum`. `files` are the
/// interpreter's and this module's. `handover` is what this process takes over from the one before it. Call it in the main thread.
#[pyfunction]
fn run(
    py: Python<'_>,
    host: Host,
    program: Vec<OsString>,
    files: Vec<PathBuf>,
    arguments: Vec<OsString>,
    handover: Option<OsString>,
) -> PyResult<()> {
    announce(host);
    let invocation = Invocation { program, files, arguments, handover };
    if cli::has_one_thread(&invocation) {
        py.detach(|| run_and_exit(invocation));
        return Ok(());
    }
    py.detach(|| cli::fork_first_process(&invocation));
    let thread = LentThread::offer()
        .ok_or_else(|| PyRuntimeError::new_err("a command runs in this process already"))?;
    let command = move || run_and_exit(invocation);
    py.detach(move || {
        std::thread::Builder::new()
            .name("snaxum".into())
            .stack_size(STACK_BYTES)
            .spawn(command)
            .map_err(|error| PyOSError::new_err(error.to_string()))?;
        thread.work()
    })
}

/// The interpreter is not finalised: threads that are still in Python would crash. A panic, whose
/// message has been printed, ends the process as well: the main thread would wait for work without end.
fn run_and_exit(invocation: Invocation) {
    let code = catch_unwind(AssertUnwindSafe(|| cli::run(invocation)));
    std::process::exit(code.map_or(PANIC, number));
}

/// Loads the project in `directory` for the tests that this process runs, or for its own server; it
/// listens nowhere.
#[pyfunction]
fn load(py: Python<'_>, host: Host, directory: PathBuf) -> PyResult<HostedProject> {
    announce(host);
    py.detach(|| cli::load_in_process(directory))
        .map(HostedProject)
        .map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// A project that `load` has loaded.
#[pyclass(frozen)]
struct HostedProject(cli::LoadedProject);

#[pymethods]
impl HostedProject {
    /// Stops the threads of the project; call it once, before the interpreter ends.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

fn number(code: ExitCode) -> i32 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).map_or(1, i32::from)
}

/// The extension module.
#[pymodule]
mod _snaxum {
    #[pymodule_export]
    use super::{HostedProject, load, run};
}
