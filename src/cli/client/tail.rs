//! `snaxum tail`: follows the events of a dev server across its restarts.

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
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::connection::DevClient;
use super::event_socket;
use crate::cli::project;
use crate::cli::render::color;
use crate::cli::render::event::{EventLines, StreamEvent};

/// The wait before a reconnect: the first, and the longest.
const WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The random part of each wait, so that many clients do not reconnect at once.
const JITTER: f64 = 0.2;
/// The limit for writing the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Characters shown of an unreadable message.
const MAX_NOTE: usize = 200;

/// The options of `snaxum tail`.
#[derive(Args)]
pub(crate) struct TailOptions {
    /// Print lines for people, or the events as JSON, one object per line
    #[arg(long, value_enum, default_value_t = TailFormat::Text)]
    format: TailFormat,
    /// Number of past requests and reloads to print first
    #[arg(short = 'n', long, default_value_t = 10)]
    last: usize,
    /// Print past events and exit
    #[arg(long)]
    no_follow: bool,
    /// Print the duration of each phase of a reload
    #[arg(short = 'v', long)]
    explain_reload: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TailFormat {
    Text,
    Json,
}

/// The position in the event stream, and the lines that are not printed yet.
struct Tail<'a> {
    options: &'a TailOptions,
    run_id: String,
    seq: u64,
    events: EventLines,
}

/// Why a connection ended.
enum Disconnect {
    /// The output is closed or complete.
    Finished,
    /// The server stopped.
    ServerStopped,
    /// The server disconnected this client because it read too slowly.
    TooSlow,
    /// The connection broke.
    Lost,
}

impl Disconnect {
    fn of(frame: Option<&CloseFrame>) -> Self {
        match frame.map(|frame| frame.code) {
            Some(CloseCode::Away) => Self::ServerStopped,
            Some(CloseCode::Again) => Self::TooSlow,
            _ => Self::Lost,
        }
    }

    /// Prints why the client reconnects.
    fn print(&self) {
        match self {
            Self::Finished => {}
            Self::ServerStopped => {
                color::print_error("the server stopped; waiting for it to start again")
            }
            Self::TooSlow => {
                color::print_stderr("note: disconnected because of slow reading; reconnecting\n")
            }
            Self::Lost => color::print_error("the connection is lost; reconnecting"),
        }
    }
}

/// Exits with 0 at Ctrl-C, or when its output is closed.
pub(crate) fn run(dir: &Path, options: &TailOptions) -> Result<ExitCode, Error> {
    let client = DevClient::find(dir)?;
    let events = EventLines::new(options.last, options.explain_reload);
    let mut tail = Tail { options, run_id: String::new(), seq: 0, events };
    let runtime = project::tokio_runtime()?;
    let ended = runtime.block_on(async {
        let ended = tokio::select! {
            followed = tail.follow(dir, client) => followed,
            () = stdout_closed() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        let _ = tokio::time::timeout(LAST_LINES, write(tail.events.renderer.flush())).await;
        ended
    });
    runtime.shutdown_background(); // a write may be blocked by a full pipe
    ended.map(|()| ExitCode::SUCCESS)
}

impl Tail<'_> {
    async fn follow(&mut self, dir: &Path, mut client: DevClient) -> Result<(), Error> {
        let mut wait = WAIT;
        loop {
            let was_connected = !self.run_id.is_empty();
            match self.read_events(&client).await {
                Ok(Disconnect::Finished) => return Ok(()),
                Ok(end) => {
                    if write(self.events.renderer.flush()).await.is_err() {
                        return Ok(());
                    }
                    end.print();
                    wait = WAIT;
                }
                Err(problem) if !was_connected => return Err(problem),
                Err(_) => wait = (wait * 2).min(LONGEST_WAIT),
            }
            // A new server may have another address, or the same; only the file shows it.
            tokio::time::sleep(jittered(wait, RandomState::new().build_hasher().finish())).await;
            if let Ok(found) = DevClient::find(dir) {
                client = found;
            }
        }
    }

    /// Prints the events of one connection; an error if none opens.
    async fn read_events(&mut self, client: &DevClient) -> Result<Disconnect, Error> {
        let mut socket = event_socket::open(client, &self.run_id, self.seq).await?;
        loop {
            let next = self.events.renderer.next_deadline();
            let is_due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                message = socket.next() => message,
                () = is_due => {
                    if write(self.events.renderer.due(Instant::now())).await.is_err() {
                        return Ok(Disconnect::Finished);
                    }
                    continue;
                }
            };
            let Some(Ok(message)) = message else { return Ok(Disconnect::Lost) };
            let frame = match message {
                tungstenite::Message::Text(frame) => frame,
                tungstenite::Message::Close(frame) => return Ok(Disconnect::of(frame.as_ref())),
                _ => continue,
            };
            let event: StreamEvent = match serde_json::from_str(&frame) {
                Ok(event) => event,
                Err(error) => {
                    print_unreadable(&frame, &error);
                    continue;
                }
            };
            if event.is_rejection() {
                return Err(client.lost("its limit of consoles is reached; close one".to_owned()));
            }
            let is_last = self.options.no_follow && event.is_snapshot();
            // The output is closed, or complete.
            if write(self.text(&frame, event)).await.is_err() || is_last {
                return Ok(Disconnect::Finished);
            }
        }
    }

    /// Processes an event; returns the text to write.
    fn text(&mut self, frame: &str, event: StreamEvent) -> String {
        let is_new_run = self.run_id != event.run_id().unwrap_or(&self.run_id);
        if let Some(run_id) = event.run_id() {
            run_id.clone_into(&mut self.run_id);
        }
        self.seq = event.seq.max(if is_new_run { 0 } else { self.seq });
        match self.options.format {
            TailFormat::Json => format!("{}\n", color::escape_json(frame)),
            TailFormat::Text => self.events.draw(event, Instant::now()),
        }
    }
}

/// Varies the wait by at most [`JITTER`].
fn jittered(wait: Duration, random: u64) -> Duration {
    let place = random as f64 / u64::MAX as f64;
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * place)
}

/// Writes to stdout on a thread that may block; an error if stdout is closed.
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

/// Returns when the other end of stdout is closed; never for a file, which has no other end.
async fn stdout_closed() {
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

/// Prints a note about an unreadable message.
fn print_unreadable(frame: &str, error: &serde_json::Error) {
    let mut shown: String = frame.chars().take(MAX_NOTE).collect();
    if shown.len() < frame.len() {
        shown.push('…');
    }
    let shown = color::escape(&shown);
    color::print_stderr(&format!("note: skipped an unreadable message ({error}): {shown}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_varies_by_at_most_a_fifth() {
        let wait = |random| jittered(LONGEST_WAIT, random).as_millis();
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(wait), [4000, 5000, 6000]);
    }
}
