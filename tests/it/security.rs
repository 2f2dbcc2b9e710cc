//! Attacks on a dev server: the items of docs/security.md that no other file covers.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::support::{Console, Project, Server, console_files, in_time, send};

const APP: &str = r#"
from snaxum import Request, route

@route("/hello")
def hello(request: Request):
    return "hello"
"#;

async fn app() -> Server {
    Project::new().file("app.py", APP).dev().await
}

/// A console that is let in, before it has read anything.
async fn unread(server: &Server) -> Console {
    let bearer = format!("Bearer {}", server.token);
    server.connect(&[("authorization", &bearer)]).await.expect("it is let in")
}

/// The paths of the console's own routing table, with something in place of what varies.
fn console_paths() -> Vec<String> {
    let table = include_str!("../../src/dev/http.rs");
    let quoted = table.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let filled = quoted.map(|path| {
        path.replace("{*path}", "console.js").replace("{id}", "1").replace("{*rest}", "else/where")
    });
    let paths: Vec<String> = filled.collect();
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

#[tokio::test]
async fn every_route_of_the_console_is_behind_the_guard() {
    let server = app().await;
    for path in console_paths() {
        assert!(path.starts_with("/__snaxum"), "{path}");
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
            let request = server.request(method.clone(), &path).header("x-snaxum", "1");
            let status = send(request.json(&json!({}))).await.status;
            assert_eq!(status, 401, "{method} {path}");
        }
        let status = send(server.request(Method::OPTIONS, &path).bearer_auth(&server.token)).await;
        assert_eq!(status.status, 403, "OPTIONS {path}");
    }
}

#[tokio::test]
async fn no_body_and_no_frame_contains_the_token() {
    let server = app().await;
    let mut console = unread(&server).await;
    let origin = [("origin", server.url.as_str())];
    let mut page = server.connect_to("/__snaxum/live", &origin).await.expect("it is let in");
    let mut seen = vec![console.next().await.to_string(), console.next().await.to_string()];
    seen.push(page.next().await.to_string());
    for path in console_paths() {
        let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
        seen.push(format!("{path} {:?} {}", reply.headers, reply.text()));
    }
    server.edit("app.py", &APP.replace("\"hello\"", "\"hello again\""));
    seen.push(page.next().await.to_string());
    seen.push(console.next_of_type("reload.ok").await.to_string());

    for text in seen {
        assert!(!text.contains(&server.token), "{text}");
    }
    assert!(!server.err.text().contains(&server.token));
    let links = server.out.text().matches(&server.token).count();
    assert_eq!(links, 1, "the link is printed once");
}

/// The name and the text of each asset that is our own.
fn assets() -> impl Iterator<Item = (String, String)> {
    let own = console_files().into_iter().filter(|(name, _)| !name.starts_with("vendor/"));
    own.map(|(name, path)| (name, fs::read_to_string(path).expect("UTF-8")))
}

