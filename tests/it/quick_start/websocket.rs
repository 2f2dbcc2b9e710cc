//! WebSockets of Python handlers behind `axum::serve`, which neither counts nor limits them.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::run;
use crate::support::{Project, in_time};

/// docs/embed.md, with a graceful shutdown and layers of the options, and without dev mode.
pub(super) const GRACEFUL: &str = r#"use axum::{routing::{any, get}, Router};
use snaxum::prelude::*;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let config = SnaxumConfig::builder()
        .python_dir("./python")
        .compression(true)
        .cors_allow_origin("https://a.example")
        .build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);
    let app = Router::new()
        .route("/python/{*path}", any(handle_python_request))
        .route("/rust/hello", get(async || "hello from Rust"))
        .with_state(runtime.clone());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { drop(terminate.recv().await) })
        .await?;
    runtime.shutdown(snaxum::server::DRAIN_TIMEOUT).await;
    Ok(())
}
"#;

const SOCKETS: &str = r#"
from snaxum import HTTPError, WebSocket, route, websocket

@websocket("/python/echo")
async def echo(ws: WebSocket):
    async for message in ws:
        await ws.send(message)
    print("the handler has ended:", ws.close_code, flush=True)

@websocket("/python/closed")
async def closed(ws: WebSocket):
    raise HTTPError(403, "not for you")

@route("/python/page")
def page(request):
    return "page"
"#;

#[tokio::test]
async fn a_websocket_of_python_works_behind_axum_serve_until_the_server_stops() {
    let mut server = run("graceful", Project::new().file("app.py", SOCKETS)).await;
    let url = |path: &str| format!("{}{path}", server.url.replace("http://", "ws://"));

    let opened = in_time("the handshake", connect_async(url("/python/echo"))).await;
    let (mut client, _) = opened.expect("an upgrade");
    for message in [Message::text("hello"), Message::binary(vec![0; 100_000])] {
        client.send(message.clone()).await.expect("it is open");
        let echo = in_time("the echo", client.next()).await.expect("open").expect("a message");
        assert_eq!(echo, message);
    }
    client.send(Message::Ping(vec![7].into())).await.expect("it is open");
    let pong = in_time("the pong", client.next()).await.expect("open").expect("a message");
    assert_eq!(pong, Message::Pong(vec![7].into()));

    let rejected = in_time("the rejection", connect_async(url("/python/closed"))).await;
    assert!(rejected.expect_err("a 403").to_string().contains("403"));
    assert_eq!(server.get("/python/page").await.text(), "page");
    assert_eq!(server.get("/python/echo").await.status, 426);

    server.signal(libc::SIGTERM);

    let close = loop {
        match in_time("the close", client.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => break frame,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("no close frame: {other:?}"),
        }
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "the server restarts"));
    drop(client);
    assert!(server.ended().await.success());
    server.out.wait_for("the handler has ended: 1012").await;
}
