//! All that speaks PyO3: calls into `snaxum._bridge`, and the two objects that Rust lends it.
//!
//! Plain data crosses: strings, bytes, numbers, JSON. Every function here runs with the
//! interpreter held, on a thread that belongs to Python and never on one of tokio's.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::ffi::c_str;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyDict, PyModule};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::message::{Answer, Body, Failure, LoadReport, Marks, Outcome, Piece, Reply, Request};

use super::abandoned::Abandoned;
use super::reloading::Extent;
use super::thread::Call;
use super::{embedded, env_file};

/// Pieces of a streamed body that may wait for the client.
const STREAM_PIECES: usize = 16;

/// The functions of `snaxum._bridge`.
pub(crate) struct Bridge {
    dispatch: Py<PyAny>,
    prepare: Py<PyAny>,
    reload: Py<PyAny>,
    describe: Py<PyAny>,
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
        abandoned: &std::sync::Arc<Abandoned>,
    ) -> PyResult<(Self, LoadReport)> {
        let sources = PyDict::new(py);
        for (name, text) in embedded::sources() {
            sources.set_item(name, text)?;
        }
        let text: String = sources.as_any().get_item("_embed.py")?.extract()?;
        let text = std::ffi::CString::new(text)?;
        PyModule::from_code(py, &text, c_str!("<snaxum>/_embed.py"), c_str!("_snaxum_embed"))?
            .call_method1("install", (&sources,))?;

        let list = std::sync::Arc::clone(abandoned);
        let cancelled = PyCFunction::new_closure(py, None, None, move |_, _| list.take())?;
        let parse_env = PyCFunction::new_closure(py, None, None, |args, _| {
            let text: String = args.get_item(0)?.extract()?;
            match env_file::parse(&text) {
                Ok(pairs) => pairs.into_bound_py_any(args.py()).map(Bound::unbind),
                Err(problem) => problem.into_bound_py_any(args.py()).map(Bound::unbind),
            }
        })?;
        let module = py.import("snaxum._bridge")?;
        let arguments = (options, sources, abandoned.read_fd(), cancelled, parse_env);
        let report = module.call_method1("start", arguments)?;
        let report = parse(&report)?;
        let function = |name| module.getattr(name).map(Bound::unbind);
        let bridge = Self {
            dispatch: function("dispatch")?,
            prepare: function("prepare")?,
            reload: function("reload")?,
            describe: function("describe")?,
            stop: function("stop")?,
        };
        Ok((bridge, report))
    }

    /// Answers one request, now or later; a failure of the framework itself is logged.
    pub(crate) fn dispatch(&self, py: Python<'_>, call: Call, taken: Instant) {
        let marks = Marks { attached: Instant::now(), taken, ..call.marks };
        let exchange = Exchange {
            request: call.request,
            reply: Mutex::new(Some(call.reply)),
            marks: Mutex::new(marks),
        };
        if let Err(error) = self.dispatch.call1(py, (exchange,)) {
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

    /// `pool`: what the process pool does; `modules`: what each was made from. As JSON.
    pub(crate) fn describe(&self, py: Python<'_>, what: &str) -> PyResult<serde_json::Value> {
        parse(self.describe.call1(py, (what,))?.bind(py))
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
    marks: Mutex<Marks>,
}

#[pymethods]
impl Exchange {
    #[getter]
    fn id(&self) -> u64 {
        self.request.id
    }

    #[getter]
    fn method(&self) -> &str {
        &self.request.method
    }

    #[getter]
    fn path(&self) -> &str {
        &self.request.path
    }

    #[getter]
    fn query(&self) -> &str {
        &self.request.query
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.request.headers.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.request.body)
    }

    /// Whether nobody waits for the answer any more.
    fn cancelled(&self) -> bool {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.as_ref().is_none_or(Reply::is_closed)
    }

    /// Notes that the handler has returned.
    fn returned(&self) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).returned = Instant::now();
    }

    fn respond(
        &self,
        generation: u64,
        route: Option<String>,
        status: u16,
        headers: Vec<(String, String)>,
        body: &[u8],
    ) {
        let body = Body::Full(Bytes::copy_from_slice(body));
        self.answer(generation, route, Outcome::Response { status, headers, body });
    }

    fn stream(
        &self,
        generation: u64,
        route: Option<String>,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> BodyStream {
        let (pieces, receiver) = mpsc::channel(STREAM_PIECES);
        let body = Body::Stream(receiver);
        self.answer(generation, route, Outcome::Response { status, headers, body });
        BodyStream { pieces }
    }

    fn fail(
        &self,
        generation: u64,
        route: Option<String>,
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
    fn answer(&self, generation: u64, route: Option<String>, outcome: Outcome) {
        let mut marks = *self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.converted = Instant::now();
        if marks.returned < marks.attached {
            marks.returned = marks.converted; // it raised
        }
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reply) = reply {
            // An error means that the client is gone, which is no fault of anybody here.
            let _ = reply.send(Answer { generation, route, outcome, marks });
        }
    }
}

/// The sending end of a streamed body. Dropped unfinished, it cuts the response off.
#[pyclass(frozen)]
struct BodyStream {
    pieces: mpsc::Sender<Piece>,
}

#[pymethods]
impl BodyStream {
    /// Waits for room; false when the client is gone.
    fn send(&self, py: Python<'_>, chunk: &[u8]) -> bool {
        let chunk = Bytes::copy_from_slice(chunk);
        py.detach(|| self.pieces.blocking_send(Piece::Chunk(chunk)).is_ok())
    }

    /// Sends if there is room; `None` when there is none, false when the client is gone.
    fn try_send(&self, chunk: &[u8]) -> Option<bool> {
        match self.pieces.try_send(Piece::Chunk(Bytes::copy_from_slice(chunk))) {
            Ok(()) => Some(true),
            Err(mpsc::error::TrySendError::Full(_)) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => Some(false),
        }
    }

    /// Ends the body as complete.
    fn finish(&self, py: Python<'_>) {
        // The client may be gone, which is no fault of anybody here.
        let _ = py.detach(|| self.pieces.blocking_send(Piece::End));
    }
}
