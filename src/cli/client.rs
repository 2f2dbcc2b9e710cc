//! Commands about a running dev server, which is found through `.snaxum/dev.json` and asked over
//! HTTP.
//!
//! Owns how it is found and asked; a file a command. Never starts or stops one.

pub(crate) mod control;
pub(crate) mod explain;
pub(crate) mod routes;
pub(crate) mod tail;
pub(crate) mod wait;

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
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::render::color::plain;

/// What the server has written of itself.
#[derive(Clone, Deserialize)]
pub(crate) struct Live {
    pub(crate) url: String,
    token: String,
    pub(crate) pid: u64,
    /// Where assistants ask, if that is open.
    pub(crate) mcp: Option<Endpoint>,
    /// What it serves.
    #[serde(skip)]
    dir: PathBuf,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Live {
    /// Finds the server of the project in `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(".snaxum").join("dev.json");
        let text = std::fs::read(&path).map_err(|_| Error::NoServer(dir.to_owned()))?;
        match Self::read(&text) {
            Ok(live) => Ok(Self { dir: dir.to_owned(), ..live }),
            Err(problem) => Err(Error::BadAnnouncement { path, problem: plain(&problem) }),
        }
    }

    /// Reads the file, which may have come with the project: with what is in it, requests can be
    /// made, of this machine.
    fn read(text: &[u8]) -> Result<Self, String> {
        let live: Self =
            serde_json::from_slice(text).map_err(|error| format!("cannot be read ({error})"))?;
        let elsewhere = |url: &str| format!("names {url:?}, which is no address of this machine");
        match local(&live.url) {
            Some((address, _)) if live.url == format!("http://{address}") => {}
            _ => return Err(elsewhere(&live.url)),
        }
        if let Some(mcp) = &live.mcp
            && local(&mcp.url).is_none()
        {
            return Err(elsewhere(&mcp.url));
        }
        let tokens = std::iter::once(&live.token).chain(live.mcp.iter().map(|mcp| &mcp.token));
        for token in tokens {
            if HeaderValue::from_str(token).is_err() {
                return Err("has a token that no header can hold".to_owned());
            }
        }
        Ok(live)
    }

    /// Finds the nearest directory above `file` that a server is running on.
    fn above(file: &Path) -> Result<(PathBuf, Self), Error> {
        for dir in file.ancestors().skip(1) {
            match Self::find(dir) {
                Err(Error::NoServer(_)) => {}
                found => return Ok((dir.to_owned(), found?)),
            }
        }
        Err(Error::NoServer(file.parent().unwrap_or(file).to_owned()))
    }

    /// Asks `/__snaxum/api/PATH`.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = Request::get(format!("/__snaxum/api/{path}"));
        Ok(self.send(request, Body::empty()).await?.0)
    }

    /// Has something done by `/__snaxum/api/PATH`.
    async fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &serde_json::Value,
    ) -> Result<(T, Conversation), Error> {
        let request = Request::post(format!("/__snaxum/api/{path}"))
            .header(CONTENT_TYPE, "application/json")
            .header("x-snaxum", "1");
        self.send(request, Body::from(what.to_string())).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Builder,
        body: Body,
    ) -> Result<(T, Conversation), Error> {
        let authority = self.url.trim_start_matches("http://");
        let request = request
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(body)
            .expect("a path of our own; host and token were checked when they were read");
        let stream =
            TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
        let lost = |error: hyper::Error| self.lost(error.to_string());
        let mut conversation = Conversation::over(stream).await.map_err(lost)?;
        let (status, body) = conversation.exchange(request).await.map_err(lost)?;
        if !status.is_success() {
            return Err(self.lost(format!("it answered {status}")));
        }
        let answer = serde_json::from_slice(&body).map_err(|error| self.lost(error.to_string()))?;
        Ok((answer, conversation))
    }

    /// Why no connection comes about. One that ended without a goodbye has left its file.
    fn unreachable(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::NoServer(self.dir.clone()),
            _ => self.lost(error.to_string()),
        }
    }

    fn lost(&self, problem: String) -> Error {
        Error::ServerLost { url: self.url.clone(), pid: self.pid, problem }
    }
}

