//! One layer in front of everything under `/__snaxum/`: peer, Host, Origin, token.
//!
//! Any site open in the browser can send requests to localhost, and any user of the machine can
//! connect; no single lock is enough. What is no GET has to show besides that no form sent it. Never
//! looks at what is behind it.

mod body_limit;
mod header_limit;
mod host;
mod mcp;
mod rejection;
mod response;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::dev::engine::Dev;
use crate::dev::paths::{self, PREFIX};
use crate::dev::token::is_same;
use rejection::Refusal;
use response::{harden, unharmed};

pub use header_limit::MAX as MAX_HEADER_BYTES;

/// A header that a page can send only to where it is from, and a form not at all.
const MARK: &str = "x-snaxum";

/// What the checks compare with.
pub(in crate::dev) struct Guard {
    token: String,
    allow_hosts: Vec<String>,
    told: Mutex<HashSet<&'static str>>,
}

impl Guard {
    pub(super) fn new(dev: &Dev) -> Self {
        Self::with_token(&dev.inner.runtime.config().allow_hosts, dev.token())
    }

    fn with_token(allow_hosts: &[String], token: &str) -> Self {
        let allow_hosts = allow_hosts.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { token: token.to_owned(), allow_hosts, told: Mutex::default() }
    }

    /// Checks that a request for the app names this machine and is not too long up to its body;
    /// gives the answer to one that does not.
    pub(in crate::dev) fn refuse_head<B>(
        &self,
        request: &axum::http::Request<B>,
    ) -> Option<Response> {
        let named = host::check(request, &self.allow_hosts);
        let refusal = named.and_then(|_| header_limit::check(request)).err()?;
        Some(self.refuse(refusal))
    }

    /// Checks all but the token.
    fn check_origin(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = host::check(request, &self.allow_hosts)?;
        let mut origins = headers.get_all(ORIGIN).iter();
        if let Some(origin) = origins.next() {
            let same = ["http://", "https://"]
                .iter()
                .any(|scheme| origin.to_str().is_ok_and(|o| o.strip_prefix(scheme) == Some(host)));
            if !same || origins.next().is_some() {
                return Err(Refusal::Origin);
            }
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(b"cross-site" | b"same-site") => Err(Refusal::CrossSite),
            _ => Ok(()),
        }
    }

    fn is_token(&self, given: &str) -> bool {
        is_same(given, &self.token)
    }

