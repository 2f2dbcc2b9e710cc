//! The way of an application's response: to the client, or to a `Reply` of Python
//! (`_hosts/replies.py`) in its place.
//!
//! Knows no message, and no order of them.

use pyo3::call::PyCallArgs;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::python_runtime::exchange::Exchange;
use crate::python_runtime::response_stream::BodyStream;
use crate::sync::Mutex;

use super::event::HeaderTexts;
use super::flush::LoopFlush;
use super::scope::AsgiApplication;

/// One request, and what gets its response.
pub(in crate::python_runtime) struct ResponseWay {
    pub(in crate::python_runtime) exchange: Py<Exchange>,
    pub(in crate::python_runtime) application: Py<AsgiApplication>,
    /// The `LoopThread` that runs the application, and what sends its responses.
    pub(in crate::python_runtime) loop_thread: Py<PyAny>,
    pub(in crate::python_runtime) flush: Py<LoopFlush>,
    pub(in crate::python_runtime) generation: u64,
    /// Gets the response in place of the client.
    pub(in crate::python_runtime) reply: Option<Py<PyAny>>,
    /// The body of the response, once that has begun.
    pub(in crate::python_runtime) stream: Mutex<Option<Py<BodyStream>>>,
}

/// The outcome of a chunk.
pub(super) enum SentChunk<'py> {
    /// It was sent; false if the client has left.
    Now(bool),
    /// It is, once this awaitable returns the same.
    After(Bound<'py, PyAny>),
}

impl ResponseWay {
    pub(super) fn whole(
        &self,
        py: Python<'_>,
        status: u16,
        headers: HeaderTexts,
        body: Bound<'_, PyBytes>,
    ) -> PyResult<()> {
        if let Some(reply) = &self.reply {
            return reply.call_method1(py, intern!(py, "whole"), (status, headers, body)).map(drop);
        }
        self.exchange.get().respond(self.generation, self.route(), status, headers, body);
        self.flush_soon(py)
    }

    /// Sends a file; a file that cannot be read is an error, and then nothing was sent.
    pub(super) fn file(
        &self,
        py: Python<'_>,
        status: u16,
        headers: HeaderTexts,
        path: Bound<'_, PyString>,
    ) -> PyResult<()> {
        if let Some(reply) = &self.reply {
            return reply.call_method1(py, intern!(py, "file"), (status, headers, path)).map(drop);
        }
        let (exchange, path) = (self.exchange.get(), path.extract()?);
        exchange.send_file(py, self.generation, self.route(), status, headers, path)?;
        self.flush_soon(py)
    }

    /// Begins a response whose body follows in chunks.
    pub(super) fn begin(&self, py: Python<'_>, status: u16, headers: HeaderTexts) -> PyResult<()> {
        if let Some(reply) = &self.reply {
            return reply.call_method1(py, intern!(py, "begin"), (status, headers)).map(drop);
        }
        let exchange = self.exchange.get();
        let stream = exchange.stream(self.generation, self.route(), status, headers, None);
        *self.stream.lock() = Some(Py::new(py, stream)?);
        Ok(())
    }

    /// Sends a chunk, if there is room for it.
    pub(super) fn chunk<'py>(
        &self,
        py: Python<'py>,
        body: Bound<'py, PyBytes>,
    ) -> PyResult<SentChunk<'py>> {
        if let Some(reply) = &self.reply {
            let room = reply.bind(py).call_method1(intern!(py, "chunk"), (body,))?;
            return Ok(SentChunk::After(room));
        }
        let Some(stream) = self.stream_of(py) else { return Ok(SentChunk::Now(false)) };
        Ok(match stream.get().offer(body.clone(), &self.application.get().loop_signals) {
            Some(is_sent) => SentChunk::Now(is_sent),
            None => SentChunk::After(self.call_loop(py, intern!(py, "send"), (stream, body))?),
        })
    }

    /// Ends the body, perhaps with fields after it.
    pub(super) fn finish(&self, py: Python<'_>, trailers: Option<HeaderTexts>) -> PyResult<()> {
        if let Some(reply) = &self.reply {
            return reply.call_method1(py, intern!(py, "finish"), (trailers,)).map(drop);
        }
        if let Some(stream) = self.stream_of(py) {
            stream.get().finish(trailers);
        }
        Ok(())
    }

    /// Fails the response, which has not begun: its request cannot be read.
    pub(super) fn refuse(&self, py: Python<'_>, status: u16, detail: String) -> PyResult<()> {
        if let Some(reply) = &self.reply {
            return reply.call_method1(py, intern!(py, "refuse"), (status, detail)).map(drop);
        }
        let exchange = self.exchange.get();
        exchange.fail(self.generation, self.route(), status, detail, Vec::new(), None, None)?;
        self.flush_soon(py)
    }

    /// The body of a response that has begun, without a reply.
    pub(super) fn stream_of(&self, py: Python<'_>) -> Option<Py<BodyStream>> {
        self.stream.lock().as_ref().map(|stream| stream.clone_ref(py))
    }

    /// Calls a method of the `LoopThread`.
    pub(super) fn call_loop<'py, A: PyCallArgs<'py>>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        args: A,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.loop_thread.bind(py).call_method1(method, args)
    }

    fn route(&self) -> Option<&str> {
        Some(&self.application.get().route)
    }

    fn flush_soon(&self, py: Python<'_>) -> PyResult<()> {
        LoopFlush::soon(self.flush.bind(py))
    }
}
