//! Sends the responses that a loop has made in one of its iterations together, at its end.
//!
//! Owns the mark that this is due, one for each loop. Knows no response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;

use crate::python_runtime::reply::WakeBatch;

/// The end of the iterations of one loop.
#[pyclass(frozen)]
pub(in crate::python_runtime) struct LoopFlush {
    call_soon: Py<PyAny>,
    wakes: Arc<WakeBatch>,
    is_due: AtomicBool,
}

#[pymethods]
impl LoopFlush {
    /// Sends the responses now.
    fn flush(&self) {
        self.is_due.store(false, Ordering::Relaxed);
        self.wakes.flush();
    }
}

impl LoopFlush {
    /// Makes it for the loop that has this `call_soon`.
    pub(in crate::python_runtime) fn new(call_soon: Py<PyAny>, wakes: Arc<WakeBatch>) -> Self {
        Self { call_soon, wakes, is_due: AtomicBool::new(false) }
    }

    /// Lets the loop call `flush` at the end of this iteration.
    pub(super) fn soon(this: &Bound<'_, Self>) -> PyResult<()> {
        if this.get().is_due.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let py = this.py();
        let flush = this.getattr(intern!(py, "flush"))?;
        this.get().call_soon.call1(py, (flush,)).map(drop)
    }
}
