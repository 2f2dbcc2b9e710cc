//! Starts Python inside this process, or adopts a Python that the caller has started.
//!
//! Owns the version check, and the protection of SIGINT from Python. Never imports user code, and
//! never finalises: threads that are still in Python would crash.

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::build_info::{self, BUILD_PYTHON, BUILD_VERSION};
use crate::error::Error;
use crate::venv::{Venv, minor};

use super::boot;

/// The code that initialised the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This thread, so it is Python's main thread.
    Ours,
    /// The caller; settings that differ are changed afterwards.
    Adopted,
    /// The user, for the command of the wheel: its settings are wanted as they are.
    Host,
}

/// Initialises Python with the venv's packages and UTF-8 throughout, unless that is done already.
///
/// # Errors
///
/// A libpython of another minor version; an interpreter that does not start.
pub(crate) fn initialize(venv: Option<&Venv>) -> Result<Origin, Error> {
    if build_info::is_hosted() {
        return Ok(Origin::Host);
    }
    check_version()?;
    // SAFETY: may be called at any time, before initialisation too.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        check_adopted()?;
        return Ok(Origin::Adopted);
    }
    // The executable's path activates an environment; VIRTUAL_ENV has no effect.
    let executable = venv.map_or_else(|| PathBuf::from(BUILD_PYTHON), Venv::python);
    let executable = executable.exists().then_some(executable.as_path());
    if let Some(python) = executable.filter(|_| version() != BUILD_VERSION) {
        check_release(python)?;
    }
    boot::start(executable)?;
    Ok(Origin::Ours)
}

/// The version of the libpython that was loaded, such as `3.11.7`.
pub(crate) fn version() -> String {
    // SAFETY: returns a static, NUL-terminated string, before initialisation too.
    let text = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Runs Python code that may import `signal` or call `signal.signal`, and restores the handlers of
/// the signals that stop the program. A handler of the user's interpreter is left as it is.
///
/// The first import of that module installs Python's own SIGINT handler if there is none, and the
/// interrupt then waits for a main thread that hardly runs Python any more. User modules may do the
/// same on purpose; their handlers stay registered with Python, which never calls them.
pub(crate) fn keeping_signals<T>(origin: Origin, run: impl FnOnce() -> T) -> T {
    let before = [libc::SIGINT, libc::SIGTERM].map(|signal| {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: a null action only reads; `action` is a valid place for the result.
        let read = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
        if read != 0 {
            return (signal, None);
        }
        // SAFETY: the call above returned 0, so `action` is filled.
        let mut action = unsafe { action.assume_init() };
        if origin != Origin::Host && is_of_libpython(action.sa_sigaction) {
            // The caller's `Py_Initialize` installed it (`Python::initialize` does not).
            action.sa_sigaction = libc::SIG_DFL;
        }
        (signal, Some(action))
    });
    let result = run();
    for (signal, action) in before {
        if let Some(action) = action {
            // SAFETY: a filled action that was active before, or the default action.
            unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        }
    }
    result
}

/// Whether a signal handler is a function of libpython.
fn is_of_libpython(handler: libc::sighandler_t) -> bool {
    let python = library_of(ffi::Py_GetVersion as *const libc::c_void).map(|info| info.dli_fbase);
    let owner = library_of(handler as *const libc::c_void).map(|info| info.dli_fbase);
    python.is_some() && owner == python
}

/// Finds the library that an address belongs to.
fn library_of(address: *const libc::c_void) -> Option<libc::Dl_info> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for, and `info` is a valid place for the result.
    let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid `Dl_info`, so it is filled either way.
    (found != 0).then(|| unsafe { info.assume_init() })
}

/// Returns the file of the libpython that was loaded.
fn libpython() -> PathBuf {
    let name = library_of(ffi::Py_GetVersion as *const libc::c_void)
        .map(|info| info.dli_fname)
        .filter(|name| !name.is_null());
    // SAFETY: not null, and the name of a library that stays loaded is NUL-terminated and stays.
    let name = name.map(|name| unsafe { CStr::from_ptr(name) }.to_bytes());
    PathBuf::from(OsStr::from_bytes(name.unwrap_or(b"libpython")))
}

