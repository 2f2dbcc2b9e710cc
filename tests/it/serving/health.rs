//! `/healthz` and `/readyz`: whether a server is alive, and whether it should get requests.

use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
import _gate
from snaxum import route

@route("/hello")
def hello(): return "hello"

@route("/wait")
def wait():
    _gate.wait("wait")
    return "waited"
"#;

fn project(args: &[&str]) -> Project {
    Project::new().gate().file("app.py", APP).args(args)
}

fn reasons(reply: &Reply) -> Vec<String> {
    let Reply { status, .. } = reply;
    assert_eq!(*status, 503, "{}", reply.text());
    serde_json::from_value(reply.json()["reasons"].clone()).expect("a list of texts")
}

/// Asks until the server has this status: a request that was sent may not be in the queue yet.
async fn until_status(server: &Server, status: u16) -> Reply {
    loop {
        let reply = server.get("/readyz").await;
        if reply.status == status {
            return reply;
        }
    }
}

#[tokio::test]
async fn a_server_is_ready_while_its_queue_has_room() {
    let server =
        project(&["--health", "--dispatch-workers", "1", "--max-queue", "1"]).serve().await;
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, serde_json::json!({ "status": "ok" })));
    assert_eq!(ready.header("cache-control"), "no-store");

    let first = server.begin("/wait");
    let held = server.arrival().await;
    let second = server.begin("/wait");
    let full = until_status(&server, 503).await;
    assert_eq!(reasons(&full), ["the queue is full"]);
    assert_eq!(server.get("/healthz").await.status, 200);

    held.open().await;
    server.arrival().await.open().await;
    for waiting in [first, second] {
        assert_eq!(waiting.await.expect("a response").status, 200);
    }
    until_status(&server, 200).await;
}

#[tokio::test]
async fn a_server_with_a_module_that_does_not_load_is_alive_and_not_ready() {
    let server = project(&["--health"]).file("broken.py", "import nothing_here\n").serve().await;
    assert_eq!(reasons(&server.get("/readyz").await), ["not loaded: broken"]);
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn a_server_with_max_stuck_handlers_that_hang_is_not_ready() {
    let options =
        ["--health", "--dispatch-workers", "1", "--max-stuck", "1", "--request-timeout", "100ms"];
    let server = project(&options).serve().await;
    let hanging = server.begin("/wait");
    let held = server.arrival().await;
    assert_eq!(hanging.await.expect("a response").status, 504);
    assert_eq!(reasons(&until_status(&server, 503).await), ["`max-stuck` handlers hang"]);
    held.open().await;
    until_status(&server, 200).await;
}

#[tokio::test]
async fn a_server_is_ready_in_a_process_that_new_code_replaces() {
    let server = project(&["--health"]).serve().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    // The connection cannot move, because its next request has arrived.
    let both = request("/wait") + &request("/readyz");
    let mut connection = server.socket(both.as_bytes()).await;
    let held = server.arrival().await;
    server.signal(libc::SIGHUP);
    server.err.wait_for("is live in").await;

    held.open().await;

    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains("\"status\":") {
        let count = in_time("a response", connection.read(&mut bytes)).await.expect("it responds");
        assert!(count > 0, "{text}");
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    assert!(text.contains("waited") && text.ends_with("{\"status\":\"ok\"}\n"), "{text}");
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready_and_its_metrics_address_reports_it() {
    let mut server = project(&["--metrics", "127.0.0.1:0"]).serve().await;
    let line = server.out.wait_for("metrics on http://").await;
    let url = line.trim_start_matches("metrics on ").trim_end_matches("/metrics").to_owned();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let get = |path: &str| send(client.get(format!("{url}{path}")));
    assert_eq!(get("/readyz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 404, "the option is off");

    let waiting = server.begin("/wait");
    let held = server.arrival().await;
    server.signal(libc::SIGTERM);
    server.err.wait_for("stopping").await;
    let stopping = loop {
        let reply = get("/readyz").await;
        if reply.status == 503 {
            break reply;
        }
    };
    assert_eq!(reasons(&stopping), ["the server is stopping"]);
    assert_eq!(get("/healthz").await.status, 200);
    held.open().await;
    assert_eq!(waiting.await.expect("a response").text(), "waited");
    assert!(server.ended().await.success());
    let file = server.project.path().join(".snaxum/metrics.json");
    assert!(
        !file.exists(),
        "{:?}",
        serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap_or_default())
    );
}
