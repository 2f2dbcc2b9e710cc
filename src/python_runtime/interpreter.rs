//! Starts Python inside this process, or adopts a Python that the caller has started.
//!
//! Owns `PyConfig`, the version check, and the protection of SIGINT from Python. Never imports user
//! code, and never finalises: threads that are still in Python would crash.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pyo3::ffi;

use crate::build_info::{BUILD_PYTHON, BUILD_VERSION};
use crate::error::Error;
use crate::venv::{Venv, minor};

/// The code that initialised the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This thread, so it is Python's main thread.
    Ours,
    /// The caller; settings that differ are changed afterwards.
    Adopted,
}

/// Initialises Python with the venv's packages and UTF-8 throughout, unless that is done already.
///
/// # Errors
///
/// A libpython of another minor version; an interpreter that does not start.
pub(crate) fn initialize(venv: Option<&Venv>) -> Result<Origin, Error> {
    check_version()?;
    // SAFETY: may be called at any time, before initialisation too.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        return Ok(Origin::Adopted);
    }
    // The executable's path activates an environment; VIRTUAL_ENV has no effect.
    let executable = venv.map_or_else(|| PathBuf::from(BUILD_PYTHON), Venv::python);
    start(executable.exists().then_some(executable.as_path()))?;
    Ok(Origin::Ours)
}

/// The version of the libpython that was loaded, such as `3.11.7`.
pub(crate) fn version() -> String {
    // SAFETY: returns a static, NUL-terminated string, before initialisation too.
    let text = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Runs Python code that may import `signal` or call `signal.signal`, and restores the handlers of
/// the signals that stop the program.
///
/// The first import of that module installs Python's own SIGINT handler if there is none, and the
/// interrupt then waits for a main thread that hardly runs Python any more. User modules may do the
/// same on purpose; their handlers stay registered with Python, which never calls them.
pub(crate) fn keeping_signals<T>(run: impl FnOnce() -> T) -> T {
    let before = [libc::SIGINT, libc::SIGTERM].map(|signal| {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: a null action only reads; `action` is a valid place for the result.
        let read = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
        if read != 0 {
            return (signal, None);
        }
        // SAFETY: the call above returned 0, so `action` is filled.
        let mut action = unsafe { action.assume_init() };
        if is_of_libpython(action.sa_sigaction) {
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
    let library_of = |address: *const libc::c_void| {
        let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY: any address may be asked for, and `info` is a valid place for the result.
        let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
        // SAFETY: all zeroes is a valid `Dl_info`, so it is filled either way.
        (found != 0).then(|| unsafe { info.assume_init() }.dli_fbase)
    };
    let python = library_of(ffi::Py_GetVersion as *const libc::c_void);
    python.is_some() && library_of(handler as *const libc::c_void) == python
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

fn start(executable: Option<&Path>) -> Result<(), Error> {
    let mut preconfig = MaybeUninit::<ffi::PyPreConfig>::uninit();
    // SAFETY: the function fills the whole structure, and nothing is initialised yet.
    let status = unsafe {
        ffi::PyPreConfig_InitPythonConfig(preconfig.as_mut_ptr());
        let preconfig = preconfig.assume_init_mut();
        // In every locale, files, stdio and `open()` are UTF-8 (PEP 540).
        preconfig.utf8_mode = 1;
        preconfig.parse_argv = 0;
        ffi::Py_PreInitialize(preconfig)
    };
    check(status)?;

    let mut config = MaybeUninit::<ffi::PyConfig>::uninit();
    // SAFETY: fills the whole structure; pre-initialisation has succeeded above.
    unsafe { ffi::PyConfig_InitPythonConfig(config.as_mut_ptr()) };
    // SAFETY: filled by the call above.
    let config = unsafe { config.assume_init_mut() };
    let result = configure_and_start(config, executable);
    // SAFETY: initialised above and not used after this.
    unsafe { ffi::PyConfig_Clear(config) };
    result?;
    // SAFETY: this thread has just initialised Python, so the interpreter is attached to it; this
    // detaches it, and every later use goes through `Python::attach`.
    unsafe { ffi::PyEval_SaveThread() };
    Ok(())
}

fn configure_and_start(config: &mut ffi::PyConfig, executable: Option<&Path>) -> Result<(), Error> {
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    config.configure_c_stdio = 0;
    // Processes that `multiprocessing` starts do not import modules from the current directory.
    #[cfg(Py_3_11)]
    {
        config.safe_path = 1;
    }
    if let Some(path) = executable {
        let path = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::Interpreter("its path has a NUL byte".to_owned()))?;
        let config: *mut ffi::PyConfig = config;
        // SAFETY: `config` is initialised, `executable` is a field of it, and `path` is
        // NUL-terminated and copied by the call.
        let status = unsafe {
            ffi::PyConfig_SetBytesString(config, &raw mut (*config).executable, path.as_ptr())
        };
        check(status)?;
    }
    // SAFETY: a filled configuration, on the thread that becomes Python's main thread.
    check(unsafe { ffi::Py_InitializeFromConfig(config) })
}

fn check(status: ffi::PyStatus) -> Result<(), Error> {
    // SAFETY: takes the status by value.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    let text = if status.err_msg.is_null() {
        format!("it asked to exit with {}", status.exitcode)
    } else {
        // SAFETY: not null, and Python's messages are static strings.
        unsafe { CStr::from_ptr(status.err_msg) }.to_string_lossy().into_owned()
    };
    Err(Error::Interpreter(text))
}
