//! Responses of the guard: the headers that every response of the console carries, and its 500.

use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::dev::http::catch_panic::catch_panic;

/// Returns the response, or a 500 on a panic: the connection, which the app may share, stays open.
pub(super) async fn or_internal_error(response: impl Future<Output = Response>) -> Response {
    catch_panic("the console", response).await.unwrap_or_else(|| {
        let text = "The console failed to respond: it panicked; see the log.\n";
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    })
}

/// Adds the headers that exclude other sites.
pub(super) fn set_security_headers(headers: &mut HeaderMap) {
    let fixed = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_console_is_a_500() {
        let response = or_internal_error(async { panic!("on purpose") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(or_internal_error(async { StatusCode::OK.into_response() }).await.status(), 200);
    }
}
