//! Handlers under load: time limits, streams, clients that disconnect.

use std::sync::Arc;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;

use super::http::{HELLO, app};
use super::support::{Project, at_once, in_time};

#[tokio::test]
async fn an_async_handler_over_its_time_limit_is_a_504_and_is_cancelled() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, asyncio
from snaxum import route

@route("/hang")
async def hang(request):
    try:
        await asyncio.Event().wait()
    finally:
        _gate.notify("cancelled")
"#,
        )
        .args(&["--request-timeout", "200ms"])
        .serve()
        .await;

    assert_eq!(server.get("/hang").await.status, 504);
    assert_eq!(server.arrival().await.name, "cancelled");
}

#[tokio::test]
async fn hundreds_of_async_handlers_wait_at_once_on_one_dispatch_worker() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
import asyncio
from snaxum import route

count, everybody, go = 0, asyncio.Event(), asyncio.Event()

@route("/wait")
async def wait(request):
    global count
    count += 1
    if count == 300:
        everybody.set()
    await go.wait()
    return "released"

@route("/release")
async def release(request):
    await everybody.wait()
    go.set()
    return {"waiting": count}
"#,
        )
        .args(&["--dispatch-workers", "1"])
        .serve()
        .await;
    let server = Arc::new(server);

    let waiting = at_once(&server, "/wait", 300);
    let released = server.get("/release").await;

    assert_eq!(released.json(), json!({"waiting": 300}));
    for reply in waiting {
        assert_eq!(reply.await.expect("a response").text(), "released");
    }
}

#[tokio::test]
async fn a_stream_is_sent_piece_by_piece() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate
from snaxum import Response, route

@route("/plain")
def plain(request):
    def pieces():
        yield "one"
        _gate.wait("between")
        yield b"two"
    return Response(pieces(), content_type="text/event-stream")

@route("/async")
async def later(request):
    async def pieces():
        yield "one"
        await _gate.wait_async("between")
        yield b"two"
    return Response(pieces(), content_type="text/event-stream")
"#,
        )
        .serve()
        .await;
    for path in ["/plain", "/async"] {
        let response = server.request(Method::GET, path).send().await.expect("headers");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut pieces = response.bytes_stream();

        // The first chunk arrives while the handler waits at the gate.
        let held = server.arrival().await;
        let first =
            in_time("the first piece", pieces.next()).await.expect("a piece").expect("bytes");
        assert_eq!(&first[..], b"one", "{path}");
        held.open().await;
        let second =
            in_time("the second piece", pieces.next()).await.expect("a piece").expect("bytes");
        assert_eq!(&second[..], b"two", "{path}");
        assert!(pieces.next().await.is_none());
    }
}

#[tokio::test]
async fn a_stream_that_raises_is_cut_off_and_never_seems_complete() {
    let server = app(r#"
from snaxum import route

@route("/broken")
def broken(request):
    def pieces():
        yield "one"
        raise ValueError("midway")
    return pieces()

@route("/hello")
def hello(request): return "hello"
"#)
    .await;

    // Cut off after the headers, or before they were out: both are an error to the client.
    let is_whole = match server.request(Method::GET, "/broken").send().await {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    };

    assert!(!is_whole, "the body ended as if it were whole");
    server.err.wait_for("midway").await;
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn a_client_that_disconnects_ends_the_stream() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, itertools
from snaxum import route

@route("/endless")
def endless(request):
    def pieces():
        try:
            for n in itertools.count():
                yield f"{n}\n" * 1000
        finally:
            _gate.notify("closed")
    return pieces()
"#,
        )
        .serve()
        .await;

    let response = server.request(Method::GET, "/endless").send().await.expect("headers");
    drop(response);

    assert_eq!(server.arrival().await.name, "closed");
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_the_async_handler() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, asyncio
from snaxum import route

@route("/forever")
async def forever(request):
    _gate.notify("started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _gate.notify("cancelled")
        raise
"#,
        )
        .serve()
        .await;

    let client = server.begin("/forever");
    assert_eq!(server.arrival().await.name, "started");
    client.abort();

    assert_eq!(server.arrival().await.name, "cancelled");
}

