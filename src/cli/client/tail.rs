//! `snaxum tail`: follows a dev server's events, across its restarts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use snaxum::error::Error;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

use super::Live;
use crate::cli::project;
use crate::cli::render::color;
use crate::cli::render::event::{Event, Events};

/// How long to wait before the server is looked for again: at first, and at most.
const WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How much longer or shorter each wait is: many that wait for one server do not come together.
const JITTER: f64 = 0.2;
/// How long a server may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Characters of a message that cannot be read.
const MAX_NOTE: usize = 200;

/// What to show, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// How to write the events: as lines for people, or as they come, an object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How many of the newest requests and reloads to begin with.
    #[arg(short = 'n', long, default_value_t = 10)]
    last: usize,
    /// Shows those, and ends.
    #[arg(long)]
    no_follow: bool,
    /// Says with each reload which of its phases took how long.
    #[arg(short = 'v', long)]
    explain_reload: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How far the events have been read, and what of them is still to be said.
struct Tail<'a> {
    options: &'a Options,
    run_id: String,
    seq: u64,
    events: Events,
}

/// Why a connection is of no use any more.
enum End {
    /// Nobody wants to see more.
    Finished,
    /// The server said goodbye.
    Gone,
    /// The server would not wait any longer for its lines to be read.
    TooSlow,
    /// It broke off without a word.
    Lost,
}

impl End {
    fn of(frame: Option<&CloseFrame>) -> Self {
        match frame.map(|frame| frame.code) {
            Some(CloseCode::Away) => Self::Gone,
            Some(CloseCode::Again) => Self::TooSlow,
            _ => Self::Lost,
        }
    }

    /// Says why it goes on elsewhere.
    fn say(&self) {
        match self {
            Self::Finished => {}
            Self::Gone => color::say_error("the server has gone; waiting for it to come back"),
            Self::TooSlow => color::complain("note: this reader was too slow; going on\n"),
            Self::Lost => color::say_error("the connection broke off; looking for the server"),
        }
    }
}

/// Ends with 0 at Ctrl-C, or when nobody reads its output any more.
pub(crate) fn run(dir: &Path, options: &Options) -> Result<ExitCode, Error> {
    let live = Live::find(dir)?;
    let events = Events::new(options.last, options.explain_reload);
    let mut tail = Tail { options, run_id: String::new(), seq: 0, events };
    let runtime = project::tokio_runtime()?;
    let ended = runtime.block_on(async {
        let ended = tokio::select! {
            followed = tail.follow(dir, live) => followed,
            () = reader_has_gone() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        let _ = tokio::time::timeout(LAST_LINES, write(tail.events.lines.rest())).await;
        ended
    });
    runtime.shutdown_background(); // a write may wait for somebody to read
    ended.map(|()| ExitCode::SUCCESS)
}

impl Tail<'_> {
    async fn follow(&mut self, dir: &Path, mut live: Live) -> Result<(), Error> {
        let mut wait = WAIT;
        loop {
            let has_begun = !self.run_id.is_empty();
            match self.listen(&live).await {
                Ok(End::Finished) => return Ok(()),
                Ok(end) => {
                    if write(self.events.lines.rest()).await.is_err() {
                        return Ok(());
                    }
                    end.say();
                    wait = WAIT;
                }
                Err(problem) if !has_begun => return Err(problem),
                Err(_) => wait = (wait * 2).min(LONGEST_WAIT),
            }
            // Nothing tells of a server that starts; its address may be another, or the same again.
            tokio::time::sleep(jittered(wait, RandomState::new().build_hasher().finish())).await;
            if let Ok(found) = Live::find(dir) {
                live = found;
            }
        }
    }

    /// Shows what one connection brings; an error if there is none.
    async fn listen(&mut self, live: &Live) -> Result<End, Error> {
        let mut socket = connect(live, self.request(live)?, PATIENCE).await?;
        loop {
            let next = self.events.lines.next();
            let is_due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                message = socket.next() => message,
                () = is_due => {
                    if write(self.events.lines.due(Instant::now())).await.is_err() {
                        return Ok(End::Finished);
                    }
                    continue;
                }
            };
            let Some(Ok(message)) = message else { return Ok(End::Lost) };
            let frame = match message {
                tungstenite::Message::Text(frame) => frame,
                tungstenite::Message::Close(frame) => return Ok(End::of(frame.as_ref())),
                _ => continue,
            };
            let event: Event = match serde_json::from_str(&frame) {
                Ok(event) => event,
                Err(error) => {
                    note(&frame, &error);
                    continue;
                }
            };
            if event.is_refusal() {
                return Err(live.lost("it has as many consoles as it takes; close one".to_owned()));
            }
            let is_last = self.options.no_follow && event.is_snapshot();
            // Nobody reads it, or nobody wants more.
            if write(self.text(&frame, event)).await.is_err() || is_last {
                return Ok(End::Finished);
            }
        }
    }

    /// Takes an event in; gives what to write.
    fn text(&mut self, frame: &str, event: Event) -> String {
        let is_news = self.run_id != event.run_id().unwrap_or(&self.run_id);
        if let Some(run_id) = event.run_id() {
            run_id.clone_into(&mut self.run_id);
        }
        self.seq = event.seq.max(if is_news { 0 } else { self.seq });
        match self.options.format {
            Format::Json => format!("{}\n", color::plain_json(frame)),
            Format::Text => self.events.draw(event, Instant::now()),
        }
    }

    fn request(&self, live: &Live) -> Result<Request, Error> {
        let seen = match &*self.run_id {
            "" => String::new(),
            run_id => format!("?run={run_id}&since={}", self.seq),
        };
        let address = format!("{}/__snaxum/ws{seen}", live.url.replacen("http", "ws", 1));
        let mut request =
            address.into_client_request().map_err(|error| live.lost(error.to_string()))?;
        let bearer = format!("Bearer {}", live.token);
        let bearer = HeaderValue::from_str(&bearer).expect("it was checked when it was read");
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let protocol = HeaderValue::from_static("snaxum.v2");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        Ok(request)
    }
}

