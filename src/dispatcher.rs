//! Dispatches HTTP requests to Python: [`handle_python_request`].
//!
//! Knows no route. Dispatch never fails: a body that is too large, a full queue, an exception in the
//! handler each become a response. [`Observation`] reports each request to observers.

pub(crate) mod body;
mod coding;
mod delivered_body;
mod multipart;
pub(crate) mod observation;
mod streamed_body;
mod streamed_response;
mod timed_writes;
mod websocket;
mod whole_body;

use std::sync::Arc;

use axum::BoxError;
use axum::body::Body as HttpBody;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::Either;
use hyper::upgrade::OnUpgrade;

use crate::event::TRACEBACK;
use crate::http_layers::TypeOfCopy;
use crate::message::{
    Failure, FileBody, HandlerOutcome, Head, PythonRequest, PythonResponse, RequestBody,
    ResponseBody, Traceback,
};
use crate::problem;
use crate::python_runtime::{CallError, PythonRuntime};
use crate::server::framing;

use body::BodyError;
use coding::Coding;
use delivered_body::DeliveredBody;
use observation::Observation;
use streamed_response::{begin_stream, is_event_stream, streamed};
use websocket::Handshake;

pub use observation::DEV_HEADERS;

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
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
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
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // Out of the future: it is moved, and the parts are large.
    let (mut parts, body) = request.into_parts();
    let coding = if body.is_end_stream() { None } else { Coding::take(&mut parts.headers) };
    let can_upgrade = parts.extensions.get::<OnUpgrade>().is_some();
    let handshake = if can_upgrade { Handshake::take(&mut parts) } else { None };
    let head = if handshake.is_some() { Head::of_websocket(parts) } else { Head::new(parts) };
    respond_to(runtime, head, (body, coding), handshake)
}

async fn respond_to<B>(
    runtime: Arc<PythonRuntime>,
    head: Head,
    (body, coding): (B, Option<Coding>),
    handshake: Option<Box<Handshake>>,
) -> HttpResponse
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let has_body = !body.is_end_stream();
    let id = runtime.next_request_id();
    let mut observation = Observation::begin(&runtime, id, &head);

    // The protocol changes after the body (RFC 9110, 7.8).
    let may_wait = has_body && handshake.is_none();
    let body = match may_wait && may_stream(&runtime, &head).await {
        true => Arrival::Later(body),
        false => {
            let body = whole_body::read(&runtime, head.headers(), body, coding).await;
            observation.body_read(&body);
            // A save before the request is live, or rejected, before Python sees the request.
            runtime.gate().wait().await;
            Arrival::Read(body)
        }
    };
    observation.gate_passed();
    // Boxed, here and below: few requests are for files.
    let static_files = runtime.static_files();
    let static_path = static_files.as_ref().and_then(|files| files.find(&head));
    if let Some(path) = &static_path
        && let Some(outcome) = Box::pin(path.respond()).await
    {
        let (mut response, _) = to_http(&runtime, &head, id, outcome, None);
        if !matches!(body, Arrival::Read(Ok(_))) {
            // The client must not send its next request after this body.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        observation.file_found(path.route());
        observation.end(&mut response, None);
        return response;
    }
    let (called, is_unread) = match body {
        Arrival::Read(Ok(body)) => {
            (Ok(runtime.call(PythonRequest { id, head: head.clone(), body }).await), false)
        }
        Arrival::Read(Err(error)) => (Err(error), true),
        Arrival::Later(body) => {
            let parts = (&mut observation, id, &head, coding);
            Box::pin(streamed_body::call(&runtime, body, parts)).await
        }
    };
    let mut is_unrouted = false;
    let mut handled = None;
    let mut delivery = None;
    let outcome = match called {
        Ok(Ok(PythonResponse {
            generation,
            route,
            outcome,
            raised,
            timestamps,
            delivery: sent,
        })) => {
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
        Ok(Err(error)) => HandlerOutcome::Failure(failure_of(error, &runtime)),
        Err(error) => HandlerOutcome::Failure(error.failure),
    };
    let (mut response, traceback) = to_http(&runtime, &head, id, outcome, handshake);
    if let Some(path) = &static_path
        && is_unrouted
        && response.status() == StatusCode::NOT_FOUND
        && let Some(outcome) = Box::pin(path.respond_without_route()).await
    {
        observation.file_found(path.route());
        (response, _) = to_http(&runtime, &head, id, outcome, None);
    }
    if let Some(traceback) = &handled {
        log_traceback(id, traceback);
    }
    if is_unread {
        // The client must not send its next request after this body.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    observation.end(&mut response, traceback.or(handled).as_ref());
    match delivery {
        None => response,
        Some(delivery) => response.map(|body| HttpBody::new(DeliveredBody { body, delivery })),
    }
}

/// A body that was read, or one that may arrive while its handler runs.
enum Arrival<B> {
    Read(Result<RequestBody, BodyError>),
    Later(B),
}

/// Whether the handler may start before the body has arrived.
async fn may_stream(runtime: &PythonRuntime, head: &Head) -> bool {
    // A save before the request may have changed its route.
    runtime.gate().wait().await;
    runtime.serving().may_stream(head)
}

fn failure_of(error: CallError, runtime: &PythonRuntime) -> Failure {
    let (status, detail) = match error {
        CallError::QueueFull | CallError::AllStuck | CallError::Stopped => (503, error.to_string()),
        CallError::TimedOut => {
            let limit = runtime.config().request_timeout.as_secs_f64();
            (504, format!("the handler took longer than {limit} s"))
        }
        CallError::Lost => (500, error.to_string()),
    };
    let retry = (status == 503).then(|| ("retry-after".to_owned(), "1".to_owned()));
    Failure { status, detail, headers: retry.into_iter().collect(), ..Failure::default() }
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
            match build_response(runtime, (id, head.method()), status, &headers, body) {
                Ok(mut response) => {
                    match content_type {
                        Some(kind) if response.status() == StatusCode::NOT_MODIFIED => {
                            response.extensions_mut().insert(TypeOfCopy(kind));
                        }
                        Some(kind) => drop(response.headers_mut().insert(CONTENT_TYPE, kind)),
                        None => {}
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
        HandlerOutcome::NeedsBody => {
            unreachable!("the request was sent with its body")
        }
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
    (id, method): (u64, &str),
    status: u16,
    headers: &[(String, String)],
    body: ResponseBody,
) -> Result<HttpResponse, Failure> {
    let bad = |detail: String| Failure { status: 500, detail, ..Failure::default() };
    let mut size = None;
    let body = match body {
        ResponseBody::Full(bytes) => {
            // An application leaves out the body of HEAD itself.
            if bytes.is_empty() && method == "HEAD" {
                size = declared_size(headers);
            }
            HttpBody::from(bytes)
        }
        ResponseBody::File(file) => {
            size = Some(file.size());
            file_body(file)
        }
        ResponseBody::Stream(chunks) => {
            let stopping = is_event_stream(headers).then(|| runtime.stopping());
            size = declared_size(headers);
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

/// The size that the handler has given in `Content-Length`.
fn declared_size(headers: &[(String, String)]) -> Option<u64> {
    let value = headers.iter().find(|(name, _)| name == CONTENT_LENGTH.as_str())?;
    value.1.trim().parse().ok()
}

/// Makes a body that reads a file as the client takes it.
fn file_body(file: FileBody) -> HttpBody {
    let pieces = futures_util::stream::unfold(file, async |mut file| {
        let piece = file.read().await?;
        Some((piece, file))
    });
    HttpBody::from_stream(pieces.fuse()) // compression polls it after its end
}
