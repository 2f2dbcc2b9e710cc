//! The functions of Rust that Python may call outside a request.
//!
//! One object for the whole runtime; see `_host.py` for its shape in Python.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::docs_page;
use crate::error::Error;
use crate::escape::escape;
use crate::event::{Event, EventBus};
use crate::framework;
use crate::message::{LibraryCall, LineOrigin, LogRecord, Profile, WorkerEvent};

use super::ended_requests::EndedRequests;
use super::in_flight::InFlight;
use super::in_process_connection::{self, Connect, HostAndPort, InProcessConnection};
use super::json::parse;
use super::loop_calls::LoopCalls;
use super::loop_signals::LoopSignals;
use super::reply::{self, WakeBatch};
use super::route_index::{ApplicationRow, EndRow, PathIndex, ServingIndex, TextRow};
use super::{freed_memory, json_decoding, json_encoding};

/// The id of a request, and its age in seconds.
type RequestAge = (u64, f64);

thread_local! {
    /// The exchange of the request that this thread dispatches.
    static DISPATCHED: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Sets the exchange of the request that this thread dispatches, and returns the one before.
pub(super) fn set_dispatched(exchange: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
    DISPATCHED.with(|dispatched| dispatched.replace(exchange))
}

/// The parts of the runtime that Python uses outside a request.
#[derive(Clone)]
pub(crate) struct HostParts {
    pub(super) loop_signals: Arc<LoopSignals>,
    pub(super) ended_requests: Arc<EndedRequests>,
    pub(super) wakes: Arc<WakeBatch>,
    pub(super) events: Arc<EventBus>,
    /// The number of loads that have ended.
    pub(super) loads: Arc<AtomicU64>,
    /// The requests in flight, once the runtime has been made.
    pub(super) in_flight: Arc<OnceLock<Arc<InFlight>>>,
    /// Set while tests run.
    pub(super) connect: Arc<OnceLock<(tokio::runtime::Handle, Connect)>>,
    /// The routes that are found without Python.
    pub(super) index: ServingIndex,
    pub(super) loop_calls: Arc<LoopCalls>,
}

impl HostParts {
    /// Makes the parts; nothing runs yet.
    pub(super) fn new() -> Result<Self, Error> {
        let loop_signals = LoopSignals::new().map_err(Error::io("cannot make a pipe"))?;
        let loop_signals = Arc::new(loop_signals);
        let ended_requests = Arc::<EndedRequests>::default();
        let wakes = WakeBatch::new(Arc::clone(&loop_signals), Arc::clone(&ended_requests));
        let (events, loads, connect) = (Arc::default(), Arc::default(), Arc::default());
        let (in_flight, index) = (Arc::default(), ServingIndex::default());
        let loop_calls = LoopCalls::new(Arc::clone(&loop_signals), Arc::clone(&ended_requests));
        Ok(Self {
            loop_signals,
            ended_requests,
            wakes,
            events,
            loads,
            in_flight,
            connect,
            index,
            loop_calls,
        })
    }
}

/// The object that Python calls.
#[pyclass(frozen)]
pub(crate) struct HostApi(pub(super) HostParts);

#[pymethods]
impl HostApi {
    /// Returns the framework's files, and their compiled code.
    #[staticmethod]
    fn framework(py: Python<'_>) -> (HashMap<String, String>, Bound<'_, PyBytes>) {
        (framework::sources().collect(), PyBytes::new(py, framework::compiled()))
    }

    /// Returns the page that documents the API; `document` is the URL of the OpenAPI document, and
    /// `assets` that of the page's files.
    #[staticmethod]
    fn docs_page(title: &str, document: &str, assets: &str, root: &str) -> String {
        docs_page::page(title, document, assets, root)
    }

    /// Returns a file of that page, and its content type.
    #[staticmethod]
    fn docs_file<'py>(py: Python<'py>, name: &str) -> Option<(&'static str, Bound<'py, PyBytes>)> {
        docs_page::asset(name).map(|(kind, data)| (kind, PyBytes::new(py, &data)))
    }

    /// Encodes a value as JSON; `None` if Python is to encode it. See [`json_encoding::encode`].
    #[staticmethod]
    fn encode_json<'py>(
        value: &Bound<'py, PyAny>,
        simplify: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        json_encoding::encode(value, simplify, |json| PyBytes::new(value.py(), json))
    }

    /// Decodes JSON. Raises `ValueError` if Python is to decode it.
    #[staticmethod]
    fn decode_json<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        json_decoding::decode(py, document).ok_or_else(|| PyValueError::new_err("not decoded"))
    }

    /// Finds the routes of these rows without Python from now on; `request` makes the request of a
    /// handler.
    fn index_routes(
        &self,
        request: Py<PyAny>,
        texts: Vec<TextRow>,
        ends: Vec<EndRow>,
        applications: Vec<ApplicationRow>,
    ) {
        let index = PathIndex::new(request, texts, ends, applications);
        self.0.index.store(Some(Arc::new(index)));
    }

    /// Returns memory to the system that this process has freed.
    #[staticmethod]
    fn return_freed_memory(py: Python<'_>) {
        py.detach(freed_memory::return_to_system);
    }

    /// Reports that this process opens a file for writing.
    fn wrote(&self, path: &str) {
        self.0.events.emit(|| Event::Written(path));
    }

    #[getter]
    fn wake_fd(&self) -> RawFd {
        self.0.loop_signals.read_fd()
    }

    fn wake_loop(&self) {
        self.0.wakes.wake_loop();
    }

    /// Returns the ids of the requests whose stream has room again; the id is negated if the body of the
    /// request arrives.
    fn take_signals(&self) -> Vec<i64> {
        self.0.loop_signals.take()
    }

    /// Waits, at most `timeout` seconds, for requests that were cancelled, or whose response has been
    /// sent; returns their ids, each with whether it is the latter.
    fn wait_for_ended(&self, py: Python<'_>, timeout: Option<f64>) -> Vec<(u64, bool)> {
        let timeout = timeout.map(|s| Duration::try_from_secs_f64(s).unwrap_or_default());
        py.detach(|| self.0.ended_requests.wait(timeout))
    }

    /// Waits, at most `timeout` seconds, for requests to profile, or for the end of a known one. Returns
    /// the requests that ask for a profile and the slow ones, each with its age in seconds, and the
    /// known requests that have ended.
    fn wait_for_profiled(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        known: Vec<u64>,
    ) -> (Vec<RequestAge>, Vec<RequestAge>, Vec<u64>) {
        let timeout = timeout.map(|s| Duration::try_from_secs_f64(s).unwrap_or_default());
        let in_flight = self.0.in_flight.get().expect("the runtime was made before its thread");
        let round = py.detach(|| in_flight.wait_for_profiled(timeout, &known));
        let seconds = |requests: Vec<(u64, Duration)>| {
            requests.into_iter().map(|(id, age)| (id, age.as_secs_f64())).collect()
        };
        (seconds(round.demanded), seconds(round.slow), round.ended)
    }

    /// Reports a call of a request to a database or an HTTP server to observers; `call` is JSON.
    fn called(&self, request: u64, call: Bound<'_, PyAny>) -> PyResult<()> {
        let call: Arc<LibraryCall> = Arc::new(parse(&call)?);
        self.0.events.emit(|| Event::LibraryCall(request, call));
        Ok(())
    }

    /// Reports the profile of a request so far to observers; `profile` is JSON.
    fn profiled(&self, request: u64, profile: Bound<'_, PyAny>) -> PyResult<()> {
        let profile: Arc<Profile> = Arc::new(parse(&profile)?);
        self.0.events.emit(|| Event::Profile(request, profile));
        Ok(())
    }

    /// Returns the request that the calling thread dispatches, if it is a dispatch worker.
    #[staticmethod]
    fn dispatched(py: Python<'_>) -> Option<Py<PyAny>> {
        DISPATCHED.with(|exchange| exchange.borrow().as_ref().map(|it| it.clone_ref(py)))
    }

    /// Ends a long wait of `wait_for_ended`: a request begins on the loop.
    fn wake_overseer(&self) {
        self.0.ended_requests.rouse();
    }

    /// Reports whether the next wait of `wait_for_ended` may be long.
    fn set_overseer_asleep(&self, is_asleep: bool) {
        self.0.ended_requests.is_asleep.store(is_asleep, Ordering::Release);
    }

    fn set_exhausted(&self, is_exhausted: bool) {
        self.0.ended_requests.is_exhausted.store(is_exhausted, Ordering::Release);
    }

    #[staticmethod]
    fn defer_wakes() {
        reply::defer_wakes();
    }

    fn flush_wakes(&self) {
        self.0.wakes.flush();
    }

    /// The method and the path of a request that has not ended, for a terminal.
    fn running_request(&self, id: u64) -> Option<String> {
        let (head, _) = self.0.in_flight.get()?.find(id)?;
        Some(format!("{:<6} {}", head.method(), escape(&head.path())))
    }

    /// Reports a line on `stdout` or `stderr` to observers; `loads`: a module that is loading wrote
    /// it.
    #[pyo3(signature = (request, stream, line, loads, origin=(None, None, None, None)))]
    fn print(
        &self,
        request: Option<u64>,
        stream: &str,
        line: &str,
        loads: bool,
        origin: (Option<String>, Option<String>, Option<String>, Option<u32>),
    ) {
        let (level, logger, file, file_line) = &origin;
        let origin = LineOrigin {
            level: level.as_deref(),
            logger: logger.as_deref(),
            file: file.as_deref(),
            file_line: *file_line,
        };
        let reload = loads.then(|| self.0.loads.load(Ordering::Acquire) + 1);
        let stream = if stream == "stderr" { "stderr" } else { "stdout" };
        let time = SystemTime::now();
        self.0.events.print(LogRecord { time, request, reload, stream, line, origin });
    }

    /// Reports an event of a pool process to observers; `event` is JSON.
    fn worker_event(&self, event: Bound<'_, PyAny>) -> PyResult<()> {
        let event: Arc<WorkerEvent> = Arc::new(parse(&event)?);
        self.0.events.emit(|| Event::Worker(event));
        Ok(())
    }

    /// Connects to the server within this process. Raises `RuntimeError` unless tests run.
    fn connect(&self) -> PyResult<InProcessConnection> {
        let (tokio, connect) = self.local_server()?;
        Ok(InProcessConnection::new(tokio.clone(), connect))
    }

    /// Connects to it by a socket, for a request of the client of another server; returns the
    /// descriptor, which the caller closes. Raises as `connect` does.
    #[pyo3(signature = (client, server, is_https))]
    fn connect_socket(
        &self,
        client: Option<HostAndPort>,
        server: Option<HostAndPort>,
        is_https: bool,
    ) -> PyResult<RawFd> {
        let (tokio, connect) = self.local_server()?;
        Ok(in_process_connection::open_socket(tokio, connect, client, server, is_https)?)
    }

    /// Detaches a process that user code has forked, and that calls this, from the server.
    #[staticmethod]
    fn detach_child() {
        crate::server::detach_child();
    }
}

impl HostApi {
    fn local_server(&self) -> PyResult<&(tokio::runtime::Handle, Connect)> {
        let server = self.0.connect.get();
        server.ok_or_else(|| PyRuntimeError::new_err("this server runs no tests"))
    }
}
