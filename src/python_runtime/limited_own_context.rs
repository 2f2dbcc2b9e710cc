//! The place of `own_context.rs` with the feature `abi3`: the stable interface of Python cannot enter a
//! context.

use std::convert::Infallible;
use std::marker::PhantomData;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::exchange::Exchange;

pub(super) use LimitedContext as OwnContext;

/// A context that cannot be entered.
pub(super) struct LimitedContext<'py>(Infallible, PhantomData<Bound<'py, PyAny>>);

impl<'py> LimitedContext<'py> {
    /// Enters none.
    pub(super) fn enter(_: Python<'py>) -> PyResult<Option<Self>> {
        Ok(None)
    }

    pub(super) fn leave(self) -> Bound<'py, PyAny> {
        match self.0 {}
    }
}

static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Calls `function` in a copy of the thread's context.
pub(super) fn call<'py>(
    function: &Py<PyAny>,
    args: (Bound<'py, Exchange>, Bound<'py, PyAny>, Bound<'py, PyAny>),
) -> PyResult<()> {
    let (exchange, first, second) = args;
    let py = exchange.py();
    let copy_context = COPY_CONTEXT.import(py, "_contextvars", "copy_context")?;
    let context = copy_context.call0()?;
    context.call_method1(intern!(py, "run"), (function, exchange, first, second)).map(drop)
}
