//! WebSockets over HTTP/2 (RFC 8441), with hyper's client and tungstenite's.

use axum::http::{HeaderMap, HeaderName, Request, StatusCode};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::support::{Project, Server, in_time};

const APP: &str = r#"
import json

from snaxum import HTTPError, WebSocketClosed, mount, route, websocket


@websocket("/echo", subprotocols=["v1"])
async def echo(ws):
    names = sorted(name for name in ws.headers if not name.startswith("x-"))
    await ws.send_json([ws.headers["host"], ws.subprotocol, names])
    async for message in ws:
        await ws.send(message)
    print("ended", ws.close_code, ws.close_reason, flush=True)


@websocket("/guarded")
async def guarded(ws):
    raise HTTPError(403, "not you")


@websocket("/floods")
async def floods(ws):
    try:
        while True:
            await ws.send(bytes(65536))
    except WebSocketClosed as error:
        print("send raises", error.code, flush=True)


@route("/plain")
def plain(request):
    return "plain"


async def app(scope, receive, send):
    assert scope["type"] == "websocket", scope["type"]
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    names = [name.decode() for name, _ in scope["headers"]]
    text = json.dumps([scope["http_version"], scope["scheme"], "upgrade" in names])
    await send({"type": "websocket.send", "text": text})
    message = await receive()
    await send({"type": "websocket.send", "text": message["text"]})


mount("/asgi", app)
"#;

type Client = SendRequest<Empty<Bytes>>;
type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A connection of HTTP/2, on which the settings of the server have arrived.
async fn connect(server: &Server) -> Client {
    let socket = TcpStream::connect(server.authority()).await.expect("it listens");
    let (mut client, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    let request = Request::get(format!("{}/plain", server.url)).body(Empty::new());
    let response = client.send_request(request.expect("a request"));
    assert_eq!(in_time("a response", response).await.expect("it responds").status(), 200);
    client
}

/// Asks for a WebSocket, or another protocol.
async fn ask(
    client: &mut Client,
    server: &Server,
    (path, protocol): (&str, &'static str),
) -> Result<(HeaderMap, Socket), StatusCode> {
    let request = Request::connect(format!("{}{path}", server.url))
        .extension(Protocol::from_static(protocol))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "v2, v1")
        .body(Empty::new())
        .expect("a request");
    let mut response =
        in_time("the handshake", client.send_request(request)).await.expect("it responds");
    if response.status() != StatusCode::OK {
        return Err(response.status());
    }
    let upgraded = hyper::upgrade::on(&mut response).await.expect("a stream");
    let stream = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    Ok((response.headers().clone(), socket))
}

async fn open(client: &mut Client, server: &Server, path: &str) -> Socket {
    ask(client, server, (path, "websocket")).await.expect("it is accepted").1
}

async fn text(socket: &mut Socket) -> String {
    let message =
        in_time("a message", socket.next()).await.expect("it is open").expect("a message");
    message.into_text().expect("text").to_string()
}

async fn server(args: &[&str]) -> Server {
    Project::new().file("app.py", APP).args(args).serve().await
}

#[tokio::test]
async fn websockets_share_a_connection_with_requests() {
    let server = server(&[]).await;
    let mut client = connect(&server).await;
    let (headers, mut first) =
        ask(&mut client, &server, ("/echo", "websocket")).await.expect("it is accepted");
    let names: Vec<&HeaderName> = headers.keys().filter(|name| *name != "date").collect();
    assert_eq!(names, ["sec-websocket-protocol"], "no header of the connection");
    let mut second = open(&mut client, &server, "/echo").await;
    for socket in [&mut first, &mut second] {
        let seen: Value = serde_json::from_str(&text(socket).await).expect("JSON");
        let names = ["host", "sec-websocket-protocol", "sec-websocket-version"];
        assert_eq!(seen, json!([server.authority(), "v1", names]));
    }
    let long = "x".repeat(100_000);
    for message in ["a", &long, "é"] {
        for socket in [&mut first, &mut second] {
            socket.send(Message::text(message)).await.expect("it is open");
            assert_eq!(text(socket).await, message);
        }
    }
    let close = CloseFrame { code: 4001.into(), reason: "done".into() };
    first.close(Some(close)).await.expect("it is open");
    server.out.wait_for("ended 4001 done").await;
    // The stream of a client that vanishes ends without a close frame.
    drop(second);
    server.out.wait_for("ended 1006").await;
    let request = Request::get(format!("{}/plain", server.url)).body(Empty::new());
    let response = client.send_request(request.expect("a request")).await;
    assert_eq!(response.expect("the connection is open").status(), StatusCode::OK);
}

#[tokio::test]
async fn an_asgi_application_reads_the_version() {
    let server = server(&[]).await;
    let mut client = connect(&server).await;
    let mut socket = open(&mut client, &server, "/asgi/any").await;
    assert_eq!(text(&mut socket).await, r#"["2", "ws", false]"#);
    socket.send(Message::text("hello")).await.expect("it is open");
    assert_eq!(text(&mut socket).await, "hello");
}

#[tokio::test]
async fn a_handshake_that_fails_is_a_response() {
    let server = server(&[]).await;
    let mut client = connect(&server).await;
    for (asked, status) in [
        (("/guarded", "websocket"), StatusCode::FORBIDDEN),
        (("/none", "websocket"), StatusCode::NOT_FOUND),
        // Its 200 would begin a WebSocket.
        (("/plain", "websocket"), StatusCode::NOT_FOUND),
        (("/echo", "connect-udp"), StatusCode::NOT_IMPLEMENTED),
    ] {
        let refused = ask(&mut client, &server, asked).await.map(|_| ()).expect_err("no WebSocket");
        assert_eq!(refused, status, "{asked:?}");
    }
    let request = Request::get(format!("{}/echo", server.url)).body(Empty::new());
    let response = client.send_request(request.expect("a request")).await;
    assert_eq!(response.expect("it responds").status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_websocket() {
    let server = server(&["--send-timeout", "200ms"]).await;
    let mut client = connect(&server).await;
    let _unread = open(&mut client, &server, "/floods").await;
    server.out.wait_for("send raises 1006").await;
}

#[tokio::test]
async fn a_stopping_server_closes_its_websockets() {
    let mut server = server(&[]).await;
    let mut client = connect(&server).await;
    let mut socket = open(&mut client, &server, "/echo").await;
    text(&mut socket).await;
    server.signal(libc::SIGTERM);
    let closed = in_time("the close", socket.next()).await.expect("a message").expect("a close");
    let Message::Close(Some(frame)) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(frame.code), 1012);
    drop((socket, client));
    assert!(server.ended().await.success());
}
