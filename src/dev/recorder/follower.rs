//! What one console is told: everything so far, then what comes after.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::message::LoadOutcome;

use super::super::protocol::{self, Body, LogLine, Message, RequestSummary};
use super::{Change, LIMITS, Recorder, State};

/// How long a console rests for each event that it was told: what happens now and then is told at
/// once, but a server under load has other things to do than to write.
const REST: Duration = Duration::from_millis(1);
/// The longest rest: nobody sees faster.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// Events that are read at once; requests that end wait so long.
const AT_ONCE: usize = 32;

/// The newest lines that a console gets when it opens; the others are at `/api/logs`.
const LINES_AT_FIRST: usize = 500;

/// A console's place in the stream of events.
pub(in crate::dev) struct Follower {
    recorder: Arc<Recorder>,
    /// Of the last event it was told.
    seq: u64,
    /// Whether it was told that the server stops.
    is_over: bool,
    /// When it looks again.
    next_look: Instant,
}

/// An event on its way to a console.
enum Item {
    Request(Box<RequestSummary>),
    Change(Change),
    Log(Arc<LogLine>),
}

impl Recorder {
    /// Everything so far as two frames, and what comes after them: nothing between is lost.
    pub(in crate::dev) fn follow(self: &Arc<Self>) -> Option<(Vec<Utf8Bytes>, Follower)> {
        let (frames, seq) = self.everything()?;
        Some((frames.into(), self.follower(seq)))
    }

    /// What comes after the event `seq`, for a console that has seen it; `None` if another run of
    /// the server has counted so far.
    pub(in crate::dev) fn resume(
        self: &Arc<Self>,
        run_id: &str,
        seq: u64,
    ) -> Option<(Vec<Utf8Bytes>, Follower)> {
        if run_id != self.run_id || seq > self.lock().seq {
            return None;
        }
        let ([hello, _], _) = self.everything()?;
        Some((vec![hello], self.follower(seq)))
    }

    /// What serves, as `hello`, the lines so far, the newest reload and the routes, and what comes
    /// after them: for a log, to which nothing has happened yet.
    pub(in crate::dev) fn begin(self: &Arc<Self>) -> Option<(Vec<Utf8Bytes>, Follower)> {
        let ([hello, _], seq) = self.everything()?;
        let serving = self.runtime.upgrade()?.serving();
        let (reload, lines) = {
            let state = self.lock();
            let lines = state.logs.iter().take_while(|(line, _)| *line <= seq);
            let lines: Vec<_> = lines.map(|(_, line)| Arc::clone(line)).collect();
            (Arc::clone(state.reloads.back()?), lines)
        };
        let reload = Change::Reload(reload, self.status_now()?);
        let rest = [reload, Change::Routes(serving)].map(Item::Change);
        let rest = lines.into_iter().map(Item::Log).chain(rest);
        let rest = rest.map(|item| encode(seq, item.body()));
        Some((std::iter::once(hello).chain(rest).collect(), self.follower(seq)))
    }

    fn follower(self: &Arc<Self>, seq: u64) -> Follower {
        Follower { recorder: Arc::clone(self), seq, is_over: false, next_look: Instant::now() }
    }

    /// `hello` and `snapshot`, and the number of the last event that is in them.
    fn everything(&self) -> Option<([Utf8Bytes; 2], u64)> {
        let runtime = self.runtime.upgrade()?;
        let status = Box::new(self.status(&runtime, Value::Null));
        let serving = runtime.serving();
        let state = self.lock();
        let (seq, last_failure) = (state.seq, state.last_failure.clone());
        let requests: Vec<_> = state.requests.iter().rev().map(|kept| kept.summary()).collect();
        let logs: Vec<_> = state
            .logs
            .iter()
            .rev()
            .take(LINES_AT_FIRST)
            .map(|(_, line)| Arc::clone(line))
            .collect();
        let pins = Arc::clone(&state.pins);
        let reloads: Vec<_> = state.reloads.iter().rev().cloned().collect();
        drop(state);

        let hello = Body::Hello {
            run_id: &self.run_id,
            generation: serving.generation,
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            limits: LIMITS,
        };
        let snapshot = Body::Snapshot {
            status,
            routes: &serving.routes,
            requests: requests.iter().collect(),
            reloads: reloads.iter().map(|reload| &**reload).collect(),
            logs: logs.iter().map(|line| &**line).collect(),
            pins: &pins,
            last_failure: last_failure.as_deref(),
        };
        Some(([hello, snapshot].map(|body| encode(seq, body)), seq))
    }
}

