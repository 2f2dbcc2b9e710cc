//! Starts the example as its README command does, and calls every endpoint, Rust and Python.

mod table;

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use table::{Call, PYTHON, get, post};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// Ends a test whose event does not come.
const WATCHDOG: Duration = Duration::from_secs(60);

const RUST: [Call; 3] = [
    get("/rust/hello", "Hello from Rust"),
    post("/rust/echo", r#"{"a":[1]}"#, r#"{"a":[1]}"#),
    post("/rust/squares", "[1, 2, 3]", "14.0"),
];

/// The running example; killed when it is dropped.
struct Example {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Example {
    async fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_snaxum-example"))
            .args(["--port", "0"])
            .args(args)
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let url = line_after(&mut lines, "listening on ").await;
        Self { process, lines, url }
    }

    async fn stop(mut self) -> Option<i32> {
        let pid = self.process.id().expect("it runs").to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(kill.expect("kill is on PATH").success());
        self.process.wait().await.expect("a child of ours").code()
    }
}

/// Reads until a line contains `prefix`, and returns the rest of that line.
async fn line_after(lines: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    while let Some(line) = lines.next_line().await.expect("UTF-8") {
        if let Some((_, rest)) = line.split_once(prefix) {
            return rest.to_owned();
        }
    }
    panic!("the example ended before it printed `{prefix}`");
}

async fn check(url: &str, call: &Call) {
    let method = call.method.parse().expect("a method");
    let mut request = reqwest::Client::new().request(method, format!("{url}{}", call.path));
    if !call.body.is_empty() {
        request = request.header("content-type", call.content_type).body(call.body);
    }
    let response = request.send().await.expect("a response");
    let status = response.status();
    let text = response.text().await.expect("a body");
    assert!(
        status.is_success() && text.contains(call.expected),
        "{} {}: {status} {text}",
        call.method,
        call.path
    );
}

#[tokio::test]
async fn one_server_responds_from_rust_and_python_endpoints() {
    let example = Example::start(&[]).await;
    for call in RUST.iter().chain(&PYTHON) {
        check(&example.url, call).await;
    }
    two_pages_share_a_note(&example.url).await;
    assert_eq!(example.stop().await, Some(0));
}

async fn two_pages_share_a_note(url: &str) {
    let address = format!("{}/python/confidence/notes", url.replace("http", "ws"));
    let (mut one, _) = connect_async(&address).await.expect("a WebSocket");
    let (mut other, _) = connect_async(&address).await.expect("a WebSocket");
    one.send(Message::text("Is this right?")).await.expect("it is open");
    let arrival = async {
        while let Some(message) = other.next().await {
            // The results of earlier requests are repeated first.
            if message.expect("a message").to_text().expect("UTF-8").contains("Is this right?") {
                return;
            }
        }
        panic!("the WebSocket was closed before the note came");
    };
    timeout(WATCHDOG, arrival).await.expect("the note did not come");
}

#[tokio::test]
async fn dev_mode_shows_the_console_beside_both() {
    let mut example = Example::start(&["--dev"]).await;
    let console = line_after(&mut example.lines, "console at ").await;
    for call in RUST.iter().chain(&PYTHON) {
        check(&example.url, call).await;
    }
    let client = reqwest::Client::builder().cookie_store(true).build().expect("a client");
    let page = client.get(&console).send().await.expect("a response").text().await.expect("a page");
    assert!(page.contains("console.js"), "{page}");
    assert_eq!(example.stop().await, Some(0));
}
