//! Projects that have nothing but applications, in production: Rust finds the application of a request,
//! and passes it to the loop without a dispatch worker.

use serde_json::json;

use crate::support::{Project, in_time};

use super::http::projects;

#[tokio::test]
async fn applications_without_routes_get_the_same_requests() {
    let [_, alone] = projects();
    let server = alone.serve().await;
    for (path, seen, root) in [
        ("/app", "/app", "/app"),
        ("/app/", "/app/", "/app"),
        ("/app/a%20b/?q", "/app/a b/", "/app"),
        ("//app/x", "/app/x", "/app"),
        ("/app/inner", "/app/inner", "/app/inner"),
        ("/app/inne%72/x", "/app/inner/x", "/app/inner"),
        ("/app/innermost", "/app/innermost", "/app"),
    ] {
        let scope = server.get(path).await.json();
        assert_eq!((&scope["path"], &scope["root_path"]), (&json!(seen), &json!(root)), "{path}");
    }
    for path in ["/", "/application", "/ap%70lication", "//application"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_access_log_has_the_route_of_an_application() {
    let [_, alone] = projects();
    let server = alone.args(&["--access-log"]).serve().await;
    assert_eq!(server.get("/app/x").await.status, 200);
    server.out.wait_for(" GET /app/x /app/<path:path> 200 ").await;
}

const BLOCKS: &str = r#"
import _gate
from snaxum import mount

async def app(scope, receive, send):
    if scope["path"] == "/block":
        _gate.wait("block")
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})

mount("/", app)
"#;

#[tokio::test]
async fn another_loop_takes_the_requests_of_one_that_an_application_blocks() {
    let project = Project::new().gate().file("app.py", BLOCKS);
    let args = ["--request-timeout", "400ms", "--max-stuck", "1", "--drain-timeout", "1h"];
    let mut server = project.args(&args).serve().await;
    let until_served = async || {
        in_time("a response", async { while server.get("/").await.status != 200 {} }).await;
    };
    let mut held = Vec::new();
    for _ in 0..2 {
        until_served().await;
        assert_eq!(server.get("/block").await.status, 504);
        held.push(server.arrival().await);
    }
    // No third loop is made.
    let rejected = async { while server.get("/").await.status != 503 {} };
    in_time("a rejection", rejected).await;
    held.pop().expect("two").open().await;
    until_served().await;
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_that_leaves_while_its_request_waits_for_the_loop_has_left_a_route() {
    let project = Project::new().gate().file("app.py", BLOCKS);
    let mut server = project.args(&["--access-log"]).serve().await;
    let blocking = server.begin("/block");
    let held = server.arrival().await;

    drop(server.socket(b"GET /waits HTTP/1.1\r\nhost: a\r\n\r\n").await);

    server.out.wait_for(" GET /waits /<path:path> 499 ").await;
    held.open().await;
    assert_eq!(blocking.await.expect("a response").status, 200);
    assert_eq!(server.stop().await.code(), Some(0));
}
