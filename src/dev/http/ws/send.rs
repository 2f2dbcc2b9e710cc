//! Sends frames to a WebSocket client, with a timeout, and closes the socket with a reason.
//!
//! Never waits longer for a client that does not read.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, close_code};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;

/// How long a client may take to accept what is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take after that to accept the reason for the close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends frames together; returns false if the client has disconnected, or does not read. A client
/// that does not read gets a close frame with the reason if it reads again soon.
pub(in crate::dev::http) async fn send_all<S, E>(
    socket: &mut S,
    frames: impl IntoIterator<Item = Message>,
) -> bool
where
    S: Sink<Message> + Stream<Item = Result<Message, E>> + Unpin,
{
    let send = async {
        for frame in frames {
            socket.feed(frame).await?;
        }
        socket.flush().await
    };
    if let Ok(sent) = timeout(SEND_TIMEOUT, send).await {
        return sent.is_ok();
    }
    let close = async {
        // The rest of a frame goes first. Then read to the end: a connection that is closed with
        // unread data in it may lose the frames under way.
        let sent = socket.send(frame_of(close_code::AGAIN, "too slow")).await;
        while sent.is_ok() && matches!(socket.next().await, Some(Ok(_))) {}
    };
    let _ = timeout(CLOSE_TIMEOUT, close).await;
    false
}

/// Sends one frame; returns false if the client has disconnected, or does not read.
pub(in crate::dev::http) async fn send<S, E>(socket: &mut S, message: Message) -> bool
where
    S: Sink<Message> + Stream<Item = Result<Message, E>> + Unpin,
{
    send_all(socket, [message]).await
}

/// Sends a close frame.
pub(in crate::dev::http) async fn close<S, E>(socket: &mut S, code: u16, reason: &'static str)
where
    S: Sink<Message> + Stream<Item = Result<Message, E>> + Unpin,
{
    send(socket, frame_of(code, reason)).await;
}

fn frame_of(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::ws::{WebSocket, WebSocketUpgrade};
    use axum::routing::get;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc;
    use tokio::time::{Instant, sleep};
    use tokio_tungstenite::{WebSocketStream, client_async};

    const FRAMES: usize = 100;

    /// Connects a client that is sent many frames over a small pipe. The channel reports whether all
    /// were sent, and after how many seconds.
    async fn client() -> (WebSocketStream<DuplexStream>, mpsc::Receiver<(bool, u64)>) {
        let (results, result) = mpsc::channel(1);
        let send_much = async move |mut socket: WebSocket| {
            let began = Instant::now();
            let frames = vec![Message::text("x".repeat(10_000)); FRAMES];
            let is_sent = send_all(&mut socket, frames).await;
            let _ = results.send((is_sent, began.elapsed().as_secs())).await;
        };
        let app = Router::new()
            .route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(send_much)));
        let (client, server) = tokio::io::duplex(4096);
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(app))
            .with_upgrades();
        tokio::spawn(connection);
        let (client, _) = client_async("ws://localhost/", client).await.expect("an upgrade");
        (client, result)
    }

    /// Counts the messages that the client reads to the end; returns the close code also.
    async fn rest(mut client: WebSocketStream<DuplexStream>) -> (usize, Option<u16>) {
        let (mut messages, mut code) = (0, None);
        while let Some(Ok(message)) = client.next().await {
            match message {
                tokio_tungstenite::tungstenite::Message::Close(frame) => {
                    code = frame.map(|frame| frame.code.into());
                }
                _ => messages += 1,
            }
        }
        (messages, code)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_in_time_gets_everything() {
        let (client, mut result) = client().await;
        sleep(SEND_TIMEOUT - Duration::from_secs(1)).await;
        assert_eq!(rest(client).await.0, FRAMES);
        assert_eq!(result.recv().await, Some((true, 9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_too_late_gets_the_reason_for_the_close() {
        let (client, mut result) = client().await;
        sleep(SEND_TIMEOUT + CLOSE_TIMEOUT - Duration::from_secs(1)).await;
        let (messages, code) = rest(client).await;
        assert!(messages < FRAMES);
        assert_eq!(code, Some(close_code::AGAIN));
        assert_eq!(result.recv().await, Some((false, 14)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_reads_is_dropped_after_a_timeout() {
        let (client, mut result) = client().await;
        assert_eq!(result.recv().await, Some((false, 15)));
        assert_eq!(rest(client).await.1, None);
    }
}
