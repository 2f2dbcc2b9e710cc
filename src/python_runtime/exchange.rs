//! The objects that Rust lends Python for a request: itself with the means to answer, and its stream.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use axum::http::HeaderValue;
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::message::body_stream::{self, BodySender, TrySendError};
use crate::message::{
    Failure, HandlerOutcome, PoolTime, PythonRequest, PythonResponse, ResponseBody, Timestamps,
    header_texts,
};

use super::bridge::parse;
use super::cpu_time;
use super::host::Border;
use super::in_flight::Ticket;
use super::loop_signals::Room;
use super::reply::Reply;
use super::thread::Call;

/// One request, and the means to answer it. Dropped unanswered, it is a 500.
#[pyclass(frozen)]
pub(super) struct Exchange {
    request: PythonRequest,
    reply: Mutex<Option<Reply>>,
    /// Where somebody wants to know.
    timestamps: Mutex<Option<Timestamps>>,
    /// Likewise: says that it runs, until it is answered. A handler may keep its request for ever.
    ticket: Mutex<Option<Ticket>>,
}

#[pymethods]
impl Exchange {
    #[getter]
    fn id(&self) -> u64 {
        self.request.id
    }

    #[getter]
    fn method(&self) -> &str {
        self.request.head.method()
    }

    #[getter]
    fn path(&self) -> Cow<'_, str> {
        self.request.head.path()
    }

    #[getter]
    fn query(&self) -> &str {
        self.request.head.query()
    }

    fn headers(&self) -> Vec<(&str, Cow<'_, str>)> {
        header_texts(self.request.head.headers()).collect()
    }

    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.request.body)
    }

    /// Whether nobody waits for the answer any more.
    fn cancelled(&self) -> bool {
        let reply = lock(&self.reply);
        reply.as_ref().is_none_or(Reply::is_closed)
    }

    /// Notes that the handler begins now, on another thread than the one that took the request;
    /// like the next four, only dev mode calls it.
    fn began(&self) {
        if let (Some(timestamps), Some(ticket)) =
            (&mut *lock(&self.timestamps), &*lock(&self.ticket))
        {
            let now = Instant::now();
            (timestamps.taken, timestamps.attached, timestamps.is_on_worker) = (now, now, false);
            timestamps.blockers = ticket.blockers(timestamps.queued, now);
        }
    }

    /// Notes that the handler holds the loop from now on.
    fn resumed(&self) {
        if let Some(ticket) = &*lock(&self.ticket) {
            ticket.enter_loop(Instant::now());
        }
    }

    /// Notes that the handler lets the loop go.
    fn suspended(&self) {
        if let Some(ticket) = &*lock(&self.ticket) {
            ticket.leave_loop(&self.request.head, Instant::now());
        }
    }

    /// Notes what the handler had the pool do, in seconds.
    fn pooled(&self, tasks: u64, waited: f64, ran: f64) {
        if let Some(timestamps) = &mut *lock(&self.timestamps) {
            timestamps.pool = Some(PoolTime { tasks, wait_ms: waited * 1e3, run_ms: ran * 1e3 });
        }
    }

    /// Notes that the handler has returned.
    fn returned(&self) {
        if let Some(timestamps) = &mut *lock(&self.timestamps) {
            cpu_time::returned(timestamps, Instant::now());
        }
    }

    /// Answers with 200 and no header but the type.
    fn respond_plainly(
        &self,
        generation: u64,
        route: &str,
        content_type: &str,
        body: Bound<'_, PyBytes>,
    ) {
        let content_type = Some(match content_type {
            JSON => const { HeaderValue::from_static(JSON) },
            HTML => const { HeaderValue::from_static(HTML) },
            _ => const { HeaderValue::from_static(BYTES) },
        });
        let (headers, body) = (Vec::new(), ResponseBody::Full(shared(body)));
        let response = HandlerOutcome::Response { status: 200, content_type, headers, body };
        self.answer(generation, Some(route), response);
    }

    fn respond(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
        body: Bound<'_, PyBytes>,
    ) {
        let body = ResponseBody::Full(shared(body));
        let response = HandlerOutcome::Response { status, content_type: None, headers, body };
        self.answer(generation, route, response);
    }

    fn stream(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> BodyStream {
        let (pieces, receiver) = body_stream::channel();
        let body = ResponseBody::Stream(receiver);
        let response = HandlerOutcome::Response { status, content_type: None, headers, body };
        let ticket = self.answer(generation, route, response);
        BodyStream { id: self.request.id, pieces, ticket: Mutex::new(ticket) }
    }

    fn fail(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        detail: String,
        headers: Vec<(String, String)>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let traceback = traceback.map(|json| parse(&json)).transpose()?;
        let failure = Failure { status, detail, headers, traceback };
        self.answer(generation, route, HandlerOutcome::Failure(failure));
        Ok(())
    }
}

