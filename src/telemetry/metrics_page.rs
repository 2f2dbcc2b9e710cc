//! The pages of the metrics address: `/metrics` for Prometheus, `/metrics.json` for `snaxum top`, and
//! the health of the server.
//!
//! Reads a source, and owns no socket.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
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

/// Makes the pages. Each response ends its connection: between two requests the socket may pass to another
/// program, and a client would meet a closed connection.
pub fn metrics_router<S: MetricsSource>(source: S) -> Router {
    Router::new()
        .route("/metrics", get(text::<S>))
        .route("/metrics.json", get(json::<S>))
        .fallback(other::<S>)
        .with_state(source)
        .layer(map_response(ending_connection))
}

async fn ending_connection(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
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
