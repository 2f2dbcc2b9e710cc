//! Streams of values: server-sent events and JSON lines, and the clients that leave.

use futures_util::StreamExt;
use reqwest::{Method, Response};

use crate::support::{Project, in_time};

const APP: &str = r#"
import asyncio, _gate
from snaxum import Event, Request, route, stream_events, stream_json_lines

async def ticks():
    yield {"n": 1}
    yield "two\nlines"
    yield Event({"n": 3}, event="tick", id="3", retry=500)

@route("/events")
async def events():
    return stream_events(ticks())

@route("/plain-events")
def plain_events():
    return stream_events(n for n in range(2))

@route("/decorated")
@stream_events
async def decorated(request: Request):
    yield request.last_event_id

@route("/yields")
async def yields():
    yield Event(1, id=1)
    yield {"n": 2}
    yield "three"

@route("/yields-plainly")
def yields_plainly():
    yield Event("one")

@route("/yields-late")
def yields_late():
    yield "text"
    yield Event("one")

@route("/lines")
def lines():
    return stream_json_lines({"n": n} for n in range(2))

@route("/lines-async")
async def lines_async():
    return stream_json_lines(ticks_of_json())

async def ticks_of_json():
    yield [1]
    yield "é"

def waiting(name):
    try:
        yield 1
        _gate.wait(name)
        yield 2
    finally:
        _gate.notify("closed")

async def waiting_async(name):
    try:
        yield 1
        await _gate.wait_async(name)
        yield 2
    finally:
        _gate.notify("closed")

@route("/wait/<kind>/<name>")
def wait(kind, name):
    values = waiting(name) if kind == "plain" else waiting_async(name)
    if name == "lines":
        return stream_json_lines(values)
    return stream_events(values, keep_alive=0.02)

@route("/early")
async def early():
    async def fail():
        raise ValueError("before the first event")
        yield
    return stream_events(fail())
"#;

fn project() -> Project {
    Project::new().gate().file("app.py", APP)
}

/// Reads from an open stream until `text` has arrived.
async fn read_until(
    pieces: &mut (impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    text: &str,
) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let piece = in_time(text, pieces.next()).await.expect("an open stream").expect("bytes");
        read.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
    }
    read
}

#[tokio::test]
async fn each_value_is_an_event_or_a_line() {
    let server = project().serve().await;

    let events = server.get("/events").await;
    assert_eq!(
        events.text(),
        "data: {\"n\":1}\n\ndata: two\ndata: lines\n\nevent: tick\nid: 3\nretry: 500\ndata: {\"n\":3}\n\n"
    );
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert_eq!(events.header("cache-control"), "no-cache");
    assert_eq!(events.header("x-accel-buffering"), "no");
    assert_eq!(server.get("/plain-events").await.text(), "data: 0\n\ndata: 1\n\n");

    let returning = server.request(Method::GET, "/decorated").header("last-event-id", "41");
    assert_eq!(crate::support::send(returning).await.text(), "data: 41\n\n");

    // A handler whose first value is an `Event` needs no `stream_events`.
    let events = server.get("/yields").await;
    assert_eq!(events.text(), "id: 1\ndata: 1\n\ndata: {\"n\":2}\n\ndata: three\n\n");
    let plain = server.get("/yields-plainly").await;
    assert_eq!(plain.text(), "data: one\n\n");
    for reply in [events, plain] {
        assert_eq!(reply.header("content-type"), "text/event-stream");
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.headers.get_all("content-type").iter().count(), 1);
    }
    // After text it is too late.
    let request = server.request(Method::GET, "/yields-late").send().await;
    if let Ok(response) = request {
        assert!(response.bytes().await.is_err(), "the body ended as if it were whole");
    }
    server.err.wait_for("the stream yielded a Event; yield str or bytes, or pass").await;

    let lines = server.get("/lines").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.text(), "{\"n\":0}\n{\"n\":1}\n");
    assert_eq!(server.get("/lines-async").await.text(), "[1]\n\"é\"\n");

    let early = server.get("/early").await;
    assert_eq!(early.status, 500);
    server.err.wait_for("before the first event").await;
}

#[tokio::test]
async fn comments_are_sent_while_a_generator_is_silent() {
    let server = project().serve().await;
    for kind in ["plain", "async"] {
        let response = open(&server, &format!("/wait/{kind}/events")).await;
        let mut pieces = response.bytes_stream();
        let held = server.arrival().await;

        let silent = read_until(&mut pieces, ": keep-alive\n\n: keep-alive\n\n").await;
        assert!(silent.starts_with("data: 1\n\n: keep-alive\n\n"), "{kind}: {silent}");
        held.open().await;
        let rest = read_until(&mut pieces, "data: 2\n\n").await;
        let comments = rest.strip_suffix("data: 2\n\n").expect("no comment inside an event");
        assert_eq!(comments.replace(": keep-alive\n\n", ""), "", "{kind}");
        assert_eq!(server.arrival().await.name, "closed", "{kind}");
    }
}

async fn open(server: &crate::support::Server, path: &str) -> Response {
    server.request(Method::GET, path).send().await.expect("headers")
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_generator() {
    // A `def` generator that blocks notices it after the time limit.
    let server = project().args(&["--request-timeout", "300ms"]).serve().await;
    for path in ["/wait/async/events", "/wait/async/lines"] {
        let response = open(&server, path).await;
        let held = server.arrival().await;
        drop(response);
        assert_eq!(server.arrival().await.name, "closed", "{path}");
        drop(held);
    }
    for path in ["/wait/plain/events", "/wait/plain/lines"] {
        let response = open(&server, path).await;
        let held = server.arrival().await;
        drop(response);
        held.open().await;
        assert_eq!(server.arrival().await.name, "closed", "{path}");
    }
}
