//! WebSocket handlers and channels, with a client of another implementation.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Project, Server, in_time};

pub(super) const APP: &str = r#"
import asyncio, contextvars
from snaxum import (
    Blueprint, BlockingWebSocket, Channel, HTTPError, Request, Response, WebSocket, WebSocketClosed, route,
    websocket,
)

@websocket("/echo/<room>")
async def echo(ws: WebSocket, room: str):
    await ws.send(f"{room} {ws.query_params.get('q')} {ws.headers['x-name']} {ws.cookies['c']}")
    async for message in ws:
        await ws.send(message)
    print("ended", ws.close_code, ws.close_reason, flush=True)

@websocket("/json")
async def add(ws):
    while True:
        numbers = await ws.receive_json()
        await ws.send_json({"sum": sum(numbers)})

@websocket("/sub", subprotocols=["v2", "v1"])
async def sub(ws):
    await ws.send(str(ws.subprotocol))

@websocket("/raise")
async def fail(ws):
    number = 41
    await ws.receive()
    raise ValueError("it went wrong")

@websocket("/closes")
async def closes(ws):
    code = int(await ws.receive())
    await ws.close(code, "as asked")
    try:
        await ws.send("too late")
    except WebSocketClosed as error:
        print("send", error.code, error.reason, flush=True)
    try:
        await ws.receive()
    except WebSocketClosed as error:
        print("receive", error.code, error.reason, flush=True)

@websocket("/guarded")
async def guarded(ws):
    if ws.headers.get("origin") != "https://good.example":
        raise HTTPError(403, "the origin is not allowed")
    await ws.send("welcome")

@websocket("/answers")
async def answers(ws):
    return {"not": "a WebSocket"}, 409

@websocket("/late")
async def late(ws):
    await asyncio.sleep(0)
    raise HTTPError(403, "not now")

@websocket("/waits")
async def waits(ws):
    async for message in Channel("waits").subscribe():
        await ws.send(message)
    print("the subscription ended", flush=True)

@websocket("/tasks")
async def tasks(ws):
    async def read():
        try:
            await ws.receive()
        finally:
            print("the task ended", ws.close_code, flush=True)
    asyncio.create_task(read())
    await asyncio.sleep(0)

@websocket("/both")
async def both(ws):
    await ws.send("a WebSocket")

@route("/both")
def plain(request):
    return "a page"

@route("/plain")
def only_plain(request):
    return "plain " + request.method

@websocket("/thread")
def thread(ws: BlockingWebSocket):
    for message in ws:
        ws.send(message.upper())
    print("thread ended", ws.close_code, flush=True)

shop = Blueprint("shop", prefix="/shop/<int:id>")
user = contextvars.ContextVar("user", default="nobody")

@shop.before_request
async def check(request: Request):
    await asyncio.sleep(0)
    if "x-key" not in request.headers:
        return {"missing": "x-key"}, 401
    user.set(request.headers["x-key"])

@shop.websocket("/orders")
async def orders(ws: WebSocket, id: int):
    await ws.send(f"orders {id} for {user.get()}")

@shop.websocket("/blocking")
def blocking(ws: BlockingWebSocket, id: int):
    ws.send(f"blocking {id} for {user.get()}")

stuck = Blueprint("stuck", prefix="/stuck")

@stuck.before_request
async def wait_for_ever(request: Request):
    try:
        print("the hook waits", flush=True)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("the hook was cancelled", flush=True)

@stuck.websocket("/thread")
def behind_stuck(ws: BlockingWebSocket):
    ws.send("never")

@route("/threads")
def threads(request: Request):
    """The WebSockets that have a thread."""
    from snaxum._runtime.runtime import running
    return running().sockets.requests()

@websocket("/chat/<room>")
async def chat(ws: WebSocket, room: str):
    channel = Channel(room)
    async with channel.forward_to(ws):
        async for message in ws:
            channel.publish({"text": message})

@route("/publish/<room>", methods=["POST"])
def publish(request: Request, room: str):
    return {"subscribers": Channel(room).publish(request.text)}

@route("/subscribers/<room>")
def subscribers(room: str):
    return {"subscribers": Channel(room).subscribers}
