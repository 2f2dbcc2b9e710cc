//! The socket that a server listens on, and what its connections begin with.
//!
//! Opens a port, a Unix socket, or a descriptor that another process has opened; TLS, the PROXY
//! protocol and the trusted proxies belong to it. Needs no async runtime, so a parent process can
//! have one and pass it on by its descriptor. Accepts nothing (`acceptor.rs`).

use std::env;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getsockname, listen, sockopt};

use crate::config::{SnaxumConfig, TrustedPeers};
use crate::error::Error;
use crate::telemetry::Telemetry;

use super::tls::Tls;
use super::turns::Turns;
use super::unix_socket::{self, SocketFile};

/// Connections that may wait to be accepted; the system may allow fewer. A client that finds no room
/// tries again after a second, so a burst should fit.
const LISTEN_BACKLOG: i32 = 4096;
/// The first descriptor that a service manager passes (sd_listen_fds(3)).
const FIRST_PASSED: RawFd = 3;

/// A listening socket: of TCP, or a Unix socket, whose file is removed with it.
///
/// `serve` also takes tokio's and the standard library's listeners in its place.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    pub(super) entry: Entry,
    /// The file of a Unix socket that this process has made.
    pub(super) file: Option<SocketFile>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The part of a connection before its requests, and the peers whose headers name the client.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) tls: Option<Tls>,
    /// The peers whose connections begin with a header of the PROXY protocol; no others are served then.
    pub(super) balancers: Option<Arc<TrustedPeers>>,
    pub(super) trusted: Option<Arc<TrustedPeers>>,
    /// Set if other processes accept from the same socket.
    pub(super) turns: Option<&'static Turns>,
    /// Records the requests that are refused before any handler.
    pub(super) telemetry: Option<Arc<Telemetry>>,
}

impl Entry {
    /// Whether a connection begins with its first request.
    pub(super) fn is_plain(&self) -> bool {
        self.tls.is_none() && self.balancers.is_none()
    }
}

/// The address of a [`Listener`], as a URL: `http://127.0.0.1:3000`, `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A port; with TLS or without.
    Tcp(SocketAddr, bool),
    /// A Unix socket; it may have no path.
    Unix(PathBuf),
}

impl Listener {
    /// Opens the socket that the options name: `fd`, `uds`, the socket of a service manager
    /// (`LISTEN_FDS`), or `host` and `port`.
    ///
    /// # Errors
    ///
    /// It is in use or not available, or a certificate cannot be used.
    pub fn open(config: &SnaxumConfig) -> Result<Self, Error> {
        let passed = passed_descriptor()?;
        let listener = match (config.fd, &config.uds, passed) {
            (Some(fd), ..) => Self::from_raw_fd("fd", fd)?,
            (None, Some(path), _) => Self::bind_unix(path)?,
            (None, None, Some(fd)) => Self::from_raw_fd("LISTEN_FDS", fd)?,
            (None, None, None) => Self::bind(SocketAddr::new(config.host, config.port))?,
        };
        listener.with_options(config)
    }

