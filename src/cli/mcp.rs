//! `snaxum mcp`: what an assistant writes to stdin goes to the running dev server, and what that
//! answers to stdout (MCP's stdio transport, a JSON-RPC message a line).
//!
//! Owns the two pipes and what is under way between them. Knows no tool: how a message is read is in
//! `message.rs`, how it reaches the server in `door.rs`. Nothing but messages goes to stdout.

mod event_stream;
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
use message::{INVALID, Message, Problem};
use upstream::Door;

/// Bytes of a line that are read; the server takes fewer, and says so.
const MAX_LINE: u64 = 1024 * 1024;
/// Messages that are waited for at the same time; further ones are refused.
const MAX_UNDER_WAY: usize = 64;
/// Time for the answers that are missing when stdin ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Ends with 0 when stdin ends, or when nobody reads its output any more.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, Error> {
    let door = Arc::new(Door::find(dir)?);
    let cannot_start = |source| Error::Io { what: "cannot start a thread".to_owned(), source };
    let (sender, lines) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || read_lines(&sender))
        .map_err(cannot_start)?;
    project::tokio_runtime()?.block_on(relay(door, lines));
    Ok(ExitCode::SUCCESS)
}

/// Passes on the lines of stdin, `None` for one that is too long, until that ends.
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

/// Each message in a task of its own: one that waits holds up no other.
async fn relay(door: Arc<Door>, mut lines: mpsc::Receiver<Option<Vec<u8>>>) {
    let out = Out { is_closed: CancellationToken::new() };
    let mut tasks = JoinSet::new();
    let mut under_way: HashMap<String, AbortHandle> = HashMap::new();
    loop {
        let line = tokio::select! {
            biased; // what has ended counts no more for what is read next
            () = out.is_closed.cancelled() => return,
            Some(_) = tasks.join_next() => {
                under_way.retain(|_, task| !task.is_finished());
                continue;
            }
            line = lines.recv() => line,
        };
        let Some(line) = line else { break };
        let message = match line.as_deref().map(Message::read) {
            Some(Ok(message)) => message,
            Some(Err(problem)) => {
                out.refuse(&problem);
                continue;
            }
            None => {
                let text = format!("a line has at most {MAX_LINE} bytes");
                out.refuse(&Problem { id: None, code: INVALID, text });
                continue;
            }
        };
        let Some(message) = message else { continue };
        if let Some(id) = message.cancels() {
            // The server notices that nobody waits any more.
            if let Some(task) = under_way.remove(&id) {
                task.abort();
                ended(&mut tasks, &task).await;
                under_way.retain(|_, task| !task.is_finished());
            }
            continue;
        }
        if tasks.len() >= MAX_UNDER_WAY {
            let text = format!(
                "{MAX_UNDER_WAY} messages are waited for; cancel one, or wait for an answer"
            );
            out.give_up(&message, text);
            continue;
        }
        let key = message.key();
        let task = tasks.spawn(answer(Arc::clone(&door), message, out.clone()));
        if let Some(key) = key {
            under_way.insert(key, task);
        }
    }
    let rest = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(LAST_ANSWERS, rest) => {}
        () = out.is_closed.cancelled() => {}
    }
}

/// Waits until `task`, which is one of `tasks`, has been taken out of them.
async fn ended(tasks: &mut JoinSet<()>, task: &AbortHandle) {
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

async fn answer(door: Arc<Door>, message: Message, out: Out) {
    if let Err(text) = door.pass(&message, |line| out.write(line)).await {
        out.give_up(&message, text);
    }
}

/// stdout, a message a line.
#[derive(Clone)]
struct Out {
    is_closed: CancellationToken,
}

impl Out {
    fn write(&self, line: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
        if written.and_then(|()| out.flush()).is_err() {
            self.is_closed.cancel();
        }
    }

    /// Says why a message has no answer: to the assistant, or where that expects none, on stderr.
    fn give_up(&self, message: &Message, text: String) {
        match &message.id {
            Some(_) => self.refuse(&message.problem(text)),
            None => color::say_error(&color::plain(&text)),
        }
    }

    fn refuse(&self, problem: &Problem) {
        self.write(&problem.line());
    }
}