#[test]
fn no_asset_makes_code_or_markup_of_text() {
    for (name, text) in assets() {
        for way in [
            "eval(",
            "new Function",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "srcdoc",
            "javascript:",
        ] {
            // One frame may show markup, and do nothing else.
            let is_caged =
                name == "requests/preview.js" && text.contains(r#"setAttribute("sandbox", "")"#);
            assert!(!text.contains(way) || (way == "srcdoc" && is_caged), "{name}: {way}");
        }
        if name.ends_with(".html") {
            let handlers = text.split_whitespace().filter(|word| word.starts_with("on"));
            assert_eq!(handlers.filter(|word| word.contains('=')).count(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn every_asset_has_its_type() {
    let server = app().await;
    for (name, _) in assets() {
        let kind = match name.rsplit_once('.').expect("a suffix").1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => continue,
        };
        let path = format!("/__snaxum/assets/{name}");
        let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
        let headers = ["content-type", "x-content-type-options"].map(|name| reply.header(name));
        assert_eq!((reply.status, headers), (200, [kind, "nosniff"]), "{name}");
    }
    for path in ["/__snaxum/api/status", "/__snaxum/api/requests"] {
        let reply = send(server.request(Method::GET, path).bearer_auth(&server.token)).await;
        let headers = ["content-type", "x-content-type-options"].map(|name| reply.header(name));
        assert_eq!(headers, ["application/json", "nosniff"], "{path}");
    }
}

/// Builds the binary without dev mode, which takes long: part of `just test-all`.
#[tokio::test]
#[ignore = "builds the binary once more"]
async fn a_binary_without_dev_mode_contains_no_console() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-dev");
    let status = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--no-default-features", "--features", "cli", "--target-dir"])
        .arg(&target)
        .current_dir(root)
        .status()
        .expect("cargo starts");
    assert!(status.success());
    let has = |path: &Path, text: &str| {
        let binary = fs::read(path).expect("a binary");
        binary.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    };
    for text in [
        "connect-src 'self' ws://",
        "The console requires a token",
        "too many event streams are open",
    ] {
        assert!(has(Path::new(env!("CARGO_BIN_EXE_snaxum")), text), "{text}");
        assert!(!has(&target.join("debug/snaxum"), text), "{text}");
    }
}

/// Pseudo-random numbers, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from((self.0 >> 33) % end as u64).expect("it is small")
    }

    /// JSON that may look like a command.
    fn json(&mut self, depth: usize) -> Value {
        const WORDS: [&str; 18] = [
            "ack",
            "seq",
            "types",
            "id",
            "*",
            "request.*",
            "type",
            "reload",
            "restart",
            "pause",
            "resume",
            "ping",
            "subscribe",
            "reload.ok",
            "../../etc/passwd",
            "\u{202e}\u{1b}[31m",
            "__proto__",
            "",
        ];
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(usize::MAX >> 34)),
            3 | 4 => json!(WORDS[self.below(WORDS.len())]),
            5 => (0..self.below(5)).map(|_| self.json(depth - 1)).collect(),
            6 => {
                // Messages that are valid, or nearly.
                let types = ["*", "error", "reload.*", "request.start", "eror"];
                let types: Vec<_> = (0..self.below(3)).map(|_| types[self.below(5)]).collect();
                let kind = ["ping", "subscribe", "ack"][self.below(3)];
                json!({"type": kind, "types": types, "seq": self.below(3), "id": self.json(0)})
            }
            _ => {
                let mut object = json!({ "type": WORDS[self.below(WORDS.len())] });
                for _ in 0..self.below(4) {
                    object[WORDS[self.below(WORDS.len())]] = self.json(depth - 1);
                }
                object
            }
        }
    }
}

#[tokio::test]
async fn ten_thousand_random_frames_change_nothing_and_log_nothing() {
    let server = app().await;
    let output = |server: &Server| (server.out.text(), server.err.text());
    let state = async |server: &Server| {
        let mut status = server.api("status").await;
        status["uptime_s"] = Value::Null;
        (status, server.api("reloads").await, server.api("modules").await)
    };
    server.get("/hello").await;
    server.out.wait_for(" 200 ").await;
    let (lines, before) = (output(&server), state(&server).await);
    let (mut chance, mut counts) = (Chance(41), HashMap::<String, usize>::new());
    for _ in 0..500 {
        let mut console = unread(&server).await;
        for _ in 0..20 {
            console.send(Message::text(chance.json(4).to_string())).await;
        }
        // One more than it may send: the close shows that the others were read.
        console.send(Message::text("{}")).await;
        let (kinds, code) = console.end().await;
        assert_eq!(code, Some(1008));
        for kind in kinds {
            *counts.entry(kind).or_default() += 1;
        }
    }
    // Only problems, requested messages and the first two are sent.
    let (pongs, problems) = (counts.remove("pong"), counts.remove("problem"));
    assert!(pongs > Some(100) && problems > Some(5_000), "{pongs:?} {problems:?}");
    counts.retain(|kind, _| !["hello", "snapshot", "metrics"].contains(&&**kind));
    assert_eq!(counts, HashMap::new());

    assert_eq!(state(&server).await, before);
    server.get("/nowhere").await;
    server.out.wait_for(" 404 ").await;
    let (out, err) = output(&server);
    assert_eq!(out.lines().count(), lines.0.lines().count() + 1, "{out}");
    assert_eq!(err, lines.1);
}

