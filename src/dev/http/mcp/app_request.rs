//! The tools that send requests to the app: `replay` and `call_route`.
//!
//! They call the handlers without a socket: a client cannot choose a host or a port. Each request
//! is recorded like any other, and cancelled at its timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::arguments::{RequestId, parse_timeout};
use super::text::{self, STOPPING, fields};
use crate::dev::engine::Dev;
use crate::dev::protocol::BodyContent;
use crate::dev::recorder::{SentRequest, redacted_body};
use crate::dev::redact::MASK;
use crate::dev::replay::{self, request_id};

/// Bytes read of a response's body.
const MAX_BODY: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayArguments {
    id: RequestId,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallRouteArguments {
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text, or a value that is sent as JSON: assistants send either.
    body: Option<Value>,
    timeout_ms: Option<u64>,
}

/// Sends a recorded request again, unchanged.
pub(super) async fn replay(
    dev: &Dev,
    stop: &CancellationToken,
    arguments: ReplayArguments,
) -> Result<String, String> {
    let timeout = parse_timeout(arguments.timeout_ms)?;
    let found = replay::find(&dev.inner.recorder, &arguments.id.into_text());
    let (number, sent) = found.map_err(|error| error.to_string())?;
    send(dev, stop, sent, Some(number), timeout).await
}

/// Sends a request that the assistant has composed.
pub(super) async fn call_route(
    dev: &Dev,
    stop: &CancellationToken,
    arguments: CallRouteArguments,
) -> Result<String, String> {
    let timeout = parse_timeout(arguments.timeout_ms)?;
    send(dev, stop, arguments.into_request()?, None, timeout).await
}

impl CallRouteArguments {
    fn into_request(self) -> Result<SentRequest, String> {
        let has = |header: &str| self.headers.keys().any(|name| name.eq_ignore_ascii_case(header));
        if has("host") {
            return Err("`host` cannot be chosen: the request goes to this app; remove the header"
                .to_owned());
        }
        let mut more = vec![("host", "localhost")];
        let body = match self.body {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(value) => {
                if !has("content-type") {
                    more.push(("content-type", "application/json"));
                }
                value.to_string()
            }
        };
        let more = more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers: Vec<_> = more.chain(self.headers).collect();
        let mut values = headers.iter().map(|(_, value)| value);
        if [&self.path, &body].into_iter().any(|text| text.contains(MASK))
            || values.any(|value| value.contains(MASK))
        {
            return Err(format!(
                "`{MASK}` stands for a masked secret and cannot be sent; use `replay` to send a \
                 recorded request with its secrets"
            ));
        }
        let method = self.method.as_deref().unwrap_or("GET");
        replay::build(method, self.path, &headers, body).map_err(|error| error.to_string())
    }
}

/// Sends a request to the app, and describes its outcome.
async fn send(
    dev: &Dev,
    stop: &CancellationToken,
    sent: SentRequest,
    original: Option<u64>,
    timeout: Duration,
) -> Result<String, String> {
    let deadline = Instant::now() + timeout;
    let exchange = async {
        let response = sent.dispatch(&dev.inner.runtime, original);
        let response = timeout_at(deadline, response).await.map_err(|_| {
            let ms = timeout.as_millis();
            format!("no response within {ms} ms, so the request was cancelled; raise `timeout_ms`")
        })?;
        let response = response.map_err(|error| error.to_string())?;
        let id = request_id(&response);
        Ok::<_, String>((id, read(response.into_body(), deadline).await))
    };
    let (id, body) = tokio::select! {
        result = exchange => result?,
        () = stop.cancelled() => return Err(STOPPING.to_owned()),
    };
    let mut detail = dev.inner.recorder.request(&id).ok_or_else(|| {
        format!("request {id} has ended, but newer requests have replaced it in the records")
    })?;
    // The record lacks the bodies of streams and error pages, or all bodies.
    let redactor = dev.inner.recorder.redactor();
    let mut content = redacted_body(&body.bytes, body.size, &detail.response_headers, &redactor);
    if dev.inner.recorder.is_private(&id) {
        let note = Some("the handler is marked @no_capture");
        content = Some(BodyContent::without_text(body.size as u64, None, note));
    } else if let Some(content) = content.as_mut().filter(|_| body.note.is_some()) {
        (content.size, content.note) = (body.bytes.len() as u64, body.note);
    }
    detail.response_body = content;
    let mut result = fields(&detail);
    // `requests` has them; the assistant knows them, or may not.
    result.remove("request_headers");
    result.remove("request_body");
    Ok(text::object(result))
}

/// The part of a body that was read.
struct BodyPrefix {
    bytes: Vec<u8>,
    /// Bytes of the complete body; if unknown, more than `bytes` has.
    size: usize,
    /// The reason why the rest is missing, if any is.
    note: Option<&'static str>,
}

/// Reads a body up to its end, its limit or the deadline.
async fn read(body: Body, deadline: Instant) -> BodyPrefix {
    let whole = HttpBody::size_hint(&body).exact().and_then(|size| usize::try_from(size).ok());
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let note = loop {
        if bytes.len() > MAX_BODY {
            break Some("the body is longer");
        }
        match timeout_at(deadline, chunks.next()).await {
            Ok(Some(Ok(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(Some(Err(_))) => break Some("the body broke off"),
            Ok(None) => break None,
            Err(_) => break Some("the body had not ended at the timeout"),
        }
    };
    let received = bytes.len();
    bytes.truncate(MAX_BODY);
    match whole {
        Some(size) => BodyPrefix { bytes, size, note: None },
        None => BodyPrefix { size: received + usize::from(note.is_some()), bytes, note },
    }
}
