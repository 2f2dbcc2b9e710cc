//! A client that sends one request after the other on one connection, and counts what is lost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::{Server, in_time};

/// One connection.
pub(super) struct KeepAlive(BufReader<TcpStream>);

impl KeepAlive {
    pub(super) async fn open(authority: &str) -> io::Result<Self> {
        TcpStream::connect(authority).await.map(BufReader::new).map(Self)
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
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |index: usize| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            // Half of them send bodies.
            let request = match index % 2 {
                0 => format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"),
                _ => format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"),
            };
            let authority = server.authority().to_owned();
            tokio::spawn(async move {
                let (mut failures, mut connection) = (Vec::new(), None);
                while !stop.load(Ordering::Relaxed) {
                    let mut open = match connection.take() {
                        Some(open) => open,
                        None => match KeepAlive::open(&authority).await {
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
