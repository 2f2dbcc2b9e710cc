//! The place of `own_context.rs` with the feature `abi3`: the stable interface of Python cannot enter a
//! context.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::exchange::Exchange;

static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Calls `function` in a copy of the thread's context.
pub(super) fn call<'py>(
    py: Python<'py>,
    function: &Py<PyAny>,
    args: (Py<Exchange>, Bound<'py, PyString>, Bound<'py, PyString>),
) -> PyResult<Py<PyAny>> {
    let copy_context = COPY_CONTEXT.import(py, "_contextvars", "copy_context")?;
    let (exchange, method, path) = args;
    copy_context
        .call0()?
        .call_method1(intern!(py, "run"), (function, exchange, method, path))
        .map(Bound::unbind)
}
