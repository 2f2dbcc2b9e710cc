//! Dispatches each request of a dev server to the console or to the app.
//!
//! Not an axum router in front of the app: that would cost each request some allocations.

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
use crate::dev::browser::inject::PageRequest;
use crate::dev::engine::Dev;
use crate::dev::paths::is_below_prefix;

/// The console below its prefix, and the user's handlers everywhere else. Both require a `Host`
/// that names this machine, and limit the size of the headers.
#[derive(Clone)]
pub struct DevService {
    dev: Dev,
    guard: Arc<Guard>,
    console: Router,
}

impl DevService {
    pub(super) fn new(dev: Dev, guard: Arc<Guard>, console: Router) -> Self {
        Self { dev, guard, console }
    }

    /// Responds to one request of `peer`.
    pub async fn respond<B>(self, mut request: axum::http::Request<B>, peer: SocketAddr) -> Response
    where
        B: axum::body::HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if let Some(rejected) = self.guard.reject_app_request(&request) {
            return rejected;
        }
        if !is_below_prefix(request.uri().path()) {
            let runtime = Arc::clone(&self.dev.inner.runtime);
            let page_request = PageRequest::new(&request, peer);
            let Some(layers) = runtime.http_layers().cloned() else {
                let response = dispatcher::respond(runtime, request).await;
                return self.dev.inner.browser.inject(page_request, response).await;
            };
            let browser = &self.dev.inner.browser;
            // The script is inserted into a page before it is compressed.
            let respond = async |request| {
                browser.inject(page_request, dispatcher::respond(runtime, request).await).await
            };
            return Box::pin(layers.respond(request, respond)).await;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        let result = self.console.oneshot(request.map(Body::new)).await;
        result.unwrap_or_else(|never| match never {})
    }
}