impl Follower {
    /// The number of the last event that it was told.
    pub(in crate::dev) fn seq(&self) -> u64 {
        self.seq
    }

    /// Waits for what comes next; `None` after the end, which is a `bye`. May be dropped at any time.
    pub(in crate::dev) async fn next(&mut self) -> Option<Vec<Utf8Bytes>> {
        if self.is_over {
            return None;
        }
        self.has_news().await;
        self.is_over = self.recorder.lock().is_closed;
        let mut frames = self.read();
        if self.is_over {
            frames.push(encode(0, Body::Bye { reason: "shutdown" }));
        }
        Some(frames)
    }

    /// Waits until there is something to read.
    async fn has_news(&self) {
        loop {
            let news = self.recorder.news.notified();
            let is_resting = Instant::now() < self.next_look;
            {
                let mut state = self.recorder.lock();
                if state.is_closed || (!is_resting && state.seq > self.seq) {
                    return;
                }
                state.is_awaited |= !is_resting;
            }
            if is_resting {
                let _ = tokio::time::timeout_at(self.next_look, news).await;
            } else {
                news.await;
            }
        }
    }

    /// Gives what has happened since the last time. Of what is no longer kept, it tells how much
    /// that was; if a change of the server is among it, everything is told anew.
    fn read(&mut self) -> Vec<Utf8Bytes> {
        let end = self.recorder.lock().seq;
        let mut frames = Vec::new();
        let mut lost = 0;
        while self.seq < end {
            let state = self.recorder.lock();
            let has_lost_change = state.oldest_change() > self.seq + 1;
            let items = state.after(self.seq, AT_ONCE);
            drop(state);
            let Some((last, _)) = items.last() else { break };
            lost += last - self.seq - items.len() as u64;
            if lost > 0
                && has_lost_change
                && let Some((all, seq)) = self.recorder.everything()
            {
                frames = all.into();
                self.seq = seq;
                break;
            }
            self.seq = *last;
            frames.extend(items.iter().map(|(seq, item)| encode(*seq, item.body())));
        }
        if lost > 0 {
            frames.insert(0, encode(self.seq, Body::Dropped { count: lost }));
        }
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        self.next_look = Instant::now() + REST.saturating_mul(count).min(LONGEST_REST);
        frames
    }
}

impl State {
    /// The number from which on no change is missing.
    fn oldest_change(&self) -> u64 {
        match self.changes.front() {
            Some((seq, _)) if self.changes.len() == super::MAX_CHANGES => *seq,
            _ => 0,
        }
    }

    /// The oldest events after `seq` that are kept, in order.
    fn after(&self, seq: u64, limit: usize) -> Vec<(u64, Item)> {
        let first = self.requests.partition_point(|kept| kept.seq() <= seq);
        let requests = self.requests.range(first..).take(limit);
        let mut found: Vec<(u64, Item)> =
            requests.map(|kept| (kept.seq(), Item::Request(Box::new(kept.summary())))).collect();
        let first = self.changes.partition_point(|(change, _)| *change <= seq);
        let changes = self.changes.range(first..).take(limit);
        found.extend(changes.map(|(seq, change)| (*seq, Item::Change(change.clone()))));
        let first = self.logs.partition_point(|(line, _)| *line <= seq);
        let lines = self.logs.range(first..).take(limit);
        found.extend(lines.map(|(seq, line)| (*seq, Item::Log(Arc::clone(line)))));
        found.sort_by_key(|(seq, _)| *seq);
        found.truncate(limit);
        found
    }
}

impl Item {
    fn body(&self) -> Body<'_> {
        match self {
            Self::Request(request) => Body::RequestEnd { request },
            Self::Log(log) => Body::Log { log },
            Self::Change(Change::ReloadStart(files)) => Body::ReloadStart { files },
            Self::Change(Change::Status(status)) => Body::Status { status: status.clone() },
            Self::Change(Change::Pins(pins)) => Body::Pins { pins },
            Self::Change(Change::Routes(serving)) => Body::Routes { routes: &serving.routes },
            Self::Change(Change::Reload(reload, status)) => match reload.outcome {
                LoadOutcome::Failed => Body::ReloadFail { reload, status: status.clone() },
                _ => Body::ReloadOk { reload, status: status.clone() },
            },
        }
    }
}

/// Writes a message as it goes over the socket.
pub(in crate::dev) fn encode(seq: u64, body: Body<'_>) -> Utf8Bytes {
    let message = Message { v: protocol::VERSION, seq, body };
    serde_json::to_string(&message).expect("plain data").into()
}