"#;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client of a WebSocket of the app.
pub(super) struct Client(pub(super) Socket);

impl Client {
    pub(super) async fn open(server: &Server, path: &str) -> Self {
        Self::open_with(server, path, &[]).await.expect("an upgrade").0
    }

    /// Opens it with these headers; returns the head of the response, too.
    pub(super) async fn open_with(
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, http::Response<Option<Vec<u8>>>), http::Response<Option<Vec<u8>>>> {
        let url = format!("{}{path}", server.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match in_time("the upgrade", tokio_tungstenite::connect_async(request)).await {
            Ok((socket, response)) => Ok((Self(socket), response)),
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("no response to the upgrade: {error}"),
        }
    }

    pub(super) async fn send(&mut self, message: impl Into<Message>) {
        in_time("the send", self.0.send(message.into())).await.expect("it is open");
    }

    pub(super) async fn next(&mut self) -> Message {
        in_time("a message", self.0.next()).await.expect("it is open").expect("a message")
    }

    pub(super) async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("no text: {other:?}"),
        }
    }

    pub(super) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// Reads to the end; returns code and reason of the close frame.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        loop {
            match in_time("the close", self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.as_str().to_owned());
                }
                Some(Ok(Message::Close(None))) => return (1005, String::new()),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}

pub(super) async fn status_of(server: &Server, path: &str) -> u16 {
    Client::open_with(server, path, &[]).await.err().expect("it is rejected").status().as_u16()
}

#[tokio::test]
async fn a_handler_and_its_client_exchange_messages_until_one_closes() {
    let server = Project::new().file("app.py", APP).dev().await;
    let headers = [("x-name", "ann"), ("cookie", "c=1")];

    let (mut client, response) =
        Client::open_with(&server, "/echo/caf%C3%A9?q=7", &headers).await.expect("an upgrade");
    assert_eq!(response.status(), 101);
    assert_eq!(client.text().await, "café 7 ann 1");
    client.send("hällo").await;
    assert_eq!(client.text().await, "hällo");
    client.send(Message::binary(vec![0, 255])).await;
    assert_eq!(client.next().await, Message::binary(vec![0, 255]));
    client.send(Message::Ping(vec![7].into())).await;
    assert_eq!(client.next().await, Message::Pong(vec![7].into()));
    let large = "x".repeat(1024 * 1024);
    client.send(large.clone()).await;
    assert_eq!(client.text().await, large);

    let frame = CloseFrame { code: 4001.into(), reason: "bye".into() };
    client.send(Message::Close(Some(frame))).await;
    assert_eq!(client.closed().await, (4001, "bye".to_owned()));
    server.out.wait_for("ended 4001 bye").await;

    // A client that disconnects without a close frame.
    let (client, _) = Client::open_with(&server, "/echo/a", &headers).await.expect("it opens");
    drop(client);
    server.out.wait_for("ended 1006").await;
}

