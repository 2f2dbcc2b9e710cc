//! The JSON API's reads of bodies that are not text, and of headers for the columns of a list.
//!
//! A body has a content type that its first bytes prove, and is a download wherever it is opened, but for a
//! PDF that a user opens in a tab.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::dev::engine::Dev;
use crate::dev::recorder::BodyKind;

/// The most headers in one query.
const MAX_HEADERS: usize = 20;

#[derive(Deserialize)]
pub(super) struct BodyQuery {
    /// Whether the browser's viewer opens it, if it is a PDF.
    #[serde(default)]
    open: bool,
}

pub(super) async fn request(
    dev: State<Dev>,
    id: Path<String>,
    query: Query<BodyQuery>,
) -> Response {
    body(&dev, &id, false, query.open)
}

pub(super) async fn response(
    dev: State<Dev>,
    id: Path<String>,
    query: Query<BodyQuery>,
) -> Response {
    body(&dev, &id, true, query.open)
}

fn body(dev: &Dev, id: &str, is_response: bool, opens: bool) -> Response {
    let (kind, bytes) = match dev.inner.recorder.body(id, is_response) {
        Some(Ok(shown)) => shown,
        Some(Err(why)) => return (StatusCode::CONFLICT, format!("{why}\n")).into_response(),
        None => {
            return (StatusCode::NOT_FOUND, "No recorded request has this id.\n").into_response();
        }
    };
    let (content_type, disposition) = match kind {
        BodyKind::Pdf if opens => ("application/pdf", "inline"),
        _ => (kind.content_type(), "attachment"),
    };
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_DISPOSITION, disposition),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    (headers, bytes).into_response()
}

#[derive(Deserialize)]
pub(super) struct HeadersQuery {
    /// Only requests with a higher number.
    #[serde(default)]
    after: u64,
    /// Names of headers of the request, separated by commas.
    #[serde(default)]
    request: String,
    /// Names of headers of the response.
    #[serde(default)]
    response: String,
    /// Whether the names of the cookies follow.
    #[serde(default)]
    cookies: bool,
}

/// Returns `[id, values]` of each recorded request, newest first.
pub(super) async fn headers(State(dev): State<Dev>, Query(query): Query<HeadersQuery>) -> Response {
    let names = |list: &str| -> Vec<String> {
        let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).collect()
    };
    let (of_request, of_response) = (names(&query.request), names(&query.response));
    if of_request.len() + of_response.len() > MAX_HEADERS {
        let text = format!("Name at most {MAX_HEADERS} headers.\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let HeadersQuery { after, cookies, .. } = query;
    Json(dev.inner.recorder.headers(after, &of_request, &of_response, cookies)).into_response()
}

/// Returns the words by which the page masks the columns of a table that only it can read.
pub(super) async fn secret_words(State(dev): State<Dev>) -> Json<Value> {
    Json(dev.inner.recorder.redactor().secret_words())
}
