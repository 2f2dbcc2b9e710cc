//! Converts the result of a handler, a file or an error to an HTTP response: [`to_http`].
//!
//! A response that HTTP cannot send becomes an error of its handler. Never calls Python.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use futures_util::StreamExt;

use crate::event::{HANDLED_TRACEBACK, TRACEBACK};
use crate::http_layers::TypeOfCopy;
use crate::message::{ErrorResponse, FileBody, HandlerOutcome, Head, ResponseBody, Traceback};
use crate::problem;
use crate::python_runtime::PythonRuntime;

use super::streamed_response::{is_event_stream, streamed};
use super::websocket::Handshake;

/// Converts the outcome; the traceback is that of an exception in the handler.
pub(super) fn to_http(
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
                        let id = runtime.identities().request_id(id, head.headers());
                        tracing::error!(log.request_id = id, "request {id}: {}", failure.detail);
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
        log_traceback(runtime, head, id, traceback, false);
    }
    let text = runtime.identities().request_id(id, head.headers());
    let response = problem::respond(&failure, head.headers(), &text, runtime.config().dev);
    (response, failure.traceback.map(Arc::from))
}

/// Logs the exception of a handler under the id of its request; `is_handled`: the user's error handler has
/// responded to it.
pub(super) fn log_traceback(
    runtime: &PythonRuntime,
    head: &Head,
    id: u64,
    traceback: &Traceback,
    is_handled: bool,
) {
    let (id, trace_id, _) = runtime.identities().texts(id, head.headers());
    let text = &traceback.text;
    // A log of text does not show the fields.
    if is_handled {
        tracing::error!(
            target: HANDLED_TRACEBACK,
            { log.request_id = id, log.trace_id = trace_id },
            "request {id}: the handler raised\n{text}"
        );
    } else {
        tracing::error!(
            target: TRACEBACK,
            { log.request_id = id, log.trace_id = trace_id },
            "request {id}: the handler raised\n{text}"
        );
    }
}

fn build_response(
    runtime: &Arc<PythonRuntime>,
    (id, method): (u64, &str),
    status: u16,
    headers: &[(String, String)],
    body: ResponseBody,
) -> Result<HttpResponse, ErrorResponse> {
    let bad = |detail: String| ErrorResponse { status: 500, detail, ..ErrorResponse::default() };
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
    problem::pair_upgrade(&mut response);
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
