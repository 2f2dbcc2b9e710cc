//! Observes one request: for the events and the headers of dev mode, and for metrics and access log.
//!
//! Without dev mode and without such an option it does nothing. Never changes the response but for
//! [`DEV_HEADERS`], the headers about its generation, and the ids of the request.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use hyper::body::Body;

use crate::event::Event;
use crate::message::{
    BodyStart, CLIENT_CLOSED_REQUEST, ChunkReceiver, HandlerOutcome, Head, Phases, RequestBody,
    RequestRecord, ResponseBody, StartRecord, StreamContent, Timestamps, Traceback, ms,
};
use crate::python_runtime::PythonRuntime;
use crate::telemetry::{RequestIdentity, RequestOutcome, TRACEPARENT, Telemetry, X_REQUEST_ID};

use super::body::BodyError;
use super::observed_stream::observe;

const X_SNAXUM_GEN: HeaderName = HeaderName::from_static("x-snaxum-gen");
const X_SNAXUM_STALE: HeaderName = HeaderName::from_static("x-snaxum-stale");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The headers that dev mode sets on every response; they replace headers of the handler.
pub const DEV_HEADERS: [HeaderName; 2] = [X_REQUEST_ID, SERVER_TIMING];

/// One request, from its head to its response. Dropped before [`end`](Self::end), it reports that
/// the client has disconnected. Boxed, because it is large and most servers observe nothing.
pub(crate) struct Observation<'a>(Option<Box<Observed<'a>>>);

struct Observed<'a> {
    runtime: &'a PythonRuntime,
    /// Set for requests of clients, if an option needs it.
    telemetry: Option<&'a Arc<Telemetry>>,
    id: u64,
    head: &'a Head,
    time: SystemTime,
    began: Instant,
    gate_passed: Instant,
    /// Whether something receives events, which have the bodies.
    has_listener: bool,
    request_body: Option<BodyStart>,
    response_body: Option<Bytes>,
    handled: Option<Handled>,
    /// Whether the handler has responded with a stream.
    is_stream: bool,
    /// The body of the stream, for an observer in dev mode.
    stream: Option<Arc<StreamContent>>,
    /// When the result was known to be a failure.
    failed: Option<Instant>,
    /// The body, if the handler reads it as it arrives.
    chunks: Option<ChunkReceiver>,
    /// The route id of the static directory that responded.
    static_route: Option<String>,
    /// The route id that Python has found, if it has not responded.
    found_route: Option<Arc<str>>,
    has_client_left: bool,
    is_ended: bool,
}

/// How Python handled the request.
struct Handled {
    generation: u64,
    route: Option<Arc<str>>,
    timestamps: Option<Box<Timestamps>>,
}

impl<'a> Observation<'a> {
    /// Reports that a request begins.
    pub(crate) fn begin(runtime: &'a PythonRuntime, id: u64, head: &'a Head) -> Self {
        let telemetry = runtime.telemetry().filter(|_| !head.is_function_call());
        if !runtime.config().dev && telemetry.is_none() {
            return Self(None);
        }
        let (time, began) = (SystemTime::now(), Instant::now());
        runtime.events().start(|| StartRecord { id, time, head });
        if let Some(telemetry) = telemetry {
            telemetry.began();
        }
        Self(Some(Box::new(Observed {
            runtime,
            telemetry,
            id,
            head,
            time,
            began,
            gate_passed: began,
            has_listener: runtime.events().is_observed(),
            request_body: None,
            response_body: None,
            handled: None,
            is_stream: false,
            stream: None,
            failed: None,
            chunks: None,
            static_route: None,
            found_route: None,
            has_client_left: false,
            is_ended: false,
        })))
    }

    /// Records the body of a call from Rust.
    pub(crate) fn record_request_body(&mut self, body: &RequestBody) {
        if let (Some(observed), RequestBody::Whole(body)) = (&mut self.0, body) {
            observed.request_body = Some(body.clone().into());
        }
    }

    /// Records a text that the caller gets instead of a response of Python.
    pub(crate) fn record_response_text(&mut self, body: Bytes) {
        if let Some(observed) = &mut self.0 {
            observed.response_body = Some(body);
        }
    }

    /// Records the body of the request.
    pub(crate) fn body_read(&mut self, body: &Result<RequestBody, BodyError>) {
        let Some(observed) = &mut self.0 else { return };
        match body {
            Ok(RequestBody::Stream(chunks)) => observed.chunks = Some(chunks.clone()),
            Err(error) => observed.has_client_left = error.has_client_left,
            Ok(_) if !observed.has_listener => {}
            // Shares the bytes.
            Ok(RequestBody::Whole(body)) => observed.request_body = Some(body.clone().into()),
            Ok(RequestBody::Form(form)) => observed.request_body = Some(form.start.clone()),
        }
    }

    /// Records that the body was read, if there is one, and that the gate has let the request pass.
    pub(crate) fn gate_passed(&mut self, has_body: bool) {
        let is_late = |it: &&mut Box<Observed<'_>>| has_body || it.runtime.config().dev;
        if let Some(observed) = self.0.as_mut().filter(is_late) {
            observed.gate_passed = Instant::now();
        }
    }