#[tokio::test]
async fn json_and_subprotocols() {
    let server = Project::new().file("app.py", APP).serve().await;

    let mut client = Client::open(&server, "/json").await;
    client.send("[1, 2, 3]").await;
    assert_eq!(client.text().await, r#"{"sum":6}"#);
    client.send(Message::binary(b"[4]".to_vec())).await;
    assert_eq!(client.json().await, json!({"sum": 4}));
    client.send("[").await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1007);
    assert!(reason.contains("JSON"), "{reason}");

    let mut client = Client::open(&server, "/sub").await;
    assert_eq!(client.text().await, "None");
    for (offered, chosen) in [("v1, v2", "v2"), ("v1", "v1")] {
        let headers = [("sec-websocket-protocol", offered)];
        let opened = Client::open_with(&server, "/sub", &headers).await;
        let (mut client, response) = opened.expect("an upgrade");
        assert_eq!(response.headers()["sec-websocket-protocol"], chosen);
        assert_eq!(client.text().await, chosen);
    }
    // The server knows none of these, and this client then rejects the response.
    let url = format!("{}/sub", server.url.replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("sec-websocket-protocol", "v0".parse().expect("a header"));
    let error = tokio_tungstenite::connect_async(request).await.expect_err("no subprotocol");
    assert!(error.to_string().contains("subprotocol"), "{error}");
}

#[tokio::test]
async fn a_close_has_its_code_and_a_fault_has_its_traceback() {
    let server = Project::new().file("app.py", APP).dev().await;
    let mut console = server.console().await;

    for code in [1000, 3000, 4999] {
        let mut client = Client::open(&server, "/closes").await;
        client.send(code.to_string()).await;
        assert_eq!(client.closed().await, (code, "as asked".to_owned()));
        server.out.wait_for(&format!("send {code} as asked")).await;
        server.out.wait_for(&format!("receive {code} as asked")).await;
    }
    let mut client = Client::open(&server, "/closes").await;
    client.send("1005").await;
    assert_eq!(client.closed().await.0, 1011);

    let mut client = Client::open(&server, "/raise?token=hunter2").await;
    client.send(r#"{"password": "hunter3", "n": 1}"#).await;
    assert_eq!(client.closed().await, (1011, "internal error".to_owned()));
    let message = loop {
        let message = console.next_of_type("websocket.message").await["message"].clone();
        if message["text"].as_str().is_some_and(|text| text.contains("password")) {
            break message;
        }
    };
    assert_eq!((&message["direction"], &message["kind"]), (&json!("in"), &json!("text")));
    assert_eq!(message["size"], 31);
    assert!(!message.to_string().contains("hunter"), "{message}");
    // The end of an earlier one may come later, with the reply of its client.
    let close = loop {
        let close = console.next_of_type("websocket.close").await["close"].clone();
        if close["request"] == message["request"] {
            break close;
        }
    };
    assert_eq!((&close["code"], &close["by"]), (&json!(1011), &json!("handler")));
    assert_eq!((&close["received"], &close["sent"]), (&json!(1), &json!(0)));
    assert_eq!((&close["path"], &close["route"]), (&json!("/raise"), &json!("/raise")));
    assert_eq!(close["error"]["message"], "it went wrong");

    let id = close["request"].as_str().expect("an id");
    let detail = server.api(&format!("requests/{id}")).await;
    assert_eq!(detail["status"], 101);
    assert_eq!(detail["messages"], json!([message]));
    let frame = detail["traceback"]["frames"].as_array().expect("frames").last().expect("one");
    assert_eq!(frame["function"], "fail");
    assert!(frame["locals"].to_string().contains("41"), "{frame}");
}

#[tokio::test]
async fn an_async_hook_ends_with_the_client_that_a_thread_waits_for() {
    let server = Project::new().file("app.py", APP).serve().await;
    let mut client = TcpStream::connect(server.authority()).await.expect("it listens");
    let head = format!(
        "GET /stuck/thread HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.authority()
    );
    client.write_all(head.as_bytes()).await.expect("it reads");
    server.out.wait_for("the hook waits").await;
    assert_ne!(server.get("/threads").await.json(), json!([]));

    client.set_zero_linger().expect("a socket");
    drop(client);

    server.out.wait_for("the hook was cancelled").await;
    in_time("the end of the thread", async {
        while server.get("/threads").await.json() != json!([]) {}
    })
    .await;
}

#[tokio::test]
async fn a_channel_broadcasts_to_websockets_from_anywhere() {
    let server = Project::new().file("app.py", APP).serve().await;
    let mut ann = Client::open(&server, "/chat/tea").await;
    let mut bob = Client::open(&server, "/chat/tea").await;
    let mut other = Client::open(&server, "/chat/coffee").await;

    ann.send("hi").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.json().await, json!({"text": "hi"}));
    }
    let reply = server.request(reqwest::Method::POST, "/publish/tea").body("from a thread");
    let reply = crate::support::send(reply).await;
    assert_eq!(reply.json(), json!({"subscribers": 2}));
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.text().await, "from a thread");
    }
    other.send("x").await;
    assert_eq!(other.json().await, json!({"text": "x"}));

    // The subscription of a client that leaves ends, and so does a handler that only waits for one.
    let waits = Client::open(&server, "/waits").await;
    bob.0.close(None).await.expect("it is open");
    drop(waits);
    server.out.wait_for("the subscription ended").await;
    loop {
        if server.get("/subscribers/tea").await.json() == json!({"subscribers": 1}) {
            break;
        }
    }
}
