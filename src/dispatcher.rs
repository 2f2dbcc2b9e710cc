//! Dispatches HTTP requests to Python: [`handle_python_request`].
//!
//! Knows no route. Dispatch never fails: a body that is too large, a full queue, an exception in the
//! handler each become a response. [`Observation`] reports each request to observers.

pub(crate) mod body;
mod delivered_body;
mod observation;
mod websocket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::Body as HttpBody;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use futures_util::future::Either;
use hyper::upgrade::OnUpgrade;
use tokio_util::sync::CancellationToken;

use crate::event::TRACEBACK;
use crate::message::{
    BodyReceiver, Chunk, Failure, FileBody, HandlerOutcome, Head, PythonRequest, PythonResponse,
    ResponseBody, Traceback,
};
use crate::problem;
use crate::python_runtime::{CallError, PythonRuntime};
use crate::server::framing;

use delivered_body::DeliveredBody;
use observation::Observation;
use websocket::Handshake;

pub use observation::DEV_HEADERS;

/// Replaces the content type, and adds the other headers unless the handler has set them.
fn set_event_head(headers: &mut Vec<(String, String)>, added: Vec<(String, String)>) {
    headers.retain(|(name, _)| name != CONTENT_TYPE.as_str());
    for (name, value) in added {
        if headers.iter().all(|(given, _)| *given != name) {
            headers.push((name, value));
        }
    }
}

/// The time that an event stream has for its first event before its response begins. Short: a browser
/// waits for the response before it reports the connection as open.
const EVENT_STREAM_WAIT: Duration = Duration::from_secs(1);

/// Responds to a request with the user's Python handlers. Accepts any method and any path:
/// `any(handle_python_request)` on a route, or as a fallback.
pub async fn handle_python_request(
    State(runtime): State<Arc<PythonRuntime>>,
    request: HttpRequest,
) -> HttpResponse {
    // `snaxum::server` has checked its requests already; other servers do not.
    if let Some(rejection) = framing::check_headers(request.headers()) {
        return rejection.response();
    }
    respond_through_layers(runtime, request).await
}

/// Responds to a request like [`respond`], through CORS, compression and the other layers of the
/// configuration.
pub fn respond_through_layers<B>(
    runtime: Arc<PythonRuntime>,
    request: hyper::Request<B>,
) -> impl Future<Output = HttpResponse>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    match runtime.http_layers().cloned() {
        None => Either::Left(respond(runtime, request)),
        Some(layers) => Either::Right(Box::pin(async move {
            layers.respond(request, |request| respond(runtime, request)).await
        })),
    }
}

/// Responds to a request, with any body, without an extractor.
pub fn respond<B>(
    runtime: Arc<PythonRuntime>,
    request: hyper::Request<B>,
) -> impl Future<Output = HttpResponse>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    // Out of the future: it is moved, and the parts are large.
    let (mut parts, body) = request.into_parts();
    let can_upgrade = parts.extensions.get::<OnUpgrade>().is_some();
    let handshake = if can_upgrade { Handshake::take(&mut parts) } else { None };
    let head = if handshake.is_some() { Head::of_websocket(parts) } else { Head::new(parts) };
    respond_to(runtime, head, body, handshake)
}

