//! A kept request sent again: as it was, or with what somebody has changed in it.
//!
//! The secrets of the original are filled in here, where they are kept: whoever asks for a replay
//! knows a number and masks. Goes to the handlers past sockets and guard, and is recorded like any
//! other request.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;

use crate::dispatcher;
use crate::python_runtime::PythonRuntime;

use super::paths::is_below_prefix;
use super::recorder::{Recorder, Sent};
use super::redact::MASK;

/// Beside a request that is a replay: the number of the original.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplayOf(pub(super) u64);

/// What is other than in the original; what is missing stays as it was.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    method: Option<String>,
    /// Path and query, percent-encoded.
    target: Option<String>,
    /// All of them. A value that is the mask is the original's of that name.
    headers: Option<Vec<(String, String)>>,
    body: Option<String>,
}

/// Why a request is not sent again.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not among the newest.
    Unknown,
    /// It is not kept from end to end.
    Cut(&'static str),
    /// What somebody changed cannot be sent.
    Bad(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such request is among the newest"),
            Self::Cut(what) => write!(f, "it cannot be sent again: {what} is not kept whole"),
            Self::Bad(why) => f.write_str(why),
        }
    }
}

impl Sent {
    /// The original with the changes in it.
    pub(super) fn change(mut self, changes: Changes) -> Result<Self, Refusal> {
        if let Some(method) = changes.method {
            self.method = read_method(&method)?;
        }
        if let Some(target) = changes.target {
            refuse_mask("the address", &target)?;
            self.target = target;
        }
        if let Some(headers) = changes.headers {
            self.headers = filled_in(&headers, &self.headers)?;
        }
        if let Some(body) = changes.body {
            refuse_mask("the body", &body)?;
            self.body = Some(Bytes::from(body));
        }
        Ok(self)
    }

    /// Sends it to the handlers; gives the number that it got.
    pub(super) async fn send(
        self,
        runtime: &Arc<PythonRuntime>,
        original: u64,
    ) -> Result<String, Refusal> {
        // The answer's body is kept already; of a stream nobody reads on.
        let response = self.answer(runtime, Some(original)).await?;
        Ok(number_of(&response))
    }

    /// Sends it to the handlers, as a replay of `original` if it is one.
    pub(super) async fn answer(
        self,
        runtime: &Arc<PythonRuntime>,
        original: Option<u64>,
    ) -> Result<Response, Refusal> {
        // An address of another host has a path too.
        let uri = Uri::try_from(&self.target).ok().filter(|_| self.target.starts_with('/'));
        let uri = uri.ok_or_else(|| Refusal::Bad(format!("`{}` is no path", self.target)))?;
        if is_below_prefix(uri.path()) {
            return Err(Refusal::Bad("what is below `/__snaxum/` is not the app's".to_owned()));
        }
        let body = self.body.ok_or(Refusal::Cut("its body"))?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        for framing in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
            headers.remove(framing);
        }
        if !body.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        *request.body_mut() = Body::from(body);
        if let Some(original) = original {
            request.extensions_mut().insert(ReplayOf(original));
        }
        Ok(dispatcher::respond(Arc::clone(runtime), request).await)
    }
}

/// The number of the request that this answers.
pub(super) fn number_of(response: &Response) -> String {
    let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    id.unwrap_or_default().to_owned()
}

/// A request that somebody writes by hand.
pub(super) fn written(
    method: &str,
    target: String,
    headers: &[(String, String)],
    body: String,
) -> Result<Sent, Refusal> {
    Ok(Sent {
        method: read_method(method)?,
        target,
        headers: filled_in(headers, &[])?,
        body: Some(Bytes::from(body)),
    })
}

fn read_method(method: &str) -> Result<Method, Refusal> {
    Method::from_bytes(method.as_bytes())
        .map_err(|_| Refusal::Bad(format!("`{method}` is no method")))
}

/// Finds what was sent as the request `id`.
pub(super) fn original(recorder: &Recorder, id: &str) -> Result<(u64, Sent), Refusal> {
    let number = id.parse().map_err(|_| Refusal::Unknown)?;
    let sent = recorder.sent(number).ok_or(Refusal::Unknown)?;
    Ok((number, sent.ok_or(Refusal::Cut("its head"))?))
}

fn filled_in(
    wanted: &[(String, String)],
    original: &[(HeaderName, HeaderValue)],
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    // Of a name that was sent twice each mask stands for the next value.
    let mut seen: Vec<&HeaderName> = Vec::new();
    let mut headers = Vec::with_capacity(wanted.len());
    for (name, value) in wanted {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Refusal::Bad(format!("`{name}` is no name of a header")))?;
        let value = if value == MASK {
            let place = seen.iter().filter(|known| ***known == name).count();
            let mut values = original.iter().filter(|(known, _)| *known == name);
            let (known, value) = values.nth(place).ok_or_else(|| {
                Refusal::Bad(format!("`{name}` is masked, and the original has no such value"))
            })?;
            seen.push(known);
            value.clone()
        } else {
            refuse_mask(name.as_str(), value)?;
            HeaderValue::from_str(value)
                .map_err(|_| Refusal::Bad(format!("the value of `{name}` cannot be sent")))?
        };
        headers.push((name, value));
    }
    Ok(headers)
}

/// A mask in the middle of what was changed would go out as it is.
fn refuse_mask(what: &str, text: &str) -> Result<(), Refusal> {
    if text.contains(MASK) {
        return Err(Refusal::Bad(format!(
            "{what} has masked values in it: write them out, or leave it as it was"
        )));
    }
    Ok(())
}
