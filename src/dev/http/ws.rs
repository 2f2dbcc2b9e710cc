//! `GET /__snaxum/ws`: the event stream.
//!
//! A client looks and never acts: what it sends decides what it is told, or ends its own stream. One
//! that is too slow loses events and is told how many.

mod client_message;
pub(in crate::dev) mod receive;
pub(in crate::dev) mod send;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use crate::dev::engine::Dev;
use crate::dev::protocol::Body;
use crate::dev::protocol::event_types::Types;
use crate::dev::recorder::{Follower, encode};
use receive::{Inbound, Problem, Said};
use send::{close, send, send_all};

const SUBPROTOCOL: &str = "snaxum.v2";
/// Consoles open at once.
const MAX_SOCKETS: usize = 16;
/// Bytes of a message from a client.
const MAX_INBOUND: usize = 64 * 1024;
/// How often a client that wants to know is told what the server does.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// How often a quiet connection is tested.
const PING_EVERY: Duration = Duration::from_secs(15);

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// What a console wants. If it was connected before, it gets what came after, and else everything.
#[derive(Deserialize)]
pub(in crate::dev) struct Wishes {
    /// The `run_id` of the server that it was connected to.
    run: Option<String>,
    /// The `seq` of the last event.
    since: Option<u64>,
    /// Whether it wants to hear of each second: `1`.
    metrics: Option<u8>,
    /// What it wants to hear of, as in a `subscribe`, with commas between.
    types: Option<String>,
}

impl Wishes {
    fn types(&self) -> Result<Types, Problem> {
        let chosen = self.types.as_deref().map_or(Ok(Types::USUAL), |types| {
            Types::read(types.split(',').filter(|name| !name.is_empty()))
        });
        let metrics = if self.metrics == Some(1) { Types::METRICS } else { Types::NONE };
        chosen.map(|chosen| chosen.or(metrics)).map_err(Problem::unknown_types)
    }
}

/// Upgrades a request that the guard let through.
pub(in crate::dev) async fn upgrade(
    State(dev): State<Dev>,
    Query(wishes): Query<Wishes>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_INBOUND)
        .max_frame_size(MAX_INBOUND)
        .max_write_buffer_size(4 * 1024 * 1024)
        .on_upgrade(async move |socket| serve(dev, wishes, socket).await)
}

struct Slot;

impl Slot {
    fn take() -> Option<Self> {
        let open = OPEN.fetch_add(1, Ordering::AcqRel);
        let slot = Self; // gives its place back when it is dropped
        (open < MAX_SOCKETS).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve(dev: Dev, wishes: Wishes, mut socket: WebSocket) {
    let Some(_slot) = Slot::take() else {
        let _ = socket.send(Message::Text(encode(0, Body::Bye { reason: "limit" }))).await;
        close(&mut socket, close_code::AGAIN, "too many consoles are open").await;
        return;
    };
    let recorder = &dev.inner.recorder;
    let chosen = wishes.types();
    let resumed =
        wishes.run.zip(wishes.since).and_then(|(run, since)| recorder.resume(&run, since));
    let Some((mut first, mut follower)) = resumed.or_else(|| recorder.follow()) else { return };
    match chosen {
        Ok(types) => follower.choose(types),
        Err(problem) => first.push(encode(follower.seq(), problem.body())),
    }
    if !send_all(&mut socket, first.into_iter().map(Message::Text)).await {
        return;
    }
    let mut inbound = Inbound::new(Instant::now());
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    let mut meter = None;
    let mut second = tokio::time::interval(MEASURE_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_alive = tokio::select! {
            frames = follower.next() => match frames {
                Some(frames) => send_all(&mut socket, frames.into_iter().map(Message::Text)).await,
                None => {
                    close(&mut socket, close_code::AWAY, "the server is stopping").await;
                    false
                }
            },
            message = socket.recv() => match inbound.judge(Instant::now(), message) {
                ControlFlow::Continue(None) => true,
                ControlFlow::Continue(Some(said)) => match reply(&mut follower, &said) {
                    Some(reply) => send(&mut socket, Message::Text(reply)).await,
                    None => true,
                },
                ControlFlow::Break(frame) => {
                    if frame.is_some() {
                        send(&mut socket, Message::Close(frame)).await;
                    }
                    false
                }
            },
            _ = second.tick(), if follower.wants(Types::METRICS) && follower.room() > 0 => {
                let meter = meter.get_or_insert_with(|| recorder.meter());
                match meter.read(follower.seq()) {
                    Some(frame) => send(&mut socket, Message::Text(frame)).await,
                    None => true, // it is stopping, and will say so
                }
            }
            _ = ping.tick() => !inbound.is_silent(Instant::now())
                && send(&mut socket, Message::Ping(Default::default())).await,
        };
        if !is_alive {
            return;
        }
    }
}

/// Takes in what a client says; gives the answer, if there is one.
fn reply(follower: &mut Follower, said: &str) -> Option<Utf8Bytes> {
    let problem = match Said::read(said) {
        Ok(Said::Ping(id)) => return Some(encode(follower.seq(), Body::Pong { id: &id })),
        Ok(Said::Subscribe(types)) => {
            follower.choose(types);
            return None;
        }
        Ok(Said::Ack(seq)) => follower.acknowledge(seq).err()?,
        Err(problem) => problem,
    };
    Some(encode(follower.seq(), problem.body()))
}
