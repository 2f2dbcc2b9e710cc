//! `snaxum mcp`: relays MCP messages between stdio and the running dev server.
//!
//! Owns the two pipes (a JSON-RPC message per line) and the pending messages. Knows no tool. Writes
//! nothing but messages to stdout.

mod message;
mod upstream;

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use snaxum::error::Error;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::project;
use super::render::color;
use message::{INVALID, Message, RelayError};
use upstream::Upstream;

/// The maximum bytes of a line; the limit of the server is lower and has its own error.
const MAX_LINE: u64 = 1024 * 1024;
/// The maximum number of pending messages; further messages are rejected.
const MAX_PENDING: usize = 64;
/// The limit for the pending responses after stdin ends.
const LAST_RESPONSES: Duration = Duration::from_secs(2);

/// Exits with 0 when stdin ends or stdout is closed.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let upstream = Arc::new(Upstream::find(dir)?);
    let (sender, lines) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || read_lines(&sender))
        .map_err(Error::io("cannot start a thread"))?;
    project::tokio_runtime()?.block_on(relay(upstream, lines));
    Ok(ExitCode::SUCCESS)
}

/// Sends the lines of stdin until it ends; `None` for a line that is too long.
fn read_lines(lines: &mpsc::Sender<Option<Vec<u8>>>) {
    let mut stdin = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        match (&mut stdin).take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let is_whole = line.last() == Some(&b'\n') || (line.len() as u64) < MAX_LINE;
        if !is_whole && stdin.skip_until(b'\n').is_err() {
            return;
        }
        if lines.blocking_send(is_whole.then_some(line)).is_err() {
            return;
        }
    }
}

/// Relays each message in a task of its own, so that a slow one does not delay others.
async fn relay(upstream: Arc<Upstream>, mut lines: mpsc::Receiver<Option<Vec<u8>>>) {
    let out = MessageWriter { is_closed: CancellationToken::new() };
    let mut tasks = JoinSet::new();
    let mut pending: HashMap<String, AbortHandle> = HashMap::new();
    loop {
        let line = tokio::select! {
            biased; // a finished task must not count towards the limit of the next message
            () = out.is_closed.cancelled() => return,
            Some(_) = tasks.join_next() => {
                pending.retain(|_, task| !task.is_finished());
                continue;
            }
            line = lines.recv() => line,
        };
        let Some(line) = line else { break };
        let message = match line.as_deref().map(Message::parse) {
            Some(Ok(message)) => message,
            Some(Err(problem)) => {
                out.reject(&problem);
                continue;
            }
            None => {
                let text = format!("the line is too long: the limit is {MAX_LINE} bytes");
                out.reject(&RelayError { id: None, code: INVALID, text });
                continue;
            }
        };
        let Some(message) = message else { continue };
        if let Some(id) = message.cancelled_key() {
            // Closes the connection, so that the server cancels the request.
            if let Some(task) = pending.remove(&id) {
                task.abort();
                wait_for_end(&mut tasks, &task).await;
                pending.retain(|_, task| !task.is_finished());
            }
            continue;
        }
        if tasks.len() >= MAX_PENDING {
            let text =
                format!("{MAX_PENDING} messages are pending; cancel one or wait for a response");
            out.report(&message, text);
            continue;
        }
        let key = message.key();
        let task = tasks.spawn(relay_message(Arc::clone(&upstream), message, out.clone()));
        if let Some(key) = key {
            pending.insert(key, task);
        }
    }
    let rest = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(LAST_RESPONSES, rest) => {}
        () = out.is_closed.cancelled() => {}
    }
}

/// Waits until `task` has ended and left `tasks`.
async fn wait_for_end(tasks: &mut JoinSet<()>, task: &AbortHandle) {
    while let Some(ended) = tasks.join_next_with_id().await {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        if id == task.id() {
            return;
        }
    }
}

async fn relay_message(upstream: Arc<Upstream>, message: Message, out: MessageWriter) {
    if let Err(text) = upstream.send(&message, |line| out.write(line)).await {
        out.report(&message, text);
    }
}

/// Writes messages to stdout, one per line.
#[derive(Clone)]
struct MessageWriter {
    is_closed: CancellationToken,
}

impl MessageWriter {
    fn write(&self, line: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
        if written.and_then(|()| out.flush()).is_err() {
            self.is_closed.cancel();
        }
    }

    /// Reports an error as the response, or on stderr for a notification.
    fn report(&self, message: &Message, text: String) {
        match &message.id {
            Some(_) => self.reject(&message.error(text)),
            None => color::print_error(&color::escape(&text)),
        }
    }

    fn reject(&self, error: &RelayError) {
        self.write(&error.line());
    }
}