#[tokio::test]
async fn a_socket_is_closed_with_the_code_of_the_fault() {
    let server = app().await;
    let large = Message::text("1".repeat(64 * 1024 + 1));
    let allowed = Message::text("1".repeat(64 * 1024));
    for (messages, code) in [
        (vec![large], 1009),
        (vec![Message::binary(vec![1])], 1003),
        (["{", "]", "nope"].map(Message::text).to_vec(), 1008),
        (vec![allowed; 21], 1008),
    ] {
        let mut console = unread(&server).await;
        let is = format!("{} of {} bytes", messages.len(), messages[0].len());
        for message in messages {
            console.send(message).await;
        }
        assert_eq!(console.close_code().await, Some(code), "{is}");
    }
}

/// Asks for `/hello` so many times over one connection.
async fn request_many(server: &Server, count: usize) {
    let mut stream = TcpStream::connect(server.authority()).await.expect("it listens");
    let request = format!("GET /hello HTTP/1.1\r\nhost: {}\r\n\r\n", server.authority());
    for _ in 0..count.div_ceil(100) {
        stream.write_all(request.repeat(100).as_bytes()).await.expect("it reads");
        let mut responses = Vec::new();
        while responses.windows(8).filter(|text| text == b"HTTP/1.1").count() < 100 {
            let read =
                in_time("responses", stream.read_buf(&mut responses)).await.expect("a response");
            assert!(read > 0, "the connection stays open");
        }
    }
}

#[tokio::test]
async fn a_console_that_never_reads_costs_no_memory_and_receives_a_count_of_missed_events() {
    let server = app().await;
    request_many(&server, 2_000).await; // more than the limit
    // The kernel buffers little for it.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    let address: SocketAddr = server.authority().parse().expect("an address");
    let stream = socket.connect(address).await.expect("it listens");
    let mut stuck = Console::over(stream, &server).await;
    // Requests between the upgrade and this line are in the snapshot.
    assert_eq!(stuck.next().await["type"], "hello");
    let before = server.memory();

    request_many(&server, 8_000).await; // more than the kernel buffers for it

    let grown = server.memory().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    server.get("/last").await;
    let (mut received, mut dropped, mut seq) = (0, 0, 0);
    loop {
        let message = stuck.next().await;
        // A client recognizes repeated events by their numbers.
        let is_event = !matches!(message["type"].as_str(), Some("dropped" | "metrics"));
        let number = message["seq"].as_u64().expect("a number");
        assert!(number > seq || (!is_event && number == seq), "after {seq}: {message}");
        seq = number;
        match message["type"].as_str() {
            Some("request.end") if message["request"]["path"] == "/last" => break,
            Some("request.end") => received += 1,
            Some("dropped") => dropped += message["count"].as_u64().expect("a number"),
            _ => {}
        }
    }
    assert!(dropped > 0);
    assert_eq!(received + dropped, 8_000);
}

#[tokio::test]
async fn no_parameter_is_taken_for_a_path() {
    let server = app().await;
    std::os::unix::fs::symlink("/etc/passwd", server.python("link.js")).expect("a link");
    for place in ["/__snaxum/assets/", "/__snaxum/api/requests/", "/__snaxum/"] {
        for hostile in [
            "../../../../../../etc/passwd",
            "..%2f..%2f..%2f..%2fetc%2fpasswd",
            "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "..%252f..%252fetc%252fpasswd",
            "....//....//etc/passwd",
            "..%5c..%5cwindows%5cwin.ini",
            "%00",
            "console.js%00.css",
            "%5c%5cserver%5cshare%5cfile",
            "//server/share/file",
            "file:///etc/passwd",
            "file:%2f%2f%2fetc%2fpasswd",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "link.js",
            "python/link.js",
            "../../python/app.py",
            "..;/..;/etc/passwd",
            "%c0%ae%c0%ae/etc/passwd",
            "%ff%fe",
        ] {
            let path = format!("{place}{hostile}");
            let response = server
                .raw(&format!(
                    "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
                     connection: close\r\n\r\n",
                    server.token
                ))
                .await;
            let status = response.split(' ').nth(1).expect("a status");
            assert!(["400", "404"].contains(&status), "{path}: {response}");
            assert!(!response.contains("root:") && !response.contains("snaxum import"), "{path}");
        }
    }
}
