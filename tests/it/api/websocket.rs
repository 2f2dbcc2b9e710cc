//! WebSocket handlers and channels, with a client of another implementation.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Project, Server, in_time};

const APP: &str = r#"
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

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client of a WebSocket of the app.
struct Client(Socket);

impl Client {
    async fn open(server: &Server, path: &str) -> Self {
        Self::open_with(server, path, &[]).await.expect("an upgrade").0
    }

    /// Opens it with these headers; returns the head of the response, too.
    async fn open_with(
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

    async fn send(&mut self, message: impl Into<Message>) {
        in_time("the send", self.0.send(message.into())).await.expect("it is open");
    }

    async fn next(&mut self) -> Message {
        in_time("a message", self.0.next()).await.expect("it is open").expect("a message")
    }

    async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("no text: {other:?}"),
        }
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// Reads to the end; returns code and reason of the close frame.
    async fn closed(&mut self) -> (u16, String) {
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

async fn status_of(server: &Server, path: &str) -> u16 {
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
async fn limits_close_with_a_reason() {
    let project = Project::new().file("app.py", APP).args(&["--max-message-size", "1000"]);
    let server = project.serve().await;

    let mut client = Client::open(&server, "/thread").await;
    client.send("x".repeat(1000)).await;
    assert_eq!(client.text().await, "X".repeat(1000));
    let large = client.0.send(Message::text("x".repeat(3_000_000)));
    let _ = in_time("the send", large).await;
    assert_eq!(client.closed().await, (1009, "the message is too large".to_owned()));

    let mut client = Client::open(&server, "/thread").await;
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("no TLS") };
    // A masked text frame of one byte, which is not UTF-8.
    tokio::io::AsyncWriteExt::write_all(stream, &[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .await
        .expect("open");
    assert_eq!(client.closed().await.0, 1007);
}

#[tokio::test]
async fn a_client_without_pongs_is_disconnected() {
    let project = Project::new().file("app.py", APP).args(&["--ping-interval", "50ms"]);
    let server = project.serve().await;
    let mut silent = Client::open(&server, "/thread").await;
    silent.send("a").await;
    // This client sends a pong when it reads the next message.
    let mut client = Client::open(&server, "/thread").await;
    for _ in 0..10 {
        assert!(matches!(client.next().await, Message::Ping(_)));
    }
    server.out.wait_for("thread ended 1006").await;
    client.send("b").await;
    while matches!(client.next().await, Message::Ping(_)) {}
}

#[tokio::test]
async fn a_handler_waits_while_its_client_does_not_read() {
    let app = r#"
from snaxum import route, websocket

sent = 0

@websocket("/flood")
async def flood(ws):
    global sent
    await ws.receive()
    for n in range(400):
        await ws.send(bytes(256 * 1024))
        sent = n

@route("/sent")
def count(request):
    return {"sent": sent}
"#;
    let server = Project::new().file("app.py", app).serve().await;
    let mut client = Client::open(&server, "/flood").await;
    client.send("go").await;
    // Its progress ends: the buffers of both sides and the channel are full.
    let (mut before, mut same) = (0, 0);
    while same < 20 {
        let sent = server.get("/sent").await.json()["sent"].as_u64().expect("a number");
        same = if sent == before && sent > 0 { same + 1 } else { 0 };
        before = sent;
    }
    assert!(before < 399, "{before}");
    for _ in 0..400 {
        assert_eq!(client.next().await.len(), 256 * 1024);
    }
    assert_eq!(client.closed().await.0, 1000);
}

#[tokio::test]
async fn a_reload_closes_no_websocket() {
    let app = |version: u32| {
        format!(
            "from snaxum import Channel, on_unload, route, websocket\n\
             channel = Channel('all')\n\
             @websocket('/v')\n\
             async def v(ws):\n    \
                 async for message in ws:\n        \
                     await ws.send(f'{version} {{ws.is_stale}}')\n\
             @websocket('/all')\n\
             async def everything(ws):\n    \
                 async for message in channel.subscribe():\n        \
                     await ws.send(message)\n\
             @route('/publish')\n\
             def publish(request):\n    \
                 return channel.publish('from {version}') and 'published'\n\
             @on_unload\n\
             def unload():\n    \
                 print('unloaded {version}', flush=True)\n"
        )
    };
    let server = Project::new().file("app.py", &app(1)).dev().await;
    let mut console = server.console().await;
    let mut old = Client::open(&server, "/v").await;
    old.send("?").await;
    assert_eq!(old.text().await, "1 False");
    let mut listener = Client::open(&server, "/all").await;
    listener.0.flush().await.expect("it is open");
    assert_eq!(server.get("/publish").await.text(), "published");
    assert_eq!(listener.text().await, "from 1");

    server.edit("app.py", &app(2));
    console.next_of_type("reload.ok").await;
    let mut new = Client::open(&server, "/v").await;
    new.send("?").await;
    assert_eq!(new.text().await, "2 False");
    old.send("?").await;
    assert_eq!(old.text().await, "1 True");
    // The new code has the channel of the old.
    assert_eq!(server.get("/publish").await.text(), "published");
    assert_eq!(listener.text().await, "from 2");

    // The generation ends with its last WebSocket.
    old.0.close(None).await.expect("it is open");
    listener.0.close(None).await.expect("it is open");
    server.out.wait_for("unloaded 1").await;
}

#[tokio::test]
async fn a_stop_closes_with_1012_and_waits_for_the_handlers() {
    let app = r#"
import asyncio
from snaxum import websocket

@websocket("/async")
async def waits(ws):
    async for message in ws:
        pass
    await asyncio.sleep(0)
    print("ended", ws.close_code, flush=True)

@websocket("/thread")
def thread(ws):
    for message in ws:
        pass
    print("ended", ws.close_code, flush=True)

@websocket("/ignores")
async def ignores(ws):
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("was cancelled", flush=True)
"#;
    let mut server = Project::new().file("app.py", app).serve().await;
    let mut clients = Vec::new();
    for path in ["/async", "/thread", "/ignores"] {
        let mut client = Client::open(&server, path).await;
        client.send("hello").await;
        clients.push(client);
    }
    // The handlers of the first two run.
    server.get("/none").await;
    server.signal(15);
    for client in &mut clients {
        assert_eq!(client.closed().await, (1012, "the server restarts".to_owned()));
    }
    assert_eq!(server.ended().await.code(), Some(0));
    let output = server.out.whole().await;
    assert_eq!(output.matches("ended 1012").count(), 2, "{output}");
    assert!(output.contains("was cancelled"), "{output}");
}

#[tokio::test]
async fn a_restart_of_the_dev_server_closes_with_1012() {
    let server = Project::new().file("app.py", APP).dev().await;
    let mut client = Client::open(&server, "/thread").await;
    client.send("a").await;
    assert_eq!(client.text().await, "A");
    let (closed, restart) = tokio::join!(client.closed(), server.project.snaxum(&["restart"]));
    assert_eq!(closed, (1012, "the server restarts".to_owned()));
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    // The socket is that of the new process.
    let mut client = Client::open(&server, "/thread").await;
    client.send("b").await;
    assert_eq!(client.text().await, "B");
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
