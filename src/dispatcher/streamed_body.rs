//! Sends a request to Python before its body, for handlers that read it in chunks.
//!
//! The body arrives when the handler asks for it, as fast as it reads. A request that turns out to be for
//! another handler is sent again with its body.

use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::http::HeaderMap;
use bytes::Bytes;

use crate::message::request_stream::{self, ChunkSender};
use crate::message::{
    BodyRecorder, ChunkReceiver, ErrorResponse, HandlerOutcome, Head, PythonRequest,
    PythonResponse, RequestBody, ResponseBody,
};
use crate::python_runtime::{CallError, PythonRuntime};

use super::body::{self, BodyError, BodyReader};
use super::decompress::Coding;
use super::observation::Observation;
use super::whole_body;

/// The response of Python, or the error of a body that cannot be read.
pub(super) type Called = Result<Result<PythonResponse, CallError>, BodyError>;

/// A request without its body.
type Parts<'a, 'b> = (&'a mut Observation<'b>, u64, &'a Head, Option<Coding>);

/// A wait for the handler that is not part of the time limit of the client.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends the head to Python, and the body while its handler reads it. Returns also whether a part of the
/// body is left on the connection.
pub(super) async fn call<B>(
    runtime: &PythonRuntime,
    body: B,
    (observation, id, head, coding): Parts<'_, '_>,
) -> (Called, bool)
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let config = runtime.config();
    let (sender, receiver) = request_stream::channel(BodyRecorder::new(config.dev));
    let limits = (config.max_upload_size, config.body_timeout);
    let pump = tokio::spawn(send_when_wanted(head.clone(), Box::pin(body), coding, limits, sender));
    let mut close = CloseOnDrop(Some(receiver.clone()));
    let body = RequestBody::Stream(receiver.clone());
    observation.body_read(&Ok(body.clone()));
    let request = PythonRequest { id, head: head.clone(), body };
    let response = runtime.call(request).await;
    match &response {
        Ok(PythonResponse { outcome: HandlerOutcome::NeedsBody, .. }) => {
            drop(close);
            match pump.await {
                Ok(Some(body)) => {
                    let body = whole_body::read(runtime, head.headers(), body, coding).await;
                    observation.body_read(&body);
                    runtime.gate().wait().await;
                    observation.gate_passed(true);
                    match body {
                        Ok(body) => {
                            let request = PythonRequest { id, head: head.clone(), body };
                            (Ok(runtime.call(request).await), false)
                        }
                        Err(error) => (Err(error), true),
                    }
                }
                // Nothing but the handler asks for the body.
                _ => unreachable!("no handler has asked for the body"),
            }
        }
        Ok(PythonResponse { outcome, .. }) => {
            if let HandlerOutcome::Response { body: ResponseBody::Stream(_), .. } = outcome {
                close.0 = None; // the response may still read the body
                return (Ok(response), false);
            }
            (Ok(response), !receiver.is_complete())
        }
        Err(_) => (Ok(response), true),
    }
}

/// Sends the body once the handler asks for it; returns it if the handler does not.
async fn send_when_wanted<B>(
    head: Head,
    body: Pin<Box<B>>,
    coding: Option<Coding>,
    (limit, window): (usize, Duration),
    sender: ChunkSender,
) -> Option<Pin<Box<B>>>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if !sender.is_wanted().await {
        return Some(body);
    }
    let (sent, has_client_left) =
        send(head.headers(), body, coding, (limit, window), &sender).await;
    sender.end(sent, has_client_left);
    None
}

async fn send<B>(
    headers: &HeaderMap,
    body: Pin<Box<B>>,
    coding: Option<Coding>,
    (limit, window): (usize, Duration),
    sender: &ChunkSender,
) -> (Result<(), ErrorResponse>, bool)
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let failed = |error: BodyError| (Err(error.failure), error.has_client_left);
    let mut reader = match BodyReader::new(headers, body, coding, limit, window) {
        Ok(reader) => reader,
        Err(error) => return failed(error),
    };
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => {
                let began = Instant::now();
                if !sender.send(chunk).await {
                    return failed(body::failure(400, "its handler does not read it".to_owned()));
                }
                if began.elapsed() > PAUSE {
                    reader.resume();
                }
            }
            Ok(None) => return (Ok(()), false),
            Err(error) => return failed(error),
        }
    }
}

/// Ends the body with its request, also if the client disconnects.
struct CloseOnDrop(Option<ChunkReceiver>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(receiver) = &self.0 {
            receiver.close();
        }
    }
}
