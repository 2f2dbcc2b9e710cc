//! WebSockets of an ASGI application.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::scenarios::world::World;
use crate::support::{Project, Server, in_time};

const APP: &str = r#"
import json
from snaxum import mount, websocket

VERSION = 1

@websocket("/app/own")
async def own(ws):
    await ws.send("a route")

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"%d" % VERSION})
        return
    path = scope["path"]
    assert (await receive())["type"] == "websocket.connect"
    if path == "/app/refuses":
        await send({"type": "websocket.close", "code": 4000})
        return
    if path == "/app/denies":
        await send({"type": "websocket.http.response.start", "status": 451,
                    "headers": [(b"x-why", b"law")]})
        await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"here"})
        return
    if path == "/app/returns":
        return
    if path == "/app/fails":
        raise ValueError("before the handshake")
    names = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": names[-1] if names else None,
                "headers": [(b"x-own", b"yes")]})
    if path == "/app/raises":
        raise ValueError("after the handshake")
    if path == "/app/closes":
        await send({"type": "websocket.close", "code": 4001, "reason": "as asked"})
        return
    if path == "/app/floods":
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(65536)})
        except OSError as error:
            print("send raises", error, flush=True)
        return
    await send({"type": "websocket.send", "text": json.dumps(
        [scope["path"], scope["root_path"], scope["scheme"], names, scope["query_string"].decode()])})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            print("ended", VERSION, message["code"], message["reason"], flush=True)
            return
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": f"{VERSION} {message['text']}"})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})

mount("/app", app)
"#;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Head = http::Response<Option<Vec<u8>>>;

async fn open(server: &Server, path: &str, subprotocols: &str) -> Result<(Socket, Head), Head> {
    let url = format!("{}{path}", server.url.replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("a URL");
    if !subprotocols.is_empty() {
        let value = subprotocols.parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", value);
    }
    match in_time("the upgrade", tokio_tungstenite::connect_async(request)).await {
        Ok((socket, response)) => Ok((socket, response)),
        Err(Error::Http(response)) => Err(*response),
        Err(error) => panic!("no response to the upgrade: {error}"),
    }
}

async fn next(socket: &mut Socket) -> Message {
    in_time("a message", socket.next()).await.expect("it is open").expect("a message")
}

async fn exchange(socket: &mut Socket, text: &str) -> String {
    in_time("the send", socket.send(text.into())).await.expect("it is open");
    next(socket).await.into_text().expect("a text").as_str().to_owned()
}

async fn close_of(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await {
            let frame = frame.expect("a frame");
            return (frame.code.into(), frame.reason.as_str().to_owned());
        }
    }
}

#[tokio::test]
async fn an_application_and_its_client_exchange_messages_until_one_closes() {
    let server = Project::new().file("app.py", APP).serve().await;

    let (mut socket, head) = open(&server, "/app/a%20b?q=1", "v1, v2").await.expect("an upgrade");
    assert_eq!(head.headers()["sec-websocket-protocol"], "v2");
    assert_eq!(head.headers()["x-own"], "yes");
    let scope = next(&mut socket).await.into_text().expect("a text");
    assert_eq!(scope.as_str(), r#"["/app/a b", "/app", "ws", ["v1", "v2"], "q=1"]"#);
    assert_eq!(exchange(&mut socket, "hällo").await, "1 hällo");
    socket.send(Message::binary(vec![1, 2])).await.expect("it is open");
    assert_eq!(next(&mut socket).await, Message::binary(vec![2, 1]));
    let frame = CloseFrame { code: 4002.into(), reason: "bye".into() };
    socket.send(Message::Close(Some(frame))).await.expect("it is open");
    server.out.wait_for("ended 1 4002 bye").await;

    drop(open(&server, "/app/x", "").await.expect("an upgrade"));
    server.out.wait_for("ended 1 1006").await;

    let (mut socket, _) = open(&server, "/app/closes", "").await.expect("an upgrade");
    assert_eq!(close_of(&mut socket).await, (4001, "as asked".to_owned()));
    let (mut socket, _) = open(&server, "/app/raises", "").await.expect("an upgrade");
    assert_eq!(close_of(&mut socket).await.0, 1011);
    server.err.wait_for("ValueError: after the handshake").await;

    let (mut socket, _) = open(&server, "/app/floods", "").await.expect("an upgrade");
    next(&mut socket).await;
    drop(socket);
    server.out.wait_for("send raises the client has left").await;

    let (mut socket, _) = open(&server, "/app/own", "").await.expect("an upgrade");
    assert_eq!(next(&mut socket).await.into_text().expect("a text").as_str(), "a route");
}

#[tokio::test]
async fn an_application_may_respond_in_place_of_the_handshake() {
    let server = Project::new().file("app.py", APP).serve().await;
    let refused = async |path| open(&server, path, "").await.expect_err("no upgrade");

    assert_eq!(refused("/app/refuses").await.status(), 403);
    let response = refused("/app/denies").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-why"]),
        (451, &"law".parse().expect("a value"))
    );
    assert_eq!(response.body().as_deref(), Some(&b"not here"[..]));
    assert_eq!(refused("/app/returns").await.status(), 500);
    server.err.wait_for("without accepting or closing").await;
    assert_eq!(refused("/app/fails").await.status(), 500);
    server.err.wait_for("before the handshake").await;
}

#[tokio::test]
async fn a_websocket_stays_open_and_on_its_code_over_a_reload() {
    let mut world = World::new(&[("app.py", APP)]).await;
    let (mut socket, _) = open(&world.server, "/app/x", "").await.expect("an upgrade");
    next(&mut socket).await;

    world.save("app.py", &APP.replace("VERSION = 1", "VERSION = 2")).await.ran();

    assert_eq!(world.text("/app/x").await, "2");
    assert_eq!(exchange(&mut socket, "a").await, "1 a");
    let (mut newer, _) = open(&world.server, "/app/x", "").await.expect("an upgrade");
    next(&mut newer).await;
    assert_eq!(exchange(&mut newer, "b").await, "2 b");
    socket.close(None).await.expect("it is open");
    world.server.out.wait_for("ended 1 1005").await;
}
