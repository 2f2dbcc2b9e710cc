//! A recorded request: a few numbers, all its redacted text in one buffer, and the raw request for
//! replays (`raw_request.rs`). Filled for each request, so it reuses the memory of an older one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;

use crate::dispatcher;
use crate::message::{
    CallSummary, LibraryCall, Phases, PoolTime, RequestRecord, SentPieces, StreamEndRecord,
    Traceback, header_texts, ms, unix_ms,
};

use super::body::{content, shown_bytes};
use super::body_kind::BodyKind;
use super::cookies::{self, Cookies};
use super::library_calls;
use super::raw_request::{RawRequest, RecordedBody, ReplayOf, SentRequest};
use super::recorded_stream::{RecordedStream, sent_body, timing};
use super::route_index::RouteIndex;
use crate::dev::protocol::{
    Blocker, ErrorSummary, RequestDetail, RequestSummary, SentCookie, SetCookie, TrackedError,
};
use crate::dev::redact::{Redactor, truncate};

/// The most bytes of text whose memory the next request reuses; a larger buffer is freed.
const REUSED: usize = 8 * 1024;
/// The number of texts before the headers: method, path, query and the route's id.
const FIRST_HEADER: usize = 4;
/// The name of a header that stands for more than are stored.
const CUT: &str = "…";

/// All text except the raw request is redacted and truncated before it is stored.
#[derive(Clone, Default)]
pub(super) struct RecordedRequest {
    seq: u64,
    /// Whether its content must not be shown.
    is_private: bool,
    /// Whether it is a call of a Python function from Rust.
    is_call: bool,
    id: u64,
    time_ms: u64,
    status: u16,
    generation: Option<u64>,
    phases: Phases,
    total: Duration,
    is_stream: bool,
    /// Set once the stream has ended.
    stream_end: Option<StreamEndRecord>,
    stream: RecordedStream,
    cpu_time: Option<Duration>,
    blocked_by: Vec<Blocker>,
    pool: Option<PoolTime>,
    calls: Option<Box<CallSummary>>,
    replay_of: Option<u64>,
    traceback: Option<Arc<Traceback>>,
    /// The errors that it has, or has mended, as they were then.
    errors: Vec<Arc<TrackedError>>,
    set_cookies: Cookies<SetCookie>,
    routes: Option<Arc<RouteIndex>>,
    text: String,
    /// The end of each text: the first [`FIRST_HEADER`], then names and values in turn.
    ends: Vec<usize>,
    /// The number of ends that belong to the request.
    request_ends: usize,
    raw: RawRequest,
}

/// A request with an exception, as the store of errors gets it.
pub(super) struct FailedRequest<'a> {
    pub(super) id: u64,
    pub(super) ended_ms: u64,
    pub(super) generation: Option<u64>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) route: Option<String>,
    /// Empty without a route.
    pub(super) route_id: &'a str,
}

impl RecordedRequest {
    /// Replaces its content with another request.
    pub(super) fn fill(
        &mut self,
        seq: u64,
        record: &RequestRecord<'_>,
        routes: &Arc<RouteIndex>,
        redactor: &Redactor,
        captures_bodies: bool,
    ) {
        let is_private = routes.is_private(record);
        (self.seq, self.is_private) = (seq, is_private);
        self.is_call = record.head.is_function_call();
        self.id = record.id;
        self.time_ms = unix_ms(record.time);
        self.status = record.status;
        self.generation = record.generation;
        self.phases = record.phases;
        self.total = record.total;
        (self.is_stream, self.stream_end) = (record.is_stream, None);
        // The stream of the request before may still be sent, and would retain its content.
        self.stream.forget();
        let stream = record.stream.filter(|_| captures_bodies && !is_private);
        self.stream = RecordedStream::new(stream);
        self.cpu_time = record.cpu_time;
        self.pool = record.pool;
        self.blocked_by.clear();
        self.blocked_by.extend(record.blockers.iter().map(|blocker| Blocker {
            id: blocker.id.to_string(),
            method: blocker.method.clone(),
            path: redactor.path(&blocker.path),
            ms: ms(blocker.time),
        }));
        self.replay_of = record.head.extension().map(|ReplayOf(id)| *id);
        self.traceback = record.traceback.cloned();
        self.errors.clear();
        self.routes = Some(Arc::clone(routes));

        self.text.clear();
        self.text.shrink_to(REUSED);
        self.ends.clear();
        self.add(record.head.method());
        redactor.push_path(&mut self.text, &record.head.path());
        self.end();
        if is_private {
            Redactor::push_names(&mut self.text, record.head.query());
        } else {
            redactor.push_query(&mut self.text, record.head.query());
        }
        self.end();
        self.add(if self.is_call { "" } else { record.route.unwrap_or_default() });
        self.add_headers(record.head.headers(), redactor, &[]);
        self.request_ends = self.ends.len();
        self.add_headers(record.response_headers, redactor, &dispatcher::DEV_HEADERS);
        self.set_cookies = cookies::set(record.response_headers, redactor);
        let masked = match (record.request_body, RouteIndex::parameters(record)) {
            (Some(body), Some(parameters)) => Some(redactor.arguments(body, parameters.split(','))),
            _ => None,
        };
        let request_body = masked.as_ref().or(record.request_body);
        self.raw.fill(record, request_body, captures_bodies && !is_private);
    }

