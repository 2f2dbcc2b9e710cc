//! The object that Rust lends to the whole runtime: what Python may ask of it besides requests.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event::{Event, EventBus};
use crate::message::{LogRecord, WorkerEvent};

use super::bridge::parse;
use super::env_file;
use super::loop_signals::Notices;
use super::reply::{self, Wakes};
use crate::framework;

/// What Python may ask of Rust besides.
#[pyclass(frozen)]
pub(crate) struct Border {
    pub(super) notices: Arc<Notices>,
    pub(super) wakes: Arc<Wakes>,
    pub(super) events: Arc<EventBus>,
    /// How many loads have ended.
    pub(super) loads: Arc<AtomicU64>,
}

#[pymethods]
impl Border {
    /// The framework's files, and what the build has compiled them to.
    #[staticmethod]
    fn framework(py: Python<'_>) -> (HashMap<String, String>, Bound<'_, PyBytes>) {
        (framework::sources().collect(), PyBytes::new(py, framework::COMPILED))
    }

    #[getter]
    fn wake_fd(&self) -> RawFd {
        self.notices.read_fd()
    }

    fn ring(&self) {
        self.wakes.ring();
    }

    /// Ids of requests given up, and of those whose stream has room again.
    fn notices(&self) -> (Vec<u64>, Vec<u64>) {
        self.notices.take()
    }

    #[staticmethod]
    fn leave_answers() {
        reply::leave_answers();
    }

    fn wake(&self) {
        self.wakes.wake();
    }

    /// Tells observers of a line that was written to `stdout` or `stderr`; `loads`: by what is
    /// loading now.
    fn print(&self, request: Option<u64>, stream: &str, line: &str, loads: bool) {
        let reload = loads.then(|| self.loads.load(Ordering::Acquire) + 1);
        let stream = if stream == "stderr" { "stderr" } else { "stdout" };
        let time = SystemTime::now();
        self.events.print(LogRecord { time, request, reload, stream, line });
    }

    /// Tells observers what happened to a process of the pool, as JSON.
    fn worker_event(&self, event: Bound<'_, PyAny>) -> PyResult<()> {
        let event: Arc<WorkerEvent> = Arc::new(parse(&event)?);
        self.events.emit(|| Event::Worker(event));
        Ok(())
    }

    #[staticmethod]
    fn parse_env<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        match env_file::parse(text) {
            Ok(pairs) => pairs.into_bound_py_any(py),
            Err(problem) => problem.into_bound_py_any(py),
        }
    }
}
