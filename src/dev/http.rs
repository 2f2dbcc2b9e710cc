//! What is behind the guard: the page, its assets, the JSON API. What changes something is in
//! `by_hand.rs`.

pub(super) mod app;
mod commands;
pub(super) mod guard;
pub(super) mod mcp;
pub(super) mod open_editor;
mod workers;
pub(super) mod ws;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use minijinja::context;
use percent_encoding::percent_decode_str;
use rust_embed::Embed;
use serde::Deserialize;

use crate::error::Error;
use crate::message::RouteInfo;
use crate::python_runtime::PythonRuntime;
use crate::templates;

use super::engine::Dev;
use super::paths::{self, PREFIX};
use super::protocol::{LogLine, Pin, Reload, RequestSummary, Status};
use super::{browser, token};
use app::Front;
use guard::Guard;

#[derive(Embed)]
#[folder = "templates/console"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
struct Assets;

impl Dev {
    /// Everything under `/__snaxum/`, behind the guard; merge it into your own router.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        guarded_routes(self, &Arc::new(Guard::new(self)))
    }

    /// Console and handlers together, for a server that has nothing else. Lets only requests
    /// through that name this machine in `Host`, or a name that is allowed: a page of another site
    /// cannot reach the app through a name that it points here.
    pub fn front(&self) -> Front {
        let guard = Arc::new(Guard::new(self));
        let console = guarded_routes(self, &guard);
        Front::new(self.clone(), guard, console)
    }
}

/// The console and the live reload of `runtime` in one router, for one `.merge(…)`; empty unless
/// the configuration has [`dev`](crate::config::SnaxumConfigBuilder::dev) on. Says where the
/// console is in the log.
///
/// # Errors
///
/// Those of [`Dev::start`].
pub fn router<S: Clone + Send + Sync + 'static>(
    runtime: &Arc<PythonRuntime>,
) -> Result<Router<S>, Error> {
    if !runtime.config().dev {
        return Ok(Router::new());
    }
    let dev = Dev::start(runtime)?;
    tracing::info!("console at {PREFIX}?t={} of this server", dev.token());
    Ok(dev.router())
}

fn guarded_routes<S: Clone + Send + Sync + 'static>(dev: &Dev, guard: &Arc<Guard>) -> Router<S> {
    let state = (dev.clone(), Arc::clone(guard));
    routes()
        .layer(middleware::from_fn_with_state(state, guard::check_console))
        .with_state(dev.clone())
}

/// Every route of the prefix; what is none of them is a 404 behind the same guard.
fn routes() -> Router<Dev> {
    Router::new()
        .route("/__snaxum", any(nothing))
        .route("/__snaxum/", get(page))
        .route("/__snaxum/assets/{*path}", get(asset))
        .route("/__snaxum/ws", get(ws::upgrade))
        .route(paths::LIVE_SCRIPT, get(live_script))
        .route(paths::LIVE_SOCKET, get(browser::socket::upgrade))
        .route("/__snaxum/api/status", get(status))
        .route("/__snaxum/api/wait", get(wait))
        .route("/__snaxum/api/modules", get(module_list))
        .route("/__snaxum/api/routes", get(route_list))
        .route("/__snaxum/api/order", get(matching_order))
        .route("/__snaxum/api/hits", get(hits))
        .route("/__snaxum/api/routes/{id}/source", get(route_source))
        .route("/__snaxum/api/match", get(route_match))
        .route("/__snaxum/api/workers", get(workers::workers))
        .route("/__snaxum/api/requests", get(request_list))
        .route("/__snaxum/api/requests/{id}", get(request))
        .route("/__snaxum/api/requests/{id}/replay", post(commands::replay))
        .route("/__snaxum/api/requests/{id}/pin", post(commands::pin))
        .route("/__snaxum/api/requests/{id}/unpin", post(commands::unpin))
        .route("/__snaxum/api/pins", get(pin_list))
        .route("/__snaxum/api/reloads", get(reload_list))
        .route("/__snaxum/api/logs", get(log_list))
        .route("/__snaxum/api/reload", post(commands::reload))
        .route("/__snaxum/api/restart", post(commands::restart))
        .route("/__snaxum/api/pause", post(commands::pause))
        .route("/__snaxum/api/resume", post(commands::resume))
        .route("/__snaxum/api/open", post(open_editor::open))
        .route(paths::MCP, any(mcp::answer))
        .route("/__snaxum/{*rest}", any(nothing))
}

