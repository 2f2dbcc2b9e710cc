//! Dispatches HTTP requests to Python: [`handle_python_request`].
//!
//! The steps, in order: [`respond`] takes the head, `respond_to` reads the body (`body.rs`), passes the
//! gate, calls Python (`python_runtime.rs`) and converts the result (`http_response.rs`).
//! [`Observation`] reports each request to observers.
//!
//! Knows no route. Dispatch never fails: a body that is too large, a full queue, an exception in the
//! handler each become a response.

pub(crate) mod body;
mod decompress;
mod delivered_body;
mod http_response;
mod multipart;
pub(crate) mod observation;
mod observed_stream;
mod streamed_body;
mod streamed_response;
mod timed_writes;
mod websocket;
mod whole_body;

use std::sync::Arc;

use axum::BoxError;
use axum::body::Body as HttpBody;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::CONNECTION;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use futures_util::future::{self, Either};
use hyper::upgrade::OnUpgrade;

use crate::http_layers::HttpLayers;
use crate::message::{
    DeliveryGuard, ErrorResponse, HandlerOutcome, Head, PythonRequest, PythonResponse, RequestBody,
    ResponseBody, Traceback,
};
use crate::python_runtime::{CallError, PythonRuntime};
use crate::server::framing;
use crate::telemetry::{health_response, log_after_layers};

use body::BodyError;
use decompress::Coding;
use delivered_body::DeliveredBody;
use http_response::{log_traceback, to_http};
use observation::Observation;
use streamed_response::begin_stream;
use websocket::Handshake;

#[cfg(any(test, fuzzing))]
pub use multipart::fuzz_multipart;
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
            match layers.is_preflight(&request) {
                true => respond_to_preflight(&runtime, &layers, request.into_parts().0).await,
                false => layers.respond(request, |request| respond(runtime, request)).await,
            }
        })),
    }
}

/// Lets the CORS layer respond to a request that no handler gets.
async fn respond_to_preflight(
    runtime: &PythonRuntime,
    layers: &HttpLayers,
    parts: Parts,
) -> HttpResponse {
    let mut question = hyper::Request::new(());
    *question.method_mut() = parts.method.clone();
    *question.headers_mut() = parts.headers.clone();
    let head = Head::new(parts);
    let observation = Observation::begin(runtime, runtime.next_request_id(), &head);
    let mut response = layers.respond(question, async |_| HttpResponse::default()).await;
    observation.end(&mut response, None);
    log_after_layers(&mut response);
    response
}

/// Responds to a request, with any body, without an extractor.
pub fn respond<B>(
    runtime: Arc<PythonRuntime>,
    request: hyper::Request<B>,
) -> impl Future<Output = HttpResponse>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if runtime.config().health {
        let path = request.uri().path();
        if let Some(response) = health_response(request.method(), path, || runtime.readiness()) {
            return Either::Left(future::ready(response));
        }
    }
    // Out of the future: it is moved, and the parts are large.
    let (mut parts, body) = request.into_parts();
    let coding = if body.is_end_stream() { None } else { Coding::take(&mut parts.headers) };
    let can_upgrade = parts.extensions.get::<OnUpgrade>().is_some();
    let handshake = if can_upgrade { Handshake::take(&mut parts) } else { None };
    let head = if handshake.is_some() { Head::of_websocket(parts) } else { Head::new(parts) };
    Either::Right(respond_to(runtime, head, (body, coding), handshake))
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
    let id = runtime.next_request_id();
    let mut observation = Observation::begin(&runtime, id, &head);

    // The protocol changes after the body (RFC 9110, 7.8).
    let has_body = !body.is_end_stream();
    let body = if has_body && handshake.is_none() && may_stream(&runtime, &head).await {
        Arrival::Later(body)
    } else {
        let body = whole_body::read(&runtime, head.headers(), body, coding).await;
        observation.body_read(&body);
        // A save before the request is live, or rejected, before Python sees the request.
        runtime.gate().wait().await;
        Arrival::Read(body)
    };
    observation.gate_passed(has_body);

    // Boxed, here and below: few requests are for files.
    let static_files = runtime.static_files();
    let static_path = static_files.as_ref().and_then(|files| files.find(&head));
    let file = match &static_path {
        Some(path) => Box::pin(path.respond()).await.map(|outcome| (path, outcome)),
        None => None,
    };
    let called = match file {
        Some((path, outcome)) => {
            observation.file_found(path.route());
            CallResult {
                is_unread: !matches!(body, Arrival::Read(Ok(_))),
                ..CallResult::new(outcome)
            }
        }
        None => call(&runtime, body, (&mut observation, id, &head, coding)).await,
    };

    let CallResult { outcome, is_unread, is_unrouted, handled, delivery } = called;
    observation.responds_with(&outcome);
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
        log_traceback(&runtime, &head, id, traceback, true);
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

