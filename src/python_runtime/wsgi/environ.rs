//! The environ of a request for a WSGI application (PEP 3333).
//!
//! Owns the keys that a request gives it; Python gives the others. Never calls an application.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::http::HeaderName;
use axum::http::header::{COOKIE, HOST};
use percent_encoding::percent_decode_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyString};

use crate::message::Head;
use crate::sync::Mutex;

use crate::python_runtime::exchange::Exchange;
use crate::python_runtime::request_parts::{method_text, scheme_text};

/// The values that all requests of one application share.
#[pyclass(frozen)]
pub(in crate::python_runtime) struct WsgiApplication {
    prefix: String,
    /// The values of every environ.
    shared: Py<PyDict>,
    /// The last address of the server, and its two texts.
    server: Mutex<Option<(SocketAddr, [Py<PyString>; 2])>>,
}

impl WsgiApplication {
    pub(in crate::python_runtime) fn new(prefix: String, shared: Py<PyDict>) -> Self {
        Self { prefix, shared, server: Mutex::default() }
    }

    /// Makes the environ of a request whose body has arrived; `None` if it has not, or if the server has no
    /// address.
    pub(super) fn environ_of_whole<'py>(
        &self,
        py: Python<'py>,
        exchange: &Exchange,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        if exchange.is_streamed() || exchange.request_head().addresses().1.is_none() {
            return Ok(None);
        }
        static BYTES_IO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static SYS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
        let input = BYTES_IO.import(py, "io", "BytesIO")?.call1((exchange.body(py)?,))?;
        let environ = self.environ(py, exchange, input)?;
        let sys = SYS.get_or_try_init(py, || py.import("sys").map(Bound::unbind))?.bind(py);
        environ.set_item(intern!(py, "wsgi.errors"), sys.getattr(intern!(py, "stderr"))?)?;
        Ok(Some(environ))
    }

    fn add_server(&self, environ: &Bound<'_, PyDict>, address: SocketAddr) -> PyResult<()> {
        let py = environ.py();
        let mut server = self.server.lock();
        let known = server.take().filter(|(known, _)| *known == address);
        let (_, texts) = server.insert(known.unwrap_or_else(|| {
            let texts = [address.ip().to_string(), address.port().to_string()];
            (address, texts.map(|text| PyString::new(py, &text).unbind()))
        }));
        environ.set_item(intern!(py, "SERVER_NAME"), &texts[0])?;
        environ.set_item(intern!(py, "SERVER_PORT"), &texts[1])
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
            self.add_server(&environ, address)?;
        }
        if let Some(address) = client {
            environ.set_item(intern!(py, "REMOTE_ADDR"), address.ip().to_string())?;
            environ.set_item(intern!(py, "REMOTE_PORT"), address.port().to_string())?;
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
        environ.set_item(key_of(py, name), latin_1(py, &value))?;
    }
    Ok(())
}

/// The key of a header; the common ones are interned.
fn key_of<'py>(py: Python<'py>, name: &HeaderName) -> Bound<'py, PyString> {
    match name.as_str() {
        "accept" => intern!(py, "HTTP_ACCEPT").clone(),
        "accept-encoding" => intern!(py, "HTTP_ACCEPT_ENCODING").clone(),
        "accept-language" => intern!(py, "HTTP_ACCEPT_LANGUAGE").clone(),
        "authorization" => intern!(py, "HTTP_AUTHORIZATION").clone(),
        "connection" => intern!(py, "HTTP_CONNECTION").clone(),
        "content-length" => intern!(py, "CONTENT_LENGTH").clone(),
        "content-type" => intern!(py, "CONTENT_TYPE").clone(),
        "cookie" => intern!(py, "HTTP_COOKIE").clone(),
        "host" => intern!(py, "HTTP_HOST").clone(),
        "referer" => intern!(py, "HTTP_REFERER").clone(),
        "user-agent" => intern!(py, "HTTP_USER_AGENT").clone(),
        other => {
            let upper = other.chars().map(|char| match char {
                '-' => '_',
                char => char.to_ascii_uppercase(),
            });
            PyString::new(py, &"HTTP_".chars().chain(upper).collect::<String>())
        }
    }
}

/// Decodes Latin-1, as the texts of an environ are.
fn latin_1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|&byte| char::from(byte)).collect::<String>()),
    }
}