    /// Listens on a port; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// The port is taken, or the address is not available.
    pub fn bind(address: SocketAddr) -> Result<Self, Error> {
        let open = || {
            // Sets SO_REUSEADDR: a restart on the same port succeeds at once.
            let socket = TcpListener::bind(address)?;
            listen(&socket, LISTEN_BACKLOG)?;
            Self::try_from(socket)
        };
        open().map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken(address),
            _ => Error::Listen { address, source },
        })
    }

    /// Listens on a Unix socket. Replaces a file that a server which has ended has left there.
    ///
    /// # Errors
    ///
    /// A server listens there, the path is something else, or it is not available.
    pub fn bind_unix(path: &Path) -> Result<Self, Error> {
        let (socket, file) = unix_socket::bind(path, LISTEN_BACKLOG)
            .map_err(|problem| Error::UnixSocket { path: path.to_owned(), problem })?;
        let listener = Self::try_from(socket).map_err(Error::io("cannot use the Unix socket"))?;
        Ok(Self { file: Some(file), ..listener })
    }

    /// Takes a listening socket that another process, or another part of this one, has opened.
    ///
    /// # Errors
    ///
    /// It is not a listening socket of TCP or Unix streams.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        match family_of(fd.as_fd())? {
            AddressFamily::UNIX => UnixListener::from(fd).try_into(),
            _ => TcpListener::from(fd).try_into(),
        }
    }

    fn from_raw_fd(name: &'static str, fd: RawFd) -> Result<Self, Error> {
        let bad = |error: io::Error| Error::BadValue {
            origin: "socket activation".to_owned(),
            name,
            problem: format!(
                "{fd}, which is {}; pass the descriptor of a listening socket",
                match error.raw_os_error() {
                    Some(libc::EBADF) => "not open".to_owned(),
                    Some(libc::ENOTSOCK) => "not a socket".to_owned(),
                    _ => error.to_string(),
                }
            ),
        };
        // SAFETY: the call only reads a flag, and fails for a number that is not an open descriptor.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            return Err(bad(io::Error::last_os_error()));
        }
        // SAFETY: the descriptor is open, and the option, or the variable of the service manager,
        // gives it to this function, which is called once in a process. A descriptor of another kind,
        // such as stderr, is not closed.
        let fd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
        family_of(fd.as_fd()).map_err(bad)?;
        let fd = ManuallyDrop::into_inner(fd);
        let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
        Self::from_fd(fd).map_err(bad)
    }

    /// Adds TLS, the PROXY protocol and the trusted proxies of the options.
    ///
    /// # Errors
    ///
    /// A certificate or key cannot be used.
    pub fn with_options(mut self, config: &SnaxumConfig) -> Result<Self, Error> {
        if let (Some(certificate), Some(key)) = (&config.tls_cert, &config.tls_key) {
            self = self.with_tls(Tls::load(certificate, key)?);
        }
        if let Some(peers) = &config.proxy_protocol {
            self = self.with_proxy_protocol(peers.clone());
        }
        Ok(self.with_trusted_peers(config.forwarded_allow_ips.iter().cloned().collect()))
    }

    /// Serves TLS, with HTTP/2 for clients that choose it.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.entry.tls = Some(tls);
        self
    }

    /// Serves these peers only, requires a header of the PROXY protocol, version 2, at the start of each
    /// connection, and takes the address of its client from it. No peers turn it off.
    #[must_use]
    pub fn with_proxy_protocol(mut self, peers: TrustedPeers) -> Self {
        self.entry.balancers = (!peers.is_empty()).then(|| Arc::new(peers));
        self
    }

    /// Takes the client, the scheme and the host of a request from the headers `X-Forwarded-*` or
    /// `Forwarded`, if one of these peers sends it. Python reads them; `ConnectInfo` stays the peer's.
    #[must_use]
    pub fn with_trusted_peers(mut self, peers: TrustedPeers) -> Self {
        self.entry.trusted = (!peers.is_empty()).then(|| Arc::new(peers));
        self
    }

    /// Records the requests that are refused before any handler, in the access log and the metrics.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Option<&Arc<Telemetry>>) -> Self {
        self.entry.telemetry = telemetry.cloned();
        self
    }

    /// Accepts in turns with other processes, which have the same socket.
    #[must_use]
    pub fn with_turns(mut self, turns: &'static Turns) -> Self {
        self.entry.turns = Some(turns);
        self
    }

    /// The file of a Unix socket that this process has made, for the next program of the process.
    pub fn file(&self) -> Option<&SocketFile> {
        self.file.as_ref()
    }

    /// Removes this file with the listener, if this process has made it.
    #[must_use]
    pub fn with_file(mut self, file: Option<SocketFile>) -> Self {
        self.file = file;
        self
    }

    /// The certificate and the key, to load them again.
    pub fn tls(&self) -> Option<&Tls> {
        self.entry.tls.as_ref()
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// The system does not know it.
    pub fn address(&self) -> io::Result<ListenAddress> {
        Ok(match &self.socket {
            Socket::Tcp(socket) => {
                ListenAddress::Tcp(socket.local_addr()?, self.entry.tls.is_some())
            }
            Socket::Unix(socket) => {
                let path = socket.local_addr()?.as_pathname().map(Path::to_owned);
                ListenAddress::Unix(path.unwrap_or_default())
            }
        })
    }

    /// The address of a port.
    ///
    /// # Errors
    ///
    /// It is a Unix socket, or the system does not know its address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr(),
            Socket::Unix(_) => Err(io::Error::other("a Unix socket has no IP address")),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = io::Error;

    fn try_from(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Socket::Tcp(socket), entry: Entry::default(), file: None })
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = io::Error;

    fn try_from(socket: UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Socket::Unix(socket), entry: Entry::default(), file: None })
    }
}

