//! One client's position in the event stream: a snapshot first, then each new event.
//!
//! A client that reads too slowly loses events and is sent their count. Never blocks the server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::event::StartsWanted;
use crate::python_runtime::PythonRuntime;

use super::Recorder;
use super::event::{RecordedEvent, ServerChange};
use super::state::{LIMITS, MAX_CHANGES, RecorderState};
use crate::dev::protocol::event_types::EventTypes;
use crate::dev::protocol::{EventBody, encode};

/// The pause after each event that was sent or skipped: a single event is sent at once, but a server
/// under load must not spend its time on writing.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest pause: a person does not notice a shorter one.
const MAX_PAUSE: Duration = Duration::from_millis(100);
/// Events that are read under one lock; requests that end wait for it.
const CHUNK: usize = 32;

/// The newest lines in a snapshot; the others are at `/api/logs`.
const SNAPSHOT_LINES: usize = 500;

/// A client's position in the event stream.
pub(in crate::dev) struct Subscription {
    recorder: Arc<Recorder>,
    /// The last event that was sent or skipped.
    seq: u64,
    types: EventTypes,
    /// Set while the client subscribes to `request.start`: only then are these events emitted.
    starts: Option<StartsWanted>,
    /// Whether `bye` was sent.
    is_over: bool,
    next_read: Instant,
}

impl Recorder {
    /// Returns `hello`, a snapshot, and a subscription to the events after it.
    pub(in crate::dev) fn subscribe(self: &Arc<Self>) -> Option<(Vec<String>, Subscription)> {
        let (frames, seq) = self.snapshot()?;
        Some((frames.into(), self.subscription(seq)))
    }

    /// Returns a subscription to the events after `seq`, for a client that has read them so far;
    /// `None` if the number is from another run of the server.
    pub(in crate::dev) fn resume(
        self: &Arc<Self>,
        run_id: &str,
        seq: u64,
    ) -> Option<(Vec<String>, Subscription)> {
        if run_id != self.run_id || seq > self.lock().sequence.newest() {
            return None;
        }
        let runtime = self.runtime.upgrade()?;
        // With the client's own number: it has not read any newer event.
        let hello = self.hello(&runtime, runtime.serving().generation, seq);
        Some((vec![hello], self.subscription(seq)))
    }

    /// Returns `hello`, the lines so far, the newest reload and the routes as single events, and a
    /// subscription to the events after them: for a log, which has no use for a snapshot.
    pub(in crate::dev) fn subscribe_from_start(
        self: &Arc<Self>,
    ) -> Option<(Vec<String>, Subscription)> {
        let ([hello, _], seq) = self.snapshot()?;
        let serving = self.runtime.upgrade()?.serving();
        let (reload, lines) = {
            let state = self.lock();
            let lines = state.logs.iter().take_while(|(line, _)| *line <= seq);
            let lines: Vec<_> = lines.map(|(_, line)| Arc::clone(line)).collect();
            (Arc::clone(state.reloads.back()?), lines)
        };
        let reload = ServerChange::Reload(reload, self.current_status()?, Arc::default());
        let rest = [reload, ServerChange::Routes(serving)].map(RecordedEvent::Change);
        let mut frames = vec![hello];
        for event in lines.into_iter().map(RecordedEvent::Log).chain(rest) {
            event.write(seq, EventTypes::DEFAULT, &mut frames);
        }
        Some((frames, self.subscription(seq)))
    }

    fn subscription(self: &Arc<Self>, seq: u64) -> Subscription {
        Subscription {
            recorder: Arc::clone(self),
            seq,
            types: EventTypes::DEFAULT,
            starts: None,
            is_over: false,
            next_read: Instant::now(),
        }
    }

