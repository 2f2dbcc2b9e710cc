//! How this program was started, and how to start it again: by its file, or by the interpreter that
//! has imported it as an extension module.
//!
//! Never starts a process.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::sync::OnceLock;

/// The environment variable that passes what a process takes over from the one before it.
pub(crate) const HANDOVER: &str = "SNAXUM_TAKE_OVER";

static OWN: OnceLock<Invocation> = OnceLock::new();

/// A command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The program, and the arguments that make it this one; empty if it is not known.
    pub(crate) program: Vec<OsString>,
    /// The arguments of the user.
    pub(crate) arguments: Vec<OsString>,
    /// The value of [`HANDOVER`], which is no longer in the environment: user code must not find it.
    pub(crate) handover: Option<OsString>,
}

impl Invocation {
    /// That of a program. Removes [`HANDOVER`] from the environment.
    ///
    /// # Safety
    ///
    /// No other thread has been started.
    #[allow(dead_code, reason = "the extension module gets its own from Python")]
    pub(crate) unsafe fn of_program() -> Self {
        let program = env::current_exe().into_iter().map(Into::into).collect();
        let handover = env::var_os(HANDOVER);
        // SAFETY: the caller has started no other thread.
        unsafe { env::remove_var(HANDOVER) };
        Self { program, arguments: env::args_os().skip(1).collect(), handover }
    }

    /// Makes it the one of this process. Later calls have no effect.
    pub(super) fn announce(self) {
        let _ = OWN.set(self);
    }
}

/// The arguments that this process was started with.
pub(crate) fn arguments() -> Vec<OsString> {
    OWN.get().map_or_else(Vec::new, |own| own.arguments.clone())
}

/// The text that the process before this one has left for it.
pub(crate) fn handover() -> Option<&'static str> {
    OWN.get()?.handover.as_ref()?.to_str()
}

/// The command that starts this program again, without arguments.
pub(crate) fn program() -> io::Result<Command> {
    let mut parts = OWN.get().into_iter().flat_map(|own| &own.program);
    let mut command = Command::new(parts.next().ok_or(io::ErrorKind::NotFound)?);
    command.args(parts);
    Ok(command)
}
