//! Admission to the console: token or cookie, and for a request that changes state, JSON and a header.
//!
//! Pages of the app, which have no token, are admitted only to their script, the modules that show an
//! error, and their socket.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderValue, Method};

use super::credentials::{ConsoleCredentials, Credential, find_credential, is_signed_link};
use super::host::AllowedHosts;
use super::origin::check_peer_and_origin;
use super::rejection::Rejection;
use crate::dev::paths;

/// Proves that a page of the console, or a tool, sent the request: a page can set it only for its
/// own origin, and a form cannot set it.
const CSRF_HEADER: &str = "x-snaxum";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Pass,
    /// The printed link was opened: respond with the cookie.
    SignIn,
}

/// Checks a request to the console.
pub(super) fn admit(
    request: &Request,
    known: &ConsoleCredentials,
    allow_hosts: &AllowedHosts,
) -> Result<Admission, Rejection> {
    check_peer_and_origin(request, allow_hosts)?;
    let headers = request.headers();
    let is_upgrade = headers.contains_key("upgrade");
    if is_from_app_page(request)? {
        return Ok(Admission::Pass);
    }
    match find_credential(headers, known) {
        // Browsers always send Origin with an upgrade; a tool without it must send the header.
        Some(Credential::Cookie) if is_upgrade && !headers.contains_key(ORIGIN) => {
            Err(Rejection::MissingToken)
        }
        _ if request.method() == Method::GET && is_signed_link(request, &known.token) => {
            Ok(Admission::SignIn)
        }
        Some(_) => check_state_change(request).map(|()| Admission::Pass),
        None => Err(Rejection::MissingToken),
    }
}

/// Reports whether a page of the app requests its script, the modules that show an error, or its socket,
/// which requires an Origin.
fn is_from_app_page(request: &Request) -> Result<bool, Rejection> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(false);
    }
    match request.uri().path() {
        paths::LIVE_SCRIPT => Ok(true),
        path if path.starts_with(paths::LIVE_ASSETS) => Ok(true),
        paths::LIVE_SOCKET if request.headers().contains_key(ORIGIN) => Ok(true),
        paths::LIVE_SOCKET => Err(Rejection::Origin),
        _ => Ok(false),
    }
}

