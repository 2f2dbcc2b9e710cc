//! The front door: [`handle_python_request`], from an HTTP request to Python and back.
//!
//! Knows no route. Dispatch never fails: a body that is too large, a full queue, an exception in
//! the handler each become a response, and an observed request becomes an event.

pub(crate) mod body;
mod disconnect;

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::BoxError;
use axum::body::Body as HttpBody;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response as HttpResponse;
use bytes::Bytes;

use crate::event::{Event, TRACEBACK};
use crate::message::{
    BodyReceiver, Chunk, Failure, HandlerOutcome, Head, Phases, PythonRequest, PythonResponse,
    RequestRecord, ResponseBody, StartRecord, Timestamps, Traceback, ms,
};
use crate::problem;
use crate::python_runtime::{CallError, PythonRuntime};

use disconnect::Awaited;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_SNAXUM_GEN: HeaderName = HeaderName::from_static("x-snaxum-gen");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The headers that each answer has in dev mode, in the place of the handler's own if it has set them.
pub const DEV_HEADERS: [HeaderName; 2] = [X_REQUEST_ID, SERVER_TIMING];

/// Answers a request from the user's Python handlers. Takes any method and any path:
/// `any(handle_python_request)` on a route, or as a fallback.
pub async fn handle_python_request(
    State(runtime): State<Arc<PythonRuntime>>,
    request: HttpRequest,
) -> HttpResponse {
    respond(runtime, request).await
}

/// The same without an extractor, for any body.
pub async fn respond<B>(runtime: Arc<PythonRuntime>, request: hyper::Request<B>) -> HttpResponse
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let seen = runtime.config().dev.then(|| (SystemTime::now(), Instant::now()));
    let (parts, body) = request.into_parts();
    let id = runtime.next_request_id();
    let head = Head::new(parts);
    if let Some((time, _)) = seen {
        runtime.events().start(|| StartRecord { id, time, head: &head });
    }
    let mut awaited = seen.map(|seen| Awaited::new(runtime.events(), id, &head, seen));

    let body = body::read(head.headers(), body, runtime.config().max_body_size).await;
    if let (Some(awaited), Ok(body)) = (&mut awaited, &body) {
        awaited.read(body.clone()); // what observers are lent; to clone is to count
    }
    // A save that came before the request is live, or rejected, before Python sees it.
    runtime.gate().wait().await;
    let sent = seen.map(|_| Instant::now());
    let outcome = match body {
        Ok(body) => {
            let request = PythonRequest { id, head: head.clone(), body };
            runtime.call(request).await.map_err(|error| failure_of(error, &runtime))
        }
        Err(failure) => Err(failure),
    };
    let (answer, outcome) = match outcome {
        Ok(answer) => {
            let PythonResponse { generation, route, outcome, timestamps } = answer;
            (Some((generation, route, timestamps)), outcome)
        }
        Err(failure) => (None, HandlerOutcome::Failure(failure)),
    };
    let response_body = match &outcome {
        HandlerOutcome::Response { body: ResponseBody::Full(body), .. } if seen.is_some() => {
            Some(body.clone())
        }
        _ => None,
    };
    let request_body = awaited.and_then(Awaited::answered);
    let (mut response, traceback) = to_http(&runtime, head.headers(), id, outcome);
    if let (Some((time, started)), Some(sent)) = (seen, sent) {
        let (generation, route, timestamps) = answer
            .map_or((None, None, None), |(generation, route, timestamps)| {
                (Some(generation), route, timestamps)
            });
        let answered = Instant::now();
        let phases = Phases { read: ms(sent - started), ..phases(timestamps.as_ref(), answered) };
        annotate(response.headers_mut(), id, generation, &phases);
        if generation.is_some() && runtime.serving().failing {
            // The newest save is not what answered.
            response.headers_mut().insert("x-snaxum-stale", HeaderValue::from_static("1"));
        }
        runtime.events().emit(|| {
            Event::RequestEnd(RequestRecord {
                id,
                time,
                head: &head,
                request_body: request_body.as_ref(),
                response_body: response_body.as_ref(),
                response_headers: response.headers(),
                status: response.status().as_u16(),
                generation,
                route: route.as_deref(),
                total: answered - started,
                phases,
                computed: timestamps.as_ref().and_then(|timestamps| timestamps.computed),
                pool: timestamps.as_ref().and_then(|timestamps| timestamps.pool),
                blockers: timestamps.as_ref().map_or(&[], |timestamps| &timestamps.blockers),
                traceback: traceback.as_ref(),
            })
        });
    }
    response
}

fn phases(timestamps: Option<&Timestamps>, answered: Instant) -> Phases {
    let Some(timestamps) = timestamps else { return Phases::default() };
    let between = |from, to: Instant| ms(to.saturating_duration_since(from));
    Phases {
        read: 0.0,
        queue: between(timestamps.queued, timestamps.taken),
        gil: between(timestamps.taken, timestamps.attached),
        py: between(timestamps.attached, timestamps.returned),
        convert: between(timestamps.returned, timestamps.converted),
        send: between(timestamps.converted, answered),
    }
}