    /// Records the response of Python.
    pub(crate) fn received(
        &mut self,
        generation: u64,
        route: Option<Arc<str>>,
        timestamps: Option<Box<Timestamps>>,
        outcome: &HandlerOutcome,
    ) {
        let Some(observed) = &mut self.0 else { return };
        match outcome {
            HandlerOutcome::Response { body: ResponseBody::Full(body), .. } => {
                observed.response_body = observed.has_listener.then(|| body.clone());
            }
            HandlerOutcome::Response { body: ResponseBody::Stream(_), .. } => {
                observed.is_stream = true;
            }
            _ => {}
        }
        observed.handled = Some(Handled { generation, route, timestamps });
    }

    /// Records the outcome before its response is built: a stream may have failed before its first
    /// chunk.
    pub(crate) fn responds_with(&mut self, outcome: &HandlerOutcome) {
        if let (Some(observed), HandlerOutcome::Failure(_)) = (&mut self.0, outcome) {
            observed.failed = Some(Instant::now());
        }
    }

    /// Records that a static file is the response.
    pub(crate) fn file_found(&mut self, route: &str) {
        if let Some(observed) = &mut self.0 {
            observed.static_route = Some(route.to_owned());
        }
    }

    /// Adds its headers to the response, and reports that the request has ended.
    pub(crate) fn end(self, response: &mut HttpResponse, traceback: Option<&Arc<Traceback>>) {
        let Some(mut observed) = self.0 else { return };
        if let Some(chunks) = observed.chunks.as_ref().filter(|_| observed.has_listener) {
            observed.request_body.get_or_insert_with(|| chunks.start());
        }
        observed.record_found_route();
        let responded = Instant::now();
        let phases = observed.phases(responded);
        if observed.runtime.config().dev {
            observed.annotate(response.headers_mut(), &phases);
        }
        // A client that left during its upload may still read the response to that, but rarely does.
        let has_left = observed.chunks.as_ref().is_some_and(ChunkReceiver::has_client_left);
        let status = match observed.has_client_left || has_left {
            true => CLIENT_CLOSED_REQUEST,
            false => response.status().as_u16(),
        };
        let total = responded - observed.began;
        if observed.streams(response) {
            observed.observe_stream(response);
        }
        observed.emit_end(status, response.headers(), total, phases, traceback);
        observed.is_ended = true;
        if let Some(telemetry) = observed.telemetry {
            let identity = telemetry.identify(observed.id, observed.head);
            if let Some(identity) = &identity {
                observed.add_ids(identity, response.headers_mut());
            }
            let has_layers = observed.runtime.http_layers().is_some();
            let outcome = observed.outcome(identity.as_ref(), status, phases, total);
            telemetry.responded(&outcome, response, has_layers);
        }
    }
}

