//! The scope of an ASGI request, and what all requests of an application share.
//!
//! Owns its shape. Never calls an application.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::HOST;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::message::Head;
use crate::python_runtime::exchange::Exchange;
use crate::python_runtime::loop_signals::LoopSignals;
use crate::python_runtime::request_parts::{method_text, scheme_text};

/// The values that all requests of one application share.
#[pyclass(frozen)]
pub(in crate::python_runtime) struct AsgiApplication {
    /// The scope of a usual request, without its own values.
    usual: Py<PyDict>,
    has_root_path: bool,
    versions: Py<PyDict>,
    /// Each request gets a copy.
    state: Py<PyDict>,
    /// The id of its route.
    pub(super) route: String,
    /// The class of the exception of `send` once the client has left.
    pub(super) client_disconnected: Py<PyAny>,
    pub(super) loop_signals: Arc<LoopSignals>,
}

#[pymethods]
impl AsgiApplication {
    /// Makes the scope of a request.
    fn scope<'py>(&self, py: Python<'py>, exchange: &Exchange) -> PyResult<Bound<'py, PyDict>> {
        self.scope_of(py, exchange.request_head())
    }

    /// Shows the collector the state: it may refer to the code of the application, which a reload
    /// replaces.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.usual)?;
        visit.call(&self.versions)?;
        visit.call(&self.state)?;
        visit.call(&self.client_disconnected)
    }
}

impl AsgiApplication {
    pub(in crate::python_runtime) fn new(
        root_path: &Bound<'_, PyString>,
        route: String,
        versions: Py<PyDict>,
        state: Py<PyDict>,
        client_disconnected: Py<PyAny>,
        loop_signals: Arc<LoopSignals>,
    ) -> PyResult<Self> {
        let has_root_path = !root_path.to_str()?.is_empty();
        let usual = usual_scope(root_path)?.unbind();
        Ok(Self { usual, has_root_path, versions, state, route, client_disconnected, loop_signals })
    }

    pub(super) fn scope_of<'py>(
        &self,
        py: Python<'py>,
        head: &Head,
    ) -> PyResult<Bound<'py, PyDict>> {
        let extensions = PyDict::new(py);
        extensions.set_item(intern!(py, "http.response.pathsend"), PyDict::new(py))?;
        extensions.set_item(intern!(py, "http.response.trailers"), PyDict::new(py))?;
        let (client, server) = head.addresses();
        // A copy has the room for all keys, and its order.
        let scope = self.usual.bind(py).copy()?;
        scope.set_item(intern!(py, "asgi"), self.versions.bind(py).copy()?)?;
        if head.version() != "1.1" {
            scope.set_item(intern!(py, "http_version"), head.version())?;
        }
        scope.set_item(intern!(py, "method"), method_text(py, head))?;
        scope.set_item(intern!(py, "scheme"), scheme_text(py, head))?;
        scope.set_item(intern!(py, "path"), self.path(py, head))?;
        scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, head.raw_path().as_bytes()))?;
        scope.set_item(intern!(py, "query_string"), PyBytes::new(py, head.query().as_bytes()))?;
        scope.set_item(intern!(py, "headers"), headers(py, head)?)?;
        scope.set_item(intern!(py, "client"), client.map(address))?;
        scope.set_item(intern!(py, "server"), server.map(address))?;
        scope.set_item(intern!(py, "state"), self.state.bind(py).copy()?)?;
        scope.set_item(intern!(py, "extensions"), extensions)?;
        Ok(scope)
    }

    /// The decoded path, which begins with the prefix, also if it has several slashes there.
    fn path<'py>(&self, py: Python<'py>, head: &Head) -> Bound<'py, PyString> {
        let path = head.path();
        match path.trim_start_matches('/') {
            rest if self.has_root_path && path.starts_with("//") => {
                PyString::new(py, &format!("/{rest}"))
            }
            _ => PyString::new(py, &path),
        }
    }
}

/// The names, in lower case, and the values, in the order of arrival.
fn headers<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    let host = head.forwarded_host();
    for (name, value) in head.headers() {
        let value = host.filter(|_| name == HOST).unwrap_or(value);
        let pair = [PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes())];
        list.append(PyTuple::new(py, pair)?)?;
    }
    Ok(list)
}

fn address(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

/// Returns all keys of a scope in their order, with the values that most requests have.
fn usual_scope<'py>(root_path: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
    let (py, scope) = (root_path.py(), PyDict::new(root_path.py()));
    scope.set_item("type", "http")?;
    scope.set_item("asgi", py.None())?;
    scope.set_item("http_version", "1.1")?;
    for key in ["method", "scheme", "path", "raw_path", "query_string"] {
        scope.set_item(key, py.None())?;
    }
    scope.set_item("root_path", root_path)?;
    for key in ["headers", "client", "server", "state", "extensions"] {
        scope.set_item(key, py.None())?;
    }
    Ok(scope)
}
