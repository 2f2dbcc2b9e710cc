//! The objects that Python gets for a request: the exchange that responds to it, and its stream.
//!
//! Never matches a route, and never runs a handler.

mod finish;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::file_response;
use crate::message::{
    AcceptedSocket, Delivery, ErrorResponse, HandlerOutcome, Head, PoolTime, PythonRequest,
    PythonState, RequestBody, ResponseBody, Timestamps, Traceback, body_stream, header_texts,
    websocket_channel,
};
use crate::sync::Mutex;
use crate::telemetry::Identities;

use super::cpu_time;
use super::host::HostApi;
use super::in_flight::InFlightGuard;
use super::json::parse;
use super::loop_signals::{LoopSignals, StreamWaker};
use super::messages::Call;
use super::reply::Reply;
use super::request_parts::{self, FormParts, RequestOrigin, to_python};
use super::response_stream::{BodyStream, body_to_bytes};
use super::websocket::HandlerSocket;
use super::{json_decoding, json_encoding};

/// One request, and the way to respond to it. Dropped without a response, it is a 500.
#[pyclass(frozen)]
pub(super) struct Exchange {
    request: PythonRequest,
    identities: Identities,
    reply: Mutex<Option<Reply>>,
    timestamps: Mutex<Option<Box<Timestamps>>>,
    /// The exception that an error handler responds to.
    raised: Mutex<Option<Arc<Traceback>>>,
    /// Set in dev mode, until the response: a handler may store its request without any limit.
    in_flight_guard: Mutex<Option<InFlightGuard>>,
    /// Set if Python waits until the response has been sent, and for each stream.
    delivery: Mutex<Option<Arc<Delivery>>>,
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