/// Checks that the standard library of `python`, which Python will use, is of the same release as
/// the loaded libpython. With two releases, pool workers do not start.
fn check_release(python: &Path) -> Result<(), Error> {
    let loaded = version();
    // It loads its own libpython, as without the variables of this process.
    let own = ["LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES"];
    let mut command = Command::new(python);
    for name in own {
        command.env_remove(name);
    }
    command.args(["-I", "-S", "-c", "import sys; print(sys.version.split()[0])"]);
    let Ok(output) = command.stdin(Stdio::null()).output() else { return Ok(()) };
    let library = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || library == loaded {
        return Ok(());
    }
    Err(Error::LibpythonRelease {
        loaded,
        file: libpython(),
        library,
        python: python.to_owned(),
        built: BUILD_VERSION.to_owned(),
    })
}

/// The same for an interpreter that the caller has started, which found a standard library itself.
fn check_adopted() -> Result<(), Error> {
    let prefix = Python::attach(|py| {
        // SAFETY: this thread is attached, the name is NUL-terminated, and the result is a borrowed
        // reference or null.
        let found = unsafe {
            let found = ffi::PySys_GetObject(c"base_exec_prefix".as_ptr());
            Bound::from_borrowed_ptr_or_opt(py, found)
        };
        found.and_then(|prefix| prefix.extract::<PathBuf>().ok())
    });
    let python =
        prefix.unwrap_or_default().join("bin").join(format!("python{}", minor(&version())));
    if (version() == BUILD_VERSION && python == Path::new(BUILD_PYTHON)) || !python.exists() {
        return Ok(());
    }
    check_release(&python)
}

fn check_version() -> Result<(), Error> {
    let loaded = version();
    if loaded == BUILD_VERSION {
        return Ok(());
    }
    if minor(&loaded) != minor(BUILD_VERSION) {
        return Err(Error::LibpythonVersion { loaded, built: BUILD_VERSION.to_owned() });
    }
    tracing::warn!(
        "libpython {loaded} was loaded, but this program is built for {BUILD_VERSION}: that usually \
         works; set an rpath to load the same version (see \"Find libpython\" in docs/embed.md)"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_signal_handlers_of_python_stay_in_the_interpreter_of_a_user() {
        let action = |set: *const libc::sigaction| {
            let mut before = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: null, or an action that is filled; `before` is a valid place for the result.
            assert_eq!(unsafe { libc::sigaction(libc::SIGTERM, set, before.as_mut_ptr()) }, 0);
            // SAFETY: the call above returned 0, so it is filled.
            unsafe { before.assume_init() }
        };
        let at_first = action(std::ptr::null());
        let mut python = at_first;
        // Any function of libpython: the signal is not sent.
        python.sa_sigaction = ffi::Py_GetVersion as *const () as libc::sighandler_t;
        for (origin, after) in
            [(Origin::Host, python.sa_sigaction), (Origin::Adopted, libc::SIG_DFL)]
        {
            action(&raw const python);
            keeping_signals(origin, || action(&raw const at_first));
            assert_eq!(action(&raw const at_first).sa_sigaction, after, "{origin:?}");
        }
    }

    #[test]
    fn a_standard_library_of_another_release_is_an_error_with_the_way_out() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let python = dir.path().join("python");
        let says = |release: &str| {
            std::fs::write(&python, format!("#!/bin/sh\necho {release}\n")).expect("a file");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&python, mode).expect("it is ours");
            check_release(&python)
        };
        let loaded = version();
        assert!(says(&loaded).is_ok());
        let message = says("3.0.99").expect_err("another release").to_string();
        let expected = [&*loaded, "3.0.99", "libpython", "fn main() {", "DEP_SNAXUM_LIBPYTHON_DIR"];
        assert!(expected.iter().all(|part| message.contains(part)), "{message}");
    }
}
