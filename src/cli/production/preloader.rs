//! The process that loads the code once, and forks the processes that serve (`--preload`).
//!
//! Has one thread and no async runtime, and serves nothing. It ends with its parent, or by SIGKILL, and
//! runs no exit function: the processes that it has forked still use what those would remove.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use snaxum::config::{ServerProcess, SnaxumConfig};
use snaxum::crash_record::CrashRecord;
use snaxum::error::Error;
use snaxum::python_runtime::{LentThread, fork_preloaded, preload};

use super::child::{self, ReadOptions};
use super::fork_socket::ForkSocket;
use super::protocol::{PreloaderParameters, ProcessParameters, Report, to_line};
use crate::cli::end_with_parent::end_with_parent;
use crate::cli::options::ProjectArgs;
use crate::cli::render::color::print_error;
use crate::cli::render::error::error_text;
use crate::cli::{descriptors, exit, log};

/// Loads the code, and returns only if that is not possible; in the forked processes it serves.
pub(super) fn run(args: ProjectArgs, inherited: &PreloaderParameters) -> Result<ExitCode, Error> {
    end_with_parent(inherited.parent); // while modules load, nothing else notices its end
    // SAFETY: the parameters name descriptors that were opened for this process only.
    let take = |descriptor| unsafe { descriptors::take(descriptor) };
    let mut control = UnixStream::from(take(inherited.control));
    let forks = ForkSocket::from_descriptor(take(inherited.forks));
    let crash_record = File::from(take(inherited.crash_record));
    let mut report = |report: &Report| {
        let _ = control.write_all(&to_line(report)); // an error: the parent has ended
    };
    // The configuration has the file of the crash record, which Python writes to.
    let (_config, options) = match load(args, inherited, crash_record) {
        Ok((config, options, names)) if names.is_empty() => (config, options),
        Ok((.., names)) => {
            report(&Report::HasThreads { names });
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            report(&Report::Failed { text: error_text(&error), code: error.exit_code() });
            return Ok(ExitCode::from(error.exit_code()));
        }
    };
    report(&Report::Loaded { is_incomplete: false });
    while let Ok(Some(parameters)) = forks.receive() {
        match fork_preloaded() {
            Ok(None) => {
                drop((control, forks));
                serve(options, parameters);
            }
            forked => {
                parameters.descriptors().into_iter().for_each(|descriptor| drop(take(descriptor)));
                let forked = forked.map(Option::unwrap_or_default);
                if forks.respond(forked).is_err() {
                    break;
                }
            }
        }
    }
    // SAFETY: has no precondition; runs no exit handler.
    unsafe { libc::_exit(0) }
}

/// Loads the code; also returns the options for the processes that serve it, and the names of threads that
/// it has started.
fn load(
    args: ProjectArgs,
    inherited: &PreloaderParameters,
    crash_record: File,
) -> Result<(SnaxumConfig, ReadOptions, Vec<String>), Error> {
    let options = ReadOptions::read(args)?;
    let crash_record = CrashRecord::open(crash_record, inherited.parent)
        .map_err(Error::io("cannot map a file"))?;
    let builder = options.builder.clone().crash_record(crash_record);
    let builder = builder.first_generation(inherited.generation);
    let config = builder.process(ServerProcess::new(0, inherited.count)).build()?;
    let threads = preload(&config)?;
    Ok((config, options, threads))
}

/// Serves in a process that has been forked: this thread stays Python's main thread.
fn serve(options: ReadOptions, parameters: ProcessParameters) -> ! {
    let thread = LentThread::offer().expect("this process has just begun");
    let serve = move || {
        let code = child::take_over(parameters).and_then(|given| child::run(given, || Ok(options)));
        log::finish();
        let code = code.unwrap_or_else(|error| {
            print_error(&error_text(&error));
            error.exit_code()
        });
        std::process::exit(code.into())
    };
    let started = std::thread::Builder::new().name("snaxum".into()).spawn(serve);
    if let Err(error) = started {
        print_error(&format!("cannot start a thread: {error}"));
        exit::exit(1);
    }
    thread.work()
}
