//! Clients that send or read slowly, or not at all: they are cut off, and no other client waits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;

use crate::limits::Slow;
use crate::support::{Project, Server, in_time};

const MB: usize = 1024 * 1024;

const LARGE: &str = r#"
import itertools
from snaxum import Response, route

LARGE = b"x" * (4 * 1024 * 1024)
PIECE = b"x" * 65536

@route("/large")
def large(request):
    return Response(LARGE)

@route("/own")
def own(request):
    return Response(b"x" * (5 * 1024 * 1024))

@route("/endless")
def endless(request):
    return itertools.repeat(PIECE)

@route("/short")
def short(request):
    return iter(["short"])

@route("/hello", methods=["GET", "POST"])
def hello(request):
    return "hello"
"#;

/// Reads what there is until the server has ended the connection.
async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let _ = in_time("the end of a slow client", stream.read_to_end(&mut rest)).await;
}

/// Waits, without reading, until the server has reset the connection.
async fn is_reset(slow: Slow) {
    in_time("a reset", slow.stream.ready(Interest::ERROR)).await.expect("a socket");
}

async fn unread(server: &Server, path: &str, count: usize) -> Vec<Slow> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut slow = Slow::get(server, path).await;
        assert!(slow.head().await.starts_with("HTTP/1.1 200 "), "{path}");
        clients.push(slow);
    }
    clients
}

/// The median times of requests to two servers that take turns.
async fn times_in_turn(one: &Server, other: &Server) -> (Duration, Duration) {
    const ROUNDS: usize = 50;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (server, times) in [one, other].into_iter().zip(&mut times) {
            let began = Instant::now();
            assert_eq!(server.get("/hello").await.text(), "hello");
            times.push(began.elapsed());
        }
    }
    let [slowed, usual] = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    });
    (slowed, usual)
}

#[tokio::test]
async fn a_thousand_slow_clients_of_each_kind_delay_no_request_and_are_cut_off() {
    const EACH: usize = 1000;
    // Long enough that all are connected at once, on a busy machine too.
    let timeouts = ["--header-timeout", "10", "--body-timeout", "10", "--send-timeout", "10"];
    let server = Project::new().file("app.py", LARGE).args(&timeouts).serve().await;
    let quiet = Project::new().file("app.py", LARGE).serve().await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    let before = server.memory();

    let heads = join_all((0..EACH).map(|_| server.socket(b"GET /hello HTTP/1.1\r\nhost:"))).await;
    let body = b"POST /hello HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nslow";
    let bodies = join_all((0..EACH).map(|_| server.socket(body))).await;
    let readers = unread(&server, "/large", EACH).await;
    let (slowed, usual) = times_in_turn(&server, &quiet).await;
    let grown = server.memory().saturating_sub(before);

    // A busy machine delays both. Where a request takes 2 ms, the bound is 100 ms; the factor is about 5.
    println!("a request takes {slowed:?} beside slow clients, and {usual:?} without them");
    assert!(slowed < 50 * usual, "{slowed:?} beside slow clients, {usual:?} without them");
    assert!(grown < 100 * MB, "{grown}");
    join_all(heads.into_iter().chain(bodies).map(ended)).await;
    join_all(readers.into_iter().map(is_reset)).await;
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn unread_streams_of_def_handlers_end_and_their_threads_are_free() {
    const PLACES: usize = 64;
    let server = Project::new().file("app.py", LARGE).args(&["--send-timeout", "1"]).serve().await;
    let streams = unread(&server, "/endless", PLACES).await;
    let others = async { while server.get("/short").await.status == 503 {} };
    in_time("a place for another stream", others).await;
    assert_eq!(server.get("/short").await.text(), "short");
    join_all(streams.into_iter().map(is_reset)).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_cut_off() {
    let server = Project::new().file("app.py", LARGE).args(&["--send-timeout", "2"]).serve().await;
    let mut slow = Slow::get(&server, "/endless").await;
    slow.head().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        slow.read(256 * 1024).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_memory_of_unread_responses_is_returned() {
    const CLIENTS: usize = 30;
    // glibc's allocator returns large blocks only until the first of them is freed: all must be there
    // before the timeout ends one.
    let server = Project::new().file("app.py", LARGE).args(&["--send-timeout", "5"]).serve().await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    let before = server.memory();
    let clients = unread(&server, "/own", CLIENTS).await;
    assert!(server.memory() > before + 4 * CLIENTS * MB, "{}", server.memory());
    join_all(clients.into_iter().map(is_reset)).await;

    // No request follows.
    let returned = async {
        while server.memory().saturating_sub(before) > CLIENTS * MB {
            tokio::task::yield_now().await;
        }
    };
    in_time("the memory", returned).await;
}
