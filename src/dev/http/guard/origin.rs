//! The checks that apply to every request below the prefix: its peer, Host, Origin and headers.
//!
//! Knows no token: any site that is open in a browser can send requests to localhost, and these
//! checks exclude its pages even if one knew it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::header::ORIGIN;
use axum::http::{HeaderValue, Method};

use super::header_limit;
use super::host::{self, AllowedHosts};
use super::rejection::Rejection;

/// Checks the peer and the origin of a request, whatever it requests.
pub(super) fn check_peer_and_origin(
    request: &Request,
    allow_hosts: &AllowedHosts,
) -> Result<(), Rejection> {
    // Without `ConnectInfo` (a server of the caller's that does not provide it) Host, Origin and
    // token must suffice.
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
        && !peer.ip().to_canonical().is_loopback()
    {
        return Err(Rejection::Peer);
    }
    check_origin(request, allow_hosts)?;
    header_limit::check(request)?;
    if request.method() == Method::OPTIONS {
        return Err(Rejection::Preflight);
    }
    Ok(())
}

fn check_origin(request: &Request, allow_hosts: &AllowedHosts) -> Result<(), Rejection> {
    let headers = request.headers();
    let host = host::check(request, allow_hosts)?;
    let mut origins = headers.get_all(ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let same = ["http://", "https://"]
            .iter()
            .any(|scheme| origin.to_str().is_ok_and(|o| o.strip_prefix(scheme) == Some(host)));
        if !same || origins.next().is_some() {
            return Err(Rejection::Origin);
        }
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"cross-site" | b"same-site") => Err(Rejection::CrossSite),
        _ => Ok(()),
    }
}
