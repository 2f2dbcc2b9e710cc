//! Who may speak MCP here: a program with the token for it, never a browser.
//!
//! Comes after the checks that hold for everything below the prefix. The console's token is none
//! here, and this one is none elsewhere.

use axum::extract::Request;
use axum::http::header::{COOKIE, ORIGIN};

use super::rejection::Refusal;
use super::{Admission, Guard, bearer, check_way};
use crate::dev::token::is_same;

/// Lets everybody pass while there is nothing to reach: the answer is a 404.
pub(super) fn admit(
    guard: &Guard,
    token: Option<&str>,
    request: &Request,
) -> Result<Admission, Refusal> {
    check_way(guard, request)?;
    let Some(token) = token else { return Ok(Admission::Pass) };
    let headers = request.headers();
    let is_browsers = |name: &str| name.starts_with("sec-fetch-");
    if headers.contains_key(ORIGIN)
        || headers.contains_key(COOKIE)
        || headers.keys().any(|name| is_browsers(name.as_str()))
    {
        return Err(Refusal::Browser);
    }
    if bearer(headers).is_some_and(|given| is_same(given, token)) {
        Ok(Admission::Pass)
    } else {
        Err(Refusal::AssistantToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::http::Method;
    use std::net::SocketAddr;

    fn refusal(token: Option<&str>, headers: &[(&str, &str)]) -> Option<Refusal> {
        let guard = Guard::with_token(&[], "console");
        let request = headers
            .iter()
            .fold(Request::post("/__snaxum/mcp"), |request, (name, value)| {
                request.header(*name, *value)
            })
            .body(Body::empty())
            .expect("a request");
        admit(&guard, token, &request).err()
    }

    #[test]
    fn a_program_needs_the_token_that_is_for_it() {
        let with = |extra: &[(&str, &str)]| {
            refusal(Some("assistant"), &[&[("host", "localhost:3000")], extra].concat())
        };
        assert_eq!(with(&[("authorization", "Bearer assistant")]), None);
        assert_eq!(with(&[]), Some(Refusal::AssistantToken));
        assert_eq!(with(&[("authorization", "Bearer console")]), Some(Refusal::AssistantToken));
        assert_eq!(with(&[("authorization", "Basic assistant")]), Some(Refusal::AssistantToken));
    }

    #[test]
    fn what_only_browsers_send_is_refused_even_with_the_token() {
        let base = [("host", "localhost:3000"), ("authorization", "Bearer assistant")];
        for (header, refused) in [
            (("origin", "http://localhost:3000"), Refusal::Browser),
            (("origin", "http://evil.example"), Refusal::Origin),
            (("cookie", "a=b"), Refusal::Browser),
            (("sec-fetch-site", "same-origin"), Refusal::Browser),
            (("sec-fetch-site", "cross-site"), Refusal::CrossSite),
            (("sec-fetch-mode", "cors"), Refusal::Browser),
            (("sec-fetch-dest", "empty"), Refusal::Browser),
            (("sec-fetch-user", "?1"), Refusal::Browser),
        ] {
            let found = refusal(Some("assistant"), &[&base[..], &[header]].concat());
            assert_eq!(found, Some(refused), "{header:?}");
        }
    }

    #[test]
    fn another_machine_is_refused_even_with_the_token() {
        let guard = Guard::with_token(&[], "console");
        let from = |peer: &str| {
            let peer: SocketAddr = peer.parse().expect("an address");
            let request = Request::post("/__snaxum/mcp")
                .header("host", "localhost")
                .header("authorization", "Bearer assistant")
                .header("x-forwarded-for", "127.0.0.1")
                .extension(ConnectInfo(peer))
                .body(Body::empty())
                .expect("a request");
            admit(&guard, Some("assistant"), &request).err()
        };
        assert_eq!(from("127.0.0.1:9"), None);
        assert_eq!(from("10.0.0.2:9"), Some(Refusal::Peer));
    }

    #[test]
    fn where_nothing_is_open_there_is_nothing_to_refuse_but_foreign_names() {
        assert_eq!(refusal(None, &[("host", "localhost:3000")]), None);
        assert_eq!(refusal(None, &[("host", "evil.example")]), Some(Refusal::Host));
        let guard = Guard::with_token(&[], "console");
        let mut preflight = Request::new(Body::empty());
        *preflight.method_mut() = Method::OPTIONS;
        preflight.headers_mut().insert("host", "localhost".parse().expect("a value"));
        assert_eq!(admit(&guard, None, &preflight).err(), Some(Refusal::Method));
    }
}