impl Observed<'_> {
    fn phases(&self, responded: Instant) -> Phases {
        let between = |from, to: Instant| ms(to.saturating_duration_since(from));
        let timestamps = self.handled.as_ref().and_then(|handled| handled.timestamps.as_deref());
        // Each phase begins where the last one ended, so that they add up to the total.
        let read_until = timestamps.map_or(self.gate_passed, |timestamps| timestamps.queued);
        let read = between(self.began, read_until);
        let total = responded.saturating_duration_since(self.began);
        let error = self.failed.map_or(0.0, |failed| between(failed, responded));
        let Some(timestamps) = timestamps else {
            return Phases { read, error, ..Phases::default() }.complete(total);
        };
        let built = between(timestamps.returned, timestamps.converted);
        let sent = between(timestamps.converted, self.failed.unwrap_or(responded));
        // A stream that failed before its first chunk was converted before.
        let (convert, error) = match self.failed.is_some() && !self.is_stream {
            true => (0.0, error + built),
            false => (built, error),
        };
        let (stream, send) = if self.is_stream { (sent, 0.0) } else { (0.0, sent) };
        Phases {
            read,
            queue: between(timestamps.queued, timestamps.taken),
            gil: between(timestamps.taken, timestamps.attached),
            py: between(timestamps.attached, timestamps.returned),
            convert,
            error,
            stream,
            send,
            other: 0.0,
        }
        .complete(total)
    }

    /// Whether the body of the response is a stream of the handler, for an observer in dev mode.
    fn streams(&self, response: &HttpResponse) -> bool {
        self.is_stream
            && self.failed.is_none()
            && self.runtime.config().dev
            && self.head.method() != "HEAD"
            && !response.body().is_end_stream()
    }

    fn observe_stream(&mut self, response: &mut HttpResponse) {
        let size = response.headers().get(CONTENT_LENGTH);
        let size = size.and_then(|size| size.to_str().ok()?.parse().ok());
        let body = std::mem::take(response.body_mut());
        let request = (self.id, self.began);
        let content = Arc::<StreamContent>::default();
        self.stream = Some(Arc::clone(&content));
        let events = self.runtime.shared_events();
        *response.body_mut() = observe(body, request, size, content, events);
    }

    fn annotate(&self, headers: &mut HeaderMap, phases: &Phases) {
        headers.reserve(4);
        headers.insert(X_REQUEST_ID, HeaderValue::from(self.id));
        if let Some(handled) = &self.handled {
            headers.insert(X_SNAXUM_GEN, HeaderValue::from(handled.generation));
        }
        headers.insert(SERVER_TIMING, server_timing(phases));
        if self.handled.is_some() && self.runtime.serving().failing {
            // The response does not come from the newest save.
            headers.insert(X_SNAXUM_STALE, HeaderValue::from_static("1"));
        }
    }

    /// Adds the id of the request and its place in a trace. In dev mode, the id is there already.
    fn add_ids(&self, identity: &RequestIdentity, headers: &mut HeaderMap) {
        headers.reserve(2);
        if !self.runtime.config().dev {
            headers.insert(X_REQUEST_ID, identity.id_header());
        }
        headers.insert(TRACEPARENT, identity.trace_header());
    }

    /// Completes the record of a request without a response of Python: its client has left, or its time
    /// limit has passed.
    fn record_found_route(&mut self) {
        if self.handled.is_none() && self.static_route.is_none() {
            self.found_route = self.head.route();
        }
    }

    /// The id of the route.
    fn route(&self) -> Option<&str> {
        let handled = self.handled.as_ref().and_then(|handled| handled.route.as_deref());
        handled.or(self.static_route.as_deref()).or(self.found_route.as_deref())
    }

    fn outcome<'o>(
        &'o self,
        identity: Option<&'o RequestIdentity>,
        status: u16,
        phases: Phases,
        total: Duration,
    ) -> RequestOutcome<'o> {
        let handled = self.handled.as_ref();
        let timestamps = handled.and_then(|handled| handled.timestamps.as_deref());
        RequestOutcome {
            head: self.head,
            identity,
            route: self.route(),
            status,
            generation: handled.map(|handled| handled.generation),
            phases,
            tasks: timestamps.map_or(&[], |times| &times.pool_tasks),
            waits: timestamps.map(|times| {
                let between = |from, to: Instant| to.saturating_duration_since(from);
                (between(times.queued, times.taken), between(times.taken, times.attached))
            }),
            time: self.time,
            began: self.began,
            total,
        }
    }

    fn emit_end(
        &self,
        status: u16,
        response_headers: &HeaderMap,
        total: Duration,
        phases: Phases,
        traceback: Option<&Arc<Traceback>>,
    ) {
        self.runtime.events().emit(|| {
            let handled = self.handled.as_ref();
            let timestamps = handled.and_then(|handled| handled.timestamps.as_deref());
            Event::RequestEnd(RequestRecord {
                id: self.id,
                time: self.time,
                head: self.head,
                request_body: self.request_body.as_ref(),
                response_body: self.response_body.as_ref(),
                response_headers,
                status,
                generation: handled.map(|handled| handled.generation),
                route: self.route(),
                total,
                phases,
                cpu_time: timestamps.and_then(|timestamps| timestamps.cpu_time),
                pool: timestamps.and_then(|timestamps| timestamps.pool),
                blockers: timestamps.map_or(&[], |timestamps| &timestamps.blockers),
                traceback,
                is_stream: self.is_stream && self.failed.is_none(),
                stream: self.stream.as_ref(),
            })
        });
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        // A panic also drops it, but then the client has not disconnected.
        if !self.is_ended && !std::thread::panicking() {
            self.record_found_route();
            let (headers, left) = (HeaderMap::new(), Instant::now());
            let (total, phases) = (left - self.began, self.phases(left));
            self.emit_end(CLIENT_CLOSED_REQUEST, &headers, total, phases, None);
            if let Some(telemetry) = self.telemetry {
                let identity = telemetry.identify(self.id, self.head);
                let (status, phases) = (CLIENT_CLOSED_REQUEST, Phases::default());
                telemetry.left(&self.outcome(identity.as_ref(), status, phases, total));
            }
        }
    }
}

/// Formats durations in milliseconds (W3C Server Timing).
fn server_timing(phases: &Phases) -> HeaderValue {
    let Phases { queue, gil, py, convert, .. } = *phases;
    let mut text = Vec::with_capacity(80);
    let mut digits = itoa::Buffer::new();
    for (name, ms) in [("queue", queue), (", gil", gil), (", py", py), (", convert", convert)] {
        // Formatting floats would cost as much as the rest of this function.
        let us = (ms * 1e3).round() as u64;
        let after_point = 1000 + us % 1000; // keeps leading zeros
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b";dur=");
        text.extend_from_slice(digits.format(us / 1000).as_bytes());
        text.push(b'.');
        text.extend_from_slice(&digits.format(after_point).as_bytes()[1..]);
    }
    HeaderValue::from_bytes(&text).expect("digits and ASCII punctuation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_after_the_point() {
        let phases =
            Phases { queue: 0.0, gil: 0.007, py: 1234.05, convert: 0.9, ..Phases::default() };
        assert_eq!(
            server_timing(&phases),
            "queue;dur=0.000, gil;dur=0.007, py;dur=1234.050, convert;dur=0.900"
        );
    }
}
