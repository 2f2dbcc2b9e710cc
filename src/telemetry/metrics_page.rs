//! The pages of the metrics address: `/metrics` for Prometheus, `/metrics.json` for `snaxum top`, and
//! the health of the server.
//!
//! Reads a source, and owns no socket.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use super::health::{READYZ, Readiness, health_response};
use super::prometheus;
use super::snapshot::Snapshot;

/// The server, or its processes together, that the pages describe.
pub trait MetricsSource: Clone + Send + Sync + 'static {
    /// The counters and the state.
    fn snapshot(&self) -> impl Future<Output = Snapshot> + Send;

    /// Why requests should not be sent here.
    fn readiness(&self) -> impl Future<Output = Readiness> + Send;
}

/// Makes the pages.
pub fn metrics_router<S: MetricsSource>(source: S) -> Router {
    Router::new()
        .route("/metrics", get(text::<S>))
        .route("/metrics.json", get(json::<S>))
        .fallback(other::<S>)
        .with_state(source)
}

async fn text<S: MetricsSource>(State(source): State<S>) -> Response {
    let text = prometheus::render(&source.snapshot().await);
    ([(CONTENT_TYPE, prometheus::CONTENT_TYPE)], text).into_response()
}

async fn json<S: MetricsSource>(State(source): State<S>) -> Json<Snapshot> {
    Json(source.snapshot().await)
}

async fn other<S: MetricsSource>(State(source): State<S>, request: Request) -> Response {
    // For the others no process is asked.
    let readiness = match request.uri().path() {
        READYZ => source.readiness().await,
        _ => Readiness::default(),
    };
    health_response(request.method(), request.uri().path(), || readiness).unwrap_or_else(|| {
        (StatusCode::NOT_FOUND, "not found; the metrics are at /metrics\n").into_response()
    })
}
