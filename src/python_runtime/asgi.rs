//! The HTTP requests of ASGI applications, as Python gets them.
//!
//! Owns the objects that an application is called with: `scope`, `receive` and `send`. Never calls it:
//! `_hosts/asgi.py` does.

mod call;
mod cycle;
mod event;
mod flush;
mod response_way;
mod scope;

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::response_stream::BodyStream;

use call::AsgiCall;
use cycle::HttpMessages;
pub(super) use flush::LoopFlush;
pub(super) use response_way::ResponseWay;
pub(super) use scope::AsgiApplication;

/// One request: its `receive` and `send`.
#[pyclass(frozen)]
pub(super) struct HttpCycle(Arc<HttpMessages>);

impl HttpCycle {
    /// Begins the messages of a request.
    pub(super) fn new(response: ResponseWay) -> Self {
        Self(HttpMessages::new(response))
    }
}

#[pymethods]
impl HttpCycle {
    /// Makes the scope of the request.
    fn scope<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.scope(py)
    }

    /// Returns the next part of the body, or waits for the end of the request.
    fn receive(&self) -> AsgiCall {
        AsgiCall::receive(&self.0)
    }

    /// Sends a part of the response.
    fn send(&self, message: Py<PyAny>) -> AsgiCall {
        AsgiCall::send_message(&self.0, message)
    }

    /// Lets `receive` return that the client has left.
    fn disconnect(&self, py: Python<'_>) -> PyResult<()> {
        self.0.disconnect(py)
    }

    /// Ends the messages: the application has returned. Returns the problem if that was too early.
    fn end(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        self.0.end(py)
    }

    /// Whether a part of the response was sent.
    #[getter]
    fn has_begun(&self) -> bool {
        self.0.read(|state| state.has_begun)
    }

    /// Whether all of the response was sent.
    #[getter]
    fn is_complete(&self) -> bool {
        self.0.read(|state| state.is_complete)
    }

    /// Whether the client has left, or the request has failed without the application.
    #[getter]
    fn is_gone(&self) -> bool {
        self.0.read(|state| state.is_gone)
    }

    /// The body of a response that has begun, without a `reply`.
    #[getter]
    fn stream(&self, py: Python<'_>) -> Option<Py<BodyStream>> {
        self.0.response.stream_of(py)
    }
}
