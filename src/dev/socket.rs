//! `GET /__snaxum/ws`: the event stream.
//!
//! A client looks and never acts: of what it sends only a close has an effect. One that is too
//! slow loses events, is told how many, and gets a fresh snapshot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::Dev;
use super::protocol::Body;
use super::recorder::{Frame, encode};

const SUBPROTOCOL: &str = "snaxum.v1";
/// Consoles open at once.
const MAX_SOCKETS: usize = 16;
/// Bytes of a message from a client.
const MAX_INBOUND: usize = 64 * 1024;
/// How long a client may take to accept a frame.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a quiet connection is tested.
const PING_EVERY: Duration = Duration::from_secs(15);

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Upgrades a request that the guard let through.
pub(super) async fn upgrade(State(dev): State<Dev>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_INBOUND)
        .max_frame_size(MAX_INBOUND)
        .max_write_buffer_size(4 * 1024 * 1024)
        .on_upgrade(async move |socket| serve(dev, socket).await)
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

async fn serve(dev: Dev, mut socket: WebSocket) {
    let Some(_slot) = Slot::take() else {
        let _ = socket.send(Message::Text(encode(0, Body::Bye { reason: "limit" }))).await;
        close(&mut socket, close_code::AGAIN, "too many consoles are open").await;
        return;
    };
    let recorder = &dev.inner.recorder;
    let Some((first, mut frames)) = recorder.follow() else { return };
    for frame in first {
        if !send(&mut socket, Message::Text(frame)).await {
            return;
        }
    }
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        let alive = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(Frame::Text(text)) => send(&mut socket, Message::Text(text)).await,
                Ok(Frame::Close) | Err(RecvError::Closed) => {
                    close(&mut socket, close_code::AWAY, "the server is stopping").await;
                    false
                }
                Err(RecvError::Lagged(count)) => {
                    let Some((fresh, receiver)) = recorder.follow() else { return };
                    frames = receiver;
                    let dropped = encode(0, Body::Dropped { count });
                    let mut alive = send(&mut socket, Message::Text(dropped)).await;
                    for frame in fresh {
                        alive = alive && send(&mut socket, Message::Text(frame)).await;
                    }
                    alive
                }
            },
            message = socket.recv() => match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => false,
                Some(Ok(Message::Binary(_))) => {
                    close(&mut socket, close_code::UNSUPPORTED, "text only").await;
                    false
                }
                Some(Ok(_)) => true,
            },
            _ = ping.tick() => send(&mut socket, Message::Ping(Default::default())).await,
        };
        if !alive {
            return;
        }
    }
}

/// False when the client is gone, or does not read.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    send(socket, Message::Close(Some(frame))).await;
}
