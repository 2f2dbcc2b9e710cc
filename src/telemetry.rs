//! A server seen from outside: metrics, the access log, ids of requests and traces, spans.
//!
//! One [`Telemetry`] for each process that serves requests, if an option needs it; without it, a
//! request costs nothing here. The dispatcher reports each request that has ended. Nothing here waits
//! for a reader: counters are atomic, and lines go through a bounded buffer (`line_log`). Never calls
//! Python, and never responds to a request; `metrics_page` responds on an address of its own.

mod access_log;
mod counted_body;
mod health;
mod histogram;
mod identity;
mod line_log;
mod metrics;
mod metrics_page;
mod process_usage;
mod prometheus;
mod request_span;
mod slowest_routes;
mod snapshot;
#[cfg_attr(not(feature = "otel"), path = "telemetry/no_spans.rs")]
mod spans;
mod utc_time;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use axum::body::{Body, HttpBody};
use axum::response::Response;

use crate::config::SnaxumConfig;
use crate::error::Error;
use crate::message::{Head, Phases, PoolTaskTime, RouteInfo};
use crate::sync::{Arc, Mutex};

use access_log::{AccessLine, AccessLog};
use counted_body::CountedBody;
use metrics::{RequestMetrics, RouteMetrics};
use request_span::RequestSpan;
use spans::Spans;

pub use health::Readiness;
pub(crate) use health::health_response;
pub use histogram::{HistogramSnapshot, REQUEST_BOUNDS, WAIT_BOUNDS};
pub use identity::{HexText, Identities, TraceContext};
pub(crate) use identity::{RequestIdentity, TRACEPARENT, X_REQUEST_ID};
pub use line_log::{LineLog, LogPlace, reopen_logs};
pub use metrics::UNMATCHED;
pub use metrics_page::{MetricsSource, metrics_router};
pub use process_usage::ProcessUsage;
pub use prometheus::render;
pub use slowest_routes::RouteLoad;
pub use snapshot::{Member, PoolCounts, RouteSnapshot, Snapshot, SpanCounts, WorkerCounts};
pub use utc_time::push_time;

/// The path of an access log that stands for stdout.
const STDOUT: &str = "-";
/// The largest body that is logged before it is sent: it fits into the socket's buffer.
const MAX_WHOLE: u64 = 64 * 1024;

/// Waits for the last spans and the last lines of the logs, within a time limit.
pub fn finish() {
    spans::finish();
    line_log::finish_logs();
}

/// Records the requests of a process.
#[derive(Debug)]
pub struct Telemetry {
    metrics: RequestMetrics,
    access_log: Option<AccessLog>,
    identities: Identities,
    spans: Option<Spans>,
    has_ids: bool,
}

impl Telemetry {
    /// Makes it if an option needs it; opens the access log.
    ///
    /// # Errors
    ///
    /// The access log cannot be opened.
    pub(crate) fn new(
        config: &SnaxumConfig,
        identities: Identities,
    ) -> Result<Option<Arc<Self>>, Error> {
        // The console shows the counts.
        if config.load_only || !(config.dev || config.is_recorded()) {
            return Ok(None);
        }
        let access_log =
            match config.access_log.as_deref().filter(|path| !path.as_os_str().is_empty()) {
                None => None,
                Some(path) => {
                    let file = (path != Path::new(STDOUT)).then(|| config.project_dir.join(path));
                    let open = AccessLog::open(file.clone(), config.log_format);
                    let path = file.unwrap_or_else(|| STDOUT.into());
                    Some(open.map_err(|source| Error::AccessLog { path, source })?)
                }
            };
        let (metrics, spans) = (RequestMetrics::new(), Spans::start());
        let has_ids = config.is_recorded();
        Ok(Some(Arc::new(Self { metrics, access_log, identities, spans, has_ids })))
    }

