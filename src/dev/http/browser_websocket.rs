//! `GET /__snaxum/live`: the WebSocket over which a page of the app receives reload updates.
//!
//! It needs no token, so it sends only data that any page of the app may know. It is a WebSocket
//! because its handshake names the page that connects, and because open ones do not use up the few
//! connections that a browser has for one server.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;

use super::ws::send::{close, send};
use super::ws::validate::MessageValidator;
use crate::dev::browser::BrowserReload;
use crate::dev::engine::Dev;

/// Bytes of a message from a page, which never needs to send one.
const MAX_INBOUND: usize = 1024;
/// How often a quiet connection is pinged.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Upgrades a request that the guard admitted, unless too many pages are connected.
pub(super) async fn upgrade(State(dev): State<Dev>, upgrade: WebSocketUpgrade) -> Response {
    let Some(permit) = dev.inner.browser.acquire() else {
        let text = "Too many pages are connected to this server; close some.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    upgrade
        .max_message_size(MAX_INBOUND)
        .max_frame_size(MAX_INBOUND)
        .write_buffer_size(0) // each frame goes out at once
        .max_write_buffer_size(64 * 1024)
        .on_upgrade(async move |socket| serve(&dev.inner.browser, socket, permit).await)
}

async fn serve(browser: &BrowserReload, mut socket: WebSocket, _permit: OwnedSemaphorePermit) {
    // In this order, so that no update between the two is lost.
    let mut updates = browser.subscribe();
    let Some(first) = browser.current() else { return };
    if !send(&mut socket, Message::Text(browser.to_json(first).into())).await {
        return;
    }
    let mut validator = MessageValidator::new(Instant::now());
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        let frame = tokio::select! {
            () = browser.closed() => {
                close(&mut socket, close_code::AWAY, "stopping").await;
                return;
            }
            update = updates.recv() => match update.or_else(|error| match error {
                RecvError::Lagged(_) => browser.current().ok_or(RecvError::Closed),
                RecvError::Closed => Err(error),
            }) {
                Ok(update) => Message::Text(browser.to_json(update).into()),
                Err(_) => return,
            },
            message = socket.recv() => match validator.validate(Instant::now(), message) {
                ControlFlow::Continue(_) => continue,
                ControlFlow::Break(None) => return,
                ControlFlow::Break(Some(frame)) => {
                    send(&mut socket, Message::Close(Some(frame))).await;
                    return;
                }
            },
            _ = ping.tick() => {
                if validator.is_silent(Instant::now()) {
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
