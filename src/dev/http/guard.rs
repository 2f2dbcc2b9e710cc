//! The guard in front of everything under `/__snaxum/`: one layer that admits or rejects a request.
//!
//! Any site open in the browser can send requests to localhost, and any user of the machine can
//! connect, so no single check is enough: `origin.rs` checks where a request is from, `console.rs`
//! and `mcp.rs` its token. Never reads the resources behind it.

mod body_limit;
mod console;
mod credentials;
mod header_limit;
mod host;
mod mcp;
mod origin;
mod rejection;
mod response;

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::dev::engine::Dev;
use crate::dev::paths::{self, PREFIX};
use crate::sync::Mutex;
use console::Admission;
use credentials::ConsoleCredentials;
pub(super) use host::AllowedHosts;
use rejection::Rejection;
use response::{or_internal_error, set_security_headers};

pub use header_limit::MAX as MAX_HEADER_BYTES;
#[cfg(any(test, fuzzing))]
pub use host::fuzz_headers;

/// The values that requests are checked against.
pub(super) struct Guard {
    credentials: ConsoleCredentials,
    allow_hosts: AllowedHosts,
    /// The log lines of rejections, each logged once.
    logged: Mutex<HashSet<&'static str>>,
}

impl Guard {
    pub(super) fn new(dev: &Dev) -> Self {
        let allow_hosts = AllowedHosts::new(&dev.inner.runtime.config().allow_hosts);
        let credentials = ConsoleCredentials::new(dev.token());
        Self { credentials, allow_hosts, logged: Mutex::default() }
    }

    /// Checks that a request to the app names this machine and that its headers are not too large;
    /// returns the response to one that fails.
    pub(super) fn reject_app_request<B>(
        &self,
        request: &axum::http::Request<B>,
    ) -> Option<Response> {
        let named = host::check(request, &self.allow_hosts);
        let rejection = named.and_then(|_| header_limit::check(request)).err()?;
        Some(self.reject(rejection))
    }

    /// Responds with the rejection, and logs the remedy the first time.
    fn reject(&self, rejection: Rejection) -> Response {
        let (status, text, remedy) = rejection.message();
        if self.logged.lock().insert(remedy) {
            tracing::warn!("{remedy}");
        }
        (status, text).into_response()
    }

    fn sign_in(&self, headers: &HeaderMap) -> Response {
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path={PREFIX}",
            credentials::cookie_name(headers),
            self.credentials.cookie
        );
        let headers = [(LOCATION, PREFIX.to_owned()), (SET_COOKIE, cookie)];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// Returns the response to a request that names another host, for a server without a project.
pub(super) fn reject_host<B>(
    request: &axum::http::Request<B>,
    allow_hosts: &AllowedHosts,
) -> Option<Response> {
    let (status, text, _) = host::check(request, allow_hosts).err()?.message();
    Some((status, text).into_response())
}

/// The layer in front of the console.
pub(super) async fn check_console(
    State((dev, guard)): State<(Dev, Arc<Guard>)>,
    request: Request,
    next: Next,
) -> Response {
    let hosts = &guard.allow_hosts;
    let admission = match request.uri().path() {
        paths::MCP => mcp::admit(&request, dev.mcp_token(), hosts).map(|()| Admission::Pass),
        _ => console::admit(&request, &guard.credentials, hosts),
    };
    let mut response = match admission {
        Ok(Admission::Pass) => or_internal_error(pass(request, next)).await,
        Ok(Admission::SignIn) => guard.sign_in(request.headers()),
        Err(rejection) => guard.reject(rejection),
    };
    set_security_headers(response.headers_mut());
    response
}

async fn pass(request: Request, next: Next) -> Response {
    match body_limit::buffer(request).await {
        Ok(request) => next.run(request).await,
        Err(rejected) => rejected,
    }
}
