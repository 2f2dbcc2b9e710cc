//! The `start_response` of a usual call.
//!
//! Takes a status and a list of headers, once. Makes a `Call` of `_hosts/wsgi_call.py` for everything else.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::python_runtime::exchange::Exchange;
use crate::sync::Mutex;

/// A status, and the headers.
type ResponseHead = (u16, Vec<(String, String)>);

#[pyclass(frozen)]
pub(super) struct StartResponse {
    host: Py<PyAny>,
    route: Py<PyAny>,
    exchange: Py<Exchange>,
    head: Mutex<Option<ResponseHead>>,
    /// Whether a part of the body has come.
    has_begun: AtomicBool,
    call: OnceLock<Py<PyAny>>,
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, exc_info = None))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let has_begun = this.has_begun.load(Ordering::Relaxed);
        if exc_info.is_none() && !has_begun && this.call.get().is_none() {
            let mut head = this.head.lock();
            if head.is_none()
                && let Some(usual) = usual_head(status, headers)
            {
                *head = Some(usual);
                drop(head);
                return slf.getattr(intern!(py, "write"));
            }
        }
        this.call(py)?.call_method1(intern!(py, "start_response"), (status, headers, exc_info))
    }

    /// Sends a part of the body at once, before the application returns.
    fn write<'py>(&self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.call(data.py())?.call_method1(intern!(data.py(), "write"), (data,))
    }
}

impl StartResponse {
    pub(super) fn new<'py>(
        host: &Bound<'py, PyAny>,
        route: &Bound<'py, PyAny>,
        exchange: &Bound<'py, Exchange>,
    ) -> Self {
        Self {
            host: host.clone().unbind(),
            route: route.clone().unbind(),
            exchange: exchange.clone().unbind(),
            head: Mutex::new(None),
            has_begun: AtomicBool::new(false),
            call: OnceLock::new(),
        }
    }

    /// Whether it was called once, as usual.
    pub(super) fn is_plain(&self) -> bool {
        self.call.get().is_none() && self.head.lock().is_some()
    }

    /// Records that a part of the body has come: from now on the head is fixed.
    pub(super) fn begin(&self, py: Python<'_>) -> PyResult<()> {
        self.has_begun.store(true, Ordering::Relaxed);
        match self.made_call(py) {
            Some(call) => call.setattr(intern!(py, "has_begun"), true),
            None => Ok(()),
        }
    }

    pub(super) fn content_length(&self) -> Option<usize> {
        let head = self.head.lock();
        let (_, headers) = head.as_ref()?;
        let mut sizes = headers.iter().filter(|(name, _)| name == "content-length");
        sizes.find_map(|(_, value)| value.trim().parse().ok())
    }

    /// Takes the head.
    pub(super) fn head(&self, py: Python<'_>) -> PyResult<ResponseHead> {
        if let Some(call) = self.made_call(py) {
            return call.getattr(intern!(py, "head"))?.extract();
        }
        let head = self.head.lock().take();
        head.ok_or_else(|| PyRuntimeError::new_err("the head was taken before"))
    }

    /// Python's side of the call, if it was needed.
    pub(super) fn made_call<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.call.get().map(|call| call.bind(py).clone())
    }

    /// Python's side of the call, which continues it from here.
    pub(super) fn call<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(call) = self.made_call(py) {
            return Ok(call);
        }
        let (head, has_begun) = (self.head.lock().take(), self.has_begun.load(Ordering::Relaxed));
        let arguments = (&self.exchange, &self.route, head, has_begun);
        let call = self.host.bind(py).call_method1(intern!(py, "make_call"), arguments)?;
        Ok(self.call.get_or_init(|| call.unbind()).bind(py).clone())
    }
}

/// Reads a status and headers of the usual types; `None` for others, and for mistakes.
fn usual_head(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> Option<ResponseHead> {
    let status = status.cast_exact::<PyString>().ok()?.to_str().ok()?;
    let (number, rest) = status.split_at_checked(3)?;
    let is_number = matches!(number.as_bytes()[0], b'2'..=b'9')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !rest.starts_with(|char: char| char.is_ascii_digit());
    if !is_number {
        return None;
    }
    let headers = headers.cast_exact::<PyList>().ok()?;
    let mut read = Vec::with_capacity(headers.len());
    for pair in headers.iter() {
        let pair = pair.cast_exact::<PyTuple>().ok()?;
        if pair.len() != 2 {
            return None;
        }
        let (name, value) = (pair.get_borrowed_item(0).ok()?, pair.get_borrowed_item(1).ok()?);
        let name = name.cast_exact::<PyString>().ok()?.to_str().ok()?.to_ascii_lowercase();
        read.push((name, value.cast_exact::<PyString>().ok()?.to_str().ok()?.to_owned()));
    }
    Some((number.parse().ok()?, read))
}
