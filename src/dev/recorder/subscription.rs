//! What one console is told: everything so far, then what comes after.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::event::StartsWanted;
use crate::python_runtime::PythonRuntime;

use super::event::{Change, Item};
use super::{LIMITS, Recorder, State};
use crate::dev::protocol::event_types::Types;
use crate::dev::protocol::{self, Body, Message};

/// How long a console rests for each event that it was told, or passed over: what happens now and
/// then is told at once, but a server under load has other things to do than to write.
const REST: Duration = Duration::from_millis(1);
/// The longest rest: nobody sees faster.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// Events that are read at once; requests that end wait so long.
const AT_ONCE: usize = 32;
/// Events that a console which acknowledges is told of beyond those that it has acknowledged.
const WINDOW: usize = 256;

/// The newest lines that a console gets when it opens; the others are at `/api/logs`.
const LINES_AT_FIRST: usize = 500;

/// A console's place in the stream of events.
pub(in crate::dev) struct Follower {
    recorder: Arc<Recorder>,
    /// Of the last event that it was told, or does not want to be.
    seq: u64,
    wanted: Types,
    /// Held as long as it wants to know of requests that begin.
    starts: Option<StartsWanted>,
    /// The events that it has not acknowledged; `None` if it never acknowledges.
    open: Option<VecDeque<u64>>,
    /// Whether it was told that the server stops.
    is_over: bool,
    /// When it looks again.
    next_look: Instant,
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
        if run_id != self.run_id || seq > self.lock().ledger.newest() {
            return None;
        }
        let runtime = self.runtime.upgrade()?;
        // It has seen nothing newer yet, whatever there is by now.
        let hello = self.hello(&runtime, runtime.serving().generation, seq);
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
        let mut frames = vec![hello];
        for item in lines.into_iter().map(Item::Log).chain(rest) {
            item.write(seq, Types::USUAL, &mut frames);
        }
        Some((frames, self.follower(seq)))
    }

    fn follower(self: &Arc<Self>, seq: u64) -> Follower {
        Follower {
            recorder: Arc::clone(self),
            seq,
            wanted: Types::USUAL,
            starts: None,
            open: None,
            is_over: false,
            next_look: Instant::now(),
        }
    }

    /// `hello` and `snapshot`, and the number of the last event that is in them.
    fn everything(&self) -> Option<([Utf8Bytes; 2], u64)> {
        let runtime = self.runtime.upgrade()?;
        let status = Box::new(self.status(&runtime, Value::Null));
        let serving = runtime.serving();
        let state = self.lock();
        let (seq, last_failure) = (state.ledger.newest(), state.last_failure.clone());
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

        let hello = self.hello(&runtime, serving.generation, seq);
        let snapshot = Body::Snapshot {
            status,
            routes: &serving.routes,
            requests: requests.iter().collect(),
            reloads: reloads.iter().map(|reload| &**reload).collect(),
            logs: logs.iter().map(|line| &**line).collect(),
            pins: &pins,
            last_failure: last_failure.as_deref(),
        };
        Some(([hello, encode(seq, snapshot)], seq))
    }

    /// The first frame of who has seen everything up to the event `seq`.
    fn hello(&self, runtime: &PythonRuntime, generation: u64, seq: u64) -> Utf8Bytes {
        let hello = Body::Hello {
            run_id: &self.run_id,
            generation,
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            limits: LIMITS,
        };
        encode(seq, hello)
    }
}

impl Follower {
    /// The number of the last event that it was told.
    pub(in crate::dev) fn seq(&self) -> u64 {
        self.seq
    }

    /// What it is told from now on.
    pub(in crate::dev) fn choose(&mut self, wanted: Types) {
        self.wanted = wanted;
        self.starts = match (self.starts.take(), wanted.has_any(Types::REQUEST_START)) {
            (_, false) => None,
            (None, true) => {
                self.recorder.runtime.upgrade().map(|runtime| runtime.events().want_starts())
            }
            (before, true) => before,
        };
    }

    /// Whether it wants messages of that type.
    pub(in crate::dev) fn wants(&self, types: Types) -> bool {
        self.wanted.has_any(types)
    }

