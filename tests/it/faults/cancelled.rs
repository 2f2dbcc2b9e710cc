//! Streams and pool handlers that still run, or hang, after their client has left.

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{Project, Server, in_time};

/// The number of threads for streams, and for handlers with the pool.
const THREADS: usize = 64;

const APP: &str = r#"
import _gate, threading, time
from snaxum import route

closed, begun = [], []

@route("/waits")
def waits(request):
    def pieces():
        try:
            yield "begun"
            _gate.wait("waits")
            yield "never read"
        finally:
            closed.append(1)
    return pieces()

@route("/polls")
def polls(request):
    def pieces():
        try:
            yield "begun"
            while True:
                time.sleep(0.01)
        finally:
            closed.append(1)
    return pieces()

@route("/short")
def short(request):
    return iter(["one ", "two"])

@route("/closed")
def count(request):
    return str(len(closed))

@route("/hung")
def hung(request):
    return str(len(begun))

@route("/hangs", use_process_pool=True)
def hangs(request, pool):
    begun.append(1)
    _gate.wait("hangs")
    return "unblocked"

@route("/pool", use_process_pool=True)
def pool(request, pool):
    return str(pool.submit(abs, -7).result())
"#;

async fn server(args: &[&str]) -> Server {
    Project::new().gate().file("app.py", APP).args(args).serve().await
}

async fn until(server: &Server, path: &str, text: &str) {
    in_time(path, async { while server.get(path).await.text() != text {} }).await;
}

/// Begins a stream once a thread is free, and leaves after its first piece.
async fn begin_and_leave(server: &Server, path: &str) {
    let begun = async {
        loop {
            let response = server.request(Method::GET, path).send().await.expect("headers");
            // The server notices a moment later that a client has left.
            if response.status() != 503 {
                break response;
            }
        }
    };
    let mut response = in_time("a thread", begun).await;
    let first = in_time("the first piece", response.chunk()).await.expect("an open stream");
    assert_eq!(first.as_deref(), Some(&b"begun"[..]));
}

#[tokio::test]
async fn streams_whose_clients_have_left_do_not_use_up_the_threads() {
    let server = server(&["--max-stuck", "2", "--request-timeout", "1s"]).await;
    let mut held = Vec::new();
    // Two more than there are threads: so many are replaced.
    for _ in 0..THREADS + 2 {
        begin_and_leave(&server, "/waits").await;
        held.push(server.arrival().await);
    }

    let rejected = async { while server.get("/short").await.status != 503 {} };
    in_time("a rejection", rejected).await;
    let line = server.err.wait_for("still runs 1 s after its client has left").await;
    assert!(line.contains("app.waits"), "{line}");
    server.err.wait_for("_gate.wait(\"waits\")").await;
    // A generator is closed at its next piece.
    held.pop().expect("many").open().await;
    until(&server, "/closed", "1").await;
    until(&server, "/short", "one two").await;
    for held in held {
        held.open().await;
    }
    until(&server, "/closed", &(THREADS + 2).to_string()).await;
    assert_eq!(server.get("/short").await.text(), "one two");
}

#[tokio::test]
async fn a_generator_that_waits_in_python_is_interrupted_some_time_after_its_client_has_left() {
    let server = server(&["--request-timeout", "300ms"]).await;
    for _ in 0..3 {
        begin_and_leave(&server, "/polls").await;
    }

    until(&server, "/closed", "3").await;

    assert!(!server.err.text().contains("broke off"), "{}", server.err.text());
    assert_eq!(server.get("/short").await.text(), "one two");
}

/// Streams that begin after their client has left, and streams that raise as they are closed.
const LATE: &str = r#"
import _gate
from snaxum import route

class Pieces:
    def __iter__(self):
        return self

    def __next__(self):
        _gate.wait("read")

    def __del__(self):
        _gate.notify("dropped")

class AsyncPieces:
    def __aiter__(self):
        return self

    async def __anext__(self):
        await _gate.wait_async("read")

    def __del__(self):
        _gate.notify("dropped")