impl Exchange {
    pub(super) fn new(call: Call) -> Self {
        let Call { request, reply, timestamps, ticket } = call;
        let (reply, timestamps, ticket) = (Some(reply).into(), timestamps.into(), ticket.into());
        Self { request, reply, timestamps, ticket }
    }

    /// Answers; gives the ticket for whatever of the request goes on.
    fn answer(
        &self,
        generation: u64,
        route: Option<&str>,
        outcome: HandlerOutcome,
    ) -> Option<Ticket> {
        let (mut timestamps, ticket) = (lock(&self.timestamps).take(), lock(&self.ticket).take());
        if let Some(timestamps) = &mut timestamps {
            timestamps.converted = Instant::now();
            if timestamps.returned < timestamps.attached {
                cpu_time::returned(timestamps, timestamps.converted); // it raised
            }
            if let Some(ticket) = ticket.as_ref().filter(|_| timestamps.is_on_worker) {
                ticket.held(&self.request.head, timestamps.attached, timestamps.converted);
            }
        }
        // Nobody asks for it where nothing is observed.
        let route = route.filter(|_| timestamps.is_some()).map(str::to_owned);
        let reply = lock(&self.reply).take();
        if let Some(reply) = reply {
            reply.send(PythonResponse { generation, route, outcome, timestamps });
        }
        ticket
    }
}

/// The types of what handlers return most, as `snaxum.response` has them.
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// A body from here on is not copied.
const LARGE: usize = 16 * 1024;

/// Gives Rust what Python holds, without a copy if it is large.
fn shared(body: Bound<'_, PyBytes>) -> Bytes {
    if body.as_bytes().len() < LARGE {
        Bytes::copy_from_slice(body.as_bytes())
    } else {
        Bytes::from_owner(PyBackedBytes::from(body))
    }
}

/// The sending end of a streamed body. Dropped unfinished, it cuts the response off.
#[pyclass(frozen)]
struct BodyStream {
    id: u64,
    pieces: BodySender,
    /// Its request's, until it is at its end.
    ticket: Mutex<Option<Ticket>>,
}

#[pymethods]
impl BodyStream {
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// Waits for room; false when the client is gone.
    fn send(&self, py: Python<'_>, chunk: Bound<'_, PyBytes>) -> bool {
        let chunk = shared(chunk);
        py.detach(|| self.pieces.send(&chunk))
    }

    /// Sends if there is room; `None` when there is none, false when the client is gone.
    fn try_send(&self, chunk: Bound<'_, PyBytes>, border: &Border) -> Option<bool> {
        let room = || Room { notices: Arc::clone(&border.notices), id: self.id };
        let (size, waker) = (chunk.as_bytes().len(), || Waker::from(Arc::new(room())));
        match self.pieces.try_send(size, || shared(chunk), waker) {
            Ok(()) => Some(true),
            Err(TrySendError::Full) => None,
            Err(TrySendError::Closed) => Some(false),
        }
    }

    /// Ends the body as complete.
    fn finish(&self) {
        self.pieces.finish();
        lock(&self.ticket).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
