//! HTTP requests to the running dev server of a project.
//!
//! Connects only to this machine: `.snaxum/dev.json` may have come with the project.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::request::Builder;
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snaxum::error::Error;
use snaxum::state_dir::StateDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::cli::render::color::escape;

/// The number of connections that may close with the old process before the new one accepts.
const MAX_TRIES: usize = 100;

/// A client of the server that `.snaxum/dev.json` describes.
#[derive(Clone, Deserialize)]
pub(crate) struct DevClient {
    pub(crate) url: String,
    pub(super) token: String,
    pub(crate) pid: u64,
    /// The MCP endpoint, if it is open.
    pub(crate) mcp: Option<McpEndpoint>,
    /// The directory of the project.
    #[serde(skip)]
    dir: PathBuf,
}

#[derive(Clone, Deserialize)]
pub(crate) struct McpEndpoint {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl DevClient {
    /// Finds the server of the project in `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(".snaxum").join("dev.json");
        let text =
            StateDir::read_in(dir, "dev.json").map_err(|_| Error::NoServer(dir.to_owned()))?;
        match Self::parse(&text) {
            Ok(client) => Ok(Self { dir: dir.to_owned(), ..client }),
            Err(problem) => Err(Error::BadDevFile { path, problem: escape(&problem) }),
        }
    }

    /// A client of the server at `url`, which this process runs.
    #[allow(dead_code, reason = "the builder is a part of dev mode")]
    pub(crate) fn of_own_server(url: String, token: String) -> Self {
        let pid = std::process::id().into();
        Self { url, token, pid, mcp: None, dir: PathBuf::new() }
    }

    /// Parses the file. Rejects everything that is not usable as URL or header.
    fn parse(text: &[u8]) -> Result<Self, String> {
        let client: Self =
            serde_json::from_slice(text).map_err(|error| format!("cannot be read ({error})"))?;
        let remote = |url: &str| format!("names {url:?}, which is not an address of this machine");
        match local_address(&client.url) {
            Some((address, _)) if client.url == format!("http://{address}") => {}
            _ => return Err(remote(&client.url)),
        }
        if let Some(mcp) = &client.mcp
            && local_address(&mcp.url).is_none()
        {
            return Err(remote(&mcp.url));
        }
        let tokens = std::iter::once(&client.token).chain(client.mcp.iter().map(|mcp| &mcp.token));
        for token in tokens {
            if HeaderValue::from_str(token).is_err() {
                return Err("has a token with characters that a header cannot contain".to_owned());
            }
        }
        Ok(client)
    }

    /// Finds the nearest directory above `file` with a running server.
    pub(super) fn above(file: &Path) -> Result<(PathBuf, Self), Error> {
        for dir in file.ancestors().skip(1) {
            match Self::find(dir) {
                Err(Error::NoServer(_)) => {}
                found => return Ok((dir.to_owned(), found?)),
            }
        }
        Err(Error::NoServer(file.parent().unwrap_or(file).to_owned()))
    }

    /// Sends `GET /__snaxum/api/PATH`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = Request::get(format!("/__snaxum/api/{path}"));
        Ok(self.send(request, Body::empty()).await?.0)
    }

    /// Sends `POST /__snaxum/api/PATH`; returns the connection too.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        json: &serde_json::Value,
    ) -> Result<(T, Connection), Error> {
        let request = Request::post(format!("/__snaxum/api/{path}"))
            .header(CONTENT_TYPE, "application/json")
            .header("x-snaxum", "1");
        self.send(request, Body::from(json.to_string())).await
    }

    /// Returns once the code on disk is live or rejected, also in a new process that takes over.
    pub(super) async fn wait<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let request = Request::get("/__snaxum/api/wait");
        let (status, body, connection) = self.exchange(request, Body::empty()).await?;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => self.wait_for_successor(connection).await,
            status => self.decode(status, &body),
        }
    }

    /// Waits until a new process has loaded the code, after the old one has closed `connection`.
    pub(super) async fn wait_for_successor<T: DeserializeOwned>(
        &self,
        connection: Connection,
    ) -> Result<T, Error> {
        // The old process has stopped accepting when it closes this connection. New ones wait in the
        // queue of the socket; any that it had accepted before close with it.
        connection.closed().await;
        let mut response = self.get("wait").await;
        for _ in 1..MAX_TRIES {
            if response.is_ok() {
                break;
            }
            response = self.get("wait").await;
        }
        response
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Builder,
        body: Body,
    ) -> Result<(T, Connection), Error> {
        let (status, body, connection) = self.exchange(request, body).await?;
        Ok((self.decode(status, &body)?, connection))
    }

    async fn exchange(
        &self,
        request: Builder,
        body: Body,
    ) -> Result<(StatusCode, Bytes, Connection), Error> {
        let authority = self.url.trim_start_matches("http://");
        let request = request
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(body)
            .expect("the path is a constant; `parse` has checked host and token");
        let stream =
            TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
        let lost = |error: hyper::Error| self.lost(error.to_string());
        let mut connection = Connection::open(stream).await.map_err(lost)?;
        let (status, body) = connection.exchange(request).await.map_err(lost)?;
        Ok((status, body, connection))
    }

    fn decode<T: DeserializeOwned>(&self, status: StatusCode, body: &[u8]) -> Result<T, Error> {
        if !status.is_success() {
            return Err(self.lost(format!("the response is {status}")));
        }
        serde_json::from_slice(body).map_err(|error| self.lost(error.to_string()))
    }

    /// Returns the error of a failed connect. A server that crashed has left its file.
    pub(super) fn unreachable(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::NoServer(self.dir.clone()),
            _ => self.lost(error.to_string()),
        }
    }

    pub(super) fn lost(&self, problem: String) -> Error {
        Error::ServerLost { url: self.url.clone(), pid: self.pid, problem }
    }
}