    /// Whether the request carries the token. A browser's cookie is not enough to open a socket
    /// without saying where the page is from: see `check_console`.
    fn has_token(&self, headers: &HeaderMap) -> Option<Credential> {
        if bearer(headers).is_some_and(|token| self.is_token(token)) {
            return Some(Credential::Bearer);
        }
        let name = cookie_name(headers);
        let found = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(key, value)| key == name && self.is_token(value));
        found.then_some(Credential::Cookie)
    }

    /// Refuses, and logs the remedy the first time.
    fn refuse(&self, refusal: Refusal) -> Response {
        let (status, text, remedy) = refusal.words();
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(remedy) {
            tracing::warn!("{remedy}");
        }
        (status, text).into_response()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential {
    Bearer,
    Cookie,
}

/// The layer in front of the console.
pub(in crate::dev) async fn check_console(
    State((dev, guard)): State<(Dev, Arc<Guard>)>,
    request: Request,
    next: Next,
) -> Response {
    let guard = &*guard;
    let admission = match request.uri().path() {
        paths::MCP => mcp::admit(guard, dev.mcp_token(), &request),
        _ => admit(guard, &request),
    };
    let mut response = match admission {
        Ok(Admission::Pass) => unharmed(pass(request, next)).await,
        Ok(Admission::SignIn) => sign_in(guard, request.headers()),
        Err(refusal) => guard.refuse(refusal),
    };
    harden(response.headers_mut());
    response
}

async fn pass(request: Request, next: Next) -> Response {
    match body_limit::whole(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    }
}

enum Admission {
    Pass,
    /// The printed link was opened: answer with the cookie.
    SignIn,
}

/// Checks where a request is from and where to, whatever it asks for.
fn check_way(guard: &Guard, request: &Request) -> Result<(), Refusal> {
    // Without `ConnectInfo` (a server of the caller's that does not provide it) Host, Origin and
    // token have to do.
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
        && !is_loopback(peer.ip())
    {
        return Err(Refusal::Peer);
    }
    guard.check_origin(request)?;
    header_limit::check(request)?;
    if request.method() == Method::OPTIONS {
        return Err(Refusal::Method);
    }
    Ok(())
}

fn admit(guard: &Guard, request: &Request) -> Result<Admission, Refusal> {
    check_way(guard, request)?;
    let headers = request.headers();
    let is_upgrade = headers.contains_key("upgrade");
    if is_for_pages(request)? {
        return Ok(Admission::Pass);
    }
    match guard.has_token(headers) {
        // Browsers always send Origin with an upgrade; what sends none is a tool, with a header.
        Some(Credential::Cookie) if is_upgrade && !headers.contains_key(ORIGIN) => {
            Err(Refusal::Token)
        }
        _ if request.method() == Method::GET
            && link_token(request).is_some_and(|t| guard.is_token(&t)) =>
        {
            Ok(Admission::SignIn)
        }
        Some(_) => check_change(request).map(|()| Admission::Pass),
        None => Err(Refusal::Token),
    }
}

/// Whether a page of the app asks, which has no token: for its script, or for its channel, which
/// has to say where the page is from.
fn is_for_pages(request: &Request) -> Result<bool, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(false);
    }
    match request.uri().path() {
        paths::LIVE_SCRIPT => Ok(true),
        paths::LIVE_SOCKET if request.headers().contains_key(ORIGIN) => Ok(true),
        paths::LIVE_SOCKET => Err(Refusal::Origin),
        _ => Ok(false),
    }
}

/// Checks of what may change something that no form and no link can have sent it.
fn check_change(request: &Request) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::Form);
    }
    match request.headers().get(MARK).map(HeaderValue::as_bytes) {
        Some(b"1") => Ok(()),
        _ => Err(Refusal::Unmarked),
    }
}

/// The token in `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    Some(headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim())
}

fn link_token(request: &Request) -> Option<String> {
    if request.uri().path() != PREFIX {
        return None;
    }
    let query = request.uri().query()?.as_bytes();
    form_urlencoded::parse(query).find(|(key, _)| key == "t").map(|(_, value)| value.into_owned())
}

fn sign_in(guard: &Guard, headers: &HeaderMap) -> Response {
    let cookie = format!(
        "{}={}; HttpOnly; SameSite=Strict; Path={PREFIX}",
        cookie_name(headers),
        guard.token
    );
    (StatusCode::SEE_OTHER, [(LOCATION, PREFIX.to_owned()), (SET_COOKIE, cookie)]).into_response()
}

/// Cookies ignore ports, so the name carries it: two servers on one machine do not collide.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    format!("snaxum_{}", if digits { port } else { "80" })
}