    /// The identity of a request, if its response and the logs have it.
    pub(crate) fn identify(&self, number: u64, head: &Head) -> Option<RequestIdentity> {
        self.has_ids.then(|| self.identities.identify(number, head.headers()))
    }

    /// Uses the routes of another generation from now on.
    pub(crate) fn set_routes(&self, routes: &[RouteInfo]) {
        self.metrics.set_routes(routes);
    }

    /// Counts a request that has begun, until it is logged.
    pub(crate) fn began(&self) {
        self.metrics.began();
    }

    /// Counts a request whose response is ready, and logs it once the body has been sent;
    /// `has_layers`: once [`log_after_layers`] is called.
    pub(crate) fn responded(
        self: &Arc<Self>,
        request: &RequestOutcome<'_>,
        response: &mut Response,
        has_layers: bool,
    ) {
        let route = self.count(request);
        if has_layers {
            let within = PendingLog(Mutex::new(Some(self.defer(request, route))));
            response.extensions_mut().insert(WithinLayers(Arc::new(within)));
            return;
        }
        match size_of_body(request, response) {
            Some(size) => self.log(request, &route, size, request.total),
            None => self.defer(request, route).log_when_sent(response),
        }
    }

    /// Counts and logs a request whose client has left.
    pub(crate) fn left(&self, request: &RequestOutcome<'_>) {
        let route = self.count(request);
        self.log(request, &route, 0, request.total);
    }

    fn count(&self, request: &RequestOutcome<'_>) -> Arc<RouteMetrics> {
        let route = self.metrics.route(request.route);
        route.record(request.head.method(), request.status, request.total);
        if let Some((queue, gil)) = request.waits {
            self.metrics.record_waits(queue, gil);
        }
        route
    }

    fn defer(
        self: &Arc<Self>,
        request: &RequestOutcome<'_>,
        route: Arc<RouteMetrics>,
    ) -> EndedRequest {
        let RequestOutcome { status, generation, phases, time, began, .. } = *request;
        let tasks = if self.spans.is_some() { request.tasks.to_vec() } else { Vec::new() };
        EndedRequest {
            telemetry: Arc::clone(self),
            head: request.head.clone(),
            identity: request.identity.cloned(),
            route,
            status,
            generation,
            phases,
            tasks,
            time,
            began,
        }
    }

    fn log(&self, request: &RequestOutcome<'_>, route: &RouteMetrics, bytes: u64, total: Duration) {
        self.metrics.ended();
        let (head, Some(identity)) = (request.head, request.identity) else { return };
        if let Some(spans) = self.spans.as_ref().filter(|_| identity.trace().is_sampled()) {
            spans.record(|| RequestSpan {
                trace: identity.trace(),
                trace_state: identity::trace_state(head.headers()),
                request_id: String::from_utf8_lossy(identity.id()).into_owned(),
                method: head.method().to_owned(),
                path: head.raw_path().to_owned(),
                scheme: head.scheme(),
                version: head.version(),
                route: route.pattern().map(str::to_owned),
                client: head.client().map(|address| address.ip()),
                status: request.status,
                generation: request.generation,
                start: request.time,
                began: request.began,
                total,
                phases: request.phases,
                tasks: request.tasks.to_vec(),
            });
        }
        let Some(log) = &self.access_log else { return };
        log.write(&AccessLine {
            time: request.time + total,
            identity: Some(identity),
            client: head.client().map(|address| address.ip()),
            method: Some(head.method()),
            path: Some(head.raw_path()),
            route: route.pattern(),
            status: request.status,
            bytes,
            total,
            phases: request.phases,
            generation: request.generation,
        });
    }

    /// Counts and logs a request that the server has refused before any handler, with its method and path
    /// if they are known: it is not valid HTTP, or its head has not arrived in time.
    pub(crate) fn refused(
        &self,
        status: u16,
        request: Option<(&str, &str)>,
        client: Option<IpAddr>,
    ) {
        let (method, path) = request.unzip();
        let route = self.metrics.route(None);
        route.record(method.unwrap_or_default(), status, Duration::ZERO);
        let Some(log) = &self.access_log else { return };
        log.write(&AccessLine {
            time: SystemTime::now(),
            identity: None,
            client,
            method,
            path,
            route: None,
            status,
            bytes: 0,
            total: Duration::ZERO,
            phases: Phases::default(),
            generation: None,
        });
    }

