//! The environ of a request for a WSGI application (PEP 3333).
//!
//! Owns the keys that a request gives it; Python gives the others. Never calls an application.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST};
use percent_encoding::percent_decode_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::message::Head;

use super::exchange::Exchange;
use super::request_parts::{method_text, scheme_text};

/// The values that all requests of one application share.
#[pyclass(frozen)]
pub(super) struct WsgiApplication {
    prefix: String,
    /// The values of every environ.
    shared: Py<PyDict>,
}

impl WsgiApplication {
    pub(super) fn new(prefix: String, shared: Py<PyDict>) -> Self {
        Self { prefix, shared }
    }

    fn add_target(&self, environ: &Bound<'_, PyDict>, head: &Head) -> PyResult<()> {
        let py = environ.py();
        let path: Cow<'_, [u8]> = percent_decode_str(head.raw_path()).into();
        let path = match path.starts_with(b"//") && !self.prefix.is_empty() {
            // The prefix is also that of a path with several slashes.
            true => &path[path.iter().take_while(|&&byte| byte == b'/').count() - 1..],
            false => &*path,
        };
        let query = head.query();
        environ.set_item(intern!(py, "REQUEST_METHOD"), method_text(py, head))?;
        let rest = path.get(self.prefix.len()..).unwrap_or_default();
        environ.set_item(intern!(py, "PATH_INFO"), latin_1(py, rest))?;
        environ.set_item(intern!(py, "QUERY_STRING"), latin_1(py, query.as_bytes()))?;
        let uri = match query.is_empty() {
            true => Cow::Borrowed(head.raw_path()),
            false => Cow::Owned(format!("{}?{query}", head.raw_path())),
        };
        environ.set_item(intern!(py, "REQUEST_URI"), latin_1(py, uri.as_bytes()))?;
        let protocol = match head.version() {
            "1.1" => intern!(py, "HTTP/1.1").clone(),
            other => PyString::new(py, &format!("HTTP/{other}")),
        };
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), protocol)?;
        environ.set_item(intern!(py, "wsgi.url_scheme"), scheme_text(py, head))
    }
}

#[pymethods]
impl WsgiApplication {
    /// Makes the environ of a request, whose body is `input`. The name of the server is missing if a
    /// Unix socket has none.
    fn environ<'py>(
        &self,
        py: Python<'py>,
        exchange: &Exchange,
        input: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (head, environ) = (exchange.request_head(), self.shared.bind(py).copy()?);
        environ.set_item(intern!(py, "wsgi.input"), input)?;
        self.add_target(&environ, head)?;
        add_headers(&environ, head)?;
        let (client, server) = head.addresses();
        if let Some(address) = server {
            let keys = [intern!(py, "SERVER_NAME"), intern!(py, "SERVER_PORT")];
            add_address(&environ, keys, address)?;
        }
        if let Some(address) = client {
            let keys = [intern!(py, "REMOTE_ADDR"), intern!(py, "REMOTE_PORT")];
            add_address(&environ, keys, address)?;
        }
        Ok(environ)
    }
}

/// Adds the headers, each once: several values of one are joined.
fn add_headers(environ: &Bound<'_, PyDict>, head: &Head) -> PyResult<()> {
    let (py, headers, host) = (environ.py(), head.headers(), head.forwarded_host());
    for name in headers.keys() {
        let text = name.as_str();
        if text.contains('_') {
            continue; // it would look like another header
        }
        let mut values = headers.get_all(name).iter();
        let first = values.next().filter(|_| name != HOST || host.is_none()).or(host);
        let mut value = Cow::Borrowed(first.map_or(&b""[..], |value| value.as_bytes()));
        let separator: &[u8] = if name == COOKIE { b"; " } else { b"," };
        for other in values {
            value.to_mut().extend_from_slice(&[separator, other.as_bytes()].concat());
        }
        let value = latin_1(py, &value);
        if name == HOST {
            environ.set_item(intern!(py, "HTTP_HOST"), value)?;
            continue;
        }
        let prefix = if name == CONTENT_TYPE || name == CONTENT_LENGTH { "" } else { "HTTP_" };
        let mut key = String::with_capacity(prefix.len() + text.len());
        key.push_str(prefix);
        key.extend(text.chars().map(|char| match char {
            '-' => '_',
            char => char.to_ascii_uppercase(),
        }));
        environ.set_item(key, value)?;
    }
    Ok(())
}

fn add_address(
    environ: &Bound<'_, PyDict>,
    keys: [&Bound<'_, PyString>; 2],
    address: SocketAddr,
) -> PyResult<()> {
    environ.set_item(keys[0], address.ip().to_string())?;
    environ.set_item(keys[1], address.port().to_string())
}

/// Decodes Latin-1, as the texts of an environ are.
fn latin_1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|&byte| char::from(byte)).collect::<String>()),
    }
}
