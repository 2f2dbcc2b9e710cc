//! A client that sends one request after the other on one connection, and counts what is lost.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{Server, in_time};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where a server listens.
#[derive(Clone)]
pub(super) enum Target {
    Tcp(String),
    /// With TLS, and the certificate that is trusted.
    Tls(String, PathBuf),
    Unix(PathBuf),
}

impl Target {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(authority) => Box::new(TcpStream::connect(authority).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tls(authority, certificate) => {
                let socket = TcpStream::connect(authority).await?;
                let name = ServerName::try_from("127.0.0.1").expect("an address");
                Box::new(connector(certificate).connect(name, socket).await?)
            }
        })
    }
}

fn connector(certificate: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    roots.add(certificate).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// One connection.
pub(super) struct KeepAlive(BufReader<Box<dyn Stream>>);

impl KeepAlive {
    pub(super) async fn open(authority: &str) -> io::Result<Self> {
        Self::to(&Target::Tcp(authority.to_owned())).await
    }

    pub(super) async fn to(target: &Target) -> io::Result<Self> {
        target.connect().await.map(BufReader::new).map(Self)
    }

    /// Sends a GET; the response is a status below 400, and JSON.
    pub(super) async fn get(&mut self, path: &str) -> Value {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        let (text, _) = in_time(path, self.send(&request)).await.expect("a response");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Sends a request; returns the body of the response, and whether the connection stays open.
    pub(super) async fn send(&mut self, request: &str) -> io::Result<(String, bool)> {
        self.0.get_mut().write_all(request.as_bytes()).await?;
        let (mut length, mut stays_open, mut line) = (0, true, String::new());
        self.0.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        if status.is_none_or(|status| status >= 400) {
            return Err(io::Error::other(format!("the status line is {line:?}")));
        }
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().expect("a number");
            }
            stays_open &= header != "connection: close";
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((String::from_utf8(body).expect("UTF-8"), stays_open))
    }
}

/// Clients that send requests until they are stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
    pub(super) done: Arc<AtomicUsize>,
}

impl Load {
    /// Starts `count` clients; each opens another connection if the server closes one.
    pub(super) fn start(server: &Server, count: usize, path: &str) -> Self {
        Self::on(&Target::Tcp(server.authority().to_owned()), count, path)
    }

    /// The same on any socket.
    pub(super) fn on(target: &Target, count: usize, path: &str) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |index: usize| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            // Half of them send bodies.
            let request = match index % 2 {
                0 => format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"),
                _ => format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"),
            };
            let target = target.clone();
            tokio::spawn(async move {
                let (mut failures, mut connection) = (Vec::new(), None);
                while !stop.load(Ordering::Relaxed) {
                    let mut open = match connection.take() {
                        Some(open) => open,
                        None => match KeepAlive::to(&target).await {
                            Ok(open) => open,
                            Err(error) => {
                                failures.push(format!("connect: {error}"));
                                continue;
                            }
                        },
                    };
                    match in_time("a response", open.send(&request)).await {
                        Ok((_, stays_open)) => {
                            done.fetch_add(1, Ordering::Relaxed);
                            connection = stays_open.then_some(open);
                        }
                        Err(error) => failures.push(error.to_string()),
                    }
                }
                failures
            })
        };
        let clients = (0..count).map(client).collect();
        Self { stop, clients, done }
    }

    /// Waits until `count` more requests have been responded to.
    pub(super) async fn continues(&self, count: usize) {
        let until = self.done.load(Ordering::Relaxed) + count;
        in_time("responses", async {
            while self.done.load(Ordering::Relaxed) < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Stops the clients; returns each failure.
    pub(super) async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(in_time("a client", client).await.expect("no panic"));
        }
        failures
    }
}
