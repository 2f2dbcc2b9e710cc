//! Code that is loaded before the processes which serve it are forked: they share its memory.
//!
//! The process that loads it has one thread and no async runtime: a fork copies only the thread that
//! calls it, and locks of others would stay locked. Only Linux can: the system libraries of macOS do not
//! survive a fork. Never serves a request.

use std::io;

use pyo3::Python;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::sync::Mutex;
use crate::telemetry::Identities;
use crate::venv::Venv;

use super::bridge::{Bridge, start_error};
use super::host::{HostApi, HostParts};
use super::interpreter::{self, Origin, keeping_signals};
use super::python_options::options;

/// The loaded code, until a runtime takes it.
static PRELOADED: Mutex<Option<Preloaded>> = Mutex::new(None);

/// The loaded code, and what belongs to it.
pub(super) struct Preloaded {
    pub(super) bridge: Bridge,
    pub(super) host: HostParts,
    pub(super) origin: Origin,
}

/// Loads the user's modules in this thread, the only one of its process, for the next runtime here or in
/// a process that [`fork_preloaded`] makes. Start-up hooks and warm-ups run there.
///
/// Returns the names of the threads that the modules have started: with any, a fork is not safe.
///
/// # Errors
///
/// As of [`PythonRuntime::with_config`](super::PythonRuntime::with_config). Modules that do not load are
/// reported by the runtime.
pub fn preload(config: &SnaxumConfig) -> Result<Vec<String>, Error> {
    let (venv, _) = Venv::find_to_run(&config.project_dir)?; // the runtime returns the warning
    let origin = interpreter::initialize(venv.as_ref())?;
    let host = HostParts::new()?;
    let options = options(config, venv.as_ref(), origin, true);
    Python::attach(|py| {
        let (api, identities) = (HostApi(host.clone()), Identities::new(false));
        let start = || Bridge::start(py, &options, api, identities, false);
        let failed = |error| start_error(py, &error, &config.places);
        let (bridge, _) = keeping_signals(origin, start).map_err(failed)?;
        let threads = bridge.other_threads(py).map_err(failed)?;
        *PRELOADED.lock() = Some(Preloaded { bridge, host, origin });
        Ok(threads)
    })
}

/// Takes the loaded code, if there is some.
pub(super) fn take() -> Option<Preloaded> {
    PRELOADED.lock().take()
}

/// Forks this process, in which nothing but an interpreter has been started; returns the id of the new
/// process, and `None` in it.
///
/// # Errors
///
/// There are too many processes.
#[cfg(target_os = "linux")]
pub fn fork_interpreter() -> io::Result<Option<u32>> {
    use pyo3::ffi;

    Python::attach(|_| {
        // SAFETY: this thread is attached, and a fork follows.
        unsafe { ffi::PyOS_BeforeFork() };
        // SAFETY: this process has no other thread, so the new one may do everything that this one may.
        let new = unsafe { libc::fork() };
        if new == 0 {
            // SAFETY: the process is new, and `PyOS_BeforeFork` was called before.
            unsafe { ffi::PyOS_AfterFork_Child() };
            return Ok(None);
        }
        let error = io::Error::last_os_error();
        // SAFETY: `PyOS_BeforeFork` was called before.
        unsafe { ffi::PyOS_AfterFork_Parent() };
        u32::try_from(new).map(Some).map_err(|_| error)
    })
}

/// Only Linux can.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn fork_interpreter() -> io::Result<Option<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Forks this process, after [`preload`]; returns the id of the new process, and `None` in it.
///
/// It is not a child of this process: its parent is the nearest one above that adopts orphans
/// (`PR_SET_CHILD_SUBREAPER`).
///
/// # Errors
///
/// There are too many processes.
#[cfg(target_os = "linux")]
pub fn fork_preloaded() -> io::Result<Option<u32>> {
    use std::io::{Read, Write};

    use pyo3::ffi;

    let (mut read, mut write) = io::pipe()?;
    Python::attach(|_| {
        // SAFETY: this thread is attached, and a fork follows.
        unsafe { ffi::PyOS_BeforeFork() };
        // SAFETY: this process has no other thread, so the new one may do everything that this one may.
        let between = unsafe { libc::fork() };
        if between == 0 {
            // SAFETY: as above. The process between ends at once, and leaves an orphan.
            let new = unsafe { libc::fork() };
            if new != 0 {
                let _ = write.write_all(&new.to_ne_bytes());
                // SAFETY: has no precondition; runs no exit handler.
                unsafe { libc::_exit(0) };
            }
            // SAFETY: the process is new, and `PyOS_BeforeFork` was called before.
            unsafe { ffi::PyOS_AfterFork_Child() };
            if let Some(preloaded) = &*PRELOADED.lock() {
                preloaded.host.loop_signals.renew()?;
            }
            return Ok(None);
        }
        let error = io::Error::last_os_error();
        // SAFETY: `PyOS_BeforeFork` was called before.
        unsafe { ffi::PyOS_AfterFork_Parent() };
        if between < 0 {
            return Err(error);
        }
        drop(write);
        let mut new = [0; size_of::<libc::pid_t>()];
        let found = read.read_exact(&mut new);
        // SAFETY: our own child, which has not been waited for; the status is of no interest.
        unsafe { libc::waitpid(between, std::ptr::null_mut(), 0) };
        found?;
        u32::try_from(libc::pid_t::from_ne_bytes(new)).map(Some).map_err(io::Error::other)
    })
}

/// Only Linux can.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn fork_preloaded() -> io::Result<Option<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}
