//! Functions that run after the response: `background`.

use reqwest::Method;
use serde_json::json;

use crate::support::{Project, Server, in_time, send};

const APP: &str = r#"
import asyncio, contextvars, gc, threading, _gate
from snaxum import HTTPError, Response, abort, background, route

def work(name, *, done="done"):
    _gate.wait(name)
    print(f"{name} ran in {threading.current_thread().name}")
    _gate.notify(done)

async def work_async(name):
    await _gate.wait_async(name)
    print(f"{name} ran in {threading.current_thread().name}")
    _gate.notify("done")

@route("/collect")
def collect():
    gc.collect()
    return "collected"

@route("/sync")
def sync():
    background(work, "sync")
    return "sent"

@route("/async")
async def later():
    background(work_async, "async")
    return "sent"

@route("/async-from-def")
def async_from_def():
    background(work_async, "async-from-def")
    return "sent"

@route("/pool", use_process_pool=True)
def pool(request, pool):
    background(work, "pool")
    return {"sent": True}

@route("/stream")
def stream():
    def chunks():
        yield "begun"
        background(work, "stream")
        _gate.wait("chunk")
        yield "ended"
    return chunks()

@route("/two")
async def two():
    background(work, "first", done="first done")
    background(work_async, "second")
    return Response("sent", headers={"x-a": "b"})

@route("/abort")
def refuse():
    background(work, "abort")
    abort(403)

@route("/fail")
def fail():
    background(work, "never")
    raise ValueError("the handler failed")

@route("/raises")
def raises():
    background(explode)
    background(work, "next")
    return "sent"

def explode():
    raise ZeroDivisionError("after the response")

@route("/later-task")
async def later_task():
    async def orphan():
        await _gate.wait_async("orphan")
        background(work, "from a task")
    asyncio.get_running_loop().create_task(orphan())
    return "sent"

@route("/wrong")
async def wrong():
    background(work_async("x"))

@route("/hello")
def hello(): return "hello"
"#;

fn project() -> Project {
    Project::new().gate().file("app.py", APP)
}

async fn runs_after_the_response(server: &Server, path: &str, name: &str, status: u16) {
    let reply = server.get(path).await;
    assert_eq!(reply.status, status, "{path}: {}", reply.text());
    let held = server.arrival().await;
    assert_eq!(held.name, name, "{path}");
    held.open().await;
    assert_eq!(server.arrival().await.name, "done", "{path}");
}

#[tokio::test]
async fn a_function_runs_after_the_response_of_each_kind_of_handler() {
    let server = project().args(&["--pool-workers", "1"]).serve().await;
    for (path, name, status) in [
        ("/sync", "sync", 200),
        ("/async", "async", 200),
        ("/async-from-def", "async-from-def", 200),
        ("/pool", "pool", 200),
        ("/abort", "abort", 403),
    ] {
        runs_after_the_response(&server, path, name, status).await;
    }
    server.out.wait_for("sync ran in snaxum-background").await;
    server.out.wait_for("async ran in asyncio-loop").await;

    // A task that outlives its request: the response has been sent.
    assert_eq!(server.get("/later-task").await.text(), "sent");
    server.arrival().await.open().await;
    let held = server.arrival().await;
    assert_eq!(held.name, "from a task");
    held.open().await;
    assert_eq!(server.arrival().await.name, "done");
}

#[tokio::test]
async fn a_function_of_a_stream_runs_after_its_end() {
    let server = project().serve().await;
    let streaming = server.begin("/stream");
    let chunk = server.arrival().await;
    assert_eq!(chunk.name, "chunk", "the function waits for the end");
    chunk.open().await;
    assert_eq!(streaming.await.expect("a response").text(), "begunended");
    let held = server.arrival().await;
    assert_eq!(held.name, "stream");
    held.open().await;
    assert_eq!(server.arrival().await.name, "done");
}

#[tokio::test]
async fn functions_run_in_order_and_a_failure_is_logged_with_its_traceback() {
    let server = project().serve().await;
    assert_eq!(server.get("/two").await.header("x-a"), "b");
    for expected in ["first", "first done", "second", "done"] {
        let held = server.arrival().await;
        assert_eq!(held.name, expected);
        if !expected.ends_with("done") {
            held.open().await;
        }
    }

    assert_eq!(server.get("/raises").await.text(), "sent");
    let held = server.arrival().await;
    assert_eq!(held.name, "next");
    held.open().await;
    server.arrival().await;
    server.err.wait_for("background: app.explode raised").await;
    server.err.wait_for("in explode").await;
    server.err.wait_for("ZeroDivisionError: after the response").await;
}

