//! The connection to the event stream of a dev server.
//!
//! Reads no message.

use std::time::Duration;

use snaxum::error::Error;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

use super::connection::DevClient;

/// The limit for a connection to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type EventSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects to the stream, after the message `seq` of the run `run_id` if that is not empty.
pub(crate) async fn open(client: &DevClient, run_id: &str, seq: u64) -> Result<EventSocket, Error> {
    connect(client, request(client, run_id, seq)?, CONNECT_TIMEOUT).await
}

fn request(client: &DevClient, run_id: &str, seq: u64) -> Result<Request, Error> {
    let seen = match run_id {
        "" => String::new(),
        run_id => format!("?run={run_id}&since={seq}"),
    };
    let address = format!("{}/__snaxum/ws{seen}", client.url.replacen("http", "ws", 1));
    let mut request =
        address.into_client_request().map_err(|error| client.lost(error.to_string()))?;
    let bearer = format!("Bearer {}", client.token);
    let bearer = HeaderValue::from_str(&bearer).expect("the client has checked the token");
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let protocol = HeaderValue::from_static("snaxum.v2");
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    Ok(request)
}

/// Connects within a time limit.
async fn connect(
    client: &DevClient,
    request: Request,
    limit: Duration,
) -> Result<EventSocket, Error> {
    let connecting = tokio_tungstenite::connect_async(request);
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Io(error))) => Err(client.unreachable(&error)),
        Ok(Err(error)) => Err(client.lost(error.to_string())),
        Err(_) => Err(client.lost(format!("no response within {} s", limit.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_to_a_silent_server_times_out() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", silent.local_addr().expect("an address"));
        let file = serde_json::json!({"url": url, "token": "t", "pid": 1});
        let client: DevClient = serde_json::from_value(file).expect("a client");
        let request = request(&client, "", 0).expect("an address");
        let connected = connect(&client, request, Duration::from_millis(10)).await;
        let problem = connected.expect_err("it times out").to_string();
        assert!(problem.contains("does not respond (no response within"), "{problem}");
    }
}