/// Returns address and path of a URL of this machine.
pub(crate) fn local_address(url: &str) -> Option<(SocketAddr, String)> {
    let uri: Uri = url.parse().ok()?;
    let address: SocketAddr = uri.authority()?.as_str().parse().ok()?;
    let is_local = address.ip().to_canonical().is_loopback();
    is_local.then(|| (address, uri.path().to_owned()))
}

/// An HTTP/1 connection.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Body>,
    task: JoinHandle<hyper::Result<()>>,
}

impl Connection {
    pub(crate) async fn open(stream: TcpStream) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, task: tokio::spawn(connection) })
    }

    /// Sends a request, and reads the response to its end.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Waits until the server closes the connection, which it does when it stops.
    pub(super) async fn closed(self) {
        let Self { sender, task } = self;
        let _ = task.await;
        drop(sender); // dropped earlier, it would close the connection from this side
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(change: &Value) -> Result<DevClient, String> {
        let mcp = json!({ "url": "http://127.0.0.1:3000/__snaxum/mcp", "token": "t" });
        let mut file =
            json!({ "url": "http://127.0.0.1:3000", "token": "t", "pid": 1, "mcp": mcp });
        let change = change.as_object().expect("an object").clone();
        file.as_object_mut().expect("an object").extend(change);
        DevClient::parse(file.to_string().as_bytes())
    }

    #[test]
    fn only_addresses_of_this_machine_are_accepted() {
        let found = local_address("http://127.0.0.1:3000/__snaxum/mcp").expect("it is local");
        assert_eq!(found, (([127, 0, 0, 1], 3000).into(), "/__snaxum/mcp".to_owned()));
        assert!(local_address("http://[::1]:3000/__snaxum/mcp").is_some());
        for url in ["http://10.0.0.2:80/x", "http://evil.example/x", "http://127.0.0.1/x", "", "/x"]
        {
            assert!(local_address(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_file_with_an_unusable_url_or_token_is_rejected() {
        assert!(parse(&json!({})).is_ok());
        assert!(parse(&json!({ "url": "http://[::1]:3000", "mcp": null })).is_ok());
        let mcp = |url: &str, token: &str| json!({ "mcp": { "url": url, "token": token } });
        for (change, part) in [
            (json!({ "url": "http://127.0.0.1:30 00" }), "not an address"),
            (json!({ "url": "http://127.0.0.1:3000/x" }), "not an address"),
            (json!({ "url": "https://127.0.0.1:3000" }), "not an address"),
            (json!({ "url": "http://10.0.0.1:3000" }), "not an address"),
            (mcp("http://10.0.0.1:3000/__snaxum/mcp", "t"), "not an address"),
            (mcp("http://127.0.0.1:3000/__snaxum/mcp", "a\nb"), "a token"),
            (json!({ "token": "a\r\nb" }), "a token"),
            (json!({ "pid": null }), "cannot be read"),
        ] {
            let problem = parse(&change).err().expect("it is rejected");
            assert!(problem.contains(part), "{change}: {problem}");
        }
    }
}
