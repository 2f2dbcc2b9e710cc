//! HTTP in front of the dev engine: one route for each address below `/__snaxum/`, all behind the
//! guard.
//!
//! Only names the handlers: the page and its assets are in `page.rs`, the reads of the API in
//! `api.rs` and `bodies.rs`, the commands in `commands.rs`. The engine never imports this module.

mod api;
pub(super) mod app;
mod bodies;
mod browser_websocket;
mod catch_panic;
mod commands;
pub(super) mod guard;
mod mcp;
mod not_found;
mod open_editor;
mod page;
pub(super) mod unbuilt;
mod workers;
pub(super) mod ws;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};
use tower_http::compression::CompressionLayer;

use crate::error::Error;
use crate::python_runtime::PythonRuntime;

use super::engine::Dev;
use super::paths::{self, PREFIX};
use app::DevService;
use guard::Guard;
use not_found::not_found;

impl Dev {
    /// Everything under `/__snaxum/`, behind the guard; merge it into your own router.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        guarded_routes(self, &Arc::new(Guard::new(self)))
    }

    /// Console and handlers together, for a server that has no other routes. Admits only requests
    /// that name this machine, or an allowed host, in `Host`: a page of another site cannot reach
    /// the app through a name of its own that resolves to this machine.
    pub fn service(&self) -> DevService {
        let guard = Arc::new(Guard::new(self));
        let console = guarded_routes(self, &guard);
        DevService::new(self.clone(), guard, console)
    }
}

/// The console and the live reload of `runtime` in one router, for one `.merge(…)`; empty unless
/// the configuration has [`dev`](crate::config::SnaxumConfigBuilder::dev) on. Logs the path of the
/// console.
///
/// # Errors
///
/// See [`Dev::start`].
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

/// Every route of the prefix; any other address is a 404 behind the same guard.
fn routes() -> Router<Dev> {
    Router::new()
        .route("/__snaxum", any(not_found))
        .route("/__snaxum/", get(page::page))
        .route("/__snaxum/assets/{*path}", get(page::asset).layer(CompressionLayer::new().no_br()))
        .route("/__snaxum/ws", get(ws::upgrade))
        .route(paths::LIVE_SCRIPT, get(page::live_script))
        .route(paths::LIVE_ASSET, get(page::live_asset))
        .route(paths::LIVE_SOCKET, get(browser_websocket::upgrade))
        .route("/__snaxum/api/status", get(api::status))
        .route("/__snaxum/api/wait", get(api::wait))
        .route("/__snaxum/api/modules", get(api::modules))
        .route("/__snaxum/api/openapi", get(api::openapi))
        .route("/__snaxum/api/routes", get(api::routes))
        .route("/__snaxum/api/order", get(api::matching_order))
        .route("/__snaxum/api/hits", get(api::hits))
        .route("/__snaxum/api/routes/{id}/source", get(api::route_source))
        .route("/__snaxum/api/match", get(api::route_match))
        .route("/__snaxum/api/workers", get(workers::workers))
        .route("/__snaxum/api/requests", get(api::requests))
        .route("/__snaxum/api/requests/{id}", get(api::request))
        .route("/__snaxum/api/requests/{id}/body/request", get(bodies::request))
        .route("/__snaxum/api/requests/{id}/body/response", get(bodies::response))
        .route("/__snaxum/api/headers", get(bodies::headers))
        .route("/__snaxum/api/secret-words", get(bodies::secret_words))
        .route("/__snaxum/api/requests/{id}/profile", get(api::profile))
        .route("/__snaxum/api/profiled-requests", get(api::profiled_requests))
        .route("/__snaxum/api/profiled-routes", get(api::profiled_routes))
        .route("/__snaxum/api/routes/{id}/profile", post(commands::profile_route))
        .route("/__snaxum/api/requests/{id}/replay", post(commands::replay))
        .route("/__snaxum/api/requests/{id}/pin", post(commands::pin))
        .route("/__snaxum/api/requests/{id}/unpin", post(commands::unpin))
        .route("/__snaxum/api/requests/{id}/reveal", post(commands::reveal))
        .route("/__snaxum/api/pins", get(api::pins))
        .route("/__snaxum/api/errors", get(api::errors))
        .route("/__snaxum/api/errors/{id}", get(api::error))
        .route("/__snaxum/api/reloads", get(api::reloads))
        .route("/__snaxum/api/reloads/{id}/diff", get(api::save_diff))
        .route("/__snaxum/api/logs", get(api::logs))
        .route("/__snaxum/api/reload", post(commands::reload))
        .route("/__snaxum/api/restart", post(commands::restart))
        .route("/__snaxum/api/pause", post(commands::pause))
        .route("/__snaxum/api/resume", post(commands::resume))
        .route("/__snaxum/api/open", post(open_editor::open))
        .route(paths::MCP, any(mcp::handle))
        .route("/__snaxum/{*rest}", any(not_found))
}
