//! Commands about a running dev server, which is found through `.snaxum/dev.json` and asked over
//! HTTP.
//!
//! Owns how it is found and asked; a file a command. Never starts or stops one.

pub(super) mod by_hand;
mod events;
pub(super) mod explain;
pub(super) mod mcp;
pub(super) mod table;
pub(super) mod tail;
pub(super) mod wait;

use std::io;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::request::Builder;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snaxum::error::Error;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What the server has written of itself.
#[derive(Clone, Deserialize)]
struct Live {
    url: String,
    token: String,
    pid: u64,
    /// Where assistants ask, if that is open.
    mcp: Option<Endpoint>,
    /// What it serves.
    #[serde(skip)]
    dir: PathBuf,
}

#[derive(Clone, Deserialize)]
struct Endpoint {
    url: String,
    token: String,
}

impl Live {
    /// Finds the server of the project in `dir`.
    fn find(dir: &Path) -> Result<Self, Error> {
        let none = || Error::NoServer(dir.to_owned());
        let text = std::fs::read(dir.join(".snaxum").join("dev.json")).map_err(|_| none())?;
        let live = serde_json::from_slice(&text).map_err(|_| none())?;
        Ok(Self { dir: dir.to_owned(), ..live })
    }

    /// Finds the nearest directory above `file` that a server is running on.
    fn above(file: &Path) -> Result<(PathBuf, Self), Error> {
        let found = file.ancestors().skip(1).find_map(|dir| Some((dir, Self::find(dir).ok()?)));
        match found {
            Some((dir, live)) => Ok((dir.to_owned(), live)),
            None => Err(Error::NoServer(file.parent().unwrap_or(file).to_owned())),
        }
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
            .expect("a path, a host and a token of URL-safe characters");
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

/// One connection.
struct Conversation {
    sender: SendRequest<Body>,
    task: JoinHandle<hyper::Result<()>>,
}

impl Conversation {
    async fn over(stream: TcpStream) -> hyper::Result<Self> {
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
