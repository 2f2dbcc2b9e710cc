//! The running dev server as an assistant reaches it: found anew for each message, because it may
//! have started again, elsewhere or with another token.
//!
//! While a new process takes over there is no announcement; the socket stays, and messages wait in
//! its queue.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use snaxum::error::Error;
use tokio::net::TcpStream;

use super::event_stream::EventStream;
use super::message::{Message, in_one_line};
use crate::cli::client::{Conversation, Live, local};

/// How often a connection may end with a process before the next one has it.
const MAX_TRIES: usize = 100;
/// Bytes of an answer: more than the server gives.
const MAX_ANSWER: usize = 1024 * 1024;

/// How to reach the server of a directory.
pub(super) struct Door {
    dir: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    /// The newest announcement.
    live: Live,
    /// The version of the protocol that `initialize` has led to.
    agreed: Option<String>,
}

/// Why there is no answer.
enum Trouble {
    /// Nobody listens there.
    Unreachable(String),
    /// It may have begun on the message, or not.
    BrokenOff(String),
    /// It says something else.
    Other(String),
}

impl Door {
    /// Finds the server that is running now.
    pub(super) fn find(dir: &Path) -> Result<Self, Error> {
        let live = Live::find(dir)?;
        if live.mcp.is_none() {
            return Err(Error::NoMcp(live.url));
        }
        Ok(Self { dir: dir.to_owned(), seen: Mutex::new(Seen { live, agreed: None }) })
    }

    /// Passes a message on, and each line that is answered; else says what is in the way.
    pub(super) async fn pass(
        &self,
        message: &Message,
        mut answer: impl FnMut(&str),
    ) -> Result<(), String> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (live, is_announced) = self.look().map_err(|error| error.to_string())?;
            let trouble = match self.send(&live, message, &mut answer).await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            let problem = match trouble {
                Trouble::BrokenOff(_) if message.only_looks() && tries < MAX_TRIES => continue,
                Trouble::BrokenOff(why) => format!("{why}; it may have begun on this"),
                Trouble::Unreachable(_) if !is_announced => {
                    return Err(Error::NoServer(self.dir.clone()).to_string());
                }
                Trouble::Unreachable(why) => why,
                Trouble::Other(why) => return Err(why),
            };
            return Err(Error::ServerLost { url: live.url, pid: live.pid, problem }.to_string());
        }
    }

    /// The server as it is announced, or as it last was.
    fn look(&self) -> Result<(Live, bool), Error> {
        let found = Live::find(&self.dir);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(live) => {
                seen.live = live.clone();
                Ok((live, true))
            }
            Err(Error::NoServer(_)) => Ok((seen.live.clone(), false)),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        live: &Live,
        message: &Message,
        answer: &mut impl FnMut(&str),
    ) -> Result<(), Trouble> {
        let Some(mcp) = &live.mcp else {
            return Err(Trouble::Other(Error::NoMcp(live.url.clone()).to_string()));
        };
        let (address, path) = local(&mcp.url).expect("it was checked when it was read");
        let request = Request::post(path)
            .header(HOST, address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", mcp.token))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        let agreed = self.seen.lock().unwrap_or_else(PoisonError::into_inner).agreed.clone();
        let request = message
            .head(request, agreed.as_deref())
            .body(Body::from(message.text().to_owned()))
            .map_err(|error| Trouble::Other(error.to_string()))?;

        let unreachable = |error: std::io::Error| Trouble::Unreachable(error.to_string());
        let broken = |error: hyper::Error| Trouble::BrokenOff(error.to_string());
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        let mut conversation = Conversation::over(stream).await.map_err(broken)?;
        let response = conversation.sender.send_request(request).await.map_err(broken)?;
        if is_stream(response.headers()) {
            return pass_events(response, message, answer).await;
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| match error {
            error if error.is::<LengthLimitError>() => Trouble::Other(error.to_string()),
            error => Trouble::BrokenOff(error.to_string()),
        });
        let body = body?.to_bytes();
        if status == StatusCode::ACCEPTED {
            return Ok(()); // a notification has no answer
        }
        let text = String::from_utf8_lossy(&body);
        let Some((line, version)) = message.answer(&text).filter(|_| message.id.is_some()) else {
            return Err(Trouble::Other(format!("{} answered {status}: {}", live.url, text.trim())));
        };
        if version.is_some() {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).agreed = version;
        }
        answer(&line);
        Ok(())
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// Passes on the message of each event; the last one is the answer.
async fn pass_events(
    response: Response<Incoming>,
    message: &Message,
    answer: &mut impl FnMut(&str),
) -> Result<(), Trouble> {
    let mut stream = EventStream::default();
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let events = stream.take(data);
        for event in events.ok_or_else(|| Trouble::Other("an event is too long".to_owned()))? {
            answer(&in_one_line(&event));
            if message.is_answered_by(&event) {
                return Ok(());
            }
        }
    }
    Err(Trouble::Other("the answer broke off".to_owned()))
}
