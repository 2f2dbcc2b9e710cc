//! The output of a process, line by line.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

use super::{WATCHDOG, in_time};

/// The lines of a stream, in order.
pub(crate) struct Output {
    lines: watch::Receiver<Lines>,
    reading: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Lines {
    text: Vec<String>,
    is_over: bool,
}

impl Output {
    pub(super) fn collect(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Lines::default());
        let reading = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                sender.send_modify(|lines| lines.text.push(text));
                line.clear();
            }
            sender.send_modify(|lines| lines.is_over = true);
        });
        Self { lines, reading }
    }

    /// The first line that contains `text`; waits until there is one.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        self.wait(text, WATCHDOG).await
    }

    /// Waits until so many lines contain `text`.
    pub(crate) async fn wait_for_lines(&self, text: &str, count: usize) {
        let mut lines = self.lines.clone();
        let has_all = |lines: &Lines| {
            lines.is_over || lines.text.iter().filter(|line| line.contains(text)).count() >= count
        };
        let found = tokio::time::timeout(WATCHDOG, lines.wait_for(has_all)).await;
        let is_there = matches!(&found, Ok(Ok(lines)) if !lines.is_over);
        drop(found);
        assert!(is_there, "no {count} lines with {text:?} in:\n{}", self.text());
    }

    /// The same for a start that downloads first.
    pub(crate) async fn wait_at_leisure(&self, text: &str) -> String {
        self.wait(text, WATCHDOG * 20).await
    }

    async fn wait(&self, text: &str, limit: Duration) -> String {
        let mut lines = self.lines.clone();
        let has_it =
            |lines: &Lines| lines.is_over || lines.text.iter().any(|line| line.contains(text));
        let waiting = tokio::time::timeout(limit, lines.wait_for(has_it)).await;
        let found = match &waiting {
            Ok(Ok(lines)) => lines.text.iter().find(|line| line.contains(text)).cloned(),
            _ => None,
        };
        drop(waiting);
        found.unwrap_or_else(|| panic!("no line with {text:?} in:\n{}", self.text()))
    }

    /// Closes our end, as a reader does that has seen enough.
    pub(crate) async fn hang_up(&mut self) {
        self.reading.abort();
        let ended = (&mut self.reading).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it was open");
    }

    /// All so far.
    pub(crate) fn text(&self) -> String {
        self.lines.borrow().text.join("\n")
    }

    /// All, once the writer has closed it.
    pub(crate) async fn whole(&self) -> String {
        let mut lines = self.lines.clone();
        in_time("the end of the output", lines.wait_for(|lines| lines.is_over))
            .await
            .expect("it ends");
        self.text()
    }
}
