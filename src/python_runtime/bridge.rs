//! All that speaks PyO3: calls into `snaxum._bridge`, and the objects that Rust lends it for a
//! request.
//!
//! Plain data crosses: strings, bytes, numbers, JSON. Every function here runs with the
//! interpreter held, on a thread that belongs to Python and never on one of tokio's.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::ffi::c_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyModule, PyString};
use serde::de::DeserializeOwned;

use crate::message::stream::{self, PieceSender, Unsent};
use crate::message::{
    Answer, Body, Failure, LoadReport, Marks, Outcome, PoolTime, Request, header_texts,
};

use super::border::Border;
use super::cpu;
use super::embedded;
use super::in_flight::Ticket;
use super::notices::Room;
use super::reloading::Extent;
use super::reply::Reply;
use super::thread::Call;

/// The functions of `snaxum._bridge`.
pub(crate) struct Bridge {
    dispatch: Py<PyAny>,
    prepare: Py<PyAny>,
    reload: Py<PyAny>,
    describe: Py<PyAny>,
    explain: Py<PyAny>,
    stop: Py<PyAny>,
}

/// Whether a change leaves anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// Call [`Bridge::reload`].
    Ready,
    /// The files hold what was last tried.
    Unchanged,
    /// What may be half a file does not parse.
    Held,
}

impl Bridge {
    /// Makes the framework importable and lets it load the user's modules.
    pub(crate) fn start(
        py: Python<'_>,
        options: &str,
        border: Border,
    ) -> PyResult<(Self, LoadReport)> {
        let sources = PyDict::new(py);
        for (name, text) in embedded::sources() {
            sources.set_item(name, text)?;
        }
        let text: String = sources.as_any().get_item("_embed.py")?.extract()?;
        let text = std::ffi::CString::new(text)?;
        PyModule::from_code(py, &text, c_str!("<snaxum>/_embed.py"), c_str!("_snaxum_embed"))?
            .call_method1("install", (&sources, PyBytes::new(py, embedded::COMPILED)))?;

        let module = py.import("snaxum._bridge")?;
        let report = module.call_method1(
            "start",
            (options, (sources, PyBytes::new(py, embedded::COMPILED)), border),
        )?;
        let report = parse(&report)?;
        let function = |name| module.getattr(name).map(Bound::unbind);
        let bridge = Self {
            dispatch: function("dispatch")?,
            prepare: function("prepare")?,
            reload: function("reload")?,
            describe: function("describe")?,
            explain: function("explain")?,
            stop: function("stop")?,
        };
        Ok((bridge, report))
    }

    /// Answers one request, now or later; a failure of the framework itself is logged.
    pub(crate) fn dispatch(&self, py: Python<'_>, call: Call) {
        let Call { request, reply, marks, ticket } = call;
        let (method, path) = (interned_method(py, request.head.method()), request.head.path());
        let path = PyString::new(py, &path);
        let (reply, marks) = (Mutex::new(Some(reply)), Mutex::new(marks));
        let exchange = Exchange { request, reply, marks, ticket };
        if let Err(error) = self.dispatch.call1(py, (exchange, method, path)) {
            // The reply was dropped with the exchange: the client gets a 500.
            tracing::error!("the framework failed to answer: {}", error_text(py, &error));
        }
    }

    /// Compares what `paths` hold (`None` is everything) with what serves, and compiles it.
    pub(crate) fn prepare(
        &self,
        py: Python<'_>,
        paths: Option<Vec<PathBuf>>,
        is_partial: bool,
        extent: Extent,
    ) -> PyResult<Prepared> {
        // As `str`, and not as `pathlib.Path`.
        let paths: Option<Vec<_>> =
            paths.map(|paths| paths.into_iter().map(PathBuf::into_os_string).collect());
        let answer = self.prepare.call1(py, (paths, is_partial, extent.name()))?;
        match answer.extract::<&str>(py)? {
            "unchanged" => Ok(Prepared::Unchanged),
            "held" => Ok(Prepared::Held),
            _ => Ok(Prepared::Ready),
        }
    }

    /// Makes the attempt that was prepared.
    pub(crate) fn reload(&self, py: Python<'_>) -> PyResult<LoadReport> {
        parse(self.reload.call0(py)?.bind(py))
    }

    /// What the framework knows of `what`, as JSON; `about` narrows it.
    pub(crate) fn describe(
        &self,
        py: Python<'_>,
        what: &str,
        about: Vec<String>,
    ) -> PyResult<serde_json::Value> {
        parse(self.describe.call1(py, (what, about))?.bind(py))
    }

    /// Which route answers a request, and why others do not. As JSON.
    pub(crate) fn explain(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
    ) -> PyResult<serde_json::Value> {
        parse(self.explain.call1(py, (method, path))?.bind(py))
    }