    /// How many events it may be told of now.
    pub(in crate::dev) fn room(&self) -> usize {
        self.open.as_ref().map_or(usize::MAX, |open| WINDOW.saturating_sub(open.len()))
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
                let may_read = !is_resting && self.room() > 0;
                if state.is_closed || (may_read && state.ledger.newest() > self.seq) {
                    return;
                }
                state.is_awaited |= may_read;
            }
            if is_resting {
                let _ = tokio::time::timeout_at(self.next_look, news).await;
            } else {
                news.await;
            }
        }
    }

    /// Gives what has happened since the last time, as far as it is wanted and there is room. Of what
    /// is no longer kept, it tells how much that was; if a change of the server is among it,
    /// everything is told anew.
    fn read(&mut self) -> Vec<Utf8Bytes> {
        let (end, room) = (self.recorder.lock().ledger.newest(), self.room());
        // A message has the number of its event; an event may make several messages.
        let (mut frames, mut told) = (Vec::new(), Vec::new());
        let (began, mut lost) = (self.seq, 0);
        while self.seq < end && told.len() < room {
            let state = self.recorder.lock();
            let limit = AT_ONCE.min(room - told.len());
            let has_lost_change = self.wants(Change::TYPES) && state.oldest_change() > self.seq + 1;
            let items = state.after(self.seq, self.wanted, limit);
            // With fewer than it asked for, it has seen them all.
            let last = match items.last() {
                Some((last, _)) if items.len() == limit => *last,
                _ => state.ledger.newest(),
            };
            lost += state.ledger.count(self.wanted, self.seq, last) - items.len() as u64;
            drop(state);
            if lost > 0
                && has_lost_change
                && let Some((all, seq)) = self.recorder.everything()
            {
                frames = all.into();
                told = vec![seq];
                self.seq = seq;
                break;
            }
            self.seq = last;
            for (seq, item) in items {
                let before = frames.len();
                item.write(seq, self.wanted, &mut frames);
                if frames.len() > before {
                    told.push(seq);
                }
            }
        }
        if let Some(open) = &mut self.open {
            open.extend(told);
        }
        if lost > 0 {
            // With the number of what was told before: what follows is no older.
            frames.insert(0, encode(began, Body::Dropped { count: lost }));
        }
        let count = u32::try_from(self.seq - began).unwrap_or(u32::MAX);
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

    /// The oldest events after `seq` that are kept and wanted, in order.
    fn after(&self, seq: u64, wanted: Types, limit: usize) -> Vec<(u64, Item)> {
        let is_wanted = |seq: u64| self.ledger.is_in(wanted, seq);
        let first = self.requests.partition_point(|kept| kept.seq() <= seq);
        let requests = self.requests.range(first..).filter(|kept| is_wanted(kept.seq()));
        let requests = requests.map(|kept| (kept.seq(), Item::Request(Box::new(kept.summary()))));
        let mut found: Vec<(u64, Item)> = requests.take(limit).collect();
        let changes = newer(&self.changes, seq).filter(|(change, _)| is_wanted(*change));
        let changes = changes.map(|(seq, change)| (*seq, Item::Change(change.clone())));
        found.extend(changes.take(limit));
        let starts = newer(&self.starts, seq).filter(|(start, _)| is_wanted(*start));
        found.extend(starts.map(|(seq, start)| (*seq, Item::Start(Arc::clone(start)))).take(limit));
        let workers = newer(&self.workers, seq).filter(|(event, _)| is_wanted(*event));
        let workers = workers.map(|(seq, event)| (*seq, Item::Worker(Arc::clone(event))));
        found.extend(workers.take(limit));
        let lines = newer(&self.logs, seq).filter(|(line, _)| is_wanted(*line));
        found.extend(lines.map(|(seq, line)| (*seq, Item::Log(Arc::clone(line)))).take(limit));
        found.sort_by_key(|(seq, _)| *seq);
        found.truncate(limit);
        found
    }
}

/// What came after the event `seq`.
fn newer<T>(ring: &VecDeque<(u64, T)>, seq: u64) -> impl Iterator<Item = &(u64, T)> {
    ring.range(ring.partition_point(|(each, _)| *each <= seq)..)
}

/// Writes a message as it goes over the socket.
pub(in crate::dev) fn encode(seq: u64, body: Body<'_>) -> Utf8Bytes {
    let message = Message { v: protocol::VERSION, seq, body };
    serde_json::to_string(&message).expect("plain data").into()
}
