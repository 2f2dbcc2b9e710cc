//! The usual call of a WSGI application: the body of its request has arrived, and its response is small.
//!
//! Owns the call, and reads the parts of the response. `_hosts/wsgi_call.py` has the whole of PEP 3333, and gets
//! every other call, also one that turns out to be another. Only without timestamps.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyTuple};

use crate::python_runtime::exchange::Exchange;
use crate::python_runtime::own_context::OwnContext;

use super::environ::WsgiApplication;
use super::start_response::StartResponse;

/// A response up to this size is collected here, as in `_hosts/wsgi_call.py`.
const MAX_WHOLE: usize = 1024 * 1024;
/// The items of a target.
const ITEMS: usize = 7;

/// The parts that a dispatch worker needs for a request; see `WsgiHost.direct`.
pub(in crate::python_runtime) struct WsgiTarget<'a, 'py> {
    /// Python's side.
    host: Borrowed<'a, 'py, PyAny>,
    application: &'a WsgiApplication,
    /// The application itself.
    app: Borrowed<'a, 'py, PyAny>,
    generation: Borrowed<'a, 'py, PyAny>,
    route: Borrowed<'a, 'py, PyAny>,
    number: u64,
    id: &'a str,
}

/// The parts of a response.
enum ReadParts<'py> {
    Whole(Bound<'py, PyBytes>),
    /// The first one, and the iterator of the others.
    More(Bound<'py, PyBytes>, Bound<'py, PyIterator>),
    /// Nothing was read: Python completes the call.
    Unread,
}

impl<'a, 'py> WsgiTarget<'a, 'py> {
    /// Returns `None` for the target of another kind.
    pub(in crate::python_runtime) fn of(target: &'a Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let target = target.cast::<PyTuple>()?;
        if target.len() != ITEMS {
            return Ok(None);
        }
        let item = |index| target.get_borrowed_item(index);
        Ok(Some(Self {
            host: item(0)?,
            application: item(1)?.cast::<WsgiApplication>()?.get(),
            app: item(2)?,
            generation: item(3)?,
            route: item(4)?,
            number: item(5)?.extract()?,
            id: item(6)?.extract()?,
        }))
    }

    /// Calls the application, and sends its response. An error is one of the framework itself.
    pub(in crate::python_runtime) fn serve(&self, exchange: &Bound<'py, Exchange>) -> PyResult<()> {
        let py = exchange.py();
        // First: where it cannot be entered (`abi3`), Python makes the environ, too.
        let Some(context) = OwnContext::enter(py)? else { return self.leave_to_python(exchange) };
        let Some(environ) = self.application.environ_of_whole(py, exchange.get())? else {
            drop(context);
            return self.leave_to_python(exchange);
        };
        let start = Bound::new(py, StartResponse::new(&self.host, &self.route, exchange))?;
        let called = self.call(&environ, &start);
        let context = context.leave();
        match called {
            Ok((_, ReadParts::Whole(body))) => self.respond(exchange, start.get(), body),
            Ok((given, ReadParts::More(first, parts))) => {
                let (status, headers) = start.get().head(py)?;
                let rest = (context, given, parts, first);
                let arguments = (exchange, self.generation, self.route, status, headers, rest);
                self.host.call_method1(intern!(py, "send_rest"), arguments).map(drop)
            }
            Ok((given, ReadParts::Unread)) => {
                let call = start.get().call(py)?;
                let arguments = (exchange, self.generation, self.route, call, context, given);
                self.host.call_method1(intern!(py, "complete"), arguments).map(drop)
            }
            Err(error) => {
                let call = start.get().made_call(py);
                let arguments = (exchange, self.generation, self.route, error, call);
                self.host.call_method1(intern!(py, "fail"), arguments).map(drop)
            }
        }
    }

    fn leave_to_python(&self, exchange: &Bound<'py, Exchange>) -> PyResult<()> {
        let py = exchange.py();
        let arguments = (exchange, self.generation, self.route, py.None());
        self.host.call_method1(intern!(py, "serve"), arguments).map(drop)
    }

    /// Returns the result of the application, and its parts.
    fn call(
        &self,
        environ: &Bound<'py, PyDict>,
        start: &Bound<'py, StartResponse>,
    ) -> PyResult<(Bound<'py, PyAny>, ReadParts<'py>)> {
        let given = self.app.call1((environ, start))?;
        if !start.get().is_plain() {
            return Ok((given, ReadParts::Unread));
        }
        let parts = self.read(&given, start.get());
        if !matches!(parts, Ok(ReadParts::More(..)))
            && let Err(error) = close(&given)
        {
            // Its own exception comes first, and names that of the parts.
            if let Err(of_parts) = parts {
                error.set_context(given.py(), Some(of_parts));
            }
            return Err(error);
        }
        Ok((given, parts?))
    }

    fn read(&self, given: &Bound<'py, PyAny>, start: &StartResponse) -> PyResult<ReadParts<'py>> {
        let py = given.py();
        let mut parts = given.try_iter()?;
        let Some(first) = self.next(&mut parts)? else {
            return Ok(ReadParts::Whole(PyBytes::new(py, b"")));
        };
        start.begin(py)?;
        let is_small = match start.content_length() {
            Some(size) if size <= MAX_WHOLE => true,
            _ => self.are_small(given)?,
        };
        if !is_small {
            return Ok(ReadParts::More(first, parts));
        }
        let Some(second) = self.next(&mut parts)? else { return Ok(ReadParts::Whole(first)) };
        let mut whole = [first.as_bytes(), second.as_bytes()].concat();
        while let Some(part) = self.next(&mut parts)? {
            whole.extend_from_slice(part.as_bytes());
        }
        Ok(ReadParts::Whole(PyBytes::new(py, &whole)))
    }

    /// The next part that is not empty.
    fn next(&self, parts: &mut Bound<'py, PyIterator>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        for part in parts {
            let part = self.bytes_of(part?)?;
            if !part.as_bytes().is_empty() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Whether all parts are there, and are small.
    fn are_small(&self, given: &Bound<'py, PyAny>) -> PyResult<bool> {
        let items = match given.cast::<PyList>() {
            Ok(list) => list.to_tuple(),
            Err(_) => match given.cast::<PyTuple>() {
                Ok(tuple) => tuple.clone(),
                Err(_) => return Ok(false),
            },
        };
        let mut size = 0;
        for part in items.iter() {
            size += self.bytes_of(part)?.as_bytes().len();
        }
        Ok(size <= MAX_WHOLE)
    }

    fn bytes_of(&self, part: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        match part.cast_into::<PyBytes>() {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                let part = error.into_inner();
                let bytes = self.host.call_method1(intern!(part.py(), "bytes_of"), (&part,))?;
                Ok(bytes.cast_into()?)
            }
        }
    }

    fn respond(
        &self,
        exchange: &Bound<'py, Exchange>,
        start: &StartResponse,
        body: Bound<'py, PyBytes>,
    ) -> PyResult<()> {
        let py = exchange.py();
        let (status, headers) = start.head(py)?;
        if matches!(status, 204 | 304) {
            let reply = (status, headers, body);
            let arguments = (exchange, self.generation, self.route, reply);
            return self.host.call_method1(intern!(py, "send"), arguments).map(drop);
        }
        exchange.get().respond(self.number, Some(self.id), status, headers, body);
        Ok(())
    }
}

/// Calls the application's `close`, if there is one.
fn close(given: &Bound<'_, PyAny>) -> PyResult<()> {
    match given.getattr_opt(intern!(given.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}
