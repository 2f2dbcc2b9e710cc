//! The messages of one HTTP request of an ASGI application, in both directions.
//!
//! Owns their order. Never waits: it returns what its caller has to wait for.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::sync::Mutex;

use super::event::{self, HeaderTexts};
use super::response_way::{ResponseWay, SentChunk};

/// The state of one request, and the steps of the calls of its application.
pub(super) struct HttpMessages {
    pub(super) response: ResponseWay,
    state: Mutex<CycleState>,
}

#[derive(Default)]
pub(super) struct CycleState {
    /// Whether the application has all of the request's body.
    is_read: bool,
    /// The status and the headers, until they are sent.
    head: Option<(u16, HeaderTexts)>,
    has_head: bool,
    /// The fields after the body, if the application has announced some.
    trailers: Option<HeaderTexts>,
    /// Whether only they are missing.
    is_body_over: bool,
    pub(super) has_begun: bool,
    pub(super) is_complete: bool,
    /// Whether the client has left, or the request has failed without the application.
    pub(super) is_gone: bool,
    /// Whether the application has returned.
    has_returned: bool,
    /// The futures of calls of `receive` that wait for the end of the request.
    waiting: Vec<Py<PyAny>>,
}

/// The result of a step: the value of a call, or what it has to wait for.
pub(super) enum CallTurn<'py> {
    Over(Bound<'py, PyAny>),
    Wait(Bound<'py, PyAny>, Awaited),
}

/// The event that a call waits for.
#[derive(Clone, Copy)]
pub(super) enum Awaited {
    /// The next chunk of the request's body.
    Chunk,
    /// The end of the request.
    End,
    /// Room for a chunk of the response.
    Room { is_last: bool },
}

impl HttpMessages {
    pub(super) fn new(response: ResponseWay) -> Arc<Self> {
        Arc::new(Self { response, state: Mutex::default() })
    }

    /// Makes the scope of the request.
    pub(super) fn scope<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ResponseWay { application, exchange, .. } = &self.response;
        application.get().scope_of(py, exchange.get().request_head())
    }

    /// Ends the calls of `receive` that still wait; returns the problem of an application that has
    /// returned too early.
    pub(super) fn end(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        let mut state = self.state.lock();
        let problem = match *state {
            CycleState { is_complete: true, .. } | CycleState { is_gone: true, .. } => None,
            CycleState { has_begun: true, .. } => {
                Some("the application returned before the end of its response")
            }
            _ => Some("the application returned without a response"),
        };
        state.has_returned = true;
        drop(state);
        self.wake(py)?;
        Ok(problem)
    }

    /// Reads a part of the state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&CycleState) -> T) -> T {
        read(&self.state.lock())
    }

    /// Lets `receive` return that the client has left.
    pub(super) fn disconnect(&self, py: Python<'_>) -> PyResult<()> {
        self.state.lock().is_gone = true;
        self.wake(py)
    }

    pub(super) fn receive_next<'py>(&self, py: Python<'py>) -> PyResult<CallTurn<'py>> {
        let exchange = self.response.exchange.get();
        let mut state = self.state.lock();
        if !state.is_read && !state.is_gone {
            if !exchange.is_streamed() {
                state.is_read = true;
                drop(state);
                let body = exchange.body(py)?;
                return Ok(CallTurn::Over(event::request(body.as_any(), false)?));
            }
            drop(state);
            let signals = &self.response.application.get().loop_signals;
            return match exchange.next_chunk(py, signals)? {
                Some(received) => self.received(py, received),
                None => {
                    let arrival = self.response.call_loop(
                        py,
                        intern!(py, "receive"),
                        (&self.response.exchange,),
                    )?;
                    Ok(CallTurn::Wait(arrival, Awaited::Chunk))
                }
            };
        }
        if state.is_gone || state.is_complete || state.has_returned {
            return Ok(CallTurn::Over(event::disconnect(py)?));
        }
        drop(state);
        let future = self.response.call_loop(py, intern!(py, "create_future"), ())?;
        self.add_waiting(py, &future)?;
        Ok(CallTurn::Wait(future, Awaited::End))
    }

    /// Remembers a future of `receive`, and forgets futures of cancelled calls: an application
    /// may ask again and again whether its client has left.
    fn add_waiting(&self, py: Python<'_>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = std::mem::take(&mut self.state.lock().waiting);
        let mut waiting = Vec::with_capacity(before.len() + 1);
        for future in before {
            if !future.call_method0(py, intern!(py, "done"))?.is_truthy(py)? {
                waiting.push(future);
            }
        }
        waiting.push(future.clone().unbind());
        self.state.lock().waiting.append(&mut waiting);
        Ok(())
    }

    /// Returns a chunk of the body, or ends the request if that cannot be read.
    pub(super) fn received<'py>(
        &self,
        py: Python<'py>,
        received: Bound<'py, PyAny>,
    ) -> PyResult<CallTurn<'py>> {
        if let Ok(chunk) = received.cast::<PyBytes>() {
            let is_over = chunk.as_bytes().is_empty();
            self.state.lock().is_read = is_over;
            return Ok(CallTurn::Over(event::request(&received, !is_over)?));
        }
        self.state.lock().is_read = true;
        if !self.response.exchange.get().cancelled() && !self.state.lock().has_begun {
            let (status, detail) = received.extract()?;
            self.response.refuse(py, status, detail)?;
        }
        self.disconnect(py)?;
        Ok(CallTurn::Over(event::disconnect(py)?))
    }

    pub(super) fn send_next<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<CallTurn<'py>> {
        let py = message.py();
        let kind = event::required(message, intern!(py, "type"))?;
        let name = kind.cast::<PyString>().ok().map(|kind| kind.to_str()).transpose()?;
        let name = name.unwrap_or_default();
        let mut state = self.state.lock();
        if state.is_gone {
            let has_begun = state.has_begun;
            drop(state);
            // It adds nothing to the response, which the client may have whole.
            let is_empty = has_begun
                && name == "http.response.body"
                && event::optional(message, intern!(py, "body"))?.is_none();
            return if is_empty { over(py) } else { Err(self.client_disconnected(py)) };
        }
        if !state.has_head {
            drop(state);
            if name != "http.response.start" {
                return Err(event::unexpected(message, "http.response.start"));
            }
            let head = (event::status(message)?, event::fields(message)?);
            let has_trailers = event::optional(message, intern!(py, "trailers"))?.is_some();
            state = self.state.lock();
            (state.head, state.has_head) = (Some(head), true);
            state.trailers = has_trailers.then(Vec::new);
            return over(py);
        }
        if state.is_complete {
            drop(state);
            return Err(PyRuntimeError::new_err(format!(
                "the application sent `{kind}` after the end of its response"
            )));
        }
        if state.is_body_over {
            drop(state);
            if name != "http.response.trailers" {
                return Err(event::unexpected(message, "http.response.trailers"));
            }
            return self.add_trailers(message);
        }
        let has_begun = state.has_begun;
        drop(state);
        match name {
            "http.response.body" => {
                let body = event::body(message)?;
                let is_last = event::optional(message, intern!(py, "more_body"))?.is_none();
                self.send_body(py, body, is_last)
            }
            "http.response.pathsend" if !has_begun => {
                let path = event::required(message, intern!(py, "path"))?.str()?;
                let (status, headers) = self.read(|state| state.head.clone()).unwrap_or_default();
                self.response.file(py, status, headers, path)?;
                self.complete(py)?;
                over(py)
            }
            _ => Err(event::unexpected(message, "http.response.body")),
        }
    }

    fn send_body<'py>(
        &self,
        py: Python<'py>,
        body: Bound<'py, PyBytes>,
        is_last: bool,
    ) -> PyResult<CallTurn<'py>> {
        let mut state = self.state.lock();
        let head = state.head.take();
        let is_whole = is_last && state.trailers.is_none();
        drop(state);
        let is_first = match head {
            Some((status, headers)) if is_whole => {
                self.response.whole(py, status, headers, body)?;
                self.complete(py)?;
                return over(py);
            }
            Some((status, headers)) => {
                self.response.begin(py, status, headers)?;
                self.state.lock().has_begun = true;
                true
            }
            None => false,
        };
        // An empty chunk begins the response, too.
        if !is_first && body.as_bytes().is_empty() {
            return self.sent(py, true, is_last);
        }
        match self.response.chunk(py, body)? {
            SentChunk::Now(is_sent) => self.sent(py, is_sent, is_last),
            SentChunk::After(room) => Ok(CallTurn::Wait(room, Awaited::Room { is_last })),
        }
    }

    /// Continues after a chunk; `is_sent` is false if the client has left.
    pub(super) fn sent<'py>(
        &self,
        py: Python<'py>,
        is_sent: bool,
        is_last: bool,
    ) -> PyResult<CallTurn<'py>> {
        if !is_sent {
            self.disconnect(py)?;
            return Err(self.client_disconnected(py));
        }
        if is_last {
            let mut state = self.state.lock();
            state.is_body_over = state.trailers.is_some();
            let is_over = !state.is_body_over;
            drop(state);
            if is_over {
                self.finish(py, None)?;
            }
        }
        over(py)
    }

    fn add_trailers<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<CallTurn<'py>> {
        let py = message.py();
        let fields = event::fields(message)?;
        let is_last = event::optional(message, intern!(py, "more_trailers"))?.is_none();
        let mut state = self.state.lock();
        let trailers = state.trailers.get_or_insert_default();
        trailers.extend(fields);
        let trailers = is_last.then(|| std::mem::take(trailers));
        drop(state);
        if trailers.is_some() {
            self.finish(py, trailers)?;
        }
        over(py)
    }

    fn finish(&self, py: Python<'_>, trailers: Option<HeaderTexts>) -> PyResult<()> {
        self.response.finish(py, trailers)?;
        self.complete(py)
    }

    fn complete(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state.lock();
        (state.has_begun, state.is_complete) = (true, true);
        drop(state);
        self.wake(py)
    }

    /// Wakes the calls of `receive` that wait for the end of the request.
    fn wake(&self, py: Python<'_>) -> PyResult<()> {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        for future in waiting {
            let future = future.bind(py);
            if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    fn client_disconnected(&self, py: Python<'_>) -> PyErr {
        match self.response.application.get().client_disconnected.bind(py).call0() {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }
}

fn over(py: Python<'_>) -> PyResult<CallTurn<'_>> {
    Ok(CallTurn::Over(py.None().into_bound(py)))
}
