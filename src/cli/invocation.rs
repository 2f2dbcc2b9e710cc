//! How this program was started, and how to start it again: by its file, or by the interpreter that
//! has imported it as an extension module.
//!
//! Never starts a process.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::sync::OnceLock;

static HOSTED: OnceLock<Invocation> = OnceLock::new();

/// A command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The program, and the arguments that make it this one.
    pub(crate) program: Vec<OsString>,
    /// The arguments of the user.
    pub(crate) arguments: Vec<OsString>,
}

impl Invocation {
    /// Makes it the one of this process. Later calls have no effect.
    #[cfg_attr(
        not(feature = "extension-module"),
        expect(dead_code, reason = "a binary is its own")
    )]
    pub(crate) fn announce(self) {
        let _ = HOSTED.set(self);
    }
}

/// The arguments that this process was started with.
pub(crate) fn arguments() -> Vec<OsString> {
    match HOSTED.get() {
        Some(hosted) => hosted.arguments.clone(),
        None => env::args_os().skip(1).collect(),
    }
}

/// Starts this program again, without arguments.
pub(crate) fn program() -> io::Result<Command> {
    let Some(hosted) = HOSTED.get() else { return Ok(Command::new(env::current_exe()?)) };
    let mut parts = hosted.program.iter();
    let mut command = Command::new(parts.next().ok_or(io::ErrorKind::NotFound)?);
    command.args(parts);
    Ok(command)
}
