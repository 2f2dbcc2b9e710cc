//! A client of the event stream.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Server, in_time};

/// A client of the event stream.
pub(crate) struct Console {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Console {
    pub(super) fn new(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        Self { socket }
    }

    /// Opens the event stream over a connection of the test's own.
    pub(crate) async fn over(stream: TcpStream, server: &Server) -> Self {
        let url = format!("ws://{}/__snaxum/ws", server.authority());
        let mut request = url.into_client_request().expect("a URL");
        let bearer = format!("Bearer {}", server.token).parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        let opening = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream));
        let (socket, _) = in_time("the upgrade", opening).await.expect("it is let in");
        Self { socket }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        in_time("a message", self.receive()).await
    }

    /// The next message of this type; skips what is not.
    pub(crate) async fn next_of_type(&mut self, kind: &str) -> Value {
        in_time(kind, async {
            loop {
                let message = self.receive().await;
                if message["type"] == kind {
                    return message;
                }
            }
        })
        .await
    }

    async fn receive(&mut self) -> Value {
        loop {
            let message = self.socket.next().await.expect("an open stream");
            if let Message::Text(text) = message.expect("a frame") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Sends a frame, as no console does.
    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("an open stream");
    }

    /// Reads to the end of the stream; the code that it was closed with.
    pub(crate) async fn close_code(self) -> Option<u16> {
        self.end().await.1
    }

    /// Reads to the end of the stream; the types that came.
    pub(crate) async fn rest(self) -> Vec<String> {
        self.end().await.0
    }

    /// Reads to the end of the stream; the types that came, and the code that it was closed with.
    pub(crate) async fn end(mut self) -> (Vec<String>, Option<u16>) {
        let (mut kinds, mut code) = (Vec::new(), None);
        in_time("the end of the stream", async {
            while let Some(Ok(message)) = self.socket.next().await {
                match message {
                    Message::Text(text) => {
                        let message: Value = serde_json::from_str(&text).expect("JSON");
                        kinds.push(message["type"].as_str().expect("a type").to_owned());
                    }
                    Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                    _ => {}
                }
            }
        })
        .await;
        (kinds, code)
    }
}
