//! Begins the response of a stream, and sends its chunks as the handler makes them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio_util::sync::CancellationToken;

use crate::message::{BodyReceiver, Chunk, HandlerOutcome, ResponseBody};
use crate::problem;
use crate::python_runtime::PythonRuntime;

/// The time that an event stream has for its first event before its response begins. Short: a browser
/// waits for the response before it reports the connection as open.
const EVENT_STREAM_WAIT: Duration = Duration::from_secs(1);

/// Waits for the first chunk of a stream, so that an error before it becomes a failure. A stream that
/// stays silent begins without one: an event stream soon, another at the time limit of a handler.
pub(super) async fn begin_stream(
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

pub(super) fn is_event_stream(headers: &[(String, String)]) -> bool {
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
pub(super) fn streamed(
    chunks: BodyReceiver,
    runtime: Arc<PythonRuntime>,
    id: u64,
    stopping: Option<CancellationToken>,
) -> HttpBody {
    let receiving = (chunks, CancelHandler { runtime: Some(runtime), id }, stopping);
    let chunks = futures_util::stream::unfold(receiving, async |mut receiving| {
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
            Some(Chunk::Data(chunk)) => Some((Ok(Frame::data(chunk)), receiving)),
            Some(Chunk::Trailers(fields)) => Some((Ok(Frame::trailers(parsed(fields))), receiving)),
            Some(Chunk::End) => None,
            None => Some((Err(io::Error::other("the handler's stream was aborted")), receiving)),
        }
    });
    // Layers of other programs, such as compression, may poll it after its end.
    HttpBody::new(StreamBody::new(chunks.fuse()))
}

/// Returns the valid ones of these fields.
fn parsed(fields: Vec<(String, String)>) -> HeaderMap {
    let parse = |(name, value): (String, String)| problem::parse_header(&name, &value).ok()?;
    fields.into_iter().filter_map(parse).collect()
}

/// Replaces the content type, and adds the other headers unless the handler has set them.
fn set_event_head(headers: &mut Vec<(String, String)>, added: Vec<(String, String)>) {
    headers.retain(|(name, _)| name != CONTENT_TYPE.as_str());
    for (name, value) in added {
        if headers.iter().all(|(given, _)| *given != name) {
            headers.push((name, value));
        }
    }
}
