//! Proxies before the server: the headers and the protocol by which they name the client.

use std::path::Path;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Server, in_time};

use super::{curl, curl_json, project, serve, url};

const FORWARDED: [&str; 8] = [
    "-H",
    "x-forwarded-for: 6.6.6.6, 203.0.113.9, 10.0.0.2",
    "-H",
    "x-forwarded-proto: https",
    "-H",
    "x-forwarded-host: shop.example",
    "-H",
    "host: inner.example",
];

async fn where_of(server: &Server, headers: &[&str]) -> serde_json::Value {
    let address = format!("{}/where", server.url);
    curl_json(server.project.path(), &[headers, &[&address]].concat()).await
}

#[tokio::test]
async fn the_headers_of_a_trusted_proxy_name_the_client_to_every_kind_of_handler() {
    let trusted = "127.0.0.1,10.0.0.0/8";
    let server = project().args(&["--forwarded-allow-ips", trusted]).serve().await;
    let outside =
        json!({"client": "203.0.113.9", "port": 0, "scheme": "https", "host": "shop.example"});
    assert_eq!(where_of(&server, &FORWARDED).await, outside);
    let forwarded = "forwarded: for=\"[2001:db8::7]:4711\";proto=https;host=shop.example";
    let outside =
        json!({"client": "2001:db8::7", "port": 4711, "scheme": "https", "host": "shop.example"});
    assert_eq!(where_of(&server, &["-H", forwarded]).await, outside);
    for kind in ["wsgi", "asgi"] {
        let address = format!("{}/{kind}", server.url);
        let text = curl(server.project.path(), &[&FORWARDED[..], &[&address]].concat()).await;
        assert_eq!(text, "203.0.113.9 https shop.example HTTP/1.1");
    }
    // The same by HTTP/2, whose requests have no Host header.
    let version = ["--http2-prior-knowledge"];
    let origin = where_of(&server, &[&FORWARDED[..6], &version].concat()).await;
    assert_eq!(
        (&origin["client"], &origin["host"]),
        (&json!("203.0.113.9"), &json!("shop.example"))
    );
    let direct = where_of(&server, &version).await;
    assert_eq!((&direct["client"], &direct["scheme"]), (&json!("127.0.0.1"), &json!("http")));
    assert_eq!(direct["host"], server.authority());
}

#[tokio::test]
async fn the_headers_of_all_others_are_ignored() {
    for args in [&[][..], &["--forwarded-allow-ips", "10.0.0.0/8"]] {
        let server = project().args(args).serve().await;
        let origin = where_of(&server, &FORWARDED).await;
        assert_eq!((&origin["client"], &origin["scheme"]), (&json!("127.0.0.1"), &json!("http")));
        assert_eq!(origin["host"], "inner.example");
    }
    for (peers, line) in [
        ("proxy.example", "`proxy.example`; it must be an address such as 10.0.0.1, a network"),
        ("10.0.0.1/8", "has bits after its prefix; write 10.0.0.0/8"),
    ] {
        let finished = project().snaxum(&["serve", "--forwarded-allow-ips", peers]).await;
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains(line), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_proxy_may_come_by_a_unix_socket() {
    let args = ["--uds", "app.sock", "--forwarded-allow-ips", "unix"];
    let server = serve(project(), &args).await;
    let path = url(&server).replace("unix:", "");
    let socket = ["--unix-socket", &path, "http://inner.example/where"];
    let origin = curl_json(Path::new("/"), &[&FORWARDED[..], &socket].concat()).await;
    // The last address in the list is not trusted.
    assert_eq!((&origin["client"], &origin["scheme"]), (&json!("10.0.0.2"), &json!("https")));
}

/// Sends bytes and a request after them; returns all of the response.
async fn send(server: &Server, first: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.authority()).await.expect("it listens");
    stream.write_all(first).await.expect("it reads");
    let request = b"GET /where HTTP/1.0\r\nhost: a.example\r\n\r\n";
    // The server may have closed a connection that it rejects.
    let _ = stream.write_all(request).await;
    let mut response = Vec::new();
    let _ = in_time("the end", stream.read_to_end(&mut response)).await;
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_names_the_client() {
    let server = project().args(&["--proxy-protocol"]).serve().await;
    let text = send(&server, V2).await;
    assert!(text.contains(r#""client":"203.0.113.9","port":4711"#), "{text}");
    let health_check = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let text = send(&server, health_check).await;
    assert!(text.contains(r#""client":"127.0.0.1""#), "{text}");
    assert_eq!(send(&server, b"").await, "");
    let warning = server.err.wait_for("a connection was closed").await;
    assert!(
        warning.contains("send a header of the PROXY protocol, version 2, or remove"),
        "{warning}"
    );
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x12\x67\x01\xbb";

#[tokio::test]
async fn only_a_load_balancer_may_send_it() {
    let server = project().args(&["--proxy-protocol", "10.0.0.0/8"]).serve().await;
    assert_eq!(send(&server, V2).await, "");
    let warning = server.err.wait_for("a connection was closed").await;
    assert!(warning.contains("127.0.0.1 is not a load balancer; add its address"), "{warning}");
    let server = project().args(&["--proxy-protocol", "127.0.0.0/8"]).serve().await;
    assert!(send(&server, V2).await.contains(r#""client":"203.0.113.9""#));
    let bad = server.project.snaxum(&["serve", "--proxy-protocol", "balancer"]).await;
    assert!(bad.stderr.contains("`balancer`; it must be an address"), "{bad:?}");
}

#[tokio::test]
async fn a_connection_that_has_sent_nothing_moves_to_the_new_processes() {
    let args = ["--proxy-protocol", "--header-timeout", "1h", "--drain-timeout", "1h"];
    let server = project().args(&args).serve().await;
    let mut silent = TcpStream::connect(server.authority()).await.expect("it listens");
    assert!(send(&server, V2).await.contains("203.0.113.9"), "connections are accepted in order");
    let old = server.python_process();
    server.signal(libc::SIGHUP);
    server.err.wait_for("version 2 is live").await;
    old.is_gone().await;
    silent.write_all(V2).await.expect("it is open");
    silent.write_all(b"GET /where HTTP/1.0\r\n\r\n").await.expect("it is open");
    let mut text = String::new();
    in_time("the response", silent.read_to_string(&mut text)).await.expect("text");
    assert!(text.contains("203.0.113.9"), "{text}");
}