    /// Ends loop and pool, runs `atexit` functions, flushes.
    pub(crate) fn stop(&self, py: Python<'_>, timeout: Duration) -> PyResult<()> {
        self.stop.call1(py, (timeout.as_secs_f64(),)).map(drop)
    }
}

/// The classic text of a Python exception.
pub(crate) fn error_text(py: Python<'_>, error: &PyErr) -> String {
    let traceback = error.traceback(py).and_then(|tb| tb.format().ok()).unwrap_or_default();
    format!("{traceback}{error}")
}

/// Reads JSON that the framework wrote, as bytes.
fn parse<T: DeserializeOwned>(json: &Bound<'_, PyAny>) -> PyResult<T> {
    let bytes: &[u8] = json.extract()?;
    serde_json::from_slice(bytes)
        .map_err(|error| PyValueError::new_err(format!("the bridge sent JSON that {error}")))
}

/// One request, and the means to answer it. Dropped unanswered, it is a 500.
#[pyclass(frozen)]
struct Exchange {
    request: Request,
    reply: Mutex<Option<Reply>>,
    /// Where somebody wants to know.
    marks: Mutex<Option<Marks>>,
    /// Likewise: says that it runs, until the last who has it lets it go.
    ticket: Option<Ticket>,
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
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.as_ref().is_none_or(Reply::is_closed)
    }

    /// Notes that the handler begins now, on another thread than the one that took the request;
    /// like the next four, only dev mode calls it.
    fn began(&self) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(marks), Some(ticket)) = (&mut *marks, &self.ticket) {
            let now = Instant::now();
            (marks.taken, marks.attached, marks.is_on_worker) = (now, now, false);
            marks.holders = ticket.holders(marks.queued, now);
        }
    }

    /// Notes that the handler holds the loop from now on.
    fn resumed(&self) {
        if let Some(ticket) = &self.ticket {
            ticket.enter_loop(Instant::now());
        }
    }

    /// Notes that the handler lets the loop go.
    fn suspended(&self) {
        if let Some(ticket) = &self.ticket {
            ticket.leave_loop(&self.request.head, Instant::now());
        }
    }

    /// Notes what the handler had the pool do, in seconds.
    fn pooled(&self, tasks: u64, waited: f64, ran: f64) {
        if let Some(marks) = &mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner) {
            marks.pool = Some(PoolTime { tasks, wait_ms: waited * 1e3, run_ms: ran * 1e3 });
        }
    }

    /// Notes that the handler has returned.
    fn returned(&self) {
        if let Some(marks) = &mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner) {
            cpu::returned(marks, Instant::now());
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
        let (headers, body) = (Vec::new(), Body::Full(shared(body)));
        let response = Outcome::Response { status: 200, content_type, headers, body };
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
        let body = Body::Full(shared(body));
        let response = Outcome::Response { status, content_type: None, headers, body };
        self.answer(generation, route, response);
    }

    fn stream(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> BodyStream {
        let (pieces, receiver) = stream::channel();
        let body = Body::Stream(receiver);
        let response = Outcome::Response { status, content_type: None, headers, body };
        self.answer(generation, route, response);
        BodyStream { id: self.request.id, pieces }
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
        self.answer(generation, route, Outcome::Failure(failure));
        Ok(())
    }
}

impl Exchange {
    fn answer(&self, generation: u64, route: Option<&str>, outcome: Outcome) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(marks) = &mut marks {
            marks.converted = Instant::now();
            if marks.returned < marks.attached {
                cpu::returned(marks, marks.converted); // it raised
            }
            if let Some(ticket) = self.ticket.as_ref().filter(|_| marks.is_on_worker) {
                ticket.held(&self.request.head, marks.attached, marks.converted);
            }
        }
        // Nobody asks for it where nothing is observed.
        let route = route.filter(|_| marks.is_some()).map(str::to_owned);
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reply) = reply {
            reply.send(Answer { generation, route, outcome, marks });
        }
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

/// The method as a string that Python has already, for the common ones.
fn interned_method<'py>(py: Python<'py>, method: &str) -> Bound<'py, PyString> {
    match method {
        "GET" => intern!(py, "GET").clone(),
        "POST" => intern!(py, "POST").clone(),
        other => PyString::new(py, other),
    }
}

/// The sending end of a streamed body. Dropped unfinished, it cuts the response off.
#[pyclass(frozen)]
struct BodyStream {
    id: u64,
    pieces: PieceSender,
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
            Err(Unsent::Full) => None,
            Err(Unsent::Closed) => Some(false),
        }
    }

    /// Ends the body as complete.
    fn finish(&self) {
        self.pieces.finish();
    }
}
