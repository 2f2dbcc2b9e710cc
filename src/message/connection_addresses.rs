//! Where a request comes from: the addresses and the scheme of its connection, or what a trusted proxy
//! reports in their place.

use std::net::SocketAddr;

use axum::http::HeaderValue;

/// The addresses of a connection; `snaxum::server` adds them to each request.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionAddresses {
    /// The client's; port 0 if a proxy reports none. `None` on a Unix socket.
    pub(crate) client: Option<SocketAddr>,
    /// The server's.
    pub(crate) local: Option<SocketAddr>,
    /// Whether the client has used TLS.
    pub(crate) is_https: bool,
    /// The host that the client has addressed, if a trusted proxy reports another one than the request
    /// has.
    pub(crate) host: Option<HeaderValue>,
}