async fn respond_to<B>(
    runtime: Arc<PythonRuntime>,
    head: Head,
    body: B,
    handshake: Option<Box<Handshake>>,
) -> HttpResponse
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let id = runtime.next_request_id();
    let mut observation = Observation::begin(&runtime, id, &head);

    let config = runtime.config();
    let body = body::read(head.headers(), body, config.max_body_size, config.body_timeout).await;
    observation.body_read(&body);
    // A save before the request is live, or rejected, before Python sees the request.
    runtime.gate().wait().await;
    observation.gate_passed();
    // Boxed, here and below: few requests are for files.
    let static_files = runtime.static_files();
    let static_path = static_files.as_ref().and_then(|files| files.find(&head));
    if let Some(path) = &static_path
        && let Some(mut response) = Box::pin(path.respond()).await
    {
        observation.end(&mut response, None);
        return response;
    }
    let mut is_unrouted = false;
    let mut handled = None;
    let mut delivery = None;
    let outcome = match body {
        Ok(body) => {
            let request = PythonRequest { id, head: head.clone(), body };
            match runtime.call(request).await {
                Ok(PythonResponse {
                    generation,
                    route,
                    outcome,
                    raised,
                    timestamps,
                    delivery: sent,
                }) => {
                    is_unrouted = route.is_none();
                    handled = raised;
                    observation.received(generation, route, timestamps, &outcome);
                    delivery = sent;
                    match outcome {
                        HandlerOutcome::Response { body: ResponseBody::Stream(_), .. } => {
                            // Boxed: its state would enlarge that of every request.
                            Box::pin(begin_stream(&runtime, id, outcome)).await
                        }
                        _ => outcome,
                    }
                }
                Err(error) => HandlerOutcome::Failure(failure_of(error, &runtime)),
            }
        }
        Err(error) => HandlerOutcome::Failure(error.failure),
    };
    let (mut response, traceback) = to_http(&runtime, &head, id, outcome, handshake);
    if let Some(path) = &static_path
        && is_unrouted
        && response.status() == StatusCode::NOT_FOUND
        && let Some(index) = Box::pin(path.respond_with_index()).await
    {
        response = index;
    }
    if let Some(traceback) = &handled {
        log_traceback(id, traceback);
    }
    observation.end(&mut response, traceback.or(handled).as_ref());
    match delivery {
        None => response,
        Some(delivery) => response.map(|body| HttpBody::new(DeliveredBody { body, delivery })),
    }
}

fn failure_of(error: CallError, runtime: &PythonRuntime) -> Failure {
    let limit = runtime.config().request_timeout;
    let (status, detail, retry) = match error {
        CallError::QueueFull => (503, "too many requests are waiting".to_owned(), true),
        CallError::AllStuck => {
            let detail = "no thread is free for `def` handlers: one hangs in each";
            (503, detail.to_owned(), true)
        }
        CallError::Stopped => (503, "the server is shutting down".to_owned(), true),
        CallError::TimedOut => {
            (504, format!("the handler took longer than {} s", limit.as_secs_f64()), false)
        }
        CallError::Lost => {
            (500, "internal error: the request was lost; see the log".to_owned(), false)
        }
    };
    let headers = if retry { vec![("retry-after".to_owned(), "1".to_owned())] } else { Vec::new() };
    Failure { status, detail, headers, ..Failure::default() }
}

/// Converts the outcome; the traceback is that of an exception in the handler.
fn to_http(
    runtime: &Arc<PythonRuntime>,
    head: &Head,
    id: u64,
    outcome: HandlerOutcome,
    handshake: Option<Box<Handshake>>,
) -> (HttpResponse, Option<Arc<Traceback>>) {
    let failure = match outcome {
        HandlerOutcome::Response { status, content_type, headers, body } => {
            match build_response(runtime, id, status, &headers, body) {
                Ok(mut response) => {
                    if let Some(content_type) = content_type {
                        response.headers_mut().insert(CONTENT_TYPE, content_type);
                    }
                    return (response, None);
                }
                Err(mut failure) => {
                    if !runtime.config().dev {
                        // It quotes what the handler returned.
                        tracing::error!("request {id}: {}", failure.detail);
                        failure.detail = format!(
                            "the handler returned an invalid response; the log has the reason \
                             under request {id}"
                        );
                    }
                    failure
                }
            }
        }
        HandlerOutcome::WebSocket(accepted) => {
            let handshake = handshake.expect("Python accepts only what asks for a WebSocket");
            match handshake.accept(runtime, id, head, accepted) {
                Ok(response) => return (response, None),
                Err(failure) => failure,
            }
        }
        HandlerOutcome::Failure(failure) => failure,
    };
    if let Some(traceback) = &failure.traceback {
        log_traceback(id, traceback);
    }
    let response = problem::respond(&failure, head.headers(), id, runtime.config().dev);
    (response, failure.traceback.map(Arc::from))
}

fn log_traceback(id: u64, traceback: &Traceback) {
    tracing::error!(target: TRACEBACK, "request {id}: the handler raised\n{}", traceback.text);
}

