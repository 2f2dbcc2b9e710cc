//! What a dev server answers, without a router in front of the app: that costs each request some
//! allocations.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::{BoxError, Router};
use bytes::Bytes;
use tower::ServiceExt;

use crate::dispatcher;

use super::guard::Guard;
use crate::dev::browser::inject::Ask;
use crate::dev::engine::Dev;
use crate::dev::paths::is_below_prefix;

/// The console below its prefix, and the user's handlers everywhere else; both only under a name of
/// this machine, and with heads up to a limit.
#[derive(Clone)]
pub struct Front {
    dev: Dev,
    guard: Arc<Guard>,
    console: Router,
}

impl Front {
    pub(super) fn new(dev: Dev, guard: Arc<Guard>, console: Router) -> Self {
        Self { dev, guard, console }
    }

    /// Answers one request of `peer`.
    pub async fn answer<B>(self, mut request: axum::http::Request<B>, peer: SocketAddr) -> Response
    where
        B: axum::body::HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if let Some(refused) = self.guard.refuse_head(&request) {
            return refused;
        }
        if !is_below_prefix(request.uri().path()) {
            let runtime = Arc::clone(&self.dev.inner.runtime);
            let ask = Ask::new(&request, peer);
            let response = dispatcher::respond(runtime, request).await;
            return self.dev.inner.live.inject(ask, response).await;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = self.console.oneshot(request.map(Body::new)).await;
        answered.unwrap_or_else(|never| match never {})
    }
}
