//! Calls a function in a context of its own (`contextvars`).
//!
//! Does what `copy_context().run` does, without the calls.

use pyo3::ffi;
use pyo3::prelude::*;

use super::exchange::Exchange;

/// Calls `function` in a copy of the thread's context.
pub(super) fn call<'py>(
    function: &Py<PyAny>,
    args: (Bound<'py, Exchange>, Bound<'py, PyAny>, Bound<'py, PyAny>),
) -> PyResult<()> {
    let py = args.0.py();
    let _context = OwnContext::enter(py)?;
    function.call1(py, args).map(drop)
}

/// The context, until it is dropped.
pub(super) struct OwnContext<'py>(Bound<'py, PyAny>);

impl<'py> OwnContext<'py> {
    /// Enters a copy of the thread's context; `None` if the build cannot.
    pub(super) fn enter(py: Python<'py>) -> PyResult<Option<Self>> {
        // SAFETY: returns a new reference, or null with an exception set.
        let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent())? };
        // SAFETY: `context` is a context, and no other thread has it.
        match unsafe { ffi::PyContext_Enter(context.as_ptr()) } {
            0 => Ok(Some(Self(context))),
            _ => Err(PyErr::fetch(py)),
        }
    }

    /// Leaves it; returns it for functions that run in it later.
    pub(super) fn leave(self) -> Bound<'py, PyAny> {
        self.0.clone()
    }
}

impl Drop for OwnContext<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread has entered it, and is attached to the interpreter.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            let error = PyErr::fetch(self.0.py());
            tracing::error!("a handler has left its context: {error}");
        }
    }
}