    /// The stored bytes of its bodies.
    pub(super) fn body_bytes(&self) -> usize {
        self.raw.body_bytes() + self.stream.bytes()
    }

    pub(super) fn drop_bodies(&mut self) {
        self.raw.drop_bodies();
        self.stream.forget();
    }

    /// Returns the request as it was sent, secrets included; `None` if its head is too large.
    pub(super) fn sent_request(&self) -> Option<SentRequest> {
        self.raw.sent_request(self.text_at(0))
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn is_private(&self) -> bool {
        self.is_private
    }

    pub(super) fn is_call(&self) -> bool {
        self.is_call
    }

    /// Sets the exception of a handler that continued after the response.
    pub(super) fn set_traceback(&mut self, traceback: Arc<Traceback>) {
        self.traceback = Some(traceback);
    }

    /// Whether it has an exception.
    pub(super) fn has_failed(&self) -> bool {
        self.traceback.is_some()
    }

    /// Describes it for the error that it has.
    pub(super) fn as_failed(&self) -> FailedRequest<'_> {
        let RequestSummary { method, path, route, generation, .. } = self.summary();
        let (id, ended_ms, route_id) = (self.id, self.ended_ms(), self.text_at(3));
        FailedRequest { id, ended_ms, generation, method, path, route, route_id }
    }

    /// The errors that it has, or has mended.
    pub(super) fn errors(&self) -> &[Arc<TrackedError>] {
        &self.errors
    }

    pub(super) fn set_errors(&mut self, errors: Vec<Arc<TrackedError>>) {
        self.errors = errors;
    }

    /// Sets the sum of its calls to databases and HTTP servers.
    pub(super) fn set_calls(&mut self, calls: Option<Box<CallSummary>>) {
        self.calls = calls;
    }

    /// Adds a call that it has made since its response.
    pub(super) fn add_call(&mut self, call: &LibraryCall) {
        library_calls::add(self.calls.get_or_insert_default(), call);
    }

    /// A call, without its content if that must not be shown.
    pub(super) fn shown_call(&self, call: &LibraryCall) -> LibraryCall {
        if self.is_private { library_calls::without_content(call) } else { call.clone() }
    }

    /// Adds the times of the stream, which has ended.
    pub(super) fn end_stream(&mut self, record: &StreamEndRecord) {
        self.stream_end = Some(*record);
        self.stream.end();
    }

    /// The phases, that of a stream up to its end.
    fn phases_to_end(&self) -> Phases {
        let Some(end) = &self.stream_end else { return self.phases };
        let rest = end.total.saturating_sub(self.total);
        Phases {
            stream: ms(Duration::from_secs_f64(self.phases.stream / 1e3) + rest),
            ..self.phases
        }
    }

    /// The time from its head to its response.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// When its response was sent, in milliseconds since 1970.
    pub(super) fn ended_ms(&self) -> u64 {
        self.time_ms.saturating_add(u64::try_from(self.total.as_millis()).unwrap_or(u64::MAX))
    }

