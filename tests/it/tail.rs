//! `snaxum tail`: the events of a running server, as lines and as they come.

use std::process::Stdio;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use reqwest::Method;

use super::support::{Project, Server, in_time, send, snaxum};

const APP: &str = "\
from snaxum import route

@route('/hello')
def hello(request):
    print('printed \\x1b[31m')
    return 'hello'

@route('/raise')
def fail(request):
    why = request.query_params.get('why')
    raise ValueError(why)
";

/// A running `snaxum tail`.
pub(super) struct Tail {
    process: Child,
    out: Lines<BufReader<Box<dyn AsyncRead + Unpin>>>,
    err: Lines<BufReader<Box<dyn AsyncRead + Unpin>>>,
}

impl Tail {
    pub(super) fn of(project: &Project, args: &[&str]) -> Self {
        let mut command = project.command(&snaxum());
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
            let line = lines.next_line().await.expect("text").expect("it continues");
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
    tail.line_with("version 1").await;

    server.get("/hello").await;
    let line = tail.line_with("printed").await;
    assert!(line.contains("#1 stdout  printed \\u{1b}[31m"), "{line}");
    let line = tail.line_with("/hello").await;
    assert!(line.contains("  GET    /hello  ") && line.ends_with("v1 #1"), "{line}");
    server.get("/raise?why=it+went+wrong").await;
    let line = tail.line_with("/raise").await;
    assert!(line.contains("500") && line.contains("ValueError"), "{line}");
    let line = tail.line_with("└").await;
    assert!(line.contains("app.py:11 in fail   raise ValueError(why)   why='it went wrong'"));

    server.edit("app.py", "def oops(:");
    let line = tail.line_with("✖ v2").await;
    assert!(line.contains("python/app.py:1  ") && line.contains("SyntaxError: "), "{line}");
    tail.line_with("▲ version 1 is still serving").await;
    tail.line_with("│ 1 › def oops(:").await;
    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let line = tail.line_with("↻ v2").await;
    assert!(line.contains("+ GET /hallo") && line.contains("fixed after "), "{line}");
}

#[tokio::test]
async fn tail_prints_the_lines_of_the_server() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &["-v"]);
    tail.line_with("●").await;
    server.get("/nowhere").await;
    let line = tail.line_with("/nowhere").await;
    assert_eq!(line, server.out.wait_for("/nowhere").await);
    server.edit("app.py", &APP.replace("from snaxum", "\nfrom snaxum").replace("/raise", "/rise"));
    let line = tail.line_with("↻ v2").await;
    assert_eq!(line, server.out.wait_for("↻ v2").await);
    assert!(line.contains("+ GET /rise") && !line.contains("moved"), "{line}");
    tail.line_with("· stage ").await;
}

#[tokio::test]
async fn repeats_share_a_line_and_internal_requests_have_none() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("●").await;
    for path in ["/hello", "/favicon.ico", "/hello", "/hello"] {
        server.get(path).await;
    }
    let line = tail.line_with("GET    /hello").await;
    assert!(line.ends_with("v1 #1"), "{line}");
    let line = tail.line_with(" ms ").await;
    assert!(line.contains("/hello") && line.contains("(×2)") && line.ends_with("#3–#4"), "{line}");
}

#[tokio::test]
async fn the_outcome_of_the_pins_is_in_the_line_of_the_reload() {
    let server = app().await;
    pin_a_failure(&server).await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("/raise").await;
    server.edit("app.py", &APP.replace("    raise ValueError(why)", "    return 'fine'"));
    let line = tail.line_with("1 pinned request: 1 passing").await;
    assert!(line.contains("↻ v2"), "{line}");
    let line = tail.line_with("/raise").await;
    assert!(line.contains("200") && line.ends_with("v2 #2"), "{line}");
}

#[tokio::test]
async fn slow_pins_do_not_delay_the_line_of_the_reload() {
    let app = format!("import _gate\n{APP}");
    let server = Project::new().gate().file("app.py", &app).dev().await;
    pin_a_failure(&server).await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("GET    /raise").await;

    let replacement = "    _gate.wait('sent again')\n    return 'fine'";
    server.edit("app.py", &app.replace("    raise ValueError(why)", replacement));
    let held = server.arrival().await;
    for line in [tail.line_with("↻ v2").await, server.out.wait_for("↻ v2").await] {
        assert!(!line.contains("pinned"), "{line}");
    }
    held.open().await;
    for line in [tail.line_with("⚑").await, server.out.wait_for("⚑").await] {
        assert_eq!(line, "  ⚑ 1 pinned request: 1 passing");
    }
}

