//! Requests that two servers may read differently, and requests that are too large.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Project, in_time};

const ECHO: &str = r#"
from snaxum import route

@route("/", methods=["GET", "POST"])
def echo(request):
    return request.data

@route("/smuggled", methods=["GET", "POST"])
def smuggled(request):
    return "smuggled"
"#;

async fn read_to_end(mut stream: TcpStream, what: &str) -> String {
    let mut response = Vec::new();
    in_time(what, stream.read_to_end(&mut response)).await.expect("no reset");
    String::from_utf8_lossy(&response).into_owned()
}

/// Headers of a POST whose length is in doubt, and the status of the response.
const LENGTHS: &[(&str, u16)] = &[
    ("Content-Length: 5\r\nContent-Length: 6", 400),
    ("Content-Length: 5, 6", 400),
    ("Content-Length: 5, 5", 400),
    ("Content-Length: +5", 400),
    ("Content-Length: -5", 400),
    ("Content-Length: 0x5", 400),
    ("Content-Length: 5 5", 400),
    ("Content-Length: 5;a", 400),
    ("Content-Length:", 400),
    ("Content-Length: 99999999999999999999999", 400),
    ("Content-Length 5", 400),
    ("Content-Length : 5", 400),
    (" Content-Length: 5", 400),
    ("X: a\r\n Content-Length: 5", 400),
    ("X: a\rContent-Length: 5", 400),
    ("X: a\0\r\nContent-Length: 5", 400),
    ("Content-Length\0: 5", 400),
    ("Transfer-Encoding: chunked, chunked", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    ("Transfer-Encoding: gzip, chunked", 501),
    ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
    ("Transfer-Encoding: identity, chunked", 501),
    ("Transfer-Encoding: chunked, gzip", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
    ("Transfer-Encoding: identity", 400),
    ("Transfer-Encoding: xchunked", 400),
    ("Transfer-Encoding: chunked;q=1", 400),
    ("Transfer-Encoding: \x0bchunked", 400),
    ("Transfer-Encoding: \"chunked\"", 400),
    ("Transfer-Encoding : chunked", 400),
    ("Transfer-Encoding:\r\n chunked", 400),
    ("Transfer-Encoding:", 400),
    // The coding wins; no proxy can have taken what follows for another request.
    ("Content-Length: 3\r\nTransfer-Encoding: chunked", 200),
    ("Transfer-Encoding: chunked\r\nContent-Length: 3", 200),
];

/// Chunked bodies that are not valid.
const CHUNKS: &[&str] = &[
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
];

/// Request lines and hosts that are not valid.
const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: b@a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1.1\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

#[tokio::test]
async fn ambiguous_framing_is_refused_or_unambiguous_and_the_connection_is_closed() {
    const NEXT: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let server = Project::new().file("app.py", ECHO).serve().await;
    let mut sequences = Vec::new();
    for (headers, status) in LENGTHS {
        let body = if headers.contains("ransfer") { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" };
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}{NEXT}");
        sequences.push((request, *status));
    }
    for body in CHUNKS {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        sequences.push((format!("{head}{body}{NEXT}"), 400));
    }
    for head in HEADS {
        sequences.push((format!("{head}{NEXT}"), 400));
    }
    assert!(sequences.len() > 60, "{}", sequences.len());
    let mut wrong = Vec::new();
    for (request, status) in sequences {
        let response = read_to_end(server.socket(request.as_bytes()).await, &request).await;
        let is_single =
            response.matches("\r\ndate: ").count() == 1 && !response.contains("smuggled");
        let has_reason = status == 200 || response.contains("\"detail\":\"");
        let has_status = response.split(' ').nth(1) == Some(status.to_string().as_str());
        if !is_single || !has_reason || !has_status {
            wrong.push((request, status, response));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Requests with one meaning are served.
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        // Equal lengths are one length, and a bare LF ends a line (RFC 9110, 8.6; RFC 9112, 2.2).
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\
         Content-Length: 5\r\n\r\nhello",
        "GET / HTTP/1.1\nHost: a\nConnection: close\n\n",
        "POST / HTTP/1.1\r\nHost: a\nConnection: close\r\nContent-Length: 5\n\r\nhello",
    ] {
        let response = read_to_end(server.socket(request.as_bytes()).await, request).await;
        assert!(response.contains(" 200 OK\r\n"), "{request}: {response}");
    }
}

#[tokio::test]
async fn a_connect_is_refused_also_if_a_route_has_the_method() {
    const APP: &str = r#"
from snaxum import route

@route("/", methods=["CONNECT", "GET"])
def tunnel(request):
    return "tunnel"
"#;
    let server = Project::new().file("app.py", APP).serve().await;
    let next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for target in ["/", "a:443"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n{next}");
        let request = request.replace("Host: /", "Host: a");
        let response = server.raw(&request).await;
        assert!(
            response.starts_with("HTTP/1.1 501 ") && !response.contains("tunnel"),
            "{response}"
        );
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
    assert_eq!(server.get("/").await.text(), "tunnel");
}

fn with_header(size: usize) -> String {
    let long = "x".repeat(size);
    format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: {long}\r\n\r\n")
}

#[tokio::test]
async fn headers_over_the_limit_are_a_431_that_names_the_limit() {
    for (limit, size, status) in [
        (None, 60_000, 200),
        (None, 66_000, 431),
        (None, 400_000, 431),
        (Some("512KiB"), 400_000, 200),
        (Some("1KiB"), 1_000, 431),
    ] {
        let mut project = Project::new().file("app.py", ECHO);
        if let Some(limit) = limit {
            project = project.args(&["--max-header-size", limit]);
        }
        let server = project.serve().await;
        let response = server.raw(&with_header(size)).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{limit:?} {size}: {response}"
        );
        if status == 431 {
            let bytes = if limit.is_none() { "65536 bytes" } else { "1024 bytes" };
            assert!(response.contains(bytes) && response.contains("problem+json"), "{response}");
        }
        assert_eq!(server.get("/").await.status, 200);
    }
}