#[tokio::test]
async fn no_handler_can_take_the_server_down() {
    let server = app(r#"
import sys
from snaxum import route

@route("/exit")
def leave(request): sys.exit(3)

@route("/exit-async")
async def leave_async(request): raise SystemExit

@route("/interrupt")
def interrupt(request): raise KeyboardInterrupt

@route("/interrupt-async")
async def interrupt_async(request): raise KeyboardInterrupt

@route("/recurse")
def recurse(request): return recurse(request)

@route("/recurse-async")
async def recurse_async(request): return await recurse_async(request)

@route("/nested")
def nested(request):
    value = []
    for _ in range(200_000):
        value = [value]
    return value

class Hostile(Exception):
    def __str__(self): raise SystemExit
    __repr__ = __str__

@route("/hostile")
def hostile(request): raise Hostile

@route("/coroutine")
def coroutine(request):
    async def never(): ...
    return never()

@route("/status")
def status(request): return "x", 99

@route("/header")
def header(request): return "x", 200, {"x-a": "a\r\nx-b: b"}

@route("/hello")
def hello(request): return "hello"
"#)
    .await;
    for path in [
        "/exit",
        "/exit-async",
        "/interrupt",
        "/interrupt-async",
        "/recurse",
        "/recurse-async",
        "/nested",
        "/hostile",
        "/coroutine",
        "/status",
        "/header",
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500, "{path}: {}", reply.text());
        assert_eq!(server.get("/hello").await.text(), "hello", "after {path}");
    }
}

#[tokio::test]
async fn the_server_survives_any_output_of_a_handler() {
    let server = app(r#"
import sys
from snaxum import route

@route("/print")
def garbage(request):
    print("\ud800 \x1b[2J é")
    print("to stderr \udcff", file=sys.stderr)
    sys.stdout.buffer.write(b"\xff\xfe\x00\n")
    sys.stdout.flush()
    return "printed"

@route("/close")
def close(request):
    sys.stdout.close()
    return "closed"
"#)
    .await;

    assert_eq!(server.get("/print").await.text(), "printed");
    server.out.wait_for("é").await;
    assert_eq!(server.get("/close").await.text(), "closed");
    assert_eq!(server.get("/print").await.status, 500);
    assert_eq!(server.get("/close").await.text(), "closed");
}

#[tokio::test]
async fn one_connection_carries_request_after_request() {
    let server = app(HELLO).await;
    let one = "GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    let responses = server.raw(&format!("{one}{one}{last}")).await;

    assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), 3, "{responses}");
}

#[tokio::test]
async fn a_relative_import_within_a_package_works_and_every_module_of_it_loads_by_name() {
    let server = Project::new()
        .file("shop/__init__.py", "from . import views\n")
        .file("shop/views.py", "from snaxum import route\nfrom .prices import PRICE\n\n@route('/price')\ndef price(request):\n    return {'price': PRICE}\n")
        .file("shop/prices.py", "PRICE = 7\n")
        .file("_private.py", "raise SystemExit('not to be loaded')\n")
        .file("test_shop.py", "raise SystemExit('not to be loaded')\n")
        .file("conftest.py", "raise SystemExit('not to be loaded')\n")
        .serve()
        .await;

    assert_eq!(server.get("/price").await.json(), json!({"price": 7}));
}

#[tokio::test]
async fn a_background_task_that_raises_system_exit_leaves_the_loop_running() {
    let server = app(r#"
import asyncio
from snaxum import route

async def leave():
    raise SystemExit(3)

@route("/start")
async def start(request):
    task = asyncio.ensure_future(leave())
    await asyncio.sleep(0)
    return {"done": task.done()}

@route("/hello")
async def hello(request):
    await asyncio.sleep(0)
    return "hello"
"#)
    .await;
    let started = server.begin("/start");

    assert_eq!(server.get("/hello").await.text(), "hello");
    assert_eq!(server.get("/hello").await.text(), "hello");
    started.abort();
}