#[tokio::test]
async fn nothing_runs_after_a_handler_that_failed() {
    let server = project().serve().await;
    assert_eq!(server.get("/fail").await.status, 500);
    server.err.wait_for("background: app.work does not run, because the handler failed").await;
    let reply = server.get("/wrong").await;
    assert_eq!(reply.status, 500);
    server.err.wait_for("`background` got a coroutine; write `background(work_async, ...)`").await;
    // Nothing else has arrived at the gate.
    runs_after_the_response(&server, "/sync", "sync", 200).await;
}

#[tokio::test]
async fn further_functions_are_refused_while_too_many_wait() {
    let server = project().args(&["--max-queue", "1"]).serve().await;
    assert_eq!(server.get("/sync").await.status, 200);
    let held = server.arrival().await;

    let reply = server.get("/sync").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    held.open().await;
    assert_eq!(server.arrival().await.name, "done");
}

#[tokio::test]
async fn the_stop_waits_for_the_functions() {
    for path in ["/sync", "/async"] {
        let mut server = project().env("RUST_LOG", "info").serve().await;
        assert_eq!(server.get(path).await.text(), "sent");
        let held = server.arrival().await;

        server.signal(libc::SIGTERM);
        server.err.wait_for("stopping").await;
        held.open().await;

        assert_eq!(server.arrival().await.name, "done", "{path}");
        assert_eq!(server.ended().await.code(), Some(0), "{path}");
        let log = server.err.whole().await;
        assert!(!log.contains("WARN") && !log.contains("background"), "{path}: {log}");
    }
}

#[tokio::test]
async fn a_function_that_never_ends_delays_the_stop_by_the_drain_timeout() {
    for path in ["/sync", "/async"] {
        let mut server = project().args(&["--drain-timeout", "300ms"]).serve().await;
        assert_eq!(server.get(path).await.text(), "sent");
        let held = server.arrival().await;
        assert_eq!(server.get("/collect").await.text(), "collected");

        server.signal(libc::SIGTERM);

        assert_eq!(server.ended().await.code(), Some(0), "{path}");
        drop(held);
        let log = server.err.whole().await;
        assert!(log.contains("had not ended at the stop"), "{path}: {log}");
        assert!(!log.contains("Traceback"), "{path}: {log}");
    }
}

#[tokio::test]
async fn a_function_runs_in_the_code_of_its_request_and_is_seen_in_the_console() {
    let version = |n: u32| {
        format!(
            r#"
import _gate
from snaxum import background, on_unload, route

def work():
    _gate.wait("work")
    print("worked in version", VERSION)

VERSION = {n}

@on_unload
def unload():
    _gate.notify("unloaded {n}")

@route("/work")
def handler():
    background(work)
    return "version {n}"
"#
        )
    };
    let server = Project::new().gate().file("app.py", &version(1)).dev().await;
    let mut console = server.console().await;
    let reply = server.get("/work").await;
    let id = reply.header("x-request-id").to_owned();
    let held = server.arrival().await;

    server.edit("app.py", &version(2));
    assert_eq!(server.get("/work").await.text(), "version 2");
    let second = server.arrival().await;
    let workers = server.api("workers").await;
    let background = workers["background"].as_array().expect("a list");
    let listed: Vec<_> = background.iter().map(|it| (&it["function"], &it["generation"])).collect();
    assert_eq!(listed, [(&json!("app.work"), &json!(1)), (&json!("app.work"), &json!(2))]);
    assert_eq!(background[0]["request"], id.as_str());
    second.open().await;
    held.open().await;

    // The old code ends once its function has ended.
    assert_eq!(server.arrival().await.name, "unloaded 1");
    let mut lines = Vec::new();
    while lines.len() < 2 {
        let log = console.next_of_type("log").await["log"].take();
        if log["request"] == id.as_str() {
            lines.push(log["line"].as_str().expect("a line").to_owned());
        }
    }
    assert_eq!(lines[0], "worked in version 1");
    assert!(lines[1].starts_with("background: app.work ended after "), "{lines:?}");
}

#[tokio::test]
async fn a_function_of_a_head_request_runs_too() {
    let server = project().serve().await;
    let reply = send(server.request(Method::HEAD, "/sync")).await;
    assert_eq!(reply.status, 200);
    let held = in_time("the function", server.arrival()).await;
    assert_eq!(held.name, "sync");
}
