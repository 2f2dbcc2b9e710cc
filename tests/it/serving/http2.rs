//! HTTP/2 without TLS: the same checks and limits as HTTP/1.1, and many requests on one connection.

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use h2::client::SendRequest;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Project, Server, in_time};

use super::curl;

const APP: &str = r#"
import _gate
from snaxum import Response, route


@route("/echo", methods=["POST"])
def echo(request):
    return Response(request.data, content_type=request.content_type)


@route("/host")
def host(request):
    return request.headers["host"]


@route("/stream")
def stream():
    return iter(["one ", "two"])


@route("/waits")
async def waits():
    try:
        await _gate.wait_async("waits")
        return "done"
    finally:
        _gate.notify("ended")


@route("/empty")
def empty():
    return None


@route("/large")
def large():
    return b"x" * 3_000_000
"#;

async fn server(args: &[&str]) -> Server {
    Project::new().gate().file("app.py", APP).args(args).serve().await
}

/// A connection of HTTP/2.
async fn connect(server: &Server) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(server.authority()).await.expect("it listens");
    let (client, connection) = h2::client::handshake(socket).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    client
}

fn request(server: &Server, path: &str) -> Request<()> {
    Request::get(format!("{}{path}", server.url)).body(()).expect("a request")
}

#[tokio::test]
async fn curl_gets_what_it_gets_by_http_1() {
    let server = server(&[]).await;
    let dir = server.project.path();
    let get = |path: &str, more: &[&'static str]| {
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        let mut args = vec!["--write-out".to_owned(), " %{http_version} %{http_code}".to_owned()];
        args.extend(more);
        args.push(format!("{}{path}", server.url));
        async move { curl(dir, &args.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    const H2: &str = "--http2-prior-knowledge";
    assert_eq!(get("/host", &[H2]).await, format!("{} 2 200", server.authority()));
    assert_eq!(get("/host", &[]).await, format!("{} 1.1 200", server.authority()));
    assert_eq!(get("/stream", &[H2]).await, "one two 2 200");
    let body = ["--data-binary", "text", "-H", "content-type: text/x"];
    assert_eq!(get("/echo", &[&[H2], &body[..]].concat()).await, "text 2 200");
    assert!(get("/none", &[H2]).await.ends_with(" 2 404"));
    assert!(get("/large", &[H2]).await.ends_with("xxx 2 200"));
    for version in [H2, "--http1.1"] {
        let head = get("/large", &[version, "--head"]).await;
        assert!(head.contains("content-length: 3000000"), "{head}");
    }
    assert_eq!(get("/empty", &[H2]).await, " 2 204");
    // A client that asks to switch gets HTTP/1.1, which every client has.
    assert!(get("/host", &["--http2"]).await.ends_with(" 1.1 200"));
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let server = server(&[]).await;
    let client = connect(&server).await;
    let waiting = async {
        let mut client = client.clone().ready().await.expect("it is open");
        client.send_request(request(&server, "/waits"), true).expect("it is sent").0.await
    };
    let others = async {
        let held = server.arrival().await;
        for _ in 0..200 {
            let mut client = client.clone().ready().await.expect("it is open");
            let (response, _) = client.send_request(request(&server, "/host"), true).expect("sent");
            assert_eq!(response.await.expect("a response").status(), StatusCode::OK);
        }
        held.open().await;
    };
    let (waited, ()) = in_time("all responses", async { tokio::join!(waiting, others) }).await;
    assert_eq!(waited.expect("a response").status(), StatusCode::OK);
    assert_eq!(server.arrival().await.name, "ended");
}

#[tokio::test]
async fn a_request_that_its_client_resets_is_cancelled() {
    let server = server(&[]).await;
    let client = connect(&server).await;
    let mut ready = client.clone().ready().await.expect("it is open");
    let (response, mut stream) =
        ready.send_request(request(&server, "/waits"), true).expect("it is sent");
    let _held = server.arrival().await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    assert_eq!(server.arrival().await.name, "ended");
}

#[tokio::test]
async fn a_header_over_the_limit_and_a_second_host_are_rejected() {
    let server = server(&["--max-header-size", "8KiB"]).await;
    let client = connect(&server).await;
    let send = |request: Request<()>| {
        let client = client.clone();
        async move {
            let mut client = client.ready().await.expect("it is open");
            let (response, _) = client.send_request(request, true).expect("it is sent");
            in_time("the response", response).await.expect("a response").status()
        }
    };
    let with = |name: &'static str, value: &str| {
        let mut request = request(&server, "/host");
        request.headers_mut().insert(name, value.parse().expect("a value"));
        request
    };
    assert_eq!(send(with("x-long", &"x".repeat(7000))).await, 200);
    assert_eq!(send(with("x-long", &"x".repeat(9000))).await, 431);
    assert_eq!(send(with("host", "other.example")).await, 400);
    assert_eq!(send(with("host", server.authority())).await, 200);
    let connect = Request::connect("a.example:80").body(()).expect("a request");
    assert_eq!(send(connect).await, 501);
}

#[tokio::test]
async fn a_stopping_server_finishes_the_requests_of_a_connection() {
    let mut server = server(&[]).await;
    let client = connect(&server).await;
    let mut ready = client.clone().ready().await.expect("it is open");
    let (response, _) = ready.send_request(request(&server, "/waits"), true).expect("it is sent");
    let held = server.arrival().await;
    server.signal(libc::SIGTERM);
    server.err.wait_for("stopping").await;
    held.open().await;
    assert_eq!(in_time("the response", response).await.expect("a response").status(), 200);
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_deploy_finishes_the_requests_of_a_connection_and_asks_its_client_to_open_another() {
    let server = server(&[]).await;
    let socket = TcpStream::connect(server.authority()).await.expect("it listens");
    let (client, connection) = h2::client::handshake(socket).await.expect("it is HTTP/2");
    let connection = tokio::spawn(connection);
    let mut ready = client.clone().ready().await.expect("it is open");
    let (response, _) = ready.send_request(request(&server, "/waits"), true).expect("it is sent");
    let held = server.arrival().await;
    server.signal(libc::SIGHUP);
    server.err.wait_for("version 2 is live").await;
    held.open().await;
    let response = in_time("the response", response).await.expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    in_time("the end of the connection", connection).await.expect("no panic").expect("no error");
    let mut next = connect(&server).await;
    let (response, _) = next.send_request(request(&server, "/host"), true).expect("it is sent");
    assert_eq!(in_time("the response", response).await.expect("a response").status(), 200);
}

#[tokio::test]
async fn a_client_cannot_fill_the_log_with_invalid_frames() {
    let mut server = server(&[]).await;
    let mut frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for _ in 0..100 {
        frames.extend(b"\0\0\x08\x06\x01\0\0\0\0no ping!"); // an acknowledgement
    }
    frames.extend(b"\0\0\x08\x06\0\0\0\0\0the last");
    let mut socket = server.socket(&frames).await;
    let mut received = Vec::new();
    let last = async {
        while !received.windows(8).any(|bytes| bytes == b"the last") {
            assert_ne!(socket.read_buf(&mut received).await.expect("it is open"), 0);
        }
    };
    in_time("the reply to the last ping", last).await;
    drop(socket);
    assert!(server.stop().await.success());
    let log = server.err.text();
    assert!(log.lines().count() < 20, "{log}");
}