fn failure_of(error: CallError, runtime: &PythonRuntime) -> Failure {
    let limit = runtime.config().request_timeout;
    let (status, detail, retry) = match error {
        CallError::QueueFull => (503, "too many requests are waiting".to_owned(), true),
        CallError::Stopped => (503, "the server is shutting down".to_owned(), true),
        CallError::TimedOut => {
            (504, format!("the handler took longer than {} s", limit.as_secs_f64()), false)
        }
        CallError::Lost => (500, "the request was lost; the log says why".to_owned(), false),
    };
    let headers = if retry { vec![("retry-after".to_owned(), "1".to_owned())] } else { Vec::new() };
    Failure { status, detail, headers, traceback: None }
}

fn to_http(
    runtime: &Arc<PythonRuntime>,
    request: &HeaderMap,
    id: u64,
    outcome: HandlerOutcome,
) -> (HttpResponse, Option<Arc<Traceback>>) {
    let failure = match outcome {
        HandlerOutcome::Response { status, content_type, headers, body } => {
            match response(runtime, id, status, &headers, body) {
                Ok(mut response) => {
                    if let Some(content_type) = content_type {
                        response.headers_mut().insert(CONTENT_TYPE, content_type);
                    }
                    return (response, None);
                }
                Err(failure) => failure,
            }
        }
        HandlerOutcome::Failure(failure) => failure,
    };
    if let Some(traceback) = &failure.traceback {
        tracing::error!(target: TRACEBACK, "request {id}: the handler raised\n{}", traceback.text);
    }
    let response = problem::respond(&failure, request, id, runtime.config().dev);
    (response, failure.traceback.map(Arc::from))
}

fn response(
    runtime: &Arc<PythonRuntime>,
    id: u64,
    status: u16,
    headers: &[(String, String)],
    body: ResponseBody,
) -> Result<HttpResponse, Failure> {
    let bad = |what: String| Failure { status: 500, detail: what, ..Failure::default() };
    let body = match body {
        ResponseBody::Full(bytes) => HttpBody::from(bytes),
        ResponseBody::Stream(pieces) => streamed(pieces, Arc::clone(runtime), id),
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).map_err(|_| bad(format!("{status} is no status")))?;
    for (name, value) in headers {
        if let Some((name, value)) = problem::parse_header(name, value).map_err(bad)? {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

/// A body that grows as the handler sends; it tells Python when the client goes.
fn streamed(pieces: BodyReceiver, runtime: Arc<PythonRuntime>, id: u64) -> HttpBody {
    struct Receiving {
        pieces: BodyReceiver,
        runtime: Arc<PythonRuntime>,
        id: u64,
    }
    impl Drop for Receiving {
        fn drop(&mut self) {
            // Without effect if Python has sent everything.
            self.runtime.abandon(self.id);
        }
    }
    let receiving = Receiving { pieces, runtime, id };
    HttpBody::from_stream(futures_util::stream::unfold(receiving, async |mut receiving| {
        match receiving.pieces.recv().await {
            Some(Chunk::Data(chunk)) => Some((Ok(chunk), receiving)),
            Some(Chunk::End) => None,
            None => Some((Err(io::Error::other("the handler's stream broke off")), receiving)),
        }
    }))
}

fn annotate(headers: &mut HeaderMap, id: u64, generation: Option<u64>, phases: &Phases) {
    headers.reserve(4);
    headers.insert(X_REQUEST_ID, HeaderValue::from(id));
    if let Some(generation) = generation {
        headers.insert(X_SNAXUM_GEN, HeaderValue::from(generation));
    }
    headers.insert(SERVER_TIMING, server_timing(phases));
}

/// Durations in milliseconds (W3C Server Timing).
fn server_timing(phases: &Phases) -> HeaderValue {
    let Phases { queue, gil, py, convert, .. } = *phases;
    let mut text = Vec::with_capacity(80);
    let mut digits = itoa::Buffer::new();
    for (name, ms) in [("queue", queue), (", gil", gil), (", py", py), (", convert", convert)] {
        // To write floats would cost as much as all the rest.
        let us = (ms * 1e3).round() as u64;
        let after_point = 1000 + us % 1000; // keeps the zeros in front
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
    fn durations_keep_three_digits_after_the_point() {
        let phases =
            Phases { queue: 0.0, gil: 0.007, py: 1234.05, convert: 0.9, ..Phases::default() };
        assert_eq!(
            server_timing(&phases),
            "queue;dur=0.000, gil;dur=0.007, py;dur=1234.050, convert;dur=0.900"
        );
    }
}
