//! The addresses of the connection of a request, for applications that read them.

use std::net::SocketAddr;

/// The addresses of a connection; `snaxum::server` adds them to each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionAddresses {
    /// The client's.
    pub(crate) peer: SocketAddr,
    /// The server's.
    pub(crate) local: Option<SocketAddr>,
}
