//! Admission to the MCP endpoint: a program with its token, never a browser.
//!
//! Runs after the checks for everything below the prefix. The console's token is not valid here,
//! and this token is not valid elsewhere.

use axum::extract::Request;
use axum::http::header::{COOKIE, ORIGIN};

use super::credentials::bearer_token;
use super::host::AllowedHosts;
use super::origin::check_peer_and_origin;
use super::rejection::Rejection;
use crate::dev::token::is_same;

/// Checks a request to the MCP endpoint. Without a `token` the endpoint is closed, and the request
/// passes on to a 404.
pub(super) fn admit(
    request: &Request,
    token: Option<&str>,
    allow_hosts: &AllowedHosts,
) -> Result<(), Rejection> {
    check_peer_and_origin(request, allow_hosts)?;
    let Some(token) = token else { return Ok(()) };
    let headers = request.headers();
    let is_browsers = |name: &str| name.starts_with("sec-fetch-");
    if headers.contains_key(ORIGIN)
        || headers.contains_key(COOKIE)
        || headers.keys().any(|name| is_browsers(name.as_str()))
    {
        return Err(Rejection::Browser);
    }
    if bearer_token(headers).is_some_and(|given| is_same(given, token)) {
        Ok(())
    } else {
        Err(Rejection::MissingMcpToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::http::Method;
    use std::net::SocketAddr;

    fn rejection(token: Option<&str>, headers: &[(&str, &str)]) -> Option<Rejection> {
        let request = headers
            .iter()
            .fold(Request::post("/__snaxum/mcp"), |request, (name, value)| {
                request.header(*name, *value)
            })
            .body(Body::empty())
            .expect("a request");
        admit(&request, token, &AllowedHosts::new(&[])).err()
    }

    #[test]
    fn a_program_needs_the_token_for_mcp() {
        let with = |extra: &[(&str, &str)]| {
            rejection(Some("assistant"), &[&[("host", "localhost:3000")], extra].concat())
        };
        assert_eq!(with(&[("authorization", "Bearer assistant")]), None);
        assert_eq!(with(&[]), Some(Rejection::MissingMcpToken));
        assert_eq!(with(&[("authorization", "Bearer console")]), Some(Rejection::MissingMcpToken));
        assert_eq!(with(&[("authorization", "Basic assistant")]), Some(Rejection::MissingMcpToken));
    }

    #[test]
    fn headers_that_only_browsers_send_are_rejected_even_with_the_token() {
        let base = [("host", "localhost:3000"), ("authorization", "Bearer assistant")];
        for (header, expected) in [
            (("origin", "http://localhost:3000"), Rejection::Browser),
            (("origin", "http://evil.example"), Rejection::Origin),
            (("cookie", "a=b"), Rejection::Browser),
            (("sec-fetch-site", "same-origin"), Rejection::Browser),
            (("sec-fetch-site", "cross-site"), Rejection::CrossSite),
            (("sec-fetch-mode", "cors"), Rejection::Browser),
            (("sec-fetch-dest", "empty"), Rejection::Browser),
            (("sec-fetch-user", "?1"), Rejection::Browser),
        ] {
            let found = rejection(Some("assistant"), &[&base[..], &[header]].concat());
            assert_eq!(found, Some(expected), "{header:?}");
        }
    }

    #[test]
    fn another_machine_is_rejected_even_with_the_token() {
        let from = |peer: &str| {
            let peer: SocketAddr = peer.parse().expect("an address");
            let request = Request::post("/__snaxum/mcp")
                .header("host", "localhost")
                .header("authorization", "Bearer assistant")
                .header("x-forwarded-for", "127.0.0.1")
                .extension(ConnectInfo(peer))
                .body(Body::empty())
                .expect("a request");
            admit(&request, Some("assistant"), &AllowedHosts::new(&[])).err()
        };
        assert_eq!(from("127.0.0.1:9"), None);
        assert_eq!(from("10.0.0.2:9"), Some(Rejection::Peer));
    }

    #[test]
    fn a_closed_endpoint_rejects_only_foreign_names_and_preflights() {
        assert_eq!(rejection(None, &[("host", "localhost:3000")]), None);
        assert_eq!(rejection(None, &[("host", "evil.example")]), Some(Rejection::Host));
        let mut preflight = Request::new(Body::empty());
        *preflight.method_mut() = Method::OPTIONS;
        preflight.headers_mut().insert("host", "localhost".parse().expect("a value"));
        assert_eq!(
            admit(&preflight, None, &AllowedHosts::new(&[])).err(),
            Some(Rejection::Preflight)
        );
    }
}