    /// When its response was sent, that of a stream completely.
    pub(super) fn ended_at(&self) -> SystemTime {
        let total = self.stream_end.map_or(self.total, |end| end.total);
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.time_ms) + total
    }

    pub(super) fn summary(&self) -> RequestSummary {
        let [method, path, query, route] = std::array::from_fn(|position| self.text_at(position));
        let route = self.routes.as_ref().and_then(|routes| routes.find(route));
        RequestSummary {
            id: self.id.to_string(),
            time_ms: self.time_ms,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            is_call: self.is_call,
            status: self.status,
            generation: self.generation,
            route: route.map(|route| route.path.clone()),
            handler: route.map(|route| route.handler.clone()),
            mode: route.map(|route| route.mode.clone()),
            phases: self.phases_to_end(),
            total_ms: ms(self.stream_end.map_or(self.total, |end| end.total)),
            stream: self.is_stream.then(|| timing(self.stream_end)),
            py_cpu_ms: self.cpu_time.map(ms),
            blocked_by: self.blocked_by.clone(),
            pool: self.pool,
            call_summary: library_calls::shown_summary(self.calls.as_deref(), self.is_private),
            replay_of: self.replay_of.map(|id| id.to_string()),
            error: self.traceback.as_deref().map(ErrorSummary::from),
            response_type: self.response_header("content-type").map(str::to_owned),
            response_size: self.raw.response_body().map(|body| body.size as u64),
        }
    }

    /// A header of the request, redacted.
    pub(super) fn request_header(&self, name: &str) -> Option<&str> {
        self.header(FIRST_HEADER, self.request_ends, name)
    }

    /// A header of the response, redacted.
    pub(super) fn response_header(&self, name: &str) -> Option<&str> {
        self.header(self.request_ends, self.ends.len(), name)
    }

    /// The cookies of the request; none, but noted, if its head is too large to be stored.
    fn sent_cookies(&self, redactor: &Redactor) -> Cookies<SentCookie> {
        let mut cookies = cookies::sent(self.raw.header("cookie"), redactor);
        let shows = |name| self.request_header(name).is_some();
        cookies.is_cut |= !self.raw.is_head_whole() && (shows("cookie") || shows(CUT));
        cookies
    }

    /// The names of the cookies of the request, and of the cookies that its response sets.
    pub(super) fn cookie_names(&self, redactor: &Redactor) -> [Option<String>; 2] {
        [
            self.sent_cookies(redactor).names(|cookie| &cookie.name),
            self.set_cookies.names(|cookie| &cookie.name),
        ]
    }

    /// The bytes of the body of its response, or else of the request, if they can be shown.
    pub(super) fn shown_body(
        &self,
        is_response: bool,
        redactor: &Redactor,
    ) -> Result<(BodyKind, Bytes), &'static str> {
        let sent = self.stream.sent().filter(|_| is_response);
        let (body, from, to) = match is_response {
            true => (self.response_body(sent.as_ref()), self.request_ends, self.ends.len()),
            false => (self.raw.request_body(), FIRST_HEADER, self.request_ends),
        };
        shown_bytes(body, &self.headers(from, to), redactor)
    }

    fn response_body<'a>(&'a self, sent: Option<&'a SentPieces>) -> Option<RecordedBody<'a>> {
        match sent {
            Some(sent) => Some(sent_body(sent, self.stream_end)),
            None => self.raw.response_body(),
        }
    }

    pub(super) fn detail(&self, redactor: &Redactor) -> RequestDetail {
        let request_headers = self.headers(FIRST_HEADER, self.request_ends);
        let response_headers = self.headers(self.request_ends, self.ends.len());
        let sent = self.stream.sent();
        let response_body = self.response_body(sent.as_ref());
        let sent_cookies = self.sent_cookies(redactor);
        RequestDetail {
            summary: self.summary(),
            request_body: content(self.raw.request_body(), &request_headers, redactor),
            response_body: content(response_body, &response_headers, redactor),
            are_request_cookies_cut: sent_cookies.is_cut,
            request_cookies: sent_cookies.shown,
            are_response_cookies_cut: self.set_cookies.is_cut,
            response_cookies: self.set_cookies.shown.clone(),
            request_headers,
            response_headers,
            traceback: self.traceback.as_deref().cloned(),
            has_profile: false, // the recorder sets this and the next three
            calls: Vec::new(),
            logs: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.end();
    }

    /// Adds all headers. The headers in `own` are not redacted: Snaxum sets them.
    fn add_headers(&mut self, headers: &HeaderMap, redactor: &Redactor, own: &[HeaderName]) {
        let (start, count) = (self.text.len(), headers.len());
        for (position, (name, value)) in header_texts(headers).enumerate() {
            let (before, ends) = (self.text.len(), self.ends.len());
            self.add(name);
            if own.iter().any(|own| own == name) {
                self.text.push_str(&value);
            } else {
                redactor.push_header(&mut self.text, name, &value);
            }
            self.end();
            if self.text.len() - start > truncate::HEADERS {
                self.text.truncate(before);
                self.ends.truncate(ends);
                self.add(CUT);
                self.add(&format!("({} headers more)", count - position));
                return;
            }
        }
    }

    /// Ends a text, and truncates it if it is too long.
    fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or_default();
        truncate::truncate(&mut self.text, start);
        self.ends.push(self.text.len());
    }

    fn text_at(&self, position: usize) -> &str {
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[position]]
    }

    fn header(&self, from: usize, to: usize, name: &str) -> Option<&str> {
        let at = (from..to).step_by(2).find(|&at| self.text_at(at) == name)?;
        Some(self.text_at(at + 1))
    }

    fn headers(&self, from: usize, to: usize) -> Vec<(String, String)> {
        let pair = |at| (self.text_at(at).to_owned(), self.text_at(at + 1).to_owned());
        (from..to).step_by(2).map(pair).collect()
    }
}