    /// Returns `hello` and `snapshot`, and the number of the last event that they include.
    fn snapshot(&self) -> Option<([String; 2], u64)> {
        let runtime = self.runtime.upgrade()?;
        let state = self.lock();
        let (seq, last_failure) = (state.sequence.newest(), state.last_failure.clone());
        let errors = state.errors.list();
        let requests: Vec<_> = state.requests.iter().rev().map(|each| each.summary()).collect();
        let lines = state.logs.iter().rev().take(SNAPSHOT_LINES);
        let logs: Vec<_> = lines.map(|(_, line)| Arc::clone(line)).collect();
        let pins = Arc::clone(&state.pins);
        let reloads: Vec<_> = state.reloads.iter().rev().cloned().collect();
        let profiled = state.profiled().map(|id| id.to_string()).collect();
        drop(state);
        // After `seq`: an older status would never be replaced, for its event is included already.
        let status = Box::new(self.status(&runtime, Value::Null));
        let serving = runtime.serving();

        let hello = self.hello(&runtime, serving.generation, seq);
        let snapshot = EventBody::Snapshot {
            status,
            routes: &serving.routes,
            requests: requests.iter().collect(),
            reloads: reloads.iter().map(|reload| &**reload).collect(),
            logs: logs.iter().map(|line| &**line).collect(),
            pins: &pins,
            errors: errors.iter().map(|error| &**error).collect(),
            profiled,
            last_failure: last_failure.as_deref(),
        };
        Some(([hello, encode(seq, snapshot)], seq))
    }

    /// Writes the first message for a client that has read the events up to `seq`.
    fn hello(&self, runtime: &PythonRuntime, generation: u64, seq: u64) -> String {
        let hello = EventBody::Hello {
            run_id: &self.run_id,
            generation,
            version: env!("CARGO_PKG_VERSION"),
            python: runtime.python_version(),
            limits: LIMITS,
        };
        encode(seq, hello)
    }
}

impl Subscription {
    /// The number of the last event that was sent or skipped.
    pub(in crate::dev) fn seq(&self) -> u64 {
        self.seq
    }

    /// Replaces the subscribed types.
    pub(in crate::dev) fn set_types(&mut self, types: EventTypes) {
        self.types = types;
        self.starts = match (self.starts.take(), types.has_any(EventTypes::REQUEST_START)) {
            (_, false) => None,
            (None, true) => {
                self.recorder.runtime.upgrade().map(|runtime| runtime.events().want_starts())
            }
            (before, true) => before,
        };
    }

    /// Whether any of these types is subscribed to.
    pub(in crate::dev) fn includes(&self, types: EventTypes) -> bool {
        self.types.has_any(types)
    }

    /// Waits for the next messages; `None` after `bye`. May be dropped at any time.
    pub(in crate::dev) async fn next(&mut self) -> Option<Vec<String>> {
        if self.is_over {
            return None;
        }
        self.wait_for_event().await;
        self.is_over = self.recorder.lock().is_closed;
        let mut frames = self.read();
        if self.is_over {
            frames.push(encode(0, EventBody::Bye { reason: "shutdown" }));
        }
        Some(frames)
    }

    async fn wait_for_event(&self) {
        loop {
            let new_event = self.recorder.new_event.notified();
            let is_paused = Instant::now() < self.next_read;
            {
                let mut state = self.recorder.lock();
                let has_event = !is_paused && state.sequence.newest() > self.seq;
                if state.is_closed || has_event {
                    return;
                }
                state.has_waiter |= !is_paused;
            }
            if is_paused {
                let _ = tokio::time::timeout_at(self.next_read, new_event).await;
            } else {
                new_event.await;
            }
        }
    }

