//! `GET /__snaxum/live`: what a page of the app is told. It needs no token, so it says nothing
//! that a page of the app may not know.
//!
//! A WebSocket: its handshake names the page that asks, and open ones do not use up the few
//! connections that a browser has for one server.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;

use super::{Kind, Live, News};
use crate::dev::engine::Dev;
use crate::dev::http::ws::receive::Inbound;
use crate::dev::http::ws::send::{close, send};

/// Bytes of a message from a page, which has nothing to say.
const MAX_INBOUND: usize = 1024;
/// How often a quiet connection is tested.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Upgrades a request that the guard let through, while there is a place.
pub(in crate::dev) async fn upgrade(State(dev): State<Dev>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(place) = dev.inner.live.places.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many pages listen.\n").into_response();
    };
    upgrade
        .max_message_size(MAX_INBOUND)
        .max_frame_size(MAX_INBOUND)
        .write_buffer_size(0) // each frame goes out at once
        .max_write_buffer_size(64 * 1024)
        .on_upgrade(async move |socket| serve(&dev.inner.live, socket, place).await)
}

async fn serve(live: &Live, mut socket: WebSocket, _place: OwnedSemaphorePermit) {
    // In this order: nothing between is lost.
    let mut news = live.news.subscribe();
    let Some(first) = live.now() else { return };
    if !send(&mut socket, live.frame(first)).await {
        return;
    }
    let mut inbound = Inbound::new(Instant::now());
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        let frame = tokio::select! {
            () = live.end.cancelled() => {
                close(&mut socket, close_code::AWAY, "stopping").await;
                return;
            }
            news = news.recv() => match news.or_else(|error| match error {
                RecvError::Lagged(_) => live.now().ok_or(RecvError::Closed),
                RecvError::Closed => Err(error),
            }) {
                Ok(news) => live.frame(news),
                Err(_) => return,
            },
            message = socket.recv() => match inbound.judge(Instant::now(), message) {
                ControlFlow::Continue(_) => continue,
                ControlFlow::Break(None) => return,
                ControlFlow::Break(Some(frame)) => {
                    send(&mut socket, Message::Close(Some(frame))).await;
                    return;
                }
            },
            _ = ping.tick() => {
                if inbound.is_silent(Instant::now()) {
                    return;
                }
                Message::Ping(Default::default())
            }
        };
        if !send(&mut socket, frame).await {
            return;
        }
    }
}

impl Live {
    fn frame(&self, News { generation, kind }: News) -> Message {
        let kind = match kind {
            Kind::Reload => "reload",
            Kind::Css => "css",
            Kind::Error => "error",
            Kind::Ok => "ok",
        };
        Message::Text(json!({ "g": generation, "kind": kind, "run": self.run }).to_string().into())
    }
}