/// Address and path of a URL of this machine.
pub(crate) fn local(url: &str) -> Option<(SocketAddr, String)> {
    let uri: Uri = url.parse().ok()?;
    let address: SocketAddr = uri.authority()?.as_str().parse().ok()?;
    let is_here = address.ip().to_canonical().is_loopback();
    is_here.then(|| (address, uri.path().to_owned()))
}

/// One connection.
pub(crate) struct Conversation {
    pub(crate) sender: SendRequest<Body>,
    task: JoinHandle<hyper::Result<()>>,
}

impl Conversation {
    pub(crate) async fn over(stream: TcpStream) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, task: tokio::spawn(connection) })
    }

    async fn exchange(&mut self, request: Request<Body>) -> hyper::Result<(StatusCode, Bytes)> {
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Waits until the other end closes it, which it does when it stops.
    async fn closed(self) {
        let Self { sender, task } = self;
        let _ = task.await;
        drop(sender); // without it this end would have closed it
    }
}

/// What `/api/status` and `/api/wait` answer, as far as commands use it.
#[derive(Deserialize)]
struct Status {
    run_id: String,
    generation: u64,
    state: String,
    paused: bool,
    last_reload: Option<Reload>,
}

/// An item of `/api/reloads`, likewise.
#[derive(Deserialize)]
struct Reload {
    generation: u64,
    outcome: String,
    reason: String,
    files: Vec<String>,
    total_ms: f64,
    traceback: Option<snaxum::message::Traceback>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(change: &Value) -> Result<Live, String> {
        let mcp = json!({ "url": "http://127.0.0.1:3000/__snaxum/mcp", "token": "t" });
        let mut file =
            json!({ "url": "http://127.0.0.1:3000", "token": "t", "pid": 1, "mcp": mcp });
        let change = change.as_object().expect("an object").clone();
        file.as_object_mut().expect("an object").extend(change);
        Live::read(file.to_string().as_bytes())
    }

    #[test]
    fn only_this_machine_is_asked() {
        let found = local("http://127.0.0.1:3000/__snaxum/mcp").expect("it is local");
        assert_eq!(found, (([127, 0, 0, 1], 3000).into(), "/__snaxum/mcp".to_owned()));
        assert!(local("http://[::1]:3000/__snaxum/mcp").is_some());
        for url in ["http://10.0.0.2:80/x", "http://evil.example/x", "http://127.0.0.1/x", "", "/x"]
        {
            assert!(local(url).is_none(), "{url}");
        }
    }

    #[test]
    fn what_no_request_can_be_made_of_is_no_announcement() {
        assert!(read(&json!({})).is_ok());
        assert!(read(&json!({ "url": "http://[::1]:3000", "mcp": null })).is_ok());
        let mcp = |url: &str, token: &str| json!({ "mcp": { "url": url, "token": token } });
        for (change, part) in [
            (json!({ "url": "http://127.0.0.1:30 00" }), "no address"),
            (json!({ "url": "http://127.0.0.1:3000/x" }), "no address"),
            (json!({ "url": "https://127.0.0.1:3000" }), "no address"),
            (json!({ "url": "http://10.0.0.1:3000" }), "no address"),
            (mcp("http://10.0.0.1:3000/__snaxum/mcp", "t"), "no address"),
            (mcp("http://127.0.0.1:3000/__snaxum/mcp", "a\nb"), "a token"),
            (json!({ "token": "a\r\nb" }), "a token"),
            (json!({ "pid": null }), "cannot be read"),
        ] {
            let problem = read(&change).err().expect("it is refused");
            assert!(problem.contains(part), "{change}: {problem}");
        }
    }
}
