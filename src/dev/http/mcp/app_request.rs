//! The tools that send requests to the app: a recorded one again, or one that an assistant writes.
//!
//! They go to the handlers, past sockets: no host and no port can be named. Each is recorded like
//! any other request, and given up when its time is up.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::arguments::{Id, wait};
use super::text::{self, fields};
use super::tools::STOPPING;
use crate::dev::engine::Dev;
use crate::dev::protocol::Content;
use crate::dev::recorder::{Sent, shown_body};
use crate::dev::redact::MASK;
use crate::dev::replay::{self, number_of};

/// Bytes of an answer's body that are read.
const MAX_BODY: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    id: Id,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text, or a value that is sent as JSON: assistants write it as either.
    body: Option<Value>,
    timeout_ms: Option<u64>,
}

/// Sends a recorded request again, as it was.
pub(super) async fn replay(
    dev: &Dev,
    stop: &CancellationToken,
    asked: Replay,
) -> Result<String, String> {
    let limit = wait(asked.timeout_ms)?;
    let found = replay::original(&dev.inner.recorder, &asked.id.text());
    let (number, sent) = found.map_err(|refusal| refusal.to_string())?;
    ask(dev, stop, sent, Some(number), limit).await
}

/// Sends a request that the assistant has written.
pub(super) async fn call_route(
    dev: &Dev,
    stop: &CancellationToken,
    asked: Call,
) -> Result<String, String> {
    let limit = wait(asked.timeout_ms)?;
    ask(dev, stop, asked.written()?, None, limit).await
}

impl Call {
    fn written(self) -> Result<Sent, String> {
        let has = |wanted: &str| self.headers.keys().any(|name| name.eq_ignore_ascii_case(wanted));
        if has("host") {
            return Err("`host` cannot be chosen: this goes to the app itself".to_owned());
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
                "`{MASK}` stands for a secret that is not told; `replay` sends a recorded request \
                 with its secrets"
            ));
        }
        let method = self.method.as_deref().unwrap_or("GET");
        replay::written(method, self.path, &headers, body).map_err(|refusal| refusal.to_string())
    }
}

/// Sends it and tells what came of it.
async fn ask(
    dev: &Dev,
    stop: &CancellationToken,
    sent: Sent,
    original: Option<u64>,
    limit: Duration,
) -> Result<String, String> {
    let deadline = Instant::now() + limit;
    let asking = async {
        let answering = sent.answer(&dev.inner.runtime, original);
        let response = timeout_at(deadline, answering).await.map_err(|_| {
            let ms = limit.as_millis();
            format!("no answer within {ms} ms, and the request was given up; raise `timeout_ms`")
        })?;
        let response = response.map_err(|refusal| refusal.to_string())?;
        let id = number_of(&response);
        Ok::<_, String>((id, read(response.into_body(), deadline).await))
    };
    let (id, body) = tokio::select! {
        answered = asking => answered?,
        () = stop.cancelled() => return Err(STOPPING.to_owned()),
    };
    let mut detail = dev.inner.recorder.request(&id).ok_or_else(|| {
        format!("request {id} was answered, but newer ones have taken its place in the records")
    })?;
    // What is recorded lacks the bodies of streams and error pages, or all of them.
    let masking = dev.inner.recorder.masking();
    let mut content = shown_body(&body.bytes, body.size, &detail.response_headers, &masking);
    if dev.inner.recorder.is_private(&id) {
        let note = Some("the handler is marked @no_capture");
        content = Some(Content { size: body.size as u64, text: None, note });
    } else if let Some(content) = content.as_mut().filter(|_| body.note.is_some()) {
        (content.size, content.note) = (body.bytes.len() as u64, body.note);
    }
    detail.response_body = content;
    let mut told = fields(&detail);
    // `requests` has them; who asks for this knows them, or may not.
    told.remove("request_headers");
    told.remove("request_body");
    Ok(text::object(told))
}

/// As much as was read of a body.
struct Beginning {
    bytes: Vec<u8>,
    /// Of the whole; more than there is in `bytes` where that is not known.
    size: usize,
    /// Why not all of it came, if there was more to come.
    note: Option<&'static str>,
}

/// Reads a body up to its end, a number of bytes, or a time.
async fn read(body: Body, deadline: Instant) -> Beginning {
    let whole = HttpBody::size_hint(&body).exact().and_then(|size| usize::try_from(size).ok());
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    let note = loop {
        if bytes.len() > MAX_BODY {
            break Some("it goes on");
        }
        match timeout_at(deadline, pieces.next()).await {
            Ok(Some(Ok(piece))) => bytes.extend_from_slice(&piece),
            Ok(Some(Err(_))) => break Some("it broke off"),
            Ok(None) => break None,
            Err(_) => break Some("it had not ended when the time was up"),
        }
    };
    let came = bytes.len();
    bytes.truncate(MAX_BODY);
    match whole {
        Some(size) => Beginning { bytes, size, note: None },
        None => Beginning { size: came + usize::from(note.is_some()), bytes, note },
    }
}