async fn page(headers: HeaderMap) -> Response {
    let nonce = token::random_text(16);
    // Another one: an answer that is rendered gets it (preview.js), and it must let no script run.
    let style_nonce = token::random_text(16);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{style_nonce}'; \
         img-src data:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types snaxum-preview"
    );
    let version = env!("CARGO_PKG_VERSION");
    let page = templates::render(
        "console/console.html",
        context! { nonce, style_nonce, version, base => PREFIX },
    );
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (CONTENT_SECURITY_POLICY, policy)];
    (headers, page).into_response()
}

async fn live_script() -> Response {
    asset(Path("live.js".to_owned())).await
}

async fn asset(Path(path): Path<String>) -> Response {
    // A name in the embedded list, never a path on disk.
    let Some(file) = Assets::iter().find(|name| *name == path).and_then(|name| Assets::get(&name))
    else {
        return nothing().await;
    };
    let content_type = match path.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    };
    ([(CONTENT_TYPE, content_type)], file.data).into_response()
}

async fn status(State(dev): State<Dev>) -> Json<Status> {
    Json(dev.status().await)
}

/// Answers like `status`, once everything that is on disk now is live or rejected; at once during
/// a pause.
async fn wait(State(dev): State<Dev>) -> Json<Status> {
    dev.inner.runtime.gate().wait_idle().await;
    status(State(dev)).await
}

async fn module_list(State(dev): State<Dev>) -> Json<serde_json::Value> {
    Json(dev.inner.runtime.modules().await)
}

async fn route_list(State(dev): State<Dev>) -> Json<Vec<RouteInfo>> {
    Json(dev.inner.runtime.serving().routes.clone())
}

async fn matching_order(State(dev): State<Dev>) -> Json<Vec<String>> {
    Json(dev.inner.runtime.matching_order().await)
}

async fn hits(State(dev): State<Dev>) -> Json<HashMap<String, u64>> {
    Json(dev.inner.recorder.hits())
}

/// The lines of a handler as they were loaded. The id is looked up, and nothing in it is a path.
async fn route_source(State(dev): State<Dev>, Path(id): Path<String>) -> Response {
    let runtime = &dev.inner.runtime;
    if !runtime.serving().routes.iter().any(|route| route.id == id) {
        return (StatusCode::NOT_FOUND, "No such route serves now.\n").into_response();
    }
    answer(runtime.source(&id).await)
}

/// A request that somebody wonders about; the path as it is written in an address.
#[derive(Deserialize)]
struct Wanted {
    method: String,
    path: String,
}

/// Which route answers a request, and why those near it do not.
async fn route_match(State(dev): State<Dev>, Query(wanted): Query<Wanted>) -> Response {
    let path = wanted.path.split(['?', '#']).next().unwrap_or_default();
    if wanted.method.is_empty() || !path.starts_with('/') {
        let text = "Give a method, and a path that starts with a slash.\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    answer(dev.inner.runtime.explain_soon(&wanted.method.to_uppercase(), &path).await)
}

/// What Python told, if it had the time.
fn answer(told: serde_json::Value) -> Response {
    if told.is_null() {
        let text = "Not known, or Python is busy with a reload; ask again.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    Json(told).into_response()
}

async fn request_list(State(dev): State<Dev>) -> Json<Vec<RequestSummary>> {
    Json(dev.inner.recorder.requests())
}

async fn request(State(dev): State<Dev>, Path(id): Path<String>) -> Response {
    match dev.inner.recorder.request(&id) {
        Some(detail) => Json(detail).into_response(),
        None => (StatusCode::NOT_FOUND, "No such request among the newest.\n").into_response(),
    }
}

async fn reload_list(State(dev): State<Dev>) -> Json<Vec<Reload>> {
    Json(dev.inner.recorder.reloads().into_iter().map(Arc::unwrap_or_clone).collect())
}

async fn pin_list(State(dev): State<Dev>) -> Json<Vec<Pin>> {
    Json(dev.inner.pins.list().to_vec())
}

async fn log_list(State(dev): State<Dev>) -> Json<Vec<LogLine>> {
    let lines = dev.inner.recorder.logs();
    Json(lines.iter().map(|line| LogLine::clone(line)).collect())
}

pub(super) async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "Nothing here.\n").into_response()
}
