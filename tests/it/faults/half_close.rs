//! Clients that shut their sending side after a request, and clients that leave.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Project, in_time, send};

const HANDLERS: &str = r#"
import asyncio
import _gate
import tasks
from snaxum import route

@route("/def", methods=["GET", "POST"])
def plain(request):
    _gate.wait("def")
    return b"answer " + request.data

@route("/async", methods=["GET", "POST"])
async def later(request):
    try:
        await _gate.wait_async("async")
    except asyncio.CancelledError:
        _gate.notify("cancelled")
        raise
    return b"answer " + request.data

@route("/pool", methods=["GET", "POST"], use_process_pool=True)
def pooled(request, pool):
    return pool.submit(tasks.respond, request.data).result()

@route("/stream", methods=["GET", "POST"])
async def stream(request):
    async def pieces():
        try:
            yield b"ans"
            await _gate.wait_async("stream")
            yield b"wer " + request.data
        except BaseException:
            _gate.notify("closed")
            raise
    return pieces()
"#;

const TASKS: &str = r#"
import _gate

def respond(data):
    _gate.wait("pool")
    return b"answer " + data
"#;

fn project() -> Project {
    let project = Project::new().gate().file("app.py", HANDLERS).file("tasks.py", TASKS);
    project.args(&["--pool-workers", "1"])
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut response = String::new();
    in_time("the end", stream.read_to_string(&mut response)).await.expect("no reset");
    response
}

#[tokio::test]
async fn a_client_that_shuts_its_sending_side_gets_the_response_of_every_kind_of_handler() {
    let server = project().args(&["--half-close-timeout", "0"]).serve().await;
    for kind in ["def", "async", "pool", "stream"] {
        for request in [
            format!("GET /{kind} HTTP/1.1\r\nhost: a\r\n\r\n"),
            format!("GET /{kind} HTTP/1.0\r\n\r\n"),
            format!("POST /{kind} HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody"),
        ] {
            let mut stream = server.socket(request.as_bytes()).await;
            stream.shutdown().await.expect("an open connection");
            let held = server.arrival().await;
            assert_eq!(held.name, kind);
            held.open().await;

            let response = read_to_end(&mut stream).await;

            assert!(response.starts_with("HTTP/1."), "{request}: {response}");
            assert!(response.contains(" 200 OK\r\n") && response.contains("wer "), "{response}");
            assert_eq!(response.contains("body"), request.contains("body"), "{response}");
        }
    }
}

#[tokio::test]
async fn requests_in_a_pipeline_all_get_responses_after_the_client_shut_its_sending_side() {
    let server = project().serve().await;
    let one = "GET /def HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = server.socket(one.repeat(3).as_bytes()).await;
    stream.shutdown().await.expect("an open connection");
    for _ in 0..3 {
        server.arrival().await.open().await;
    }
    assert_eq!(read_to_end(&mut stream).await.matches("answer ").count(), 3);
}

#[tokio::test]
async fn a_handler_slower_than_the_half_close_timeout_still_responds_to_a_client_that_reads() {
    const INTERIM: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    let server = project().args(&["--half-close-timeout", "50ms"]).serve().await;
    for kind in ["def", "async"] {
        let request = format!("GET /{kind} HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut stream = server.socket(request.as_bytes()).await;
        stream.shutdown().await.expect("an open connection");
        let held = server.arrival().await;
        let mut interim = vec![0; 3 * INTERIM.len()];
        in_time("three tests", stream.read_exact(&mut interim)).await.expect("an open connection");
        assert_eq!(String::from_utf8_lossy(&interim), INTERIM.repeat(3));
        held.open().await;

        let response = read_to_end(&mut stream).await;

        assert!(response.trim_start_matches(INTERIM).starts_with("HTTP/1.1 200 "), "{response}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_and_within_the_response() {
    let server = project().args(&["--half-close-timeout", "50ms"]).serve().await;
    for (path, version, expected) in [
        ("/async", "1.1\r\nhost: a", "cancelled"),
        ("/async", "1.0", "cancelled"),
        ("/stream", "1.1\r\nhost: a", "closed"),
    ] {
        let request = format!("GET {path} HTTP/{version}\r\n\r\n");
        let mut stream = server.socket(request.as_bytes()).await;
        let held = server.arrival().await;
        if path == "/stream" {
            // A client that closes with unread bytes resets the connection, which is easy to notice.
            let mut first = Vec::new();
            while !first.ends_with(b"ans\r\n") {
                in_time("a piece", stream.read_buf(&mut first)).await.expect("an open connection");
            }
        }
        drop(stream);
        assert_eq!(server.arrival().await.name, expected, "{path} {version}");
        drop(held);
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_its_upload_is_listed_with_status_499() {
    let server = project().dev().await;
    let mut console = server.console().await;
    for (body, is_cut) in [
        ("content-length: 10\r\n\r\nhalf", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("transfer-encoding: chunked\r\n\r\nwrong\r\n", false),
    ] {
        let head = "POST /def HTTP/1.1\r\nhost: localhost\r\n";
        let stream = server.socket(format!("{head}{body}").as_bytes()).await;
        if is_cut {
            drop(stream);
        } else {
            let mut stream = stream;
            assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 400 "));
        }
        let ended = console.next_of_type("request.end").await["request"].clone();
        assert_eq!(ended["status"], json!(if is_cut { 499 } else { 400 }), "{body}: {ended}");
    }
    // A client that waits for the response gets the reason.
    let mut stream = server
        .socket(b"POST /def HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf")
        .await;
    stream.shutdown().await.expect("an open connection");
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("incomplete"), "{response}");
    let reply = send(server.request(Method::GET, "/nowhere")).await;
    assert_eq!(reply.status, 404);
}
