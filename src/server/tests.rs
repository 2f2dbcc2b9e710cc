//! The timeouts and limits of a connection, with a paused clock.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::UnixStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::serve;
use super::entry::Protocol;
use super::refusals::Refusals;
use super::turns::Mobility;
use super::{ConnectionLimits, Listener};

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Connects a client to a server that always responds with `ok`.
fn client(limits: ConnectionLimits) -> DuplexStream {
    let (client, server) = tokio::io::duplex(1 << 20);
    let respond = async |request: hyper::Request<Incoming>| {
        request.into_body().collect().await.expect("a whole body");
        Response::new(Body::from("ok"))
    };
    tokio::spawn(serve(
        server,
        Protocol::Unknown,
        respond,
        limits,
        CancellationToken::new(),
        (Mobility::NONE, Refusals::default()),
    ));
    client
}

async fn request_ok(client: &mut DuplexStream, request: &[u8]) {
    client.write_all(request).await.expect("it reads");
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\nok") {
        client.read_buf(&mut response).await.expect("a response");
    }
}

/// How long the server waits before it closes, in whole seconds, and the text that it sends.
async fn wait_closed(client: &mut DuplexStream) -> (Duration, String) {
    let began = Instant::now();
    let mut text = String::new();
    client.read_to_string(&mut text).await.expect("text");
    (Duration::from_secs(began.elapsed().as_secs()), text)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_idle_between_requests_ends_after_a_minute() {
    let mut client = client(ConnectionLimits::default());
    request_ok(&mut client, REQUEST).await;
    tokio::time::advance(IDLE_TIMEOUT - Duration::from_secs(1)).await;
    request_ok(&mut client, REQUEST).await;
    assert_eq!(wait_closed(&mut client).await, (IDLE_TIMEOUT, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_ends_after_the_header_timeout() {
    let mut client = client(ConnectionLimits::default());
    assert_eq!(wait_closed(&mut client).await, (HEADER_TIMEOUT, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_has_ten_seconds_whether_the_first_or_not() {
    for earlier in [0, 1, 2] {
        let mut client = client(ConnectionLimits::default());
        for _ in 0..earlier {
            request_ok(&mut client, REQUEST).await;
            tokio::time::advance(Duration::from_secs(30)).await;
        }
        let (mut reading, mut writing) = tokio::io::split(client);
        tokio::spawn(async move {
            let mut each = tokio::time::interval(Duration::from_millis(900));
            for byte in REQUEST.iter().cycle().filter(|byte| **byte != b'\n') {
                each.tick().await;
                if writing.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        let read = reading.read_to_end(&mut Vec::new()).await.expect("the end");
        assert_eq!((read, began.elapsed().as_secs()), (0, 10), "after {earlier}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_over_the_limit_is_a_431_and_a_body_may_have_more() {
    const LIMIT: usize = 16 * 1024;
    let mut client =
        client(ConnectionLimits { max_header_size: LIMIT, ..ConnectionLimits::default() });
    let body = "x".repeat(20 * LIMIT);
    let head =
        format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    request_ok(&mut client, (head + &body).as_bytes()).await;

    let long = format!("GET / HTTP/1.1\r\nx-long: {}", "x".repeat(20 * LIMIT));
    client.write_all(long.as_bytes()).await.expect("it reads");
    let (_, text) = wait_closed(&mut client).await;
    assert!(text.contains("HTTP/1.1 431 "), "{text}");
}

#[tokio::test]
async fn a_router_is_served_on_a_unix_socket_until_the_stop() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.sock");
    let listener = Listener::bind_unix(&path).expect("it is free");
    let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
    let app = Router::new().route("/", get(peer));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(super::serve(listener, app, stop.clone(), Duration::MAX));

    let mut client = UnixStream::connect(&path).await.expect("it listens");
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("it reads");
    let mut text = String::new();
    client.read_to_string(&mut text).await.expect("text");
    assert!(text.ends_with("\r\n\r\n127.0.0.1:0"), "{text}");
    stop.cancel();
    assert_eq!(serving.await.expect("it ends"), 0);
    assert!(!path.exists());
}
