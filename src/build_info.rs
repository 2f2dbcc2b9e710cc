//! Names the Python of this program: `build.rs` finds that of a binary, and the interpreter that has
//! imported the extension module reports itself.
//!
//! Never searches for an interpreter at run time.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The interpreter that the program was built against; empty in an extension module.
pub const BUILD_PYTHON: &str = env!("SNAXUM_BUILD_PYTHON");
/// The version of Python that the program was built for; of an extension module the oldest one.
pub const BUILD_VERSION: &str = env!("SNAXUM_BUILD_PYTHON_VERSION");

static HOST: OnceLock<HostPython> = OnceLock::new();

/// The interpreter that has imported this crate as an extension module.
#[derive(Debug)]
pub struct HostPython {
    /// `sys.executable`.
    pub executable: String,
    /// Its version, such as `3.11.7`.
    pub version: String,
    /// `sys.prefix`: the environment that it belongs to.
    pub prefix: PathBuf,
}

impl HostPython {
    /// Makes it the Python of this program. Later calls have no effect.
    pub fn announce(self) {
        let _ = HOST.set(self);
    }
}

/// Whether this program is an extension module: the interpreter is not ours.
pub fn is_hosted() -> bool {
    HOST.get().is_some()
}

/// Whether `root` is the environment that this program runs in.
pub(crate) fn is_own_environment(root: &Path) -> bool {
    let prefix = HOST.get().and_then(|host| host.prefix.canonicalize().ok());
    prefix.is_some() && prefix == root.canonicalize().ok()
}

/// The interpreter that starts other processes and makes environments.
pub(crate) fn python() -> &'static str {
    HOST.get().map_or(BUILD_PYTHON, |host| &host.executable)
}

/// The version that an environment must have.
pub(crate) fn python_version() -> &'static str {
    HOST.get().map_or(BUILD_VERSION, |host| &host.version)
}
