//! `def` handlers that block or hang, and the other requests meanwhile.

use crate::support::{Project, Reply, Server, in_time};

const APP: &str = r#"
import _gate
from snaxum import route

@route("/block")
def block(request):
    _gate.wait("block")
    return "unblocked"

@route("/def")
def plain(request):
    return "def"

@route("/async")
async def coroutine(request):
    return "async"

@route("/async-stream")
async def async_stream(request):
    async def pieces():
        yield "async "
        yield "stream"
    return pieces()

@route("/pool", use_process_pool=True)
def pool(request, pool):
    return str(pool.submit(abs, -7).result())
"#;

fn project(args: &[&str]) -> Project {
    Project::new().gate().file("app.py", APP).args(args)
}

/// Requests that no `def` handler may delay, with their responses.
async fn assert_others_respond(server: &Server) {
    for (path, text) in [("/async", "async"), ("/async-stream", "async stream"), ("/pool", "7")] {
        assert_eq!(server.get(path).await.text(), text, "{path}");
    }
    assert_eq!(server.get("/missing").await.status, 404);
}

fn assert_rejected(reply: &Reply) {
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text());
}

#[tokio::test]
async fn a_full_queue_is_a_503_with_retry_after() {
    let server = project(&["--dispatch-workers", "1", "--max-queue", "1"]).serve().await;
    let first = server.begin("/block");
    let held = server.arrival().await;

    // One more may wait; of two, one is rejected at once and the other is not.
    let (second, third) = (server.begin("/block"), server.begin("/block"));
    let (rejected, waiting) = tokio::select! {
        reply = second => (reply, server.begin("/def")),
        reply = third => (reply, server.begin("/def")),
    };
    let rejected = rejected.expect("a response");
    assert_rejected(&rejected);
    assert_eq!(rejected.header("content-type"), "application/problem+json");
    assert_rejected(&waiting.await.expect("a response"));

    held.open().await;
    assert_eq!(first.await.expect("a response").text(), "unblocked");
    server.arrival().await.open().await;
    assert_eq!(server.get("/def").await.text(), "def");
}

#[tokio::test]
async fn when_every_worker_hangs_each_request_is_a_504_and_later_ones_work() {
    let args = ["--dispatch-workers", "2", "--request-timeout", "300ms"];
    let server = project(&args).serve().await;
    let hanging = [server.begin("/block"), server.begin("/block")];
    let held = [server.arrival().await, server.arrival().await];

    for reply in hanging {
        assert_eq!(reply.await.expect("a response").status, 504);
    }
    for _ in 0..2 {
        assert_eq!(server.get("/def").await.text(), "def");
    }
    for held in held {
        held.open().await;
    }
    assert_eq!(server.get("/def").await.text(), "def");
}

#[tokio::test]
async fn async_and_pool_handlers_start_while_all_def_threads_are_blocked() {
    for workers in [1, 4] {
        let count = workers.to_string();
        let server = project(&["--dispatch-workers", &count, "--max-queue", "2"]).serve().await;
        let (mut blocked, mut held) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            assert_eq!(server.get("/def").await.text(), "def", "a thread is free");
            blocked.push(server.begin("/block"));
            held.push(server.arrival().await);
        }

        assert_others_respond(&server).await;
        // Two `def` requests wait for a thread, and more are rejected; others still are not.
        let (second, third, fourth) =
            (server.begin("/block"), server.begin("/block"), server.begin("/block"));
        let (rejected, _, mut waiting) =
            futures_util::future::select_all([second, third, fourth]).await;
        assert_rejected(&rejected.expect("a response"));
        // The others may be in the queue for a moment, before they wait for a thread.
        in_time("room", async { while server.get("/async").await.status == 503 {} }).await;
        assert_others_respond(&server).await;

        blocked.append(&mut waiting);
        for _ in 0..2 {
            held.pop().expect("one each").open().await;
            held.insert(0, server.arrival().await);
        }
        for held in held {
            held.open().await;
        }
        for reply in blocked {
            assert_eq!(reply.await.expect("a response").text(), "unblocked");
        }
        assert_eq!(server.get("/def").await.text(), "def");
    }
}

#[tokio::test]
async fn def_requests_are_rejected_at_once_when_too_many_handlers_hang_and_others_are_not() {
    let args = ["--dispatch-workers", "2", "--max-stuck", "3", "--request-timeout", "300ms"];
    let server = project(&args).serve().await;
    // The first ones import modules, on a busy machine for longer than the time limit.
    for path in ["/async", "/async-stream", "/pool", "/missing"] {
        in_time(path, async { while server.get(path).await.status == 504 {} }).await;
    }
    let mut held = Vec::new();
    // Three threads are replaced; two more are not.
    for _ in 0..5 {
        assert_eq!(server.get("/block").await.status, 504);
        held.push(server.arrival().await);
    }

    for _ in 0..3 {
        assert_rejected(&server.get("/def").await);
        assert_others_respond(&server).await;
    }

    // One comes back: a thread is replaced in its place.
    held.remove(0).open().await;
    in_time("a thread", async { while server.get("/def").await.status == 503 {} }).await;
    assert_eq!(server.get("/def").await.text(), "def");
    assert_eq!(server.get("/block").await.status, 504);
    held.push(server.arrival().await);
    assert_rejected(&server.get("/def").await);
    for held in held {
        held.open().await;
    }
    in_time("a thread", async { while server.get("/def").await.status == 503 {} }).await;
    assert_eq!(server.get("/def").await.text(), "def");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handlers_that_exceed_their_time_limit() {
    let args = ["--dispatch-workers", "1", "--max-stuck", "1", "--request-timeout", "200ms"];
    let mut server = project(&args).serve().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        assert_eq!(server.get("/block").await.status, 504);
        held.push(server.arrival().await);
    }

    assert_eq!(in_time("the stop", server.stop()).await.code(), Some(0));
    let log = server.err.text();
    assert!(!log.contains("a handler is still running"), "{log}");
}
