//! `GET /__snaxum/ws`: the event stream.
//!
//! A client only reads: its messages choose the events that it receives, or end its own stream, and
//! never change the server. A client that is too slow loses events and receives their number.

mod client_message;
pub(super) mod send;
pub(super) mod validate;

#[cfg(any(test, fuzzing))]
pub use client_message::fuzz_client_message;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use crate::dev::engine::Dev;
use crate::dev::protocol::event_types::EventTypes;
use crate::dev::protocol::{EventBody, encode};
use crate::dev::recorder::metrics::Meter;
use crate::dev::recorder::subscription::Subscription;
use client_message::{ClientMessage, MessageError};
use send::{close, send, send_all};
use validate::MessageValidator;

const SUBPROTOCOL: &str = "snaxum.v2";
const REMOVED_SUBPROTOCOL: &str = "snaxum.v1";
/// Event streams that may be open at the same time.
const MAX_SOCKETS: usize = 16;
/// Bytes of a message from a client.
const MAX_INBOUND: usize = 64 * 1024;
/// How often a client that subscribes to metrics receives them.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// How often a quiet connection is pinged.
const PING_EVERY: Duration = Duration::from_secs(15);

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The query of the address. A client that was connected before resumes after its last event; any
/// other starts with a snapshot.
#[derive(Deserialize)]
pub(super) struct ConnectQuery {
    /// The `run_id` of the server that the client was connected to.
    run: Option<String>,
    /// The `seq` of the last event.
    since: Option<u64>,
    /// `1` subscribes to metrics.
    metrics: Option<u8>,
    /// The event types of a `subscribe`, separated by commas.
    types: Option<String>,
}

impl ConnectQuery {
    fn types(&self) -> Result<EventTypes, MessageError> {
        let types = self.types.as_deref().map_or(Ok(EventTypes::DEFAULT), |types| {
            EventTypes::parse(types.split(',').filter(|name| !name.is_empty()))
        });
        let metrics = if self.metrics == Some(1) { EventTypes::METRICS } else { EventTypes::NONE };
        types.map(|types| types.or(metrics)).map_err(MessageError::unknown_types)
    }
}

/// Upgrades a request that the guard admitted.
pub(super) async fn upgrade(
    State(dev): State<Dev>,
    Query(query): Query<ConnectQuery>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if offers_only_removed_subprotocol(&headers) {
        let text = format!("Subprotocol {REMOVED_SUBPROTOCOL} was removed; use {SUBPROTOCOL}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_INBOUND)
        .max_frame_size(MAX_INBOUND)
        .max_write_buffer_size(4 * 1024 * 1024)
        .on_upgrade(async move |socket| serve(dev, query, socket).await)
}

fn offers_only_removed_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut offers = offers.map(str::trim).peekable();
    offers.peek().is_some() && offers.all(|offer| offer == REMOVED_SUBPROTOCOL)
}

/// One of the [`MAX_SOCKETS`] event streams; dropping it frees its place.
struct SocketPermit;

impl SocketPermit {
    fn acquire() -> Option<Self> {
        let open = OPEN.fetch_add(1, Ordering::AcqRel);
        let permit = Self;
        (open < MAX_SOCKETS).then_some(permit)
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve(dev: Dev, query: ConnectQuery, mut socket: WebSocket) {
    let Some(_permit) = SocketPermit::acquire() else {
        let _ = socket.send(Message::text(encode(0, EventBody::Bye { reason: "limit" }))).await;
        close(&mut socket, close_code::AGAIN, "too many event streams are open").await;
        return;
    };
    let recorder = &dev.inner.recorder;
    let types = query.types();
    let resumed = query.run.zip(query.since).and_then(|(run, since)| recorder.resume(&run, since));
    let Some((mut first, mut subscription)) = resumed.or_else(|| recorder.subscribe()) else {
        return;
    };
    match types {
        Ok(types) => subscription.set_types(types),
        Err(error) => first.push(encode(subscription.seq(), error.body())),
    }
    if !send_all(&mut socket, first.into_iter().map(Message::text)).await {
        return;
    }
    let mut validator = MessageValidator::new(Instant::now());
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    let mut meter = None;
    let mut second = tokio::time::interval(METRICS_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_alive = tokio::select! {
            frames = subscription.next() => match frames {
                Some(frames) => send_all(&mut socket, frames.into_iter().map(Message::text)).await,
                None => {
                    close(&mut socket, close_code::AWAY, "the server is stopping").await;
                    false
                }
            },
            message = socket.recv() => match validator.validate(Instant::now(), message) {
                ControlFlow::Continue(None) => true,
                ControlFlow::Continue(Some(text)) => match handle(&mut subscription, &text) {
                    Some(reply) => send(&mut socket, Message::text(reply)).await,
                    None => true,
                },
                ControlFlow::Break(frame) => {
                    if frame.is_some() {
                        send(&mut socket, Message::Close(frame)).await;
                    }
                    false
                }
            },
            _ = second.tick(), if subscription.includes(EventTypes::METRICS) => {
                // The first tick comes at once: a rate needs some time to measure.
                let frame = match &mut meter {
                    Some(meter) => Meter::read(meter, subscription.seq()),
                    None => {
                        meter = Some(recorder.meter());
                        None
                    }
                };
                match frame {
                    Some(frame) => send(&mut socket, Message::text(frame)).await,
                    None => true, // there is none yet, or the server is stopping
                }
            }
            _ = ping.tick() => !validator.is_silent(Instant::now())
                && send(&mut socket, Message::Ping(Default::default())).await,
        };
        if !is_alive {
            return;
        }
    }
}

/// Handles a message of the client; returns the reply to it, if any.
fn handle(subscription: &mut Subscription, text: &str) -> Option<String> {
    match ClientMessage::parse(text) {
        Ok(ClientMessage::Ping(id)) => {
            Some(encode(subscription.seq(), EventBody::Pong { id: &id }))
        }
        Ok(ClientMessage::Subscribe(types)) => {
            subscription.set_types(types);
            None
        }
        Err(error) => Some(encode(subscription.seq(), error.body())),
    }
}