    /// Fills the part of a snapshot that it counts.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot) {
        self.metrics.fill(snapshot);
        snapshot.usage = ProcessUsage::read();
        snapshot.spans = self.spans.as_ref().map(Spans::counts);
        snapshot.dropped_log_lines = self.access_log.as_ref().map_or(0, AccessLog::dropped);
    }
}

/// The result of a request.
#[derive(Clone, Copy)]
pub(crate) struct RequestOutcome<'a> {
    pub(crate) head: &'a Head,
    pub(crate) identity: Option<&'a RequestIdentity>,
    /// The id of its route.
    pub(crate) route: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) generation: Option<u64>,
    pub(crate) phases: Phases,
    /// Its tasks in the pool, if requests have spans.
    pub(crate) tasks: &'a [PoolTaskTime],
    /// How long it has waited for a thread and for the interpreter, if it has reached Python.
    pub(crate) waits: Option<(Duration, Duration)>,
    /// When its head was read.
    pub(crate) time: SystemTime,
    /// The same.
    pub(crate) began: Instant,
    /// From then to its response.
    pub(crate) total: Duration,
}

/// A request whose response is ready, until its body has been sent.
#[derive(Debug)]
struct EndedRequest {
    telemetry: Arc<Telemetry>,
    head: Head,
    identity: Option<RequestIdentity>,
    route: Arc<RouteMetrics>,
    status: u16,
    generation: Option<u64>,
    phases: Phases,
    tasks: Vec<PoolTaskTime>,
    time: SystemTime,
    began: Instant,
}

/// The request in the extensions of its response, while layers may still change the body.
#[derive(Clone)]
struct WithinLayers(Arc<PendingLog>);

/// A request that is logged when this is dropped, unless it has been taken: its response has met no layer.
struct PendingLog(Mutex<Option<EndedRequest>>);

impl Drop for PendingLog {
    fn drop(&mut self) {
        if let Some(request) = self.0.lock().take() {
            request.log(0);
        }
    }
}

impl EndedRequest {
    fn log_when_sent(self, response: &mut Response) {
        if let Some(size) = size_of_body(&self.outcome(), response) {
            return self.log(size);
        }
        let body = std::mem::take(response.body_mut());
        let on_end = Box::new(move |bytes| self.log(bytes));
        *response.body_mut() = Body::new(CountedBody::new(body, on_end));
    }

    fn log(self, bytes: u64) {
        self.telemetry.log(&self.outcome(), &self.route, bytes, self.began.elapsed());
    }

    fn outcome(&self) -> RequestOutcome<'_> {
        RequestOutcome {
            head: &self.head,
            identity: self.identity.as_ref(),
            route: None,
            status: self.status,
            generation: self.generation,
            phases: self.phases,
            tasks: &self.tasks,
            waits: None,
            time: self.time,
            began: self.began,
            total: self.began.elapsed(),
        }
    }
}

/// The size of a body that is empty, or known and small.
fn size_of_body(request: &RequestOutcome<'_>, response: &Response) -> Option<u64> {
    if request.head.method() == "HEAD" || matches!(request.status, 101 | 204 | 304) {
        return Some(0);
    }
    response.body().size_hint().exact().filter(|size| *size <= MAX_WHOLE)
}

/// Logs the request of a response that has passed all layers.
pub(crate) fn log_after_layers(response: &mut Response) {
    if let Some(WithinLayers(pending)) = response.extensions_mut().remove() {
        let request = pending.0.lock().take();
        if let Some(request) = request {
            request.log_when_sent(response);
        }
    }
}
