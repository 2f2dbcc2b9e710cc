//! Follows the event stream of the program that serves, as `snaxum tail` does.
//!
//! Renders nothing. Ends with the connection.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_tungstenite::tungstenite::Message;

use crate::cli::client::connection::DevClient;
use crate::cli::client::event_socket;

/// The wait before another try to connect: the program may not accept yet.
const RETRY: Duration = Duration::from_millis(100);

/// A running task that ends when this is dropped.
pub(super) struct FollowedEvents(AbortHandle);

impl FollowedEvents {
    /// Calls `send` for each message of the stream. Needs the async runtime.
    pub(super) fn start(client: DevClient, send: impl Fn(String) + Send + 'static) -> Self {
        let task: JoinHandle<()> = tokio::spawn(async move {
            let mut socket = loop {
                match event_socket::open(&client, "", 0).await {
                    Ok(socket) => break socket,
                    Err(error) => tracing::debug!("cannot follow the events: {error}"),
                }
                tokio::time::sleep(RETRY).await;
            };
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(frame) = message {
                    send(frame.to_string());
                }
            }
        });
        Self(task.abort_handle())
    }
}

impl Drop for FollowedEvents {
    fn drop(&mut self) {
        self.0.abort();
    }
}
