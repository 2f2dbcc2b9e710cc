//! Sends a recorded request again, unchanged or with changes.
//!
//! Fills in the secrets of the original: a client knows only its number and masks. The replay goes
//! straight to the handlers, without sockets and guard, and is recorded like any other request.

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
use super::recorder::{Recorder, ReplayOf, SentRequest};
use super::redact::MASK;

/// The changes to the original; a missing field stays unchanged.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayChanges {
    method: Option<String>,
    /// Path and query, percent-encoded.
    target: Option<String>,
    /// All headers. A masked value is replaced with the original value of that name.
    headers: Option<Vec<(String, String)>>,
    body: Option<String>,
}

/// The reason why a request is not sent again.
#[derive(Debug)]
pub(super) enum ReplayError {
    /// It is not recorded any more.
    Unknown,
    /// This part of it is not recorded completely.
    Incomplete(&'static str),
    /// The changes are not valid.
    Invalid(String),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such request is recorded"),
            Self::Incomplete(part) => {
                write!(f, "it cannot be sent again: {part} is not recorded completely")
            }
            Self::Invalid(why) => f.write_str(why),
        }
    }
}

impl SentRequest {
    /// Applies the changes.
    pub(super) fn with_changes(mut self, changes: ReplayChanges) -> Result<Self, ReplayError> {
        if let Some(method) = changes.method {
            self.method = read_method(&method)?;
        }
        if let Some(target) = changes.target {
            refuse_mask("the address", &target)?;
            self.target = target;
        }
        if let Some(headers) = changes.headers {
            self.headers = fill_in(&headers, &self.headers)?;
        }
        if let Some(body) = changes.body {
            refuse_mask("the body", &body)?;
            self.body = Some(Bytes::from(body));
        }
        Ok(self)
    }

    /// Sends it to the handlers; returns the number of the new request.
    pub(super) async fn send(
        self,
        runtime: &Arc<PythonRuntime>,
        original: u64,
    ) -> Result<String, ReplayError> {
        // The response's body is recorded already; a stream ends here.
        let response = self.dispatch(runtime, Some(original)).await?;
        Ok(request_id(&response))
    }

    /// Sends it to the handlers, as the replay of `original` if there is one.
    pub(super) async fn dispatch(
        self,
        runtime: &Arc<PythonRuntime>,
        original: Option<u64>,
    ) -> Result<Response, ReplayError> {
        // A URL of another host has a path too.
        let uri = Uri::try_from(&self.target).ok().filter(|_| self.target.starts_with('/'));
        let uri = uri.ok_or_else(|| {
            ReplayError::Invalid(format!("`{}` is not a path; it must start with `/`", self.target))
        })?;
        if is_below_prefix(uri.path()) {
            return Err(ReplayError::Invalid(
                "paths below `/__snaxum/` do not belong to the app".to_owned(),
            ));
        }
        let body = self.body.ok_or(ReplayError::Incomplete("its body"))?;
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

/// Returns the number of the request that this response belongs to.
pub(super) fn request_id(response: &Response) -> String {
    let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    id.unwrap_or_default().to_owned()
}

/// Builds a request that was not recorded.
pub(super) fn build(
    method: &str,
    target: String,
    headers: &[(String, String)],
    body: String,
) -> Result<SentRequest, ReplayError> {
    Ok(SentRequest {
        method: read_method(method)?,
        target,
        headers: fill_in(headers, &[])?,
        body: Some(Bytes::from(body)),
    })
}

fn read_method(method: &str) -> Result<Method, ReplayError> {
    Method::from_bytes(method.as_bytes())
        .map_err(|_| ReplayError::Invalid(format!("`{method}` is not a method")))
}

/// Finds the recorded request `id`.
pub(super) fn find(recorder: &Recorder, id: &str) -> Result<(u64, SentRequest), ReplayError> {
    let number = id.parse().map_err(|_| ReplayError::Unknown)?;
    let sent = recorder.sent_request(number).ok_or(ReplayError::Unknown)?;
    let sent = sent.ok_or(ReplayError::Incomplete("its head"))?;
    if recorder.is_call(number) {
        let why = "a call from Rust cannot be sent again; send the request that made it";
        return Err(ReplayError::Invalid(why.to_owned()));
    }
    Ok((number, sent))
}

fn fill_in(
    changed: &[(String, String)],
    original: &[(HeaderName, HeaderValue)],
) -> Result<Vec<(HeaderName, HeaderValue)>, ReplayError> {
    // If a name was sent twice, each mask means the next value.
    let mut seen: Vec<&HeaderName> = Vec::new();
    let mut headers = Vec::with_capacity(changed.len());
    for (name, value) in changed {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ReplayError::Invalid(format!("`{name}` is not a header name")))?;
        let value = if value == MASK {
            let position = seen.iter().filter(|known| ***known == name).count();
            let mut values = original.iter().filter(|(known, _)| *known == name);
            let (known, value) = values.nth(position).ok_or_else(|| {
                ReplayError::Invalid(format!(
                    "`{name}` is masked, but the original has no value to fill in; write the value"
                ))
            })?;
            seen.push(known);
            value.clone()
        } else {
            refuse_mask(name.as_str(), value)?;
            HeaderValue::from_str(value).map_err(|_| {
                ReplayError::Invalid(format!("the value of `{name}` cannot be sent"))
            })?
        };
        headers.push((name, value));
    }
    Ok(headers)
}

/// Refuses a mask inside a changed text: it would be sent unchanged.
fn refuse_mask(part: &str, text: &str) -> Result<(), ReplayError> {
    if text.contains(MASK) {
        return Err(ReplayError::Invalid(format!(
            "{part} contains masked values; write them out, or leave it unchanged"
        )));
    }
    Ok(())
}
