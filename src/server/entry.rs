//! The start of a connection, before its first request: the header of the PROXY protocol, and TLS.
//!
//! Both have the header timeout together. Reads no HTTP.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Once;

use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use crate::config::TrustedPeers;
use crate::message::ConnectionAddresses;

use super::client_socket::{AnySocket, ClientSocket, PlainSocket};
use super::listener::Entry;
use super::tls::is_http2;
use super::tls_socket::TlsSocket;

/// The part of a header of the PROXY protocol that has its length.
const MINIMUM_LENGTH: usize = 16;
/// The longest header of the PROXY protocol; its values can be certificates of clients.
const MAX_PROXY_HEADER: usize = 4096;

/// How a connection continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Its first bytes show it.
    Unknown,
    Http1,
    /// HTTP/1, between two requests.
    Http1Idle,
    Http2,
}

/// Waits for the first byte, and leaves it; at most until `deadline`.
pub(super) async fn begin(socket: &mut PlainSocket, deadline: Instant) {
    let mut byte = [0];
    let first = poll_fn(|context| socket.poll_peek(context, &mut ReadBuf::new(&mut byte)));
    let _ = timeout_at(deadline, first).await; // the next read returns the error
}

/// Reads what comes before the requests, at most until `deadline`; sets the addresses and the scheme.
pub(super) async fn enter(
    mut socket: PlainSocket,
    entry: &Entry,
    addresses: &mut ConnectionAddresses,
    deadline: Instant,
) -> io::Result<(AnySocket, Protocol)> {
    let enter = async {
        if let Some(balancers) = &entry.balancers {
            check_balancer(balancers, addresses).inspect_err(warn_once)?;
            read_proxy_header(&mut socket, addresses).await.inspect_err(warn_once)?;
        }
        let Some(tls) = &entry.tls else { return Ok((Either::Left(socket), Protocol::Unknown)) };
        let stream = TlsAcceptor::from(tls.config()).accept(socket).await?;
        let protocol = match is_http2(stream.get_ref().1) {
            true => Protocol::Http2,
            false => Protocol::Http1,
        };
        addresses.is_https = true;
        Ok((Either::Right(Box::new(TlsSocket::new(stream))), protocol))
    };
    timeout_at(deadline, enter).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Each may be a fault of the configuration, unless the client has left.
fn warn_once(error: &io::Error) {
    static NO_HEADER: Once = Once::new();
    static NO_BALANCER: Once = Once::new();
    match error.kind() {
        io::ErrorKind::InvalidData => NO_HEADER.call_once(|| {
            tracing::warn!(
                "a connection was closed: {error}; send a header of the PROXY protocol, version 2, or \
                 remove `proxy-protocol`"
            );
        }),
        io::ErrorKind::PermissionDenied => NO_BALANCER.call_once(|| {
            tracing::warn!(
                "a connection was closed: {error}; add its address to `proxy-protocol`, if it is a load \
                 balancer of yours; the next ones are not logged"
            );
        }),
        _ => {}
    }
}

/// Only a load balancer may name another client.
fn check_balancer(balancers: &TrustedPeers, addresses: &ConnectionAddresses) -> io::Result<()> {
    let peer = addresses.client.map(|peer| peer.ip());
    if balancers.contains(peer) {
        return Ok(());
    }
    let peer = peer.map_or_else(|| "a client of the Unix socket".to_owned(), |ip| ip.to_string());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{peer} is not a load balancer")))
}

/// Reads the header that begins a connection, and takes the addresses from it.
async fn read_proxy_header(
    socket: &mut (impl AsyncRead + Unpin),
    addresses: &mut ConnectionAddresses,
) -> io::Result<()> {
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    let mut bytes = vec![0; MINIMUM_LENGTH];
    // Byte by byte would be slow, and all at once would wait for clients that send less.
    let mut read = 0;
    while read < MINIMUM_LENGTH {
        match socket.read(&mut bytes[read..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read += count,
        }
        let known = read.min(PROTOCOL_PREFIX.len());
        if bytes[..known] != PROTOCOL_PREFIX[..known] {
            return Err(invalid("it does not begin with the header".to_owned()));
        }
    }
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > MAX_PROXY_HEADER {
        return Err(invalid(format!("its header has {length} bytes")));
    }
    bytes.resize(MINIMUM_LENGTH + length, 0);
    socket.read_exact(&mut bytes[MINIMUM_LENGTH..]).await?;
    let header = Header::try_from(&bytes[..]).map_err(|error| invalid(error.to_string()))?;
    // The proxy itself, such as for a health check.
    if header.command == Command::Local {
        return Ok(());
    }
    let (client, local) = match header.addresses {
        Addresses::IPv4(both) => (
            SocketAddr::from((both.source_address, both.source_port)),
            SocketAddr::from((both.destination_address, both.destination_port)),
        ),
        Addresses::IPv6(both) => (
            SocketAddr::from((both.source_address, both.source_port)),
            SocketAddr::from((both.destination_address, both.destination_port)),
        ),
        Addresses::Unix(_) | Addresses::Unspecified => return Ok(()),
    };
    (addresses.client, addresses.local) = (Some(client), Some(local));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x04\xd2\x01\xbb";

    async fn read(sent: &[u8]) -> (io::Result<()>, Option<SocketAddr>, Vec<u8>) {
        let mut addresses = ConnectionAddresses::default();
        let mut rest = sent;
        let result = read_proxy_header(&mut rest, &mut addresses).await;
        (result, addresses.client, rest.to_vec())
    }

    #[tokio::test]
    async fn the_header_names_the_client_and_the_request_follows() {
        let (result, client, rest) = read(&[V4, b"GET /"].concat()).await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(client, Some(SocketAddr::from(([203, 0, 113, 9], 1234))));
        assert_eq!(rest, b"GET /");

        // A health check of the load balancer, a client of a Unix socket, and one of another kind.
        let unix = [&b"\x21\x31\0\xd8"[..], &[b'/'; 216]].concat();
        for other in [&b"\x20\0\0\0"[..], b"\x20\x11\0\x0c............", &unix, b"\x21\0\0\0"] {
            let (result, client, rest) = read(&[&V4[..12], other, b"GET /"].concat()).await;
            assert_eq!((result.is_ok(), client, &rest[..]), (true, None, &b"GET /"[..]));
        }
    }

    #[tokio::test]
    async fn further_values_in_the_header_are_skipped() {
        let mut sent = V4.to_vec();
        sent[15] += 9;
        sent.extend(b"\x02\0\x06a.test"); // the name that the client has asked for in TLS
        let (result, client, rest) = read(&[&sent[..], b"GET /"].concat()).await;
        assert!(result.is_ok() && client.is_some(), "{result:?}");
        assert_eq!(rest, b"GET /");
    }

    #[test]
    fn only_load_balancers_may_send_the_header() {
        let balancers: TrustedPeers = "10.0.0.0/8".parse().expect("it is valid");
        let check = |client: Option<[u8; 4]>| {
            let client = client.map(|ip| SocketAddr::from((ip, 1)));
            let addresses = ConnectionAddresses { client, ..Default::default() };
            check_balancer(&balancers, &addresses).map_err(|error| error.to_string())
        };
        assert_eq!(check(Some([10, 0, 0, 7])), Ok(()));
        assert_eq!(check(Some([9, 0, 0, 7])), Err("9.0.0.7 is not a load balancer".to_owned()));
        assert!(check(None).is_err());
    }

    #[tokio::test]
    async fn a_connection_without_a_valid_header_is_an_error() {
        for sent in [
            &b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            &[&V4[..12], b"\x41\x11\0\x0c............"].concat(),
            &[&V4[..12], b"\x21\x11\xff\xff"].concat(),
        ] {
            let error = read(sent).await.0.expect_err("it is not valid");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        let error = read(&V4[..20]).await.0.expect_err("it ends early");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
