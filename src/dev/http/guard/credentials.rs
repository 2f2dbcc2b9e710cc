//! The credentials in a request: the token in `Authorization` or in the printed link, or the cookie.
//!
//! Only reads them; which of them suffices is decided in `console.rs` and `mcp.rs`.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};

use crate::dev::paths::PREFIX;
use crate::dev::token::{cookie_value, is_same};

/// The values that admit to the console. Neither is valid in place of the other.
pub(super) struct ConsoleCredentials {
    pub(super) token: String,
    /// The value of the cookie.
    pub(super) cookie: String,
}

impl ConsoleCredentials {
    pub(super) fn new(token: &str) -> Self {
        Self { token: token.to_owned(), cookie: cookie_value(token) }
    }
}

/// A valid credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    Bearer,
    Cookie,
}

/// Finds a credential in the headers. A browser's cookie does not suffice for a WebSocket without
/// `Origin`: see `console.rs`.
pub(super) fn find_credential(
    headers: &HeaderMap,
    known: &ConsoleCredentials,
) -> Option<Credential> {
    if bearer_token(headers).is_some_and(|given| is_same(given, &known.token)) {
        return Some(Credential::Bearer);
    }
    let name = cookie_name(headers);
    let found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .any(|(key, value)| key == name && is_same(value, &known.cookie));
    found.then_some(Credential::Cookie)
}

/// Returns the token in `Authorization`.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    Some(headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim())
}

/// Reports whether the request opens the printed link, with `token` in its query.
pub(super) fn is_signed_link(request: &Request, token: &str) -> bool {
    let query = request.uri().query().filter(|_| request.uri().path() == PREFIX);
    query.is_some_and(|query| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == "t").is_some_and(|(_, value)| is_same(&value, token))
    })
}

/// Names the cookie by the port, which cookies ignore: two servers on one machine do not collide.
pub(super) fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    format!("snaxum_{}", if digits { port } else { "80" })
}