impl From<tokio::net::TcpListener> for Listener {
    fn from(listener: tokio::net::TcpListener) -> Self {
        let socket = listener.into_std().expect("the runtime has registered it");
        Self { socket: Socket::Tcp(socket), entry: Entry::default(), file: None }
    }
}

impl From<tokio::net::UnixListener> for Listener {
    fn from(listener: tokio::net::UnixListener) -> Self {
        let socket = listener.into_std().expect("the runtime has registered it");
        Self { socket: Socket::Unix(socket), entry: Entry::default(), file: None }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address, true) => write!(f, "https://{address}"),
            Self::Tcp(address, false) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The socket that a service manager has passed to this process.
fn passed_descriptor() -> Result<Option<RawFd>, Error> {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None);
    }
    match number("LISTEN_FDS").unwrap_or(0) {
        0 => Ok(None),
        1 => Ok(Some(FIRST_PASSED)),
        count => Err(Error::BadValue {
            origin: "socket activation".to_owned(),
            name: "LISTEN_FDS",
            problem: format!("{count}; a server has one socket, choose it with `--fd`"),
        }),
    }
}

/// Whether it is a TCP or a Unix socket that listens; the error completes "which is".
fn family_of(fd: BorrowedFd<'_>) -> io::Result<AddressFamily> {
    let is_stream = sockopt::socket_type(fd)? == SocketType::STREAM;
    if !is_stream || !is_listening(fd)? {
        return Err(io::Error::other("a socket that does not listen for streams"));
    }
    match getsockname(fd)?.address_family() {
        family @ (AddressFamily::INET | AddressFamily::INET6 | AddressFamily::UNIX) => Ok(family),
        _ => Err(io::Error::other("a socket of neither TCP nor Unix")),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn is_listening(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(sockopt::socket_acceptconn(fd)?)
}

/// macOS does not report it.
#[cfg(target_vendor = "apple")]
fn is_listening(_: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, UdpSocket};
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn only_a_listening_socket_is_taken_and_no_other_descriptor_is_closed() {
        let listening = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let connected =
            TcpStream::connect(listening.local_addr().expect("it has one")).expect("it listens");
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let file = tempfile::tempfile().expect("a file");
        for (fd, problem) in [
            (connected.as_fd(), "a socket that does not listen for streams"),
            (datagrams.as_fd(), "a socket that does not listen for streams"),
            (file.as_fd(), "not a socket"),
        ] {
            let error = Listener::from_raw_fd("fd", fd.as_raw_fd()).expect_err("it cannot be used");
            assert!(error.to_string().contains(problem), "{error}");
            assert!(rustix::io::fcntl_getfd(fd).is_ok(), "it is open");
        }
        for closed in [-1, i32::MAX] {
            let error = Listener::from_raw_fd("fd", closed).expect_err("it is not open");
            assert!(error.to_string().contains("not open"), "{error}");
        }
        let fd = listening.into_raw_fd();
        assert!(Listener::from_raw_fd("fd", fd).is_ok());
    }
}