/// Checks that neither a form nor a link can have sent a request that may change state.
fn check_state_change(request: &Request) -> Result<(), Rejection> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Rejection::NotJson);
    }
    match request.headers().get(CSRF_HEADER).map(HeaderValue::as_bytes) {
        Some(b"1") => Ok(()),
        _ => Err(Rejection::MissingHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::ConnectInfo;
    use axum::http::{HeaderMap, HeaderName};
    use std::net::SocketAddr;

    const TOKEN: &str = "token";

    fn known() -> ConsoleCredentials {
        ConsoleCredentials::new(TOKEN)
    }

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

    fn rejection(request: &Request) -> Option<Rejection> {
        admit(request, &known(), &AllowedHosts::new(&[])).err()
    }

    #[test]
    fn pages_of_other_sites_are_rejected_even_with_the_token() {
        let bearer = format!("Bearer {}", TOKEN);
        let with = |extra: &[(&'static str, &str)]| {
            let base = [("host", "localhost:3000"), ("authorization", &*bearer)];
            rejection(&request("/__snaxum/", &[&base, extra].concat()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("origin", "http://localhost:3000")]), None);
        assert_eq!(with(&[("origin", "http://localhost:3001")]), Some(Rejection::Origin));
        assert_eq!(with(&[("origin", "http://evil.example")]), Some(Rejection::Origin));
        assert_eq!(with(&[("origin", "null")]), Some(Rejection::Origin));
        assert_eq!(with(&[("sec-fetch-site", "cross-site")]), Some(Rejection::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "same-site")]), Some(Rejection::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "none")]), None);
    }

    #[test]
    fn the_token_or_its_cookie_is_needed_and_neither_serves_as_the_other() {
        let host = ("host", "localhost:3000");
        let link = format!("/__snaxum/?t={}", TOKEN);
        let value = known().cookie;
        let cookie = format!("other=1; snaxum_3000={value}");
        let elsewhere = format!("snaxum_4000={value}");

        assert_eq!(
            rejection(&request("/__snaxum/api/status", &[host])),
            Some(Rejection::MissingToken)
        );
        assert_eq!(
            rejection(&request("/__snaxum/?t=wrong", &[host])),
            Some(Rejection::MissingToken)
        );
        assert!(matches!(
            admit(&request(&link, &[host]), &known(), &AllowedHosts::new(&[])),
            Ok(Admission::SignIn)
        ));
        let signed_in = request("/__snaxum/", &[host, ("cookie", &cookie)]);
        assert!(matches!(
            admit(&signed_in, &known(), &AllowedHosts::new(&[])),
            Ok(Admission::Pass)
        ));
        for (header, value) in [
            ("authorization", format!("Bearer {value}")),
            ("cookie", format!("snaxum_3000={TOKEN}")),
        ] {
            let swapped = request("/__snaxum/", &[host, (header, &value)]);
            assert_eq!(rejection(&swapped), Some(Rejection::MissingToken), "{header}");
        }
        let link = format!("/__snaxum/?t={value}");
        assert_eq!(rejection(&request(&link, &[host])), Some(Rejection::MissingToken));
        let other_port = request("/__snaxum/", &[host, ("cookie", &elsewhere)]);
        assert_eq!(rejection(&other_port), Some(Rejection::MissingToken));
    }

    #[test]
    fn a_socket_without_an_origin_needs_the_header() {
        let cookie = format!("snaxum_80={}", known().cookie);
        let base = [("host", "localhost"), ("upgrade", "websocket"), ("cookie", &*cookie)];
        assert_eq!(rejection(&request("/__snaxum/ws", &base)), Some(Rejection::MissingToken));
        let from_page = [&base[..], &[("origin", "http://localhost")]].concat();
        assert_eq!(rejection(&request("/__snaxum/ws", &from_page)), None);
    }

    #[test]
    fn a_peer_on_another_machine_is_rejected_whatever_it_forwards() {
        let bearer = format!("Bearer {}", TOKEN);
        for (peer, is_rejected) in [
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
            assert_eq!(rejection(&request) == Some(Rejection::Peer), is_rejected, "{peer}");
        }
    }

    #[test]
    fn a_state_change_requires_json_the_header_and_the_token() {
        let bearer = format!("Bearer {}", TOKEN);
        let base = [("host", "localhost"), ("authorization", &*bearer)];
        let json = ("content-type", "application/json");
        let with = |method: &Method, more: &[(&'static str, &str)]| {
            let mut request = request("/__snaxum/api/reload", &[&base[..], more].concat());
            *request.method_mut() = method.clone();
            rejection(&request)
        };
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(with(&method, &[]), Some(Rejection::NotJson));
            for form in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
                let headers = [("content-type", form), ("x-snaxum", "1")];
                assert_eq!(with(&method, &headers), Some(Rejection::NotJson), "{form}");
            }
            assert_eq!(with(&method, &[json]), Some(Rejection::MissingHeader));
            assert_eq!(with(&method, &[json, ("x-snaxum", "0")]), Some(Rejection::MissingHeader));
            assert_eq!(with(&method, &[json, ("x-snaxum", "1")]), None);
        }
        let kind = ("content-type", "Application/JSON; charset=utf-8");
        assert_eq!(with(&Method::POST, &[kind, ("x-snaxum", "1")]), None);
        let mut without_token =
            request("/__snaxum/api/reload", &[("host", "localhost"), json, ("x-snaxum", "1")]);
        *without_token.method_mut() = Method::POST;
        assert_eq!(rejection(&without_token), Some(Rejection::MissingToken));
    }
}