    fn origin(&self) -> RequestOrigin<'_> {
        request_parts::origin(&self.request.head)
    }

    /// The first content type; empty if there is none.
    fn content_type(&self) -> Cow<'_, str> {
        self.request.head.content_type()
    }

    /// The state that layers in Rust have set, as JSON.
    fn state<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.request.head.extension::<PythonState>();
        state.map(|state| PyBytes::new(py, state.json()))
    }

    /// Whether the body arrives in chunks.
    #[getter]
    pub(super) fn is_streamed(&self) -> bool {
        matches!(self.request.body, RequestBody::Stream(_))
    }

    /// The whole body; empty if it was parsed as a form.
    pub(super) fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match &self.request.body {
            RequestBody::Whole(body) => Ok(PyBytes::new(py, body)),
            RequestBody::Form(_) => Ok(PyBytes::new(py, b"")),
            RequestBody::Stream(_) => Err(request_parts::is_streamed()),
        }
    }

    /// The value of a body that is declared as JSON, as the item of a tuple; `None` if Python is to
    /// read it.
    fn json<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyAny>,)> {
        let RequestBody::Whole(body) = &self.request.body else { return None };
        let is_json = self.request.head.content_type().eq_ignore_ascii_case(JSON);
        let value = is_json.then(|| json_decoding::decode(py, body)).flatten();
        value.map(|value| (value,))
    }

    /// The fields and files of a multipart body; `None` for any other.
    fn form(&self) -> PyResult<Option<FormParts<'_>>> {
        match &self.request.body {
            RequestBody::Form(form) => Ok(Some(request_parts::parts(form))),
            RequestBody::Whole(_) => Ok(None),
            RequestBody::Stream(_) => Err(request_parts::is_streamed()),
        }
    }

    /// Waits for the next chunk of a streamed body, empty at its end; a status and a reason if it
    /// cannot be read to its end.
    fn receive<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.request.body {
            RequestBody::Stream(chunks) => to_python(py, py.detach(|| chunks.receive())),
            _ => Err(request_parts::is_whole()),
        }
    }

    /// The same without a wait: `None` if the chunk has not arrived, which `host` signals later.
    fn try_receive<'py>(
        &self,
        py: Python<'py>,
        host: &HostApi,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.next_chunk(py, &host.0.loop_signals)
    }

    /// Reports that the handler of the route needs the body before it starts.
    fn need_body(&self, generation: u64) {
        self.finish(generation, None, HandlerOutcome::NeedsBody);
    }

    /// Whether the client no longer waits for the response.
    pub(super) fn cancelled(&self) -> bool {
        self.reply.lock().as_ref().is_none_or(Reply::is_closed)
    }

    /// Its id in responses and logs, the id of its trace, and `traceparent` for requests that it sends.
    fn identity(&self) -> (String, String, String) {
        self.identities.texts(self.request.id, self.request.head.headers())
    }

    /// Records the route, and then that within an application; like the next five methods, only called if
    /// requests are observed or timed.
    fn found(&self, route: String) {
        self.begin_route(&route.into());
    }

    /// Records that the handler begins now, on another thread than the dispatch worker.
    fn began(&self) {
        if let Some(timestamps) = &mut *self.timestamps.lock() {
            let now = Instant::now();
            (timestamps.taken, timestamps.attached, timestamps.is_on_worker) = (now, now, false);
            if let Some(guard) = &*self.in_flight_guard.lock() {
                timestamps.blockers = guard.blockers(timestamps.queued, now);
            }
        }
    }

    /// Records that the handler runs on the loop from now on.
    fn resumed(&self) {
        if let Some(guard) = &*self.in_flight_guard.lock() {
            guard.enter_loop(Instant::now());
        }
    }

    /// Records that the handler has suspended.
    fn suspended(&self) {
        if let Some(guard) = &*self.in_flight_guard.lock() {
            guard.leave_loop(&self.request.head, Instant::now());
        }
    }

    /// Records the pool tasks of the handler; times are in seconds.
    fn pooled(&self, tasks: u64, waited: f64, ran: f64, spans: Vec<(String, f64, f64)>) {
        if let Some(timestamps) = &mut *self.timestamps.lock() {
            timestamps.record_pool(PoolTime::new(tasks, waited, ran), spans);
        }
    }

    /// Records that the handler has returned.
    fn returned(&self) {
        if let Some(timestamps) = &mut *self.timestamps.lock() {
            cpu_time::record_return(timestamps, Instant::now());
        }
    }

    /// Records the exception that an error handler responds to.
    fn raised(&self, traceback: &Bound<'_, PyAny>) -> PyResult<()> {
        *self.raised.lock() = Some(Arc::new(parse(traceback)?));
        Ok(())
    }

    /// Responds with status 200 and a content type.
    fn respond_ok(
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
        let (headers, body) = (Vec::new(), self.full_body(body));
        let response = HandlerOutcome::Response { status: 200, content_type, headers, body };
        self.finish(generation, Some(route), response);
    }

    /// Responds with a value as JSON, and returns true; false if Python is to encode it. See
    /// [`json_encoding::encode`].
    fn respond_json(
        &self,
        generation: u64,
        route: &str,
        value: &Bound<'_, PyAny>,
        simplify: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let Some(json) = json_encoding::encode(value, simplify, Bytes::copy_from_slice)? else {
            return Ok(false);
        };
        let content_type = Some(const { HeaderValue::from_static(JSON) });
        let (headers, body) = (Vec::new(), ResponseBody::Full(json));
        let response = HandlerOutcome::Response { status: 200, content_type, headers, body };
        self.finish(generation, Some(route), response);
        Ok(true)
    }

    pub(super) fn respond(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
        body: Bound<'_, PyBytes>,
    ) {
        let body = self.full_body(body);
        let response = HandlerOutcome::Response { status, content_type: None, headers, body };
        self.finish(generation, route, response);
    }

    /// Responds with a file, or the part of it that the client asks for; fails if it cannot be read.
    pub(super) fn send_file(
        &self,
        py: Python<'_>,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
        path: PathBuf,
    ) -> PyResult<()> {
        let head = &self.request.head;
        let (method, request) = (head.method(), head.headers());
        let respond = || file_response::respond(&path, status, headers, method, request);
        let response = py.detach(respond)?;
        self.finish(generation, route, response);
        Ok(())
    }

    /// Asks for a report once the response has been sent; false if that is the case.
    fn report_when_sent(&self) -> bool {
        let mut delivery = self.delivery.lock();
        match &*delivery {
            Some(delivery) => delivery.wait(),
            None if self.reply.lock().is_none() => false,
            None => delivery.insert(Arc::default()).wait(),
        }
    }

    /// Begins a stream. After each `keep_alive` seconds without a chunk, the client gets a comment of
    /// an event stream.
    pub(super) fn stream(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        headers: Vec<(String, String)>,
        keep_alive: Option<f64>,
    ) -> BodyStream {
        let keep_alive = keep_alive.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let (sender, receiver) = body_stream::channel(keep_alive);
        self.delivery.lock().get_or_insert_default();
        let body = ResponseBody::Stream(receiver);
        let response = HandlerOutcome::Response { status, content_type: None, headers, body };
        let guard = self.finish(generation, route, response);
        let request_body = self.request.body.clone();
        BodyStream::new(self.request.id, sender, request_body, guard)
    }

    /// Accepts the WebSocket that the client asks for.
    fn accept(
        &self,
        generation: u64,
        route: String,
        subprotocol: Option<String>,
        headers: Vec<(String, String)>,
    ) -> HandlerSocket {
        let (handler, channel) = websocket_channel::channel();
        let id = Some(route.clone());
        let accepted = AcceptedSocket { generation, route, subprotocol, headers, channel };
        let guard = self.finish(generation, id.as_deref(), HandlerOutcome::WebSocket(accepted));
        HandlerSocket::new(self.request.id, handler, guard)
    }

    #[pyo3(signature = (generation, route, status, detail, headers, traceback, extensions=None))]
    #[expect(clippy::too_many_arguments, reason = "Python passes them one by one")]
    pub(super) fn fail(
        &self,
        generation: u64,
        route: Option<&str>,
        status: u16,
        detail: String,
        headers: Vec<(String, String)>,
        traceback: Option<Bound<'_, PyAny>>,
        extensions: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let traceback = traceback.map(|json| parse(&json)).transpose()?;
        let extensions = extensions.map(|json| parse(&json)).transpose()?.unwrap_or_default();
        let failure = ErrorResponse { status, detail, headers, traceback, extensions };
        self.finish(generation, route, HandlerOutcome::Failure(failure));
        Ok(())
    }
}

