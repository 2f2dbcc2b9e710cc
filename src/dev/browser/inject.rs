//! Injects the reload script into pages of the app; every other response stays the same, byte by
//! byte.
//!
//! Reads a body only if it is complete in memory and small, or as it is streamed to a browser.
//! Never adds or removes a policy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED,
};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::BrowserReload;
use super::csp::{self, CspError};
use super::injected_body::InjectedBody;
use super::insertion::InsertionFinder;
use crate::dev::paths::{LIVE_ASSETS, LIVE_SCRIPT};
use crate::dev::token;
use crate::message::Traceback;
use crate::problem::ErrorPage;
use crate::telemetry::X_REQUEST_ID;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_SNAXUM_GEN: HeaderName = HeaderName::from_static("x-snaxum-gen");

/// Bytes of the largest page that the script is injected into.
const MAX_PAGE: u64 = 4 * 1024 * 1024;

/// Whether the response to a request may be a page that gets the script.
#[derive(Clone, Copy)]
pub(in crate::dev) struct PageRequest {
    may_be_page: bool,
    /// A browser shows the response in a tab.
    is_browser: bool,
}

impl PageRequest {
    /// Excludes pages on another machine: the script is not for them.
    pub(in crate::dev) fn new<B>(request: &Request<B>, peer: SocketAddr) -> Self {
        let destination = request.headers().get(SEC_FETCH_DEST);
        let is_document = destination.is_none_or(|destination| destination == "document");
        let is_local = peer.ip().to_canonical().is_loopback();
        let is_browser = match destination {
            Some(_) => is_document,
            None => accepts_html(request.headers()),
        };
        let may_be_page = is_local && is_document && request.method() != Method::HEAD;
        Self { may_be_page, is_browser }
    }
}

impl BrowserReload {
    /// Adds the script if the response is a page of the app.
    pub(in crate::dev) async fn inject(
        &self,
        request: PageRequest,
        response: Response<Body>,
    ) -> Response<Body> {
        if !self.is_injecting || !request.may_be_page || !is_page(&response) {
            return response;
        }
        match response.body().size_hint().exact() {
            Some(size) if size <= MAX_PAGE => self.inject_whole(request, response).await,
            // A program reads the stream as the handler sends it.
            None if request.is_browser => self.inject_stream(response),
            _ => response,
        }
    }

    async fn inject_whole(&self, request: PageRequest, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        let Ok(page) = to_bytes(body, usize::MAX).await else {
            unreachable!("a body with an exact size is in memory");
        };
        let mut finder = InsertionFinder::default();
        let mut whole = Vec::with_capacity(page.len() + 256);
        let after = finder.push(&page, &mut whole);
        let has_place = after.is_some() || finder.finish(&mut whole);
        // A program that gets a fragment does not show it as a page.
        let is_shown = finder.is_document() || request.is_browser;
        let mut tag = if has_place && is_shown { self.admitted_tag(&mut head) } else { None };
        if let (Some(tag), Some(raised)) = (&mut tag, head.extensions.get::<Arc<Traceback>>()) {
            tag.push_str(&self.error_tags(raised, request_id(&head.headers)));
        }
        let Some(tag) = tag else { return Response::from_parts(head, Body::from(page)) };
        whole.extend_from_slice(tag.as_bytes());
        whole.extend(after.unwrap_or_default());
        if head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
        }
        Response::from_parts(head, Body::from(whole))
    }

    fn inject_stream(&self, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        let Some(tag) = self.admitted_tag(&mut head) else {
            return Response::from_parts(head, body);
        };
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::new(InjectedBody::new(body, tag)))
    }

    /// Makes the tag, and headers that admit it; `None` if a policy of the page forbids it.
    fn admitted_tag(&self, head: &mut Parts) -> Option<String> {
        let nonce = token::random_text(16);
        let policies =
            amend(&head.headers, &nonce).inspect_err(|error| self.warn_of_policy(error)).ok()?;
        let nonce = policies.apply(&mut head.headers).then_some(&*nonce);
        // The script names the generation: a copy of the page is no longer current after a reload.
        head.headers.remove(LAST_MODIFIED);
        // A strong tag identifies the bytes that the handler sent; a weak one only their meaning.
        if head.headers.get(ETAG).is_some_and(|tag| !tag.as_bytes().starts_with(b"W/")) {
            head.headers.remove(ETAG);
        }
        Some(self.tag(head, nonce))
    }

    fn tag(&self, head: &Parts, nonce: Option<&str>) -> String {
        // The generation that sent the response; a newer one may be serving by now.
        let generation = head.headers.get(X_SNAXUM_GEN).and_then(|value| value.to_str().ok());
        let generation = generation.map_or_else(
            || self.current().map_or(0, |now| now.generation).to_string(),
            str::to_owned,
        );
        let mut tag = format!(
            "<script src=\"{LIVE_SCRIPT}\" data-run=\"{}\" data-g=\"{generation}\"",
            self.run
        );
        // The error page itself shows the error.
        let is_of_app = head.extensions.get::<ErrorPage>().is_none();
        if head.status == StatusCode::INTERNAL_SERVER_ERROR && self.has_overlay && is_of_app {
            tag += " data-failed";
            if let Some(id) = request_id(&head.headers) {
                tag += &format!(" data-request=\"{}\"", id.replace(['"', '&', '<'], ""));
            }
        }
        if !self.has_overlay {
            tag += " data-quiet";
        }
        if let Some(nonce) = nonce {
            tag += &format!(" nonce=\"{nonce}\"");
        }
        tag + "></script>"
    }

    /// Makes the tags that show the traceback of the error page as the console does.
    fn error_tags(&self, traceback: &Traceback, request: Option<&str>) -> String {
        let (editor, opens_editor) = self.editor_link();
        let data = serde_json::json!({
            "traceback": traceback, "editor": editor, "opens_editor": opens_editor, "request": request,
            "run": self.run,
        });
        let data = data.to_string();
        // Inside an element, `<` could end it.
        let data = data.replace('<', "\\u003c");
        format!(
            "<script type=\"application/json\" id=\"snaxum-error\">{data}</script>\
             <script type=\"module\" src=\"{LIVE_ASSETS}errors/error-page.js\"></script>"
        )
    }

    fn warn_of_policy(&self, error: &CspError) {
        if !self.has_warned_of_policy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a page cannot reload automatically: its Content-Security-Policy {error}; \
                 start with --no-inject to inject into no page"
            );
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(X_REQUEST_ID)?.to_str().ok()
}