@route("/def")
def plain(request):
    _gate.wait("begun")
    return Pieces()

@route("/def-async")
def mixed(request):
    _gate.wait("begun")
    return AsyncPieces()

@route("/raises")
def raises(request):
    def pieces():
        try:
            yield "begun"
            _gate.wait("begun")
            while True:
                yield "never read"
        finally:
            raise ValueError("at the end of a plain stream")
    return pieces()

@route("/raises-async")
async def raises_async(request):
    async def pieces():
        try:
            yield "begun"
            await _gate.wait_async("begun")
            while True:
                yield "never read"
        finally:
            raise ValueError("at the end of an async stream")
    return pieces()
"#;

#[tokio::test]
async fn a_stream_is_dropped_unread_if_its_client_left_while_the_handler_ran() {
    let project = Project::new().gate().file("app.py", LATE);
    let server = project.args(&["--half-close-timeout", "100ms"]).dev().await;
    let mut console = server.console().await;
    for path in ["/def", "/def-async"] {
        let request = server.begin(path);
        let held = server.arrival().await;
        request.abort();
        assert_eq!(console.next_of_type("request.end").await["request"]["status"], json!(499));
        held.open().await;

        assert_eq!(server.arrival().await.name, "dropped", "{path}");
    }
}

#[tokio::test]
async fn an_error_of_a_stream_that_is_closed_names_its_handler() {
    let server = Project::new().gate().file("app.py", LATE).serve().await;
    for (path, handler, end) in [
        ("/raises", "app.raises", "at the end of a plain stream"),
        ("/raises-async", "app.raises_async", "at the end of an async stream"),
    ] {
        begin_and_leave(&server, path).await;
        server.arrival().await.open().await;

        server.err.wait_for(&format!("the stream of {handler} broke off")).await;
        server.err.wait_for(end).await;
    }
    assert!(!server.err.text().contains("internal error"), "{}", server.err.text());
}

#[tokio::test]
async fn a_stream_that_failed_ends_while_its_exception_lives() {
    let app = r#"
import logging
from snaxum import route

class Keep(logging.Handler):
    records = []

    def emit(self, record):
        self.records.append(record.exc_info)

logging.getLogger("snaxum").addHandler(Keep())

@route("/def")
def plain(request):
    yield "one"
    raise KeyError("kept")

@route("/async")
async def asynchronous(request):
    yield "one"
    raise KeyError("kept")
"#;
    let server = Project::new().file("app.py", app).serve().await;
    for path in ["/def", "/async"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut stream = server.socket(request.as_bytes()).await;
        let mut response = String::new();
        let read = stream.read_to_string(&mut response);
        in_time("the end of the connection", read).await.expect("text");
        assert!(!response.ends_with("0\r\n\r\n"), "not complete: {response}");
    }
}

#[tokio::test]
async fn pool_handlers_that_hang_are_replaced_and_beyond_the_limit_rejected_at_once() {
    let server = server(&["--max-stuck", "1", "--request-timeout", "500ms"]).await;
    let mut held = Vec::new();
    // One more than there are threads: so many are replaced. A request may also exceed its time limit
    // before its handler begins.
    while held.len() <= THREADS {
        let replies: Vec<_> = (held.len()..=THREADS).map(|_| server.begin("/hangs")).collect();
        for reply in replies {
            assert_eq!(reply.await.expect("a response").status, 504);
        }
        let hung: usize = server.get("/hung").await.text().parse().expect("a number");
        while held.len() < hung {
            held.push(server.arrival().await);
        }
    }

    let rejected = async {
        loop {
            let reply = server.get("/pool").await;
            if reply.status == 503 {
                break reply;
            }
        }
    };
    let rejected = in_time("a rejection", rejected).await;
    assert_eq!(rejected.header("retry-after"), "1");
    assert_eq!(server.get("/closed").await.text(), "0");

    held.pop().expect("many").open().await;
    until(&server, "/pool", "7").await;
}