/// Whether this is the machine itself.
pub(in crate::dev) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
            })
            .collect()
    }

    fn request(uri: &str, pairs: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = uri.parse().expect("a URI");
        *request.headers_mut() = headers(pairs);
        request
    }

    fn refusal(guard: &Guard, request: &Request) -> Option<Refusal> {
        admit(guard, request).err()
    }

    #[test]
    fn pages_of_other_sites_are_refused_even_with_the_token() {
        let guard = Guard::with_token(&[], "token");
        let bearer = format!("Bearer {}", guard.token);
        let with = |extra: &[(&'static str, &str)]| {
            let base = [("host", "localhost:3000"), ("authorization", &*bearer)];
            refusal(&guard, &request("/__snaxum/", &[&base, extra].concat()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("origin", "http://localhost:3000")]), None);
        assert_eq!(with(&[("origin", "http://localhost:3001")]), Some(Refusal::Origin));
        assert_eq!(with(&[("origin", "http://evil.example")]), Some(Refusal::Origin));
        assert_eq!(with(&[("origin", "null")]), Some(Refusal::Origin));
        assert_eq!(with(&[("sec-fetch-site", "cross-site")]), Some(Refusal::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "same-site")]), Some(Refusal::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "none")]), None);
    }

    #[test]
    fn the_token_is_needed_and_the_cookie_carries_it() {
        let guard = Guard::with_token(&[], "token");
        let host = ("host", "localhost:3000");
        let link = format!("/__snaxum/?t={}", guard.token);
        let cookie = format!("other=1; snaxum_3000={}", guard.token);
        let elsewhere = format!("snaxum_4000={}", guard.token);

        assert_eq!(
            refusal(&guard, &request("/__snaxum/api/status", &[host])),
            Some(Refusal::Token)
        );
        assert_eq!(refusal(&guard, &request("/__snaxum/?t=wrong", &[host])), Some(Refusal::Token));
        assert!(matches!(admit(&guard, &request(&link, &[host])), Ok(Admission::SignIn)));
        let signed_in = request("/__snaxum/", &[host, ("cookie", &cookie)]);
        assert!(matches!(admit(&guard, &signed_in), Ok(Admission::Pass)));
        let other_port = request("/__snaxum/", &[host, ("cookie", &elsewhere)]);
        assert_eq!(refusal(&guard, &other_port), Some(Refusal::Token));
    }

    #[test]
    fn a_socket_without_an_origin_needs_the_header() {
        let guard = Guard::with_token(&[], "token");
        let cookie = format!("snaxum_80={}", guard.token);
        let base = [("host", "localhost"), ("upgrade", "websocket"), ("cookie", &*cookie)];
        assert_eq!(refusal(&guard, &request("/__snaxum/ws", &base)), Some(Refusal::Token));
        let from_page = [&base[..], &[("origin", "http://localhost")]].concat();
        assert_eq!(refusal(&guard, &request("/__snaxum/ws", &from_page)), None);
    }

    #[test]
    fn a_peer_on_another_machine_is_refused_whatever_it_forwards() {
        let guard = Guard::with_token(&[], "token");
        let bearer = format!("Bearer {}", guard.token);
        for (peer, refused) in [
            ("127.0.0.1:9", false),
            ("[::1]:9", false),
            ("[::ffff:127.0.0.1]:9", false),
            ("10.0.0.2:9", true),
        ] {
            let base = [
                ("host", "localhost"),
                ("authorization", &*bearer),
                ("x-forwarded-for", "127.0.0.1"),
            ];
            let mut request = request("/__snaxum/", &base);
            let peer: SocketAddr = peer.parse().expect("an address");
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(refusal(&guard, &request) == Some(Refusal::Peer), refused, "{peer}");
        }
    }

    #[test]
    fn what_may_change_something_is_json_with_a_mark_and_the_token() {
        let guard = Guard::with_token(&[], "token");
        let bearer = format!("Bearer {}", guard.token);
        let base = [("host", "localhost"), ("authorization", &*bearer)];
        let json = ("content-type", "application/json");
        let with = |method: &Method, more: &[(&'static str, &str)]| {
            let mut request = request("/__snaxum/api/reload", &[&base[..], more].concat());
            *request.method_mut() = method.clone();
            refusal(&guard, &request)
        };
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(with(&method, &[]), Some(Refusal::Form));
            for form in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
                let headers = [("content-type", form), ("x-snaxum", "1")];
                assert_eq!(with(&method, &headers), Some(Refusal::Form), "{form}");
            }
            assert_eq!(with(&method, &[json]), Some(Refusal::Unmarked));
            assert_eq!(with(&method, &[json, ("x-snaxum", "0")]), Some(Refusal::Unmarked));
            assert_eq!(with(&method, &[json, ("x-snaxum", "1")]), None);
        }
        let kind = ("content-type", "Application/JSON; charset=utf-8");
        assert_eq!(with(&Method::POST, &[kind, ("x-snaxum", "1")]), None);
        let mut nobody =
            request("/__snaxum/api/reload", &[("host", "localhost"), json, ("x-snaxum", "1")]);
        *nobody.method_mut() = Method::POST;
        assert_eq!(refusal(&guard, &nobody), Some(Refusal::Token));
    }
}
