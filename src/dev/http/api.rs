//! The JSON API's reads: each `GET` returns what the engine has recorded or Python reports.
//!
//! Changes nothing: that is in `commands.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Json, Response};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::escape::escape;
use crate::message::RouteInfo;
use crate::rust_routes;

use crate::dev::engine::Dev;
use crate::dev::protocol::{LogLine, Pin, Reload, RequestSummary, ServerStatus, TrackedError};

pub(super) async fn status(State(dev): State<Dev>) -> Json<ServerStatus> {
    Json(dev.status().await)
}

/// Responds like `status`, but only once all files on disk are live or rejected; does not wait
/// while reloading is paused. If a new process takes over, the client must ask that one.
pub(super) async fn wait(State(dev): State<Dev>) -> Response {
    dev.inner.runtime.gate().wait_idle().await;
    dev.inner.builds.end_of_builds().await;
    dev.inner.runtime.gate().wait_idle().await; // for the saves that have waited for the build
    if dev.inner.restarts.end_of_trials().await {
        let text = "A new process takes over: ask again on another connection.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], text).into_response();
    }
    status(State(dev)).await.into_response()
}

pub(super) async fn modules(State(dev): State<Dev>) -> Json<Value> {
    Json(dev.inner.runtime.modules().await)
}

/// Returns the OpenAPI document of the serving code, also where the project has turned its URL off.
pub(super) async fn openapi(State(dev): State<Dev>) -> Response {
    let runtime = Arc::clone(&dev.inner.runtime);
    // Python may load a module, and the document of a large project takes a while.
    let made = tokio::task::spawn_blocking(move || runtime.openapi_document()).await;
    match made.unwrap_or_else(|_| Err("the server is stopping".to_owned())) {
        Ok(document) => ([(CONTENT_TYPE, "application/json")], document.text).into_response(),
        Err(why) => {
            let text = format!("No document, because {}; try again.\n", escape(&why));
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

pub(super) async fn routes(State(dev): State<Dev>) -> Json<Vec<RouteInfo>> {
    Json(dev.inner.runtime.serving().routes.clone())
}

pub(super) async fn matching_order(State(dev): State<Dev>) -> Json<Vec<String>> {
    Json(dev.inner.runtime.matching_order().await)
}

pub(super) async fn hits(State(dev): State<Dev>) -> Json<HashMap<String, u64>> {
    Json(dev.inner.recorder.hits())
}

/// Returns the source of a handler as it was loaded. The id is a key, never a path.
pub(super) async fn route_source(State(dev): State<Dev>, Path(id): Path<String>) -> Response {
    let runtime = &dev.inner.runtime;
    let serving = runtime.serving();
    match serving.routes.iter().find(|route| route.id == id) {
        None => (StatusCode::NOT_FOUND, "No serving route has this id.\n").into_response(),
        Some(route) if route.is_rust() => {
            let redactor = dev.inner.recorder.redactor();
            let (project, redact) = (&runtime.config().project_dir, redactor.line_mask());
            Json(rust_routes::source(route, project, redact)).into_response()
        }
        Some(_) => json_or_busy(runtime.source(&id).await),
    }
}

#[derive(Deserialize)]
pub(super) struct MatchQuery {
    method: String,
    /// Percent-encoded.
    path: String,
}

/// Explains which route handles a request, and why similar routes do not.
pub(super) async fn route_match(
    State(dev): State<Dev>,
    Query(query): Query<MatchQuery>,
) -> Response {
    let path = query.path.split(['?', '#']).next().unwrap_or_default();
    if query.method.is_empty() || !path.starts_with('/') {
        let text = "Give a `method`, and a `path` that starts with a slash.\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    let (runtime, method) = (&dev.inner.runtime, query.method.to_uppercase());
    let in_rust = rust_routes::explain(&runtime.serving().routes, &method, &path);
    if let Some(found) = in_rust.as_ref().filter(|found| !rust_routes::is_catch_all(found)) {
        return Json(found).into_response();
    }
    let in_python = runtime.explain_soon(&method, &path).await;
    match in_rust.filter(|_| in_python["route"].is_null()) {
        Some(found) => Json(found).into_response(),
        None => json_or_busy(in_python),
    }
}

/// Responds with a value from Python, which is null when Python had no time.
fn json_or_busy(value: Value) -> Response {
    if value.is_null() {
        let text = "Unknown to Python, or Python is busy with a reload; try again.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    Json(value).into_response()
}

pub(super) async fn requests(State(dev): State<Dev>) -> Json<Vec<RequestSummary>> {
    Json(dev.inner.recorder.requests())
}

pub(super) async fn request(State(dev): State<Dev>, Path(id): Path<String>) -> Response {
    match dev.inner.recorder.request(&id) {
        Some(detail) => Json(detail).into_response(),
        None => (StatusCode::NOT_FOUND, "No recorded request has this id.\n").into_response(),
    }
}

/// Returns the profile of a request, which may still run; null if it has none so far.
pub(super) async fn profile(State(dev): State<Dev>, Path(id): Path<String>) -> Response {
    Json(dev.inner.recorder.profile(&id).as_deref()).into_response()
}

/// Returns the ids of the requests that have a profile.
pub(super) async fn profiled_requests(State(dev): State<Dev>) -> Json<Vec<String>> {
    Json(dev.inner.recorder.profiled())
}

/// Returns the ids of the routes whose requests are all profiled.
pub(super) async fn profiled_routes(State(dev): State<Dev>) -> Json<Vec<String>> {
    Json(dev.inner.runtime.profiled_routes())
}

pub(super) async fn reloads(State(dev): State<Dev>) -> Json<Vec<Reload>> {
    Json(dev.inner.recorder.reloads().into_iter().map(Arc::unwrap_or_clone).collect())
}

pub(super) async fn errors(State(dev): State<Dev>) -> Json<Vec<TrackedError>> {
    Json(dev.inner.recorder.errors().into_iter().map(Arc::unwrap_or_clone).collect())
}

pub(super) async fn error(State(dev): State<Dev>, Path(id): Path<u64>) -> Response {
    match dev.inner.recorder.error(id) {
        Some(detail) => Json(detail).into_response(),
        None => (StatusCode::NOT_FOUND, "No recorded error has this id.\n").into_response(),
    }
}

/// Returns the changes of a save to the text of the code, file by file.
pub(super) async fn save_diff(State(dev): State<Dev>, Path(id): Path<u64>) -> Response {
    let reload = dev.inner.recorder.reloads().into_iter().find(|reload| reload.id == id);
    match reload.map(|reload| reload.save) {
        None => (StatusCode::NOT_FOUND, "No recorded reload has this id.\n").into_response(),
        Some(0) => Json(serde_json::json!({"is_stored": false, "files": []})).into_response(),
        Some(save) => json_or_busy(dev.inner.runtime.save_diff(save).await),
    }
}

pub(super) async fn pins(State(dev): State<Dev>) -> Json<Vec<Pin>> {
    Json(dev.inner.pins.list().to_vec())
}

pub(super) async fn logs(State(dev): State<Dev>) -> Json<Vec<LogLine>> {
    let lines = dev.inner.recorder.logs();
    Json(lines.iter().map(|line| LogLine::clone(line)).collect())
}
