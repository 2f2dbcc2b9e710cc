//! How this program was started, and how to start it again: by its file, or by the interpreter that
//! has imported it as an extension module.
//!
//! Never starts a process.

use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::sync::OnceLock;

static OWN: OnceLock<Invocation> = OnceLock::new();

/// A command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The program, and the arguments that make it this one; empty if it is not known.
    #[allow(dead_code, reason = "dev mode alone starts the program again")]
    pub(crate) program: Vec<OsString>,
    /// The arguments of the user.
    pub(crate) arguments: Vec<OsString>,
}

impl Invocation {
    /// Makes it the one of this process. Later calls have no effect.
    pub(super) fn announce(self) {
        let _ = OWN.set(self);
    }
}

/// The arguments that this process was started with.
pub(crate) fn arguments() -> Vec<OsString> {
    OWN.get().map_or_else(Vec::new, |own| own.arguments.clone())
}

/// The command that starts this program again, without arguments.
#[allow(dead_code, reason = "dev mode alone starts the program again")]
pub(crate) fn program() -> io::Result<Command> {
    let mut parts = OWN.get().into_iter().flat_map(|own| &own.program);
    let mut command = Command::new(parts.next().ok_or(io::ErrorKind::NotFound)?);
    command.args(parts);
    Ok(command)
}
