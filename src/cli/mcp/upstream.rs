//! Sends MCP messages to the running dev server, across its restarts.
//!
//! Finds the server again for each message: it may have restarted with another address or token.
//! During a take-over `.snaxum/dev.json` is missing, but messages wait in the queue of the socket.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use futures_util::StreamExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use snaxum::error::Error;
use snaxum::sync::{Mutex, MutexGuard};
use sse_stream::SseStream;
use tokio::net::TcpStream;

use super::message::{Message, RpcResponse, in_one_line};
use crate::cli::client::connection::{Connection, DevClient, local_address};

/// The number of connections that may break with one process before the next one accepts.
const MAX_TRIES: usize = 100;
/// The maximum bytes of a response; the server sends fewer.
const MAX_RESPONSE: usize = 1024 * 1024;

/// The server of a project directory.
pub(super) struct Upstream {
    dir: PathBuf,
    session: Mutex<UpstreamSession>,
}

/// The facts that earlier messages have shown.
struct UpstreamSession {
    client: DevClient,
    /// The protocol version that `initialize` returned.
    version: Option<String>,
    /// The tools that are safe to call twice.
    read_only: HashSet<String>,
}

/// Why there is no response.
enum UpstreamError {
    /// The connection was refused.
    Unreachable(String),
    /// The connection broke; the server may have started on the message.
    Interrupted(String),
    Other(String),
}

impl Upstream {
    /// Finds the running server.
    pub(super) fn find(dir: &Path) -> Result<Self, Error> {
        let client = DevClient::find(dir)?;
        if client.mcp.is_none() {
            return Err(Error::NoMcp(client.url));
        }
        let session = UpstreamSession { client, version: None, read_only: HashSet::new() };
        Ok(Self { dir: dir.to_owned(), session: Mutex::new(session) })
    }

    /// Sends a message; calls `on_line` with each line of the response.
    pub(super) async fn send(
        &self,
        message: &Message,
        mut on_line: impl FnMut(&str),
    ) -> Result<(), String> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (client, has_dev_file) = self.refresh().map_err(|error| error.to_string())?;
            let error = match self.try_send(&client, message, &mut on_line).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let problem = match error {
                UpstreamError::Interrupted(_)
                    if self.is_read_only(message) && tries < MAX_TRIES =>
                {
                    continue;
                }
                UpstreamError::Interrupted(why) => {
                    format!("{why}; the server may have started on this message")
                }
                UpstreamError::Unreachable(_) if !has_dev_file => {
                    return Err(Error::NoServer(self.dir.clone()).to_string());
                }
                UpstreamError::Unreachable(why) => why,
                UpstreamError::Other(why) => return Err(why),
            };
            return Err(Error::ServerLost { url: client.url, pid: client.pid, problem }.to_string());
        }
    }

    /// Reads `.snaxum/dev.json` again; returns the last server if there is no file.
    fn refresh(&self) -> Result<(DevClient, bool), Error> {
        let found = DevClient::find(&self.dir);
        let mut session = self.session();
        match found {
            Ok(client) => {
                session.client = client.clone();
                Ok((client, true))
            }
            Err(Error::NoServer(_)) => Ok((session.client.clone(), false)),
            Err(error) => Err(error),
        }
    }

    fn is_read_only(&self, message: &Message) -> bool {
        message.called_tool().is_none_or(|tool| self.session().read_only.contains(tool))
    }

    fn session(&self) -> MutexGuard<'_, UpstreamSession> {
        self.session.lock()
    }

    async fn try_send(
        &self,
        client: &DevClient,
        message: &Message,
        on_line: &mut impl FnMut(&str),
    ) -> Result<(), UpstreamError> {
        let Some(mcp) = &client.mcp else {
            return Err(UpstreamError::Other(Error::NoMcp(client.url.clone()).to_string()));
        };
        let (address, path) = local_address(&mcp.url).expect("the client has checked the URL");
        let request = Request::post(path)
            .header(HOST, address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", mcp.token))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        let version = self.session().version.clone();
        let request = message
            .add_headers(request, version.as_deref())
            .body(Body::from(message.text().to_owned()))
            .map_err(|error| UpstreamError::Other(error.to_string()))?;

        let unreachable = |error: io::Error| UpstreamError::Unreachable(error.to_string());
        let broken = |error: hyper::Error| UpstreamError::Interrupted(error.to_string());
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        let mut connection = Connection::open(stream).await.map_err(broken)?;
        let response = connection.sender.send_request(request).await.map_err(broken)?;
        if is_event_stream(response.headers()) {
            return self.relay_events(response, message, on_line).await;
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_RESPONSE).collect().await;
        let body = body.map_err(|error| match error {
            error if error.is::<LengthLimitError>() => UpstreamError::Other(error.to_string()),
            error => UpstreamError::Interrupted(error.to_string()),
        });
        let body = body?.to_bytes();
        if status == StatusCode::ACCEPTED {
            return Ok(()); // a notification has no response
        }
        let text = String::from_utf8_lossy(&body);
        let parsed = message.response(&text).filter(|_| message.id.is_some());
        let Some(response) = parsed else {
            let text = text.trim();
            return Err(UpstreamError::Other(format!(
                "{} responded with {status}: {text}",
                client.url
            )));
        };
        self.learn(&response);
        on_line(&response.line);
        Ok(())
    }

    /// Relays the message of each event up to the response.
    async fn relay_events(
        &self,
        response: Response<Incoming>,
        message: &Message,
        on_line: &mut impl FnMut(&str),
    ) -> Result<(), UpstreamError> {
        let body = Limited::new(response.into_body(), MAX_RESPONSE).map_err(io::Error::other);
        let mut events = SseStream::new(body);
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| {
                UpstreamError::Other(format!("the response is not readable: {error}"))
            })?;
            let Some(data) = event.data.filter(|data| !data.trim().is_empty()) else { continue };
            let is_response = message.is_response(&data);
            if is_response && let Some(response) = message.response(&data) {
                self.learn(&response);
            }
            on_line(&in_one_line(&data));
            if is_response {
                return Ok(());
            }
        }
        Err(UpstreamError::Other("the connection closed before the response".to_owned()))
    }

    /// Stores the facts of a response for later messages.
    fn learn(&self, response: &RpcResponse) {
        let mut session = self.session();
        session.read_only.extend(response.read_only.iter().cloned());
        if response.version.is_some() {
            session.version.clone_from(&response.version);
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}