fn build_response(
    runtime: &Arc<PythonRuntime>,
    id: u64,
    status: u16,
    headers: &[(String, String)],
    body: ResponseBody,
) -> Result<HttpResponse, Failure> {
    let bad = |detail: String| Failure { status: 500, detail, ..Failure::default() };
    let mut size = None;
    let body = match body {
        ResponseBody::Full(bytes) => HttpBody::from(bytes),
        ResponseBody::File(file) => {
            size = Some(file.size());
            file_body(file)
        }
        ResponseBody::Stream(chunks) => {
            let stopping = is_event_stream(headers).then(|| runtime.stopping());
            streamed(chunks, Arc::clone(runtime), id, stopping)
        }
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| {
        bad(format!("the handler returned the status {status}, which is not valid"))
    })?;
    for (name, value) in headers {
        if let Some((name, value)) = problem::parse_header(name, value).map_err(bad)? {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(size) = size {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok(response)
}

/// Makes a body that reads a file as the client takes it.
fn file_body(file: FileBody) -> HttpBody {
    HttpBody::from_stream(futures_util::stream::unfold(file, async |mut file| {
        let piece = file.read().await?;
        Some((piece, file))
    }))
}

/// Waits for the first chunk of a stream, so that an error before it becomes a failure. A stream that
/// stays silent begins without one: an event stream soon, another at the time limit of a handler.
async fn begin_stream(
    runtime: &Arc<PythonRuntime>,
    id: u64,
    outcome: HandlerOutcome,
) -> HandlerOutcome {
    // In this order: the handler is cancelled once its stream is closed.
    let mut handler = CancelHandler { runtime: Some(Arc::clone(runtime)), id };
    let mut outcome = outcome;
    let begun = match &mut outcome {
        HandlerOutcome::Response { headers, body: ResponseBody::Stream(chunks), .. } => {
            let limit = match is_event_stream(headers) {
                true => EVENT_STREAM_WAIT,
                false => runtime.config().request_timeout,
            };
            let is_ready = if limit.is_zero() {
                chunks.ready().await
            } else {
                tokio::time::timeout(limit, chunks.ready()).await.unwrap_or(Ok(()))
            };
            is_ready.and_then(|()| chunks.begin()).map(|events| {
                if let Some(head) = events {
                    chunks.keep_alive = Some(head.keep_alive);
                    set_event_head(headers, head.headers);
                }
            })
        }
        _ => Ok(()),
    };
    handler.disarm();
    match begun {
        Ok(()) => outcome,
        Err(failure) => HandlerOutcome::Failure(failure),
    }
}

fn is_event_stream(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| {
        let kind = value.split(';').next().unwrap_or_default();
        name == "content-type" && kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// Cancels the handler of a stream when it is dropped: the client has disconnected.
struct CancelHandler {
    runtime: Option<Arc<PythonRuntime>>,
    id: u64,
}

impl CancelHandler {
    /// Cancels nothing from now on: the handler has ended, or the body cancels it.
    fn disarm(&mut self) {
        self.runtime = None;
    }
}

impl Drop for CancelHandler {
    fn drop(&mut self) {
        if let Some(runtime) = &self.runtime {
            runtime.cancel(self.id);
        }
    }
}

/// A comment, which clients ignore; proxies that close silent connections do not.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

async fn pass(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Makes a body that grows as the handler sends, and cancels the handler if the client disconnects.
/// The body ends when `stopping` is cancelled.
fn streamed(
    chunks: BodyReceiver,
    runtime: Arc<PythonRuntime>,
    id: u64,
    stopping: Option<CancellationToken>,
) -> HttpBody {
    let receiving = (chunks, CancelHandler { runtime: Some(runtime), id }, stopping);
    HttpBody::from_stream(futures_util::stream::unfold(receiving, async |mut receiving| {
        let (chunk, is_stopping) = match &receiving.2 {
            None => (receiving.0.recv().await, false),
            Some(stopping) => {
                let keep_alive = receiving.0.keep_alive;
                tokio::select! {
                    chunk = receiving.0.recv() => (chunk, false),
                    () = stopping.cancelled() => (Some(Chunk::End), true),
                    () = pass(keep_alive) => (Some(Chunk::Data(KEEP_ALIVE)), false),
                }
            }
        };
        if !is_stopping && !matches!(chunk, Some(Chunk::Data(_))) {
            receiving.1.disarm();
        }
        match chunk {
            Some(Chunk::Data(chunk)) => Some((Ok(chunk), receiving)),
            Some(Chunk::End) => None,
            None => Some((Err(io::Error::other("the handler's stream was aborted")), receiving)),
        }
    }))
}
