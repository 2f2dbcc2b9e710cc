//! Echoes each WebSocket message, for Autobahn's fuzzing client: the sockets of the
//! console do not echo.
//!
//! The way to the socket is that of the server: its connections, its upgrade, the same WebSocket
//! code of axum. The limits on size and rate are not, because Autobahn sends 16 MiB.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use snaxum::server;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let listener = server::bind(address).await.expect("a free port");
    println!("ws://{}/", listener.local_addr().expect("an address"));
    let app = Router::new()
        .route("/", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }));
    let stop = CancellationToken::new();
    server::serve(listener, app, stop, Duration::ZERO).await;
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}
