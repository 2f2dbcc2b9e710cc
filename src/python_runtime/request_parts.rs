//! The parts of a request as Python reads them: the head, a form with its files, and the chunks of a
//! body.
//!
//! `snaxum.uploads` wraps the files. Never reads a connection.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::message::request_stream::ReceivedChunk;
use crate::message::{FileContent, Form, Head};

/// The field's name, the file's name and content type, and its bytes.
type UploadParts<'a> = (&'a str, &'a str, &'a str, UploadContent);
/// The fields of a form, and its files.
pub(super) type FormParts<'a> = (Vec<(&'a str, &'a str)>, Vec<UploadParts<'a>>);

/// A host and its port.
type Address = (String, u16);
/// The method of a request; the common ones are interned.
pub(super) fn method_text<'py>(py: Python<'py>, head: &Head) -> Bound<'py, PyString> {
    match head.method() {
        "GET" => intern!(py, "GET").clone(),
        "POST" => intern!(py, "POST").clone(),
        other => PyString::new(py, other),
    }
}

/// The scheme that the client has used.
pub(super) fn scheme_text<'py>(py: Python<'py>, head: &Head) -> Bound<'py, PyString> {
    match head.scheme() {
        "http" => intern!(py, "http").clone(),
        other => PyString::new(py, other),
    }
}

/// The address of the client, the scheme, and the host that it has addressed.
pub(super) type RequestOrigin<'a> = (Option<Address>, &'static str, Cow<'a, str>);

/// Returns where a request comes from, as a trusted proxy reports it.
pub(super) fn origin(head: &Head) -> RequestOrigin<'_> {
    (head.client().map(address_parts), head.scheme(), head.host())
}

fn address_parts(address: SocketAddr) -> Address {
    (address.ip().to_string(), address.port())
}

/// Returns the parts of a form for Python.
pub(super) fn parts(form: &Form) -> FormParts<'_> {
    let fields = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let files = form.files.iter().map(|file| {
        let content = UploadContent(Arc::clone(&file.content));
        (file.name.as_str(), file.filename.as_str(), file.content_type.as_str(), content)
    });
    (fields.collect(), files.collect())
}

/// The bytes of an uploaded file; closed when its request has ended.
#[pyclass(frozen)]
pub(super) struct UploadContent(Arc<FileContent>);

#[pymethods]
impl UploadContent {
    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// Reads up to `size` bytes from the byte `offset` on.
    fn read_at<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        size: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if self.0.is_closed() {
            return Err(closed());
        }
        let left = usize::try_from(self.0.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        PyBytes::new_with(py, size.min(left), |buffer| {
            let read = py.detach(|| self.0.read_at(offset, buffer)).ok_or_else(closed)??;
            match read == buffer.len() {
                true => Ok(()),
                false => Err(closed()),
            }
        })
    }

    /// Copies all bytes to a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py.detach(|| self.0.save(&path)).ok_or_else(closed)??)
    }

    /// Whether the request has ended.
    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&self) {
        self.0.close();
    }
}

fn closed() -> PyErr {
    PyValueError::new_err(
        "the upload is closed, as its request has ended; read or save it before the response",
    )
}

/// Returns the bytes of a chunk, which are empty at the end, or the status and reason of a failure.
pub(super) fn to_python(py: Python<'_>, received: ReceivedChunk) -> PyResult<Bound<'_, PyAny>> {
    match received {
        ReceivedChunk::Chunk(chunk) => Ok(PyBytes::new(py, &chunk).into_any()),
        ReceivedChunk::End => Ok(PyBytes::new(py, b"").into_any()),
        ReceivedChunk::Failed(status, detail) => Ok((status, detail).into_pyobject(py)?.into_any()),
    }
}

/// The error of reading a streamed body in another way.
pub(super) fn is_streamed() -> PyErr {
    PyRuntimeError::new_err(
        "the handler reads its body with `request.stream()`, so it was not parsed; read the chunks, or \
         set `stream_body=False` on the route",
    )
}

/// The error of reading a whole body in chunks.
pub(super) fn is_whole() -> PyErr {
    PyRuntimeError::new_err("the body is not streamed")
}