/// The result of a call of Python, or of a file in its place.
struct CallResult {
    outcome: HandlerOutcome,
    /// The body of the request was not read to its end.
    is_unread: bool,
    is_unrouted: bool,
    /// The traceback of an exception that the user's error handler has responded to.
    handled: Option<Arc<Traceback>>,
    delivery: Option<DeliveryGuard>,
}

impl CallResult {
    fn new(outcome: HandlerOutcome) -> Self {
        Self { outcome, is_unread: false, is_unrouted: false, handled: None, delivery: None }
    }
}

/// Calls Python with a body that was read, or while it arrives.
async fn call<B>(
    runtime: &Arc<PythonRuntime>,
    body: Arrival<B>,
    (observation, id, head, coding): (&mut Observation<'_>, u64, &Head, Option<Coding>),
) -> CallResult
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (response, is_unread) = match body {
        Arrival::Read(Ok(body)) => {
            (Ok(runtime.call(PythonRequest { id, head: head.clone(), body }).await), false)
        }
        Arrival::Read(Err(error)) => (Err(error), true),
        Arrival::Later(body) => {
            let parts = (&mut *observation, id, head, coding);
            Box::pin(streamed_body::call(runtime, body, parts)).await
        }
    };
    let failure = match response {
        Ok(Ok(response)) => {
            let PythonResponse { generation, route, outcome, raised, timestamps, delivery, .. } =
                response;
            let is_unrouted = !response.is_routed;
            observation.received(generation, route, timestamps, &outcome);
            let is_stream =
                matches!(outcome, HandlerOutcome::Response { body: ResponseBody::Stream(_), .. });
            let outcome = if is_stream {
                // Boxed: its state would enlarge that of every request.
                Box::pin(begin_stream(runtime, id, outcome)).await
            } else {
                outcome
            };
            return CallResult { outcome, is_unread, is_unrouted, handled: raised, delivery };
        }
        Ok(Err(error)) => failure_of(error, runtime),
        Err(error) => error.failure,
    };
    CallResult { is_unread, ..CallResult::new(HandlerOutcome::Failure(failure)) }
}

/// Whether the handler may start before the body has arrived.
async fn may_stream(runtime: &PythonRuntime, head: &Head) -> bool {
    // A save before the request may have changed its route.
    runtime.gate().wait().await;
    runtime.serving().may_stream(head)
}

fn failure_of(error: CallError, runtime: &PythonRuntime) -> ErrorResponse {
    let (status, detail) = match error {
        CallError::QueueFull | CallError::AllStuck | CallError::Stopped => (503, error.to_string()),
        CallError::TimedOut => {
            let limit = runtime.config().request_timeout.as_secs_f64();
            (504, format!("the handler took longer than {limit} s"))
        }
        CallError::Lost => (500, error.to_string()),
    };
    let retry = (status == 503).then(|| ("retry-after".to_owned(), "1".to_owned()));
    ErrorResponse {
        status,
        detail,
        headers: retry.into_iter().collect(),
        ..ErrorResponse::default()
    }
}