    /// Writes the subscribed events since the last read. Events that are no longer stored are
    /// counted in a `dropped`; if a change of the server may be among them, a new snapshot follows.
    fn read(&mut self) -> Vec<String> {
        let end = self.recorder.lock().sequence.newest();
        let (first, mut frames, mut dropped) = (self.seq, Vec::new(), 0);
        while self.seq < end {
            let state = self.recorder.lock();
            let lost_change =
                self.includes(ServerChange::TYPES) && state.oldest_change() > self.seq + 1;
            let events = state.after(self.seq, self.types, CHUNK);
            // Fewer than a chunk: there were no more.
            let last = match events.last() {
                Some((last, _)) if events.len() == CHUNK => *last,
                _ => state.sequence.newest(),
            };
            dropped += state.sequence.count(self.types, self.seq, last) - events.len() as u64;
            drop(state);
            if dropped > 0
                && lost_change
                && let Some((snapshot, seq)) = self.recorder.snapshot()
            {
                frames = snapshot.into();
                self.seq = seq;
                break;
            }
            self.seq = last;
            for (seq, event) in events {
                event.write(seq, self.types, &mut frames);
            }
        }
        if dropped > 0 {
            // With the number of the event before: the messages that follow are not older.
            frames.insert(0, encode(first, EventBody::Dropped { count: dropped }));
        }
        let count = u32::try_from(self.seq - first).unwrap_or(u32::MAX);
        self.next_read = Instant::now() + PAUSE.saturating_mul(count).min(MAX_PAUSE);
        frames
    }
}

impl RecorderState {
    /// Returns the number from which on every change is stored.
    fn oldest_change(&self) -> u64 {
        match self.changes.front() {
            Some((seq, _)) if self.changes.len() == MAX_CHANGES => *seq,
            _ => 0,
        }
    }

    /// Returns the oldest stored events of these types after `seq`, in order.
    fn after(&self, seq: u64, types: EventTypes, limit: usize) -> Vec<(u64, RecordedEvent)> {
        let includes = |seq: u64| self.sequence.has_type(types, seq);
        let first = self.requests.partition_point(|each| each.seq() <= seq);
        let requests = self.requests.range(first..).filter(|each| includes(each.seq()));
        let requests = requests.map(|each| {
            let errors = each.errors().to_vec();
            (each.seq(), RecordedEvent::Request(Box::new(each.summary()), errors))
        });
        let mut found: Vec<(u64, RecordedEvent)> = requests.take(limit).collect();
        let changes = newer(&self.changes, seq).filter(|(seq, _)| includes(*seq));
        let changes = changes.map(|(seq, change)| (*seq, RecordedEvent::Change(change.clone())));
        found.extend(changes.take(limit));
        let starts = newer(&self.starts, seq).filter(|(seq, _)| includes(*seq));
        let starts = starts.map(|(seq, start)| (*seq, RecordedEvent::Start(Arc::clone(start))));
        found.extend(starts.take(limit));
        let ends = newer(&self.stream_ends, seq).filter(|(seq, _)| includes(*seq));
        let ends = ends.map(|(seq, end)| (*seq, RecordedEvent::StreamEnd(Arc::clone(end))));
        found.extend(ends.take(limit));
        let workers = newer(&self.workers, seq).filter(|(seq, _)| includes(*seq));
        let workers = workers.map(|(seq, event)| (*seq, RecordedEvent::Worker(Arc::clone(event))));
        found.extend(workers.take(limit));
        let profiles = newer(&self.profile_reports, seq).filter(|(seq, _)| includes(*seq));
        let profiles = profiles.map(|(seq, profile)| (*seq, RecordedEvent::Profile(*profile)));
        found.extend(profiles.take(limit));
        let messages = newer(&self.messages, seq).filter(|(seq, _)| includes(*seq));
        let messages =
            messages.map(|(seq, message)| (*seq, RecordedEvent::Message(Arc::clone(message))));
        found.extend(messages.take(limit));
        let closes = newer(&self.closes, seq).filter(|(seq, _)| includes(*seq));
        let closes = closes.map(|(seq, close)| (*seq, RecordedEvent::Close(Arc::clone(close))));
        found.extend(closes.take(limit));
        let lines = newer(&self.logs, seq).filter(|(seq, _)| includes(*seq));
        let lines = lines.map(|(seq, line)| (*seq, RecordedEvent::Log(Arc::clone(line))));
        found.extend(lines.take(limit));
        found.sort_by_key(|(seq, _)| *seq);
        found.truncate(limit);
        found
    }
}

/// Returns the entries after the event `seq`.
fn newer<T>(ring: &VecDeque<(u64, T)>, seq: u64) -> impl Iterator<Item = &(u64, T)> {
    ring.range(ring.partition_point(|(each, _)| *each <= seq)..)
}
