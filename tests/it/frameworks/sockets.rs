//! Protocols on WebSockets: Socket.IO, and GraphQL subscriptions of strawberry.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Socket, edit, world};
use crate::support::send;

const SOCKETIO: &str = r#"
import socketio

VERSION = 1
server = socketio.AsyncServer(async_mode="asgi")

@server.event
async def connect(sid, environ):
    await server.emit("welcome", {"version": VERSION}, to=sid)

@server.event
async def double(sid, number):
    return [VERSION, number * 2]

async def other(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"other %d" % VERSION})

app = socketio.ASGIApp(server, other)
"#;

/// Opens a WebSocket of Engine.IO, and Socket.IO's default namespace on it.
async fn connect(server: &crate::support::Server) -> Socket {
    let mut socket = Socket::open(server, "/socket.io/?EIO=4&transport=websocket", "").await;
    assert!(socket.next().await.starts_with("0{"), "the handshake of Engine.IO");
    socket.send("40").await;
    let mut opened = [socket.next().await, socket.next().await];
    opened.sort();
    assert!(opened[0].starts_with("40{"), "{opened:?}");
    assert!(opened[1].starts_with("42[\"welcome\""), "{opened:?}");
    socket
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn socketio_over_websockets_and_long_polls() {
    let mut world = world(&[("main.py", SOCKETIO)], "main:app").await;
    let mut socket = connect(&world.server).await;
    assert_eq!(socket.exchange("421[\"double\",4]").await, "431[[1,8]]");
    assert_eq!(world.text("/x").await, "other 1");

    // The transport without WebSockets.
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = world.text(path).await;
    let opened: Value = serde_json::from_str(&opened[1..]).expect("JSON");
    let path = format!("{path}&sid={}", opened["sid"].as_str().expect("an id"));
    let posted = send(world.server.request(Method::POST, &path).body("40")).await;
    assert_eq!((posted.status, posted.text()), (200, "OK"));
    assert!(world.text(&path).await.contains("40{"));

    edit(&mut world, "main.py", "VERSION = 1", "VERSION = 2").await.ran();
    assert_eq!(socket.exchange("422[\"double\",5]").await, "432[[1,10]]", "it stays on its code");
    let mut second = connect(&world.server).await;
    assert_eq!(second.exchange("421[\"double\",4]").await, "431[[2,8]]");
    assert_eq!(world.text("/x").await, "other 2");
}

const STRAWBERRY: &str = r#"
from collections.abc import AsyncGenerator

import strawberry
from strawberry.asgi import GraphQL

from things import Thing

@strawberry.type
class Query:
    @strawberry.field
    def thing(self, number: int) -> Thing:
        return Thing(name=f"thing {number}")

    @strawberry.field
    def fails(self) -> int:
        raise LookupError("it went wrong")

@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

app = GraphQL(strawberry.Schema(Query, subscription=Subscription))
"#;

const THINGS: &str = "
import strawberry

@strawberry.type
class Thing:
    name: str
";

/// Subscribes over `graphql-transport-ws`; gives the values.
async fn subscribe(socket: &mut Socket, id: &str, query: &str) -> Vec<Value> {
    let message = json!({"id": id, "type": "subscribe", "payload": {"query": query}});
    socket.send(&message.to_string()).await;
    let mut values = Vec::new();
    loop {
        let mut message: Value = serde_json::from_str(&socket.next().await).expect("JSON");
        match message["type"].as_str() {
            Some("next") => values.push(message["payload"]["data"].take()),
            Some("complete") => return values,
            _ => panic!("{message}"),
        }
    }
}

async fn acknowledged(server: &crate::support::Server) -> Socket {
    let mut socket = Socket::open(server, "/graphql", "graphql-transport-ws").await;
    let reply = socket.exchange(r#"{"type": "connection_init"}"#).await;
    assert!(reply.contains("connection_ack"), "{reply}");
    socket
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn strawberry_with_subscriptions_over_websockets() {
    let mut world = world(&[("main.py", STRAWBERRY), ("things.py", THINGS)], "main:app").await;
    let query = json!({"query": "{ thing(number: 3) { name } }"});
    let request = world.server.request(Method::POST, "/graphql").json(&query);
    assert_eq!(send(request).await.json()["data"], json!({"thing": {"name": "thing 3"}}));
    let mut socket = acknowledged(&world.server).await;
    let counted = subscribe(&mut socket, "1", "subscription { count(to: 2) }").await;
    assert_eq!(counted, [json!({"count": 0}), json!({"count": 1})]);

    // A type, and then a resolver.
    let added = "name: str\n    size: int = 7";
    assert_eq!(edit(&mut world, "things.py", "name: str", added).await.ran(), ["things", "main"]);
    let query = json!({"query": "{ thing(number: 3) { size } }"});
    let request = world.server.request(Method::POST, "/graphql").json(&query);
    assert_eq!(send(request).await.json()["data"], json!({"thing": {"size": 7}}));
    edit(&mut world, "main.py", "yield number", "yield number * 10").await.ran();
    let counted = subscribe(&mut socket, "2", "subscription { count(to: 2) }").await;
    assert_eq!(counted, [json!({"count": 0}), json!({"count": 1})], "it stays on its code");
    let mut second = acknowledged(&world.server).await;
    let counted = subscribe(&mut second, "1", "subscription { count(to: 2) }").await;
    assert_eq!(counted, [json!({"count": 0}), json!({"count": 10})]);
}
