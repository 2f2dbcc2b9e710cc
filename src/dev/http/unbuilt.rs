//! The responses of a dev server whose program in Rust does not exist yet, because it does not compile or
//! does not start.
//!
//! Admits only requests that name this machine in `Host`, as dev mode does: the page shows source.

use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::dev::protocol::ErrorSummary;
use crate::dev::redact::Redactor;
use crate::message::ModuleFailure;
use crate::{problem, templates};

use super::guard::AllowedHosts;
use super::guard::reject_host;

/// A browser requests the page again after so many seconds.
const REFRESH: &str = "2";

/// Responds with the errors of a build until a program serves.
pub struct UnbuiltProgram {
    allow_hosts: AllowedHosts,
    detail: String,
    failures: Vec<ModuleFailure>,
}

impl UnbuiltProgram {
    /// Responds to requests for this machine and for `allow_hosts`; `detail` is one sentence.
    pub fn new(allow_hosts: &[String], detail: String, mut failures: Vec<ModuleFailure>) -> Self {
        let redactor = Redactor::default(); // no program has reported the values of secret variables
        let detail = redactor.text(&detail);
        redactor.mask_failures(&mut failures);
        Self { allow_hosts: AllowedHosts::new(allow_hosts), detail, failures }
    }

    /// The response to any request: a page for browsers, a problem document for others.
    pub fn respond<B>(&self, request: &Request<B>) -> Response {
        if let Some(rejected) = reject_host(request, &self.allow_hosts) {
            return rejected;
        }
        let mut response = self.failure(request.headers());
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn failure(&self, headers: &HeaderMap) -> Response {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let first = self.failures.first().map(|failure| &failure.traceback);
        let others = self.failures.iter().skip(1).map(|other| (&other.traceback).into());
        let others: Vec<ErrorSummary> = others.collect();
        if problem::prefers_html(headers) {
            let none = serde_json::Map::new();
            let page = templates::error(
                status.as_u16(),
                "Service Unavailable",
                &self.detail,
                "",
                first,
                &none,
                None,
            );
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            let refresh = HeaderValue::from_static(REFRESH);
            let headers = [
                (axum::http::header::CONTENT_TYPE, kind),
                (HeaderName::from_static("refresh"), refresh),
            ];
            return (status, headers, page).into_response();
        }
        let mut document = problem::document(status, &self.detail);
        document["traceback"] = json!(first);
        document["others"] = json!(others);
        let headers = [(axum::http::header::CONTENT_TYPE, problem::PROBLEM_JSON)];
        (status, headers, document.to_string()).into_response()
    }
}

impl std::fmt::Debug for UnbuiltProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnbuiltProgram").field("detail", &self.detail).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Traceback;
    use http_body_util::BodyExt;

    async fn text(host: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
        let traceback = Traceback {
            kind: "error[E0425]".to_owned(),
            message: "cannot find value `name`".to_owned(),
            ..Traceback::default()
        };
        let failure = ModuleFailure { module: "shop".to_owned(), importers: vec![], traceback };
        let page = UnbuiltProgram::new(&[], "shop does not compile".to_owned(), vec![failure]);
        let request = Request::get("/").header("host", host).header("accept", accept).body(());
        let response = page.respond(&request.expect("a request"));
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a full body").to_bytes();
        (status, headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[tokio::test]
    async fn the_errors_are_a_page_for_browsers_and_a_document_for_others() {
        let (status, headers, page) = text("localhost:3000", "text/html").await;
        assert_eq!(
            (status, &headers["refresh"], &headers["connection"]),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                &HeaderValue::from_static("2"),
                &HeaderValue::from_static("close")
            )
        );
        assert!(page.contains("cannot find value `name`") && !page.contains("Python"), "{page}");
        let (status, headers, document) = text("127.0.0.1:3000", "*/*").await;
        assert_eq!(
            (status, &headers["content-type"]),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                &HeaderValue::from_static("application/problem+json")
            )
        );
        assert!(document.contains("\"detail\":\"shop does not compile\""), "{document}");
    }

    #[tokio::test]
    async fn a_name_that_only_resolves_to_this_machine_is_rejected() {
        let (status, _, body) = text("evil.example", "text/html").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(!body.contains("cannot find"), "{body}");
    }
}