/// Whether the client names HTML, as each browser does; most programs accept anything.
fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"))
}

/// Reports whether the headers describe an HTML page.
fn is_page(response: &Response<Body>) -> bool {
    let headers = response.headers();
    let has_page = !matches!(
        response.status(),
        StatusCode::NO_CONTENT
            | StatusCode::RESET_CONTENT
            | StatusCode::PARTIAL_CONTENT
            | StatusCode::NOT_MODIFIED
    );
    let is_html = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"text/html")
    });
    let is_download = headers
        .get(CONTENT_DISPOSITION)
        .is_some_and(|value| !value.as_bytes().to_ascii_lowercase().starts_with(b"inline"));
    let is_whole = !headers.contains_key(CONTENT_ENCODING) && !headers.contains_key(CONTENT_RANGE);
    is_html && has_page && is_whole && !is_download
}

/// The policies of a response, in order; `needs_nonce` if one of them admits the script by it.
struct AmendedPolicies {
    values: Vec<HeaderValue>,
    needs_nonce: bool,
}

fn amend(headers: &HeaderMap, nonce: &str) -> Result<AmendedPolicies, CspError> {
    let mut policies = AmendedPolicies { values: Vec::new(), needs_nonce: false };
    for header in headers.get_all(CONTENT_SECURITY_POLICY) {
        let text = header.to_str().map_err(|_| CspError::Unreadable)?;
        let amended = csp::amend(text, nonce)?;
        policies.needs_nonce |= amended.needs_nonce;
        let value = HeaderValue::from_str(&amended.value).map_err(|_| CspError::Unreadable)?;
        policies.values.push(value);
    }
    Ok(policies)
}

impl AmendedPolicies {
    /// Returns whether the script needs the nonce.
    fn apply(self, headers: &mut HeaderMap) -> bool {
        headers.remove(CONTENT_SECURITY_POLICY);
        for value in self.values {
            headers.append(CONTENT_SECURITY_POLICY, value);
        }
        self.needs_nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_for_this_machine_may_get_the_script() {
        let may_be_page = |method: Method, destination: &str, peer: &str| {
            let request =
                Request::builder().method(method).header(SEC_FETCH_DEST, destination).body(());
            let peer = peer.parse().expect("an address");
            PageRequest::new(&request.expect("a request"), peer).may_be_page
        };
        assert!(may_be_page(Method::GET, "document", "127.0.0.1:9"));
        assert!(may_be_page(Method::POST, "document", "[::1]:9"));
        assert!(!may_be_page(Method::HEAD, "document", "127.0.0.1:9"));
        assert!(!may_be_page(Method::GET, "iframe", "127.0.0.1:9"));
        assert!(!may_be_page(Method::GET, "document", "10.0.0.2:9"));
    }
}