/// Connects, if the server answers in time.
async fn connect(live: &Live, request: Request, limit: Duration) -> Result<Socket, Error> {
    let connecting = tokio_tungstenite::connect_async(request);
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Io(error))) => Err(live.unreachable(&error)),
        Ok(Err(error)) => Err(live.lost(error.to_string())),
        Err(_) => Err(live.lost(format!("not within {} s", limit.as_secs()))),
    }
}

/// The wait, longer or shorter by at most [`JITTER`].
fn jittered(wait: Duration, random: u64) -> Duration {
    let place = random as f64 / u64::MAX as f64;
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * place)
}

/// Writes to stdout on a thread that may wait for whoever reads it; an error if nobody does.
async fn write(text: String) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let write = move || {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    tokio::task::spawn_blocking(write).await?
}

/// Returns when the other end of stdout is closed; never where that cannot be told, as of a file.
async fn reader_has_gone() {
    let interest = Interest::WRITABLE | Interest::ERROR;
    // SAFETY: stdout stays open, and the same, until the process ends.
    let out = unsafe { AsyncFd::register_with_interest(io::stdout(), interest) };
    if let Ok(out) = out {
        while let Ok(mut guard) = out.ready(interest).await {
            if guard.ready().is_error() || guard.ready().is_write_closed() {
                return;
            }
            guard.clear_ready_matching(Ready::WRITABLE);
        }
    }
    std::future::pending().await
}

/// Tells of a message that cannot be read.
fn note(frame: &str, error: &serde_json::Error) {
    let mut shown: String = frame.chars().take(MAX_NOTE).collect();
    if shown.len() < frame.len() {
        shown.push('…');
    }
    let shown = color::plain(&shown);
    color::complain(&format!("note: left out a message that cannot be read ({error}): {shown}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_longer_or_shorter_by_a_fifth_at_most() {
        let wait = |random| jittered(LONGEST_WAIT, random).as_millis();
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(wait), [4000, 5000, 6000]);
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_not_waited_for() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", silent.local_addr().expect("an address"));
        let live = serde_json::json!({"url": url, "token": "t", "pid": 1});
        let live: Live = serde_json::from_value(live).expect("an announcement");
        let options =
            Options { format: Format::Text, last: 0, no_follow: false, explain_reload: false };
        let events = Events::new(0, false);
        let tail = Tail { options: &options, run_id: String::new(), seq: 0, events };
        let request = tail.request(&live).expect("an address");
        let answer = connect(&live, request, Duration::from_millis(10)).await;
        let problem = answer.expect_err("nobody answers").to_string();
        assert!(problem.contains("does not respond (not within"), "{problem}");
    }
}