/// Lets the first request of the server fail and pins it.
async fn pin_a_failure(server: &Server) {
    assert_eq!(server.get("/raise").await.status, 500);
    let pin = server.request(Method::POST, "/__snaxum/api/requests/1/pin");
    let pin = pin.bearer_auth(&server.token).header("x-snaxum", "1").json(&json!({}));
    let pin = send(pin).await;
    assert_eq!(pin.status, 200, "{}", pin.text());
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
async fn tail_as_json_prints_the_messages_of_the_socket() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    let mut types = Vec::new();
    server.get("/hello").await;
    while types.last().is_none_or(|kind| kind != "snapshot" && kind != "request.end") {
        let line = tail.line_with("{").await;
        let message: Value = serde_json::from_str(&line).expect("one object a line");
        assert_eq!(message["v"], 2);
        assert!(message["seq"].is_u64());
        assert!(!line.contains(&server.token));
        types.push(message["type"].as_str().expect("a name").to_owned());
    }
    assert_eq!(types[0], "hello");
}

#[tokio::test]
async fn json_cannot_steer_the_terminal() {
    let app = APP.replace("printed \\x1b[31m", "printed \\x7f\\x9b31m\\u202e");
    let server = Project::new().file("app.py", &app).dev().await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    tail.line_with("snapshot").await;
    server.get("/hello").await;
    let line = tail.line_with("printed").await;
    assert!(line.contains(r"printed \u007f\u009b31m\u202e"), "{line}");
    let message: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(message["log"]["line"], "printed \u{7f}\u{9b}31m\u{202e}");
}

/// A server of the test's own, and a project that announces it.
async fn pretend() -> (TcpListener, Project) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let announced = json!({ "url": url, "token": "t", "pid": 1 }).to_string();
    let project = Project::new().file("app.py", APP).top_file(".snaxum/dev.json", &announced);
    (listener, project)
}

/// The next socket, and where it asked for it.
async fn accept(listener: &TcpListener) -> (WebSocketStream<TcpStream>, String) {
    let (stream, _) = in_time("a connection", listener.accept()).await.expect("a client");
    let mut uri = String::new();
    #[expect(clippy::result_large_err, reason = "the type is the library's")]
    let respond = |request: &Request, mut response: Response| {
        uri = request.uri().to_string();
        let protocol = HeaderValue::from_static("snaxum.v2");
        response.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, respond).await.expect("a handshake");
    (socket, uri)
}

