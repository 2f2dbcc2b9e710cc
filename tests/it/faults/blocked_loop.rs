//! `async def` handlers that block the event loop, and the requests that continue meanwhile.

use std::time::Duration;

use reqwest::Method;

use crate::support::{Project, Server, in_time, send};

const APP: &str = r#"
import _gate, tasks, threading
from snaxum import route

@route("/block")
async def block(request):
    _gate.wait("block")
    return "unblocked"

@route("/async")
async def coroutine(request):
    return "async"

@route("/upload", methods=["POST"])
async def upload(request):
    return str(len(request.data))

@route("/stream")
async def stream(request):
    async def pieces():
        yield "begun "
        await _gate.wait_async("stream")
        yield "ended"
    return pieces()

@route("/def")
def plain(request):
    return "def"

@route("/loops")
def loops(request):
    return str([thread.name for thread in threading.enumerate()].count("asyncio-loop"))

@route("/pool", use_process_pool=True)
def pool(request, pool):
    return str(pool.submit(abs, -7).result())

@route("/pool-hangs", use_process_pool=True)
def pool_hangs(request, pool):
    return pool.submit(tasks.hang).result()
"#;

const TASKS: &str = "
import time

def hang():
    time.sleep(3600)
";

fn project(args: &[&str]) -> Project {
    let project = Project::new().gate().file("app.py", APP).file("tasks.py", TASKS);
    // A stop that waits for a handler until its time limit is a hang.
    project.args(&["--drain-timeout", "1h"]).args(args)
}

/// Repeats a request until its response has this text.
async fn until(server: &Server, path: &str, text: &str) {
    in_time(path, async { while server.get(path).await.text() != text {} }).await;
}

#[tokio::test]
async fn a_handler_that_blocks_the_loop_is_named_and_another_loop_replaces_it() {
    let server = project(&["--request-timeout", "2s"]).serve().await;
    let stream = server.request(Method::GET, "/stream").send().await.expect("headers");
    let in_stream = server.arrival().await;
    let blocking = server.begin("/block");
    let held = server.arrival().await;

    let line = server.err.wait_for("has blocked the event loop for 1 s").await;
    assert!(line.contains("app.block of /block (request 2)"), "{line}");
    server.err.wait_for("_gate.wait(\"block\")").await;
    assert!(
        !server.err.text().contains("base_events.py"),
        "only frames of the user's code are shown"
    );

    assert_eq!(blocking.await.expect("a response").status, 504);
    until(&server, "/async", "async").await;
    assert_eq!(server.get("/loops").await.text(), "2");

    // The blocked loop ends when it comes back, but not before its requests.
    held.open().await;
    assert_eq!(server.get("/async").await.text(), "async");
    in_stream.open().await;
    assert_eq!(stream.text().await.expect("a whole body"), "begun ended");
    until(&server, "/loops", "1").await;
    assert_eq!(server.get("/async").await.text(), "async");
}

#[tokio::test]
async fn while_loops_that_are_blocked_cannot_be_replaced_only_async_requests_are_rejected() {
    let args = ["--request-timeout", "400ms", "--max-stuck", "1", "--pool-workers", "1"];
    let mut server = project(&args).serve().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        until(&server, "/async", "async").await;
        assert_eq!(server.get("/block").await.status, 504);
        held.push(server.arrival().await);
    }
    let rejected = async {
        loop {
            let reply = server.get("/async").await;
            if reply.status == 503 {
                break reply;
            }
        }
    };
    let rejected = in_time("a rejection", rejected).await;
    assert_eq!(rejected.header("retry-after"), "1");

    assert_eq!(server.get("/def").await.text(), "def");
    // The only worker is killed some time after its request was cancelled, which needs no loop.
    assert_eq!(server.get("/pool-hangs").await.status, 504);
    until(&server, "/pool", "7").await;

    held.pop().expect("two").open().await;
    until(&server, "/async", "async").await;

    // One handler still blocks its loop.
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_loop_that_is_blocked() {
    let args = ["--request-timeout", "300ms", "--max-stuck", "1"];
    let hooks = "
from snaxum import on_shutdown

@on_shutdown
async def end():
    print('the hook has run', flush=True)
";
    let mut server = project(&args).file("hooks.py", hooks).serve().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        until(&server, "/async", "async").await;
        assert_eq!(server.get("/block").await.status, 504);
        held.push(server.arrival().await);
    }

    assert_eq!(server.stop().await.code(), Some(0));
    assert!(server.out.whole().await.contains("the hook has run"));
}

#[tokio::test]
async fn bodies_go_with_the_clients_that_leave_while_the_loop_is_blocked() {
    const BODY: usize = 4 << 20;
    let server = project(&[]).serve().await;
    let blocking = server.begin("/block");
    let held = server.arrival().await;
    let before = server.memory();

    for _ in 0..40 {
        let request = server.request(Method::POST, "/upload").body(vec![b'x'; BODY]);
        // Long enough to arrive; the response never comes.
        let left = tokio::time::timeout(Duration::from_millis(100), send(request)).await;
        assert!(left.is_err(), "the loop is blocked");
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 20 * BODY, "{} MiB are in use", grown >> 20);

    held.open().await;
    assert_eq!(blocking.await.expect("a response").text(), "unblocked");
    let reply = send(server.request(Method::POST, "/upload").body(vec![b'x'; BODY])).await;
    assert_eq!(reply.text(), BODY.to_string());
}

#[tokio::test]
async fn dev_mode_shows_the_handler_that_blocks_the_loop_in_console_and_terminal() {
    let server = project(&[]).dev().await;
    let mut console = server.console().await;
    let blocking = server.begin("/block");
    let held = server.arrival().await;

    let log = console.next_of_type("log").await;
    let line = log["log"]["line"].as_str().expect("a line");
    assert!(line.contains("app.block of /block"), "{line}");
    assert!(log["log"]["request"].is_string(), "{log}");
    let shown = async {
        while !(server.out.text() + &server.err.text()).contains("app.block of /block") {
            tokio::task::yield_now().await;
        }
    };
    in_time("the line in the terminal", shown).await;
    held.open().await;
    assert_eq!(blocking.await.expect("a response").text(), "unblocked");
}
