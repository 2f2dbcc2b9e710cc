//! How this program was started, and how to start it again: by its file, or by the interpreter that
//! has imported it as an extension module.
//!
//! Never starts a process.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The environment variable that passes what a process takes over from the one before it.
pub(crate) const HANDOVER: &str = "SNAXUM_TAKE_OVER";

static OWN: OnceLock<(Invocation, Vec<Option<FileStamp>>)> = OnceLock::new();

/// Device, number, size and time of a file: a number is used again.
type FileStamp = (u64, u64, u64, i64, i64);

/// A command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The program, and the arguments that make it this one; empty if it is not known.
    pub(crate) program: Vec<OsString>,
    /// The files that it is in: of the program, then of its extension module.
    pub(crate) files: Vec<PathBuf>,
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
        let files: Vec<PathBuf> = env::current_exe().into_iter().collect();
        let program = files.iter().map(Into::into).collect();
        let handover = env::var_os(HANDOVER);
        // SAFETY: the caller has started no other thread.
        unsafe { env::remove_var(HANDOVER) };
        Self { program, files, arguments: env::args_os().skip(1).collect(), handover }
    }

    /// Makes it the one of this process. Later calls have no effect.
    pub(super) fn announce(self) {
        let stamps = self.stamps();
        let _ = OWN.set((self, stamps));
    }

    fn stamps(&self) -> Vec<Option<FileStamp>> {
        let stamp = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
        };
        self.files.iter().map(stamp).collect()
    }
}

/// Whether the program on disk is another one.
pub(crate) fn is_replaced() -> bool {
    let Some((own, stamps)) = OWN.get() else { return false };
    let now = own.stamps();
    // The extension module of another version may have another name.
    now != *stamps && now.first().is_some_and(Option::is_some)
}

/// The text of a file that has the name of the program and this extension.
#[cfg(debug_assertions)]
pub(crate) fn file_beside(extension: &str) -> Option<String> {
    let mut path = OWN.get()?.0.files.first()?.clone().into_os_string();
    path.push(".");
    path.push(extension);
    fs::read_to_string(path).ok()
}

/// The arguments that this process was started with.
pub(crate) fn arguments() -> Vec<OsString> {
    OWN.get().map_or_else(Vec::new, |(own, _)| own.arguments.clone())
}

/// The text that the process before this one has left for it.
pub(crate) fn handover() -> Option<&'static str> {
    OWN.get()?.0.handover.as_ref()?.to_str()
}

/// The command that starts this program again, without arguments.
pub(crate) fn program() -> io::Result<Command> {
    let mut parts = OWN.get().into_iter().flat_map(|(own, _)| &own.program);
    let mut command = Command::new(parts.next().ok_or(io::ErrorKind::NotFound)?);
    command.args(parts);
    Ok(command)
}