impl Exchange {
    /// Records the route that Rust has found, if the request is observed or timed.
    pub(super) fn set_route(&self, id: &Arc<str>) {
        if self.timestamps.lock().is_some() {
            self.begin_route(id);
        }
    }

    fn begin_route(&self, id: &Arc<str>) {
        self.in_flight_guard.lock().iter().for_each(|guard| guard.on_route(id));
        self.request.head.set_route(Arc::clone(id));
    }

    pub(super) fn new(call: Call, identities: Identities) -> Self {
        let Call { request, reply, timestamps, in_flight_guard } = call;
        Self {
            request,
            identities,
            reply: Mutex::new(Some(reply)),
            timestamps: Mutex::new(timestamps),
            raised: Mutex::new(None),
            in_flight_guard: Mutex::new(in_flight_guard),
            delivery: Mutex::default(),
        }
    }

    pub(super) fn request_head(&self) -> &Head {
        &self.request.head
    }

    /// The next chunk of a streamed body, as `receive` returns it; `None` if it has not arrived: the loop
    /// gets a signal later.
    pub(super) fn next_chunk<'py>(
        &self,
        py: Python<'py>,
        loop_signals: &Arc<LoopSignals>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let RequestBody::Stream(chunks) = &self.request.body else {
            return Err(request_parts::is_whole());
        };
        let id = -self.request.id.cast_signed();
        let arrival = || StreamWaker { loop_signals: Arc::clone(loop_signals), id };
        let received = chunks.try_receive(|| Waker::from(Arc::new(arrival())));
        received.map(|received| to_python(py, received)).transpose()
    }

    fn full_body(&self, body: Bound<'_, PyBytes>) -> ResponseBody {
        let ended_requests = || self.reply.lock().as_ref().map(Reply::ended_requests);
        ResponseBody::Full(body_to_bytes(body, ended_requests))
    }
}

/// The content types that handlers return most, as in `snaxum.response`.
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const BYTES: &str = "application/octet-stream";