#[tokio::test]
async fn a_malformed_message_is_reported() {
    let (listener, project) = pretend().await;
    let mut tail = Tail::of(&project, &["--format", "json"]);

    let (mut socket, _) = accept(&listener).await;
    for frame in ["{\"seq\":1,\"type\":\"log\",\"x\":\"\u{9b}\"}", "{\"seq\":2,\"type\":\"new\"}"] {
        socket.send(Message::text(frame)).await.expect("it reads");
    }

    assert_eq!(tail.line_with("{").await, "{\"seq\":2,\"type\":\"new\"}");
    let note = find(&mut tail.err, "note:").await;
    assert!(note.contains("unreadable") && note.contains(r#"\u{9b}"#), "{note}");
}

#[tokio::test]
async fn a_reader_that_was_too_slow_continues_and_sees_nothing_twice() {
    let (listener, project) = pretend().await;
    let mut tail = Tail::of(&project, &[]);
    let hello = json!({"seq": 7, "type": "hello", "run_id": "r", "generation": 1, "python": "3"});
    let reload = json!({
        "id": 1, "time_ms": 0, "generation": 1, "outcome": "ok", "summary": "", "cause": "save", "strategy": "dependents",
        "reason": "", "files": ["python/app.py"], "modules": [], "total_ms": 1.0, "diff": {},
        "phases": {"settle": 1.0, "compile": 1.0, "stage": 1.0, "commit": 1.0},
        "state_reset": [], "warnings": [], "notes": [], "traceback": null, "others": [],
    });
    let snapshot = json!({
        "seq": 7, "type": "snapshot", "routes": [], "requests": [], "reloads": [reload], "pins": [],
    });
    let log = json!({"request": null, "stream": "stdout", "line": "printed"});
    let log = json!({"seq": 8, "type": "log", "log": log});
    let slow = CloseFrame { code: CloseCode::Again, reason: "too slow".into() };
    let frames = |last: &Value| {
        let texts = [&hello, &snapshot, last].map(|frame| Message::text(frame.to_string()));
        futures_util::stream::iter(texts.map(Ok))
    };

    let (mut socket, _) = accept(&listener).await;
    socket.send_all(&mut frames(&log)).await.expect("it reads");
    socket.close(Some(slow)).await.expect("it reads");
    tail.line_with("app.py").await;
    tail.line_with("printed").await;
    let note = find(&mut tail.err, "").await;
    assert_eq!(note, "note: disconnected because of slow reading; reconnecting");

    let (mut socket, uri) = accept(&listener).await;
    assert!(uri.ends_with("?run=r&since=8"), "{uri}");
    socket.send_all(&mut frames(&log)).await.expect("it reads");
    assert!(tail.line_with("").await.contains("version 1, Python"));
    assert!(tail.line_with("").await.contains("printed"));

    drop(socket);
    let problem = find(&mut tail.err, "").await;
    assert!(problem.contains("the connection is lost"), "{problem}");
}

#[tokio::test]
async fn tail_without_a_server_is_an_error() {
    let project = Project::new().file("app.py", APP);
    let ended = project.snaxum(&["tail"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("snaxum dev"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_killed_server_counts_as_not_running() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let announced = json!({ "url": url, "token": "t", "pid": 1 }).to_string();
    let project = Project::new().file("app.py", APP).top_file(".snaxum/dev.json", &announced);
    for command in [&["tail"][..], &["wait"], &["routes", "--unused"], &["routes", "--live"]] {
        let ended = project.snaxum(command).await;
        assert_eq!(ended.code, Some(2), "{command:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("no dev server is running"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_though_nothing_happens() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &[]);
    tail.line_with("●").await;
    drop(tail.out);
    let ended = in_time("an end", tail.process.wait()).await.expect("it is ours");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn a_reader_behind_a_socket_that_goes_ends_it_too() {
    let server = app().await;
    let (ours, its) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let mut command = server.project.command(&snaxum());
    command.arg("tail").arg(server.project.path()).stdout(std::os::fd::OwnedFd::from(its));
    let mut process = command.kill_on_drop(true).spawn().expect("it starts");
    drop(command); // has its end too
    ours.set_nonblocking(true).expect("a socket");
    let mut ours = tokio::net::UnixStream::from_std(ours).expect("a socket");
    in_time("a line", ours.read_u8()).await.expect("text");
    drop(ours);
    let ended = in_time("an end", process.wait()).await.expect("it is ours");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn ctrl_c_ends_it_though_its_reader_does_not_read() {
    let app = APP.replace("print('printed \\x1b[31m')", "print(('x' * 999 + '\\n') * 500)");
    let server = Project::new().file("app.py", &app).dev().await;
    server.get("/hello").await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    tail.line_with("\"hello\"").await;
    // The snapshot has begun, and does not fit into the pipe.
    let begun = in_time("a snapshot", tail.out.get_mut().fill_buf()).await.expect("text");
    assert!(!begun.is_empty() && !begun.contains(&b'\n'));

    let pid = i32::try_from(tail.process.id().expect("it runs")).expect("a pid");
    // SAFETY: sends a signal to our own child, which is not yet waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0, "it is there");
    let ended = in_time("an end", tail.process.wait()).await.expect("it is ours");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn a_process_that_takes_over_is_followed_from_its_start() {
    let server = app().await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    let read = |line: String| serde_json::from_str::<Value>(&line).expect("JSON");
    let before = read(tail.line_with("\"hello\"").await);
    server.get("/hello").await;
    tail.line_with("\"request.end\"").await;

    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    let after = read(tail.line_with("\"hello\"").await);
    assert_ne!(before["run_id"], after["run_id"]);
    assert_eq!(after["generation"], 2);
    let snapshot = read(tail.line_with("\"snapshot\"").await);
    assert_eq!(snapshot["requests"], json!([]));
    server.get("/nowhere").await;
    let event = read(tail.line_with("\"request.end\"").await);
    assert_eq!(
        (&event["request"]["path"], &event["request"]["id"]),
        (&json!("/nowhere"), &json!("1"))
    );
}

#[tokio::test]
async fn a_full_server_is_reported() {
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
    tail.line_with("version 1").await;
    server.stop().await;
    find(&mut tail.err, "waiting for it").await;

    let mut again = server.project.command(&snaxum());
    again.args(["dev", "--port", "0"]).arg(server.project.path());
    again.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut again = again.spawn().expect("it starts");
    tail.line_with("version 1").await;
    again.kill().await.expect("it is ours");
    tail.end().await;
}
