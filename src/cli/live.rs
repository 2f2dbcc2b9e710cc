//! A running dev server, found through `.snaxum/dev.json` and asked over HTTP.
//!
//! Only asks, and never starts or stops one.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snaxum::error::Error;
use tokio::net::TcpStream;

/// What the server has written of itself.
#[derive(Deserialize)]
pub(crate) struct Live {
    url: String,
    token: String,
    pid: u64,
}

impl Live {
    /// Finds the server of the project in `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self, Error> {
        let none = || Error::NoServer(dir.to_owned());
        let text = std::fs::read(dir.join(".snaxum").join("dev.json")).map_err(|_| none())?;
        serde_json::from_slice(&text).map_err(|_| none())
    }

    /// Finds the nearest directory above `file` that a server is running on.
    pub(crate) fn above(file: &Path) -> Result<(PathBuf, Self), Error> {
        let found = file.ancestors().skip(1).find_map(|dir| Some((dir, Self::find(dir).ok()?)));
        match found {
            Some((dir, live)) => Ok((dir.to_owned(), live)),
            None => Err(Error::NoServer(file.parent().unwrap_or(file).to_owned())),
        }
    }

    /// Asks `/__snaxum/api/PATH`.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let lost =
            |problem: String| Error::ServerLost { url: self.url.clone(), pid: self.pid, problem };
        let authority = self.url.trim_start_matches("http://").to_owned();
        let stream =
            TcpStream::connect(&authority).await.map_err(|error| lost(error.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(error.to_string()))?;
        tokio::spawn(connection);
        let request = Request::get(format!("/__snaxum/api/{path}"))
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Body::empty())
            .expect("a path, a host and a token of URL-safe characters");
        let response =
            sender.send_request(request).await.map_err(|error| lost(error.to_string()))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| lost(error.to_string()))?;
        if !status.is_success() {
            return Err(lost(format!("it answered {status}")));
        }
        serde_json::from_slice(&body.to_bytes()).map_err(|error| lost(error.to_string()))
    }
}

/// What `/api/status` and `/api/wait` answer, as far as commands use it.
#[derive(Deserialize)]
pub(crate) struct Status {
    pub(crate) generation: u64,
    pub(crate) state: String,
    pub(crate) last_reload: Option<Reload>,
}

/// An item of `/api/reloads`, likewise.
#[derive(Deserialize)]
pub(crate) struct Reload {
    pub(crate) generation: u64,
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) files: Vec<String>,
    pub(crate) total_ms: f64,
    pub(crate) traceback: Option<snaxum::message::Traceback>,
}
