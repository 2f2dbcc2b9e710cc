//! The messages of ASGI, in both directions.
//!
//! Accepts what the types of ASGI allow, and other objects that convert to them. Never knows which
//! message comes when.

use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyString};

/// Names and values, as a response has them.
pub(super) type HeaderTexts = Vec<(String, String)>;

/// Makes the message of a part of the request's body.
pub(super) fn request<'py>(
    body: &Bound<'py, PyAny>,
    has_more: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, message) = (body.py(), PyDict::new(body.py()));
    message.set_item(intern!(py, "type"), intern!(py, "http.request"))?;
    message.set_item(intern!(py, "body"), body)?;
    message.set_item(intern!(py, "more_body"), has_more)?;
    Ok(message.into_any())
}

/// Makes the message of the end of a request.
pub(super) fn disconnect(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.disconnect"))?;
    Ok(message.into_any())
}

/// Returns the value of a key that a message must have.
pub(super) fn required<'py>(
    message: &Bound<'py, PyAny>,
    key: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    match message.cast_exact::<PyDict>() {
        Ok(message) => {
            message.get_item(key)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
        }
        Err(_) => message.get_item(key),
    }
}

/// Returns the value of a key, unless it is missing or false.
pub(super) fn optional<'py>(
    message: &Bound<'py, PyAny>,
    key: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let value = match message.cast_exact::<PyDict>() {
        Ok(message) => message.get_item(key)?,
        Err(_) => Some(message.call_method1(intern!(message.py(), "get"), (key,))?),
    };
    match value {
        Some(value) if value.is_truthy()? => Ok(Some(value)),
        _ => Ok(None),
    }
}

/// Returns the status of a response; an error for one that ends none, as 101.
pub(super) fn status(message: &Bound<'_, PyAny>) -> PyResult<u16> {
    let py = message.py();
    let given = required(message, intern!(py, "status"))?;
    let number = match given.extract::<i64>() {
        Ok(number) => number,
        Err(_) => py.get_type::<PyInt>().call1((given,))?.extract()?,
    };
    u16::try_from(number).ok().filter(|number| (200..=999).contains(number)).ok_or_else(|| {
        PyValueError::new_err(format!(
            "the application sent the status {number}; a response has 200 to 999"
        ))
    })
}

/// Returns the headers of a message, with names in lower case.
pub(super) fn fields(message: &Bound<'_, PyAny>) -> PyResult<HeaderTexts> {
    let Some(headers) = optional(message, intern!(message.py(), "headers"))? else {
        return Ok(Vec::new());
    };
    let mut fields = Vec::new();
    for pair in headers.try_iter()? {
        let (name, value) = pair_of(&pair?)?;
        let mut name = text(&bytes(name)?);
        match name.is_ascii() {
            true => name.make_ascii_lowercase(),
            false => name = name.to_lowercase(),
        }
        fields.push((name, text(&bytes(value)?)));
    }
    Ok(fields)
}

fn pair_of<'py>(pair: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if let Ok(pair) = pair.extract() {
        return Ok(pair); // a tuple
    }
    let mut parts = pair.try_iter()?;
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(value), None) => Ok((name?, value?)),
        _ => Err(PyValueError::new_err("a header of the application is not a pair of two bytes")),
    }
}

/// Returns the body of a message.
pub(super) fn body<'py>(message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = message.py();
    match optional(message, intern!(py, "body"))? {
        Some(body) => bytes(body),
        None => Ok(PyBytes::new(py, b"")),
    }
}

/// Does what `bytes(value)` does.
fn bytes(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyBytes>> {
    match value.cast_into::<PyBytes>() {
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let value = error.into_inner();
            Ok(value.py().get_type::<PyBytes>().call1((value,))?.cast_into()?)
        }
    }
}

/// Decodes Latin-1.
fn text(bytes: &Bound<'_, PyBytes>) -> String {
    let bytes = bytes.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Returns the error of a message that is not allowed now.
pub(super) fn unexpected(message: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    match required(message, intern!(message.py(), "type")) {
        Ok(kind) => PyRuntimeError::new_err(format!(
            "the application sent `{kind}` where the server expects `{expected}`"
        )),
        Err(error) => error,
    }
}
