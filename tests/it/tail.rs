//! `snaxum tail`: the events of a running server, as lines and as they come.

use std::process::Stdio;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::support::{Project, Server, in_time};

const APP: &str = "\
from snaxum import route

@route('/hello')
def hello(request):
    print('said \\x1b[31m')
    return 'hello'

@route('/raise')
def fail(request):
    raise ValueError('it went wrong')
";

/// A running `snaxum tail`.
pub(super) struct Tail {
    process: Child,
    out: Lines<BufReader<Box<dyn AsyncRead + Unpin>>>,
    err: Lines<BufReader<Box<dyn AsyncRead + Unpin>>>,
}

impl Tail {
    pub(super) fn of(project: &Project, args: &[&str]) -> Self {
        let mut command = project.command(env!("CARGO_BIN_EXE_snaxum"));
        command.arg("tail").arg(project.path()).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("it starts");
        let out: Box<dyn AsyncRead + Unpin> = Box::new(process.stdout.take().expect("a pipe"));
        let err: Box<dyn AsyncRead + Unpin> = Box::new(process.stderr.take().expect("a pipe"));
        Self { process, out: BufReader::new(out).lines(), err: BufReader::new(err).lines() }
    }

    pub(super) async fn line_with(&mut self, text: &str) -> String {
        find(&mut self.out, text).await
    }

    pub(super) async fn end(&mut self) {
        self.process.kill().await.expect("it is ours");
    }
}

async fn find(lines: &mut Lines<BufReader<Box<dyn AsyncRead + Unpin>>>, text: &str) -> String {
    in_time(text, async {
        loop {
            let line = lines.next_line().await.expect("text").expect("it goes on");
            if line.contains(text) {
                return line;
            }
        }
    })
    .await
}

async fn app() -> Server {
    Project::new().file("app.py", APP).dev().await
}

#[tokio::test]
async fn requests_what_they_print_and_reloads_are_lines() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("G1").await;

    server.get("/hello").await;
    let said = tail.line_with("said").await;
    assert!(said.contains("#1 stdout  said \\u{1b}[31m"), "{said}");
    let line = tail.line_with("/hello").await;
    assert!(line.contains("GET    /hello  200  ") && line.ends_with("ms  G1 #1"), "{line}");
    server.get("/raise").await;
    let line = tail.line_with("/raise").await;
    assert!(line.contains("500") && line.contains("ValueError: it went wrong  python/app.py:"));

    server.edit("app.py", "def oops(:");
    tail.line_with("✖").await;
    tail.line_with("python/app.py:1").await;
    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let line = tail.line_with("↻").await;
    assert!(line.contains("G2") && line.contains("+ GET /hallo"), "{line}");
}

#[tokio::test]
async fn the_newest_come_first_and_without_following_nothing_else() {
    let server = app().await;
    for _ in 0..3 {
        server.get("/hello").await;
    }
    let shown = server.project.snaxum(&["tail", "--no-follow", "-n", "2"]).await;

    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let ids: Vec<_> = shown.stdout.lines().filter_map(|line| line.split('#').nth(1)).collect();
    assert_eq!(ids, ["2", "3"], "{}", shown.stdout);
}

#[tokio::test]
async fn as_json_the_messages_are_those_of_the_socket() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    let mut types = Vec::new();
    server.get("/hello").await;
    while types.last().is_none_or(|kind| kind != "snapshot" && kind != "request.end") {
        let line = tail.line_with("{").await;
        let message: Value = serde_json::from_str(&line).expect("one object a line");
        assert_eq!(message["v"], 1);
        assert!(message["seq"].is_u64());
        assert!(!line.contains(&server.token));
        types.push(message["type"].as_str().expect("a name").to_owned());
    }
    assert_eq!(types[0], "hello");
}

#[tokio::test]
async fn json_cannot_steer_the_terminal() {
    let app = APP.replace("said \\x1b[31m", "said \\x7f\\x9b31m\\u202e");
    let server = Project::new().file("app.py", &app).dev().await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    tail.line_with("snapshot").await;
    server.get("/hello").await;
    let line = tail.line_with("said").await;
    assert!(line.contains(r"said \u007f\u009b31m\u202e"), "{line}");
    let message: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(message["log"]["line"], "said \u{7f}\u{9b}31m\u{202e}");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_told_of() {
    let project = Project::new().file("app.py", APP);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let announced = json!({ "url": url, "token": "t", "pid": 1 }).to_string();
    let project = project.top_file(".snaxum/dev.json", &announced);
    let mut tail = Tail::of(&project, &["--format", "json"]);

    let (stream, _) = in_time("a connection", listener.accept()).await.expect("a client");
    #[expect(clippy::result_large_err, reason = "the type is the library's")]
    let answer = |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("snaxum.v1");
        response.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let mut socket =
        tokio_tungstenite::accept_hdr_async(stream, answer).await.expect("a handshake");
    for frame in ["{\"seq\":1,\"type\":\"log\",\"x\":\"\u{9b}\"}", "{\"seq\":2,\"type\":\"new\"}"] {
        socket.send(Message::text(frame)).await.expect("it reads");
    }

    assert_eq!(tail.line_with("{").await, "{\"seq\":2,\"type\":\"new\"}");
    let note = find(&mut tail.err, "note:").await;
    assert!(note.contains("cannot be read") && note.contains(r#"\u{9b}"#), "{note}");
}

#[tokio::test]
async fn without_a_server_it_says_so() {
    let project = Project::new().file("app.py", APP);
    let ended = project.snaxum(&["tail"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("snaxum dev"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_server_that_has_no_place_left_says_so() {
    let server = app().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(server.console().await);
    }
    let refused = server.project.snaxum(&["tail"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("close one"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_server_that_ends_is_waited_for() {
    let mut server = app().await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("G1").await;
    server.stop().await;
    find(&mut tail.err, "waiting for it").await;

    let mut again = server.project.command(env!("CARGO_BIN_EXE_snaxum"));
    again.args(["dev", "--port", "0"]).arg(server.project.path());
    again.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut again = again.spawn().expect("it starts");
    tail.line_with("G1").await;
    again.kill().await.expect("it is ours");
    tail.end().await;
}
