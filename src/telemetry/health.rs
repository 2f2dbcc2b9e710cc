//! `/healthz` and `/readyz`, for load balancers and orchestrators.
//!
//! Python is not asked: the first shows that the process responds, the second reads the state that Rust
//! knows anyway.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

/// The path that shows that the process responds.
const HEALTHZ: &str = "/healthz";
/// The path that shows whether requests should be sent here.
pub(super) const READYZ: &str = "/readyz";

/// Why a server should get no requests; without a reason it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// One sentence each, without a full stop.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Responds to a request for one of the two paths.
pub(crate) fn health_response(
    method: &Method,
    path: &str,
    readiness: impl FnOnce() -> Readiness,
) -> Option<Response> {
    let readiness = match path {
        HEALTHZ => Readiness::default(),
        READYZ => readiness(),
        _ => return None,
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let (status, body) = match readiness.is_ready() {
        true => (StatusCode::OK, json!({ "status": "ok" })),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "unavailable", "reasons": readiness.reasons }),
        ),
    };
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_ready_responds_with_503_and_is_alive() {
        let busy = || Readiness { reasons: vec!["the queue is full".to_owned()] };
        let status = |method, path, readiness: &dyn Fn() -> Readiness| {
            health_response(&method, path, readiness).map(|response| response.status().as_u16())
        };
        assert_eq!(status(Method::GET, "/readyz", &Readiness::default), Some(200));
        assert_eq!(status(Method::GET, "/readyz", &busy), Some(503));
        assert_eq!(status(Method::HEAD, "/healthz", &busy), Some(200));
        assert_eq!(status(Method::POST, "/healthz", &busy), None);
        assert_eq!(status(Method::GET, "/healthz/", &busy), None);
    }
}
