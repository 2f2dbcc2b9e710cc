//! `snaxum tail`: follows a dev server's events, across its restarts.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use snaxum::error::Error;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};

use super::super::{project, style};
use super::Live;
use super::events::{Event, Events};

/// How long to wait before the server is looked for again: at first, and at most.
const WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
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
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// How far the events have been read.
#[derive(Default)]
struct Place {
    run_id: String,
    seq: u64,
}

/// Why a connection is of no use any more.
enum End {
    /// Nobody wants to see more.
    Finished,
    /// The server went, or closed it.
    Lost,
}

/// Ends with 0 at Ctrl-C, or when nobody reads its output any more.
pub(crate) fn run(dir: &Path, options: &Options) -> Result<ExitCode, Error> {
    let live = Live::find(dir)?;
    project::tokio_runtime()?.block_on(async {
        tokio::select! {
            followed = follow(dir, live, options) => followed?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn follow(dir: &Path, mut live: Live, options: &Options) -> Result<(), Error> {
    let mut place = Place::default();
    let mut wait = WAIT;
    loop {
        let has_begun = !place.run_id.is_empty();
        match listen(&live, &mut place, options).await {
            Ok(End::Finished) => return Ok(()),
            Ok(End::Lost) => {
                style::say_error("the server has gone; waiting for it to come back");
                wait = WAIT;
            }
            Err(problem) if !has_begun => {
                return Err(Error::ServerLost { url: live.url, pid: live.pid, problem });
            }
            Err(_) => wait = (wait * 2).min(LONGEST_WAIT),
        }
        // Nothing tells of a server that starts; its address may be another, or the same again.
        tokio::time::sleep(wait).await;
        if let Ok(found) = Live::find(dir) {
            live = found;
        }
    }
}

/// Shows what one connection brings; an error if there is none.
async fn listen(live: &Live, place: &mut Place, options: &Options) -> Result<End, String> {
    let (mut socket, _) = tokio_tungstenite::connect_async(request(live, place))
        .await
        .map_err(|error| error.to_string())?;
    while let Some(Ok(message)) = socket.next().await {
        let tungstenite::Message::Text(frame) = message else { continue };
        let event: Event = match serde_json::from_str(&frame) {
            Ok(event) => event,
            Err(error) => {
                note(&frame, &error);
                continue;
            }
        };
        if event.is_refusal() {
            return Err("it has as many consoles as it takes; close one".to_owned());
        }
        let is_news = place.run_id != event.run_id().unwrap_or(&place.run_id);
        if let Some(run_id) = event.run_id() {
            run_id.clone_into(&mut place.run_id);
        }
        place.seq = event.seq.max(if is_news { 0 } else { place.seq });
        let text = match options.format {
            Format::Json => format!("{}\n", style::plain_json(&frame)),
            Format::Text => Events { last: options.last }.lines(&event),
        };
        let mut out = io::stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(End::Finished); // nobody reads it
        }
        if options.no_follow && event.is_snapshot() {
            return Ok(End::Finished);
        }
    }
    Ok(End::Lost)
}

/// Tells of a message that cannot be read.
fn note(frame: &str, error: &serde_json::Error) {
    let mut shown: String = frame.chars().take(MAX_NOTE).collect();
    if shown.len() < frame.len() {
        shown.push('…');
    }
    let shown = style::plain(&shown);
    style::complain(&format!("note: left out a message that cannot be read ({error}): {shown}\n"));
}

fn request(live: &Live, place: &Place) -> tungstenite::handshake::client::Request {
    let seen = match &*place.run_id {
        "" => String::new(),
        run_id => format!("?run={run_id}&since={}", place.seq),
    };
    let address = format!("{}/__snaxum/ws{seen}", live.url.replacen("http", "ws", 1));
    let mut request = address.into_client_request().expect("an address of our own");
    let bearer = format!("Bearer {}", live.token);
    let bearer = HeaderValue::from_str(&bearer).expect("a token of URL-safe characters");
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let protocol = HeaderValue::from_static("snaxum.v1");
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    request
}
