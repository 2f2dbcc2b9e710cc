//! Starts Python by `PyConfig`: UTF-8 throughout, no signal handlers, no arguments.
//!
//! Never checks a version, and never starts a second interpreter.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pyo3::ffi;

use crate::error::Error;

/// Starts Python, with the packages of the environment that `executable` belongs to. Leaves no thread
/// attached.
pub(super) fn start(executable: Option<&Path>) -> Result<(), Error> {
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
