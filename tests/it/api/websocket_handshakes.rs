//! Handshakes of WebSockets: which handler gets them, and responses other than an upgrade.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::websocket::{APP, Client, status_of};
use crate::support::{Project, in_time};

#[tokio::test]
async fn a_handler_may_respond_otherwise_before_it_first_waits() {
    let server = Project::new().file("app.py", APP).serve().await;

    assert_eq!(status_of(&server, "/guarded").await, 403);
    let origin = [("origin", "https://good.example")];
    let (mut client, _) =
        Client::open_with(&server, "/guarded", &origin).await.expect("it is let in");
    assert_eq!(client.text().await, "welcome");
    assert_eq!(client.closed().await.0, 1000);

    assert_eq!(status_of(&server, "/answers").await, 409);
    for name in ["orders", "blocking"] {
        let path = format!("/shop/7/{name}");
        assert_eq!(status_of(&server, &path).await, 401);
        let opened = Client::open_with(&server, &path, &[("x-key", "1")]).await;
        let (mut client, _) = opened.expect("the hook lets it in");
        assert_eq!(client.text().await, format!("{name} 7 for 1"));
    }
    let mut client = Client::open(&server, "/late").await;
    assert_eq!(client.closed().await, (1008, "not now".to_owned()));
    // A handler that only waits for something else is open at once.
    Client::open(&server, "/waits").await;
    // A task of the handler learns the end of its WebSocket.
    let mut client = Client::open(&server, "/tasks").await;
    assert_eq!(client.closed().await.0, 1000);
    server.out.wait_for("the task ended 1000").await;
}

const BLOCKING_HOOK: &str = r#"
import contextvars
import _gate
from snaxum import Blueprint, Request, WebSocket, get

shop = Blueprint("shop")
user = contextvars.ContextVar("user", default="nobody")

@shop.before_request
def blocks(request: Request):
    user.set("ann")
    _gate.wait("hook")

@shop.websocket("/orders")
async def orders(ws: WebSocket):
    await ws.send(f"orders for {user.get()}")

@get("/loop")
async def on_the_loop():
    return "free"
"#;

#[tokio::test]
async fn a_def_hook_before_an_async_handler_does_not_block_the_loop() {
    let server = Project::new().gate().file("app.py", BLOCKING_HOOK).serve().await;
    let handshake = async { Client::open(&server, "/orders").await.text().await };
    let free = async {
        let held = server.arrival().await;
        assert_eq!(server.get("/loop").await.text(), "free");
        held.open().await;
    };
    let (text, ()) = tokio::join!(handshake, free);
    assert_eq!(text, "orders for ann");
}

#[tokio::test]
async fn requests_and_handshakes_find_each_their_own() {
    let server = Project::new().file("app.py", APP).serve().await;

    let reply = server.get("/json").await;
    assert_eq!((reply.status, reply.header("upgrade")), (426, "websocket"));
    assert_eq!(reply.header("connection"), "upgrade");
    assert_eq!(reply.header("sec-websocket-version"), "13");
    assert_eq!(server.post("/json", &json!(1)).await.status, 426);
    assert_eq!(server.get("/both").await.text(), "a page");
    let refused = server.post("/both", &json!(1)).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(Client::open(&server, "/both").await.text().await, "a WebSocket");

    assert_eq!(status_of(&server, "/nowhere").await, 404);
    // A path without a WebSocket ignores the header, as HTTP demands.
    assert_eq!(status_of(&server, "/plain").await, 200);
    // An invalid handshake is an ordinary request.
    let head = format!(
        "GET /json HTTP/1.1\r\nhost: {}\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
         sec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.authority()
    );
    assert!(server.raw(&head).await.starts_with("HTTP/1.1 426 "));
    // `WS` is not a method of a route for HTTP.
    let head =
        format!("WS /json HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.authority());
    assert!(server.raw(&head).await.starts_with("HTTP/1.1 426 "));
}

#[tokio::test]
async fn the_protocol_changes_after_the_body_of_a_handshake() {
    const BOTH: &str = r#"
from snaxum import Request, WebSocket, route, websocket

@route("/both")
async def chunks(request: Request):
    return {"bytes": sum([len(chunk) async for chunk in request.stream()])}

@websocket("/both")
async def echo(ws: WebSocket):
    async for message in ws:
        await ws.send(message)
"#;
    let server = Project::new().file("app.py", BOTH).serve().await;
    let body = "x".repeat(500_000);
    let request = format!(
        "GET /both HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         content-length: {}\r\n\r\n{body}",
        server.authority(),
        body.len()
    );
    let mut stream = TcpStream::connect(server.authority()).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it is read");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time("the head", stream.read_u8()).await.expect("a byte"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));

    let stream = MaybeTlsStream::Plain(stream);
    let mut client = Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await);
    client.send("hello").await;
    assert_eq!(client.text().await, "hello");
}

#[tokio::test]
async fn routes_show_websockets_and_wrong_ones_do_not_load() {
    let project = Project::new().file("app.py", APP);
    let routes = project.snaxum(&["routes", "--format", "json"]).await;
    let routes: Value = serde_json::from_str(&routes.stdout).expect("JSON");
    let echo = routes.as_array().expect("a list").iter();
    let echo = echo.clone().find(|route| route["path"] == "/echo/<room>").expect("it is listed");
    assert_eq!((&echo["methods"], &echo["mode"]), (&json!(["WS"]), &json!("websocket")));
    let matched = project.snaxum(&["routes", "--match", "WS /echo/x"]).await;
    assert!(matched.stdout.contains("app.echo"), "{}", matched.stdout);
    let orders = routes.as_array().expect("a list").iter();
    let orders =
        orders.clone().find(|route| route["handler"] == "app.orders").expect("it is listed");
    assert_eq!(orders["via"], json!(["before_request app.check"]));

    let wrong = [
        ("@websocket('/a')\nasync def a(ws, body: dict): ...", "a WebSocket has none"),
        ("@route('/a')\ndef a(ws: WebSocket): ...", "declare its handler with `@websocket(path)`"),
        ("@websocket('/a')\nasync def a(ws):\n    yield 1", "has a `yield`"),
        (
            "@websocket('/a', subprotocols=['a b'])\nasync def a(ws): ...",
            "'a b' is not a subprotocol",
        ),
        ("@websocket('/a')\ndef a(ws: 'WebSocket'): ...", "or write `async def`"),
        ("@websocket\nasync def a(ws): ...", "`@websocket` at"),
        ("@websocket('a')\nasync def a(ws): ...", "`a`"),
        ("@route('/a', methods=['WS'])\ndef a(request): ...", "`@websocket(path)`"),
        (
            "@websocket('/a/<x>')\nasync def a(ws, x): ...\n@websocket('/a/<y>')\nasync def b(ws, y): ...",
            "two handlers for WS",
        ),
    ];
    for (code, problem) in wrong {
        let code = format!("from snaxum import WebSocket, route, websocket\n{code}\n");
        let check = Project::new().file("app.py", &code).snaxum(&["check"]).await;
        assert_eq!(check.code, Some(1), "{code}");
        assert!(
            check.stderr.contains(problem) || check.stdout.contains(problem),
            "{code}{}",
            check.stderr
        );
        assert!(check.stderr.contains("app.py:") || check.stdout.contains("app.py:"), "{code}");
    }
}
