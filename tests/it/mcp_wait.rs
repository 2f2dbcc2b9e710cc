//! The MCP tool that waits for a reload, and a new process behind it.

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::mcp::{APP, PATH, app, names, token, tool, tools};
use super::support::{Project, in_time};

#[tokio::test]
async fn an_edit_is_live_or_rejected_when_the_wait_is_over() {
    let server = app().await;

    server.edit("app.py", &APP.replace("return \"hello\"", "return \"hi\""));
    let good = tool(&server, "await_reload", json!({})).await;
    assert_eq!((&good["settled"], &good["state"]), (&json!(true), &json!("ok")));
    assert_eq!((&good["last_reload"]["outcome"], &good["generation"]), (&json!("ok"), &json!(2)));
    assert_eq!(server.get("/hello").await.text(), "hi");

    server.edit("app.py", "raise RuntimeError('not like this')\n");
    let bad = tool(&server, "await_reload", json!({ "timeout_ms": 30_000 })).await;
    assert_eq!((&bad["settled"], &bad["state"]), (&json!(true), &json!("failing")));
    assert_eq!((&bad["last_reload"]["outcome"], &bad["generation"]), (&json!("failed"), &json!(2)));
    assert_eq!(bad["last_reload"]["traceback"]["message"], "not like this");
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_up() {
    let server = Project::new().gate().file("app.py", APP).args(&["--mcp"]).dev().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    let held = server.arrival().await;

    let response = tool(&server, "await_reload", json!({ "timeout_ms": 1 })).await;

    assert_eq!((&response["settled"], &response["generation"]), (&json!(false), &json!(1)));
    held.open().await;
    let response = tool(&server, "await_reload", json!({ "timeout_ms": 30_000 })).await;
    assert_eq!((&response["settled"], &response["generation"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn a_change_that_needs_a_new_process_is_not_reported_as_live() {
    let project = Project::new().gate().file("app.py", APP);
    let server = project.args(&["--mcp"]).dev().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    server.arrival().await.open().await;
    let response = tool(&server, "await_reload", json!({})).await;
    assert_eq!((&response["needs_restart"], &response["generation"]), (&json!(false), &json!(2)));

    let settings = "[tool.snaxum]\npool-workers = 1\n";
    std::fs::write(server.project.path().join("pyproject.toml"), settings).expect("a file");
    let trial = server.arrival().await;
    let response = tool(&server, "await_reload", json!({})).await;
    assert_eq!((&response["settled"], &response["needs_restart"]), (&json!(true), &json!(true)));

    trial.open().await;
    server.arrival().await.open().await; // the new process
    server.out.wait_for("pool 1 worker · ").await;
    let response = tool(&server, "await_reload", json!({})).await;
    assert_eq!(
        (&response["needs_restart"], &response["last_reload"]["cause"]),
        (&json!(false), &json!("start"))
    );
}

#[tokio::test]
async fn a_wait_ends_when_the_server_stops() {
    let mut server = Project::new().gate().file("app.py", APP).args(&["--mcp"]).dev().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    let held = server.arrival().await;
    let params = json!({ "name": "await_reload", "arguments": { "timeout_ms": 60_000 } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let (body, bearer, host) = (message.to_string(), token(&server), server.authority());
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {bearer}\r\n\
         Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = BufReader::new(TcpStream::connect(host).await.expect("it listens"));
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut line = String::new();
    in_time("the request for the message", stream.read_line(&mut line)).await.expect("it responds");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n", "the endpoint has the request");

    server.signal(libc::SIGTERM);
    stream.write_all(body.as_bytes()).await.expect("it reads");

    let mut response = String::new();
    in_time("the response", stream.read_to_string(&mut response)).await.expect("it responds");
    assert!(response.contains("the server is stopping"), "{response}");
    drop(held);
    server.ended().await;
    assert!(!server.err.text().contains("ERROR"), "{}", server.err.text());
}

#[tokio::test]
async fn a_new_process_uses_the_same_token() {
    let server = Project::new().file("app.py", APP).args(&["--mcp", "--mcp-write"]).dev().await;
    let before = tool(&server, "workers", json!({})).await;
    let announced = server.announcement();

    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);

    let after = tool(&server, "workers", json!({})).await;
    assert_ne!(before["run_id"], after["run_id"]);
    assert_eq!(server.announcement(), announced);
    assert!(names(&tools(&server).await).contains(&"reload"));
}

#[tokio::test]
async fn a_reload_that_needs_a_new_process_returns_before_the_old_one_stops() {
    let settings = |workers: u32| format!("[tool.snaxum]\npool-workers = {workers}\n");
    let project = Project::new().file("app.py", APP).top_file("pyproject.toml", &settings(1));
    let server = project.args(&["--mcp", "--mcp-write"]).dev().await;
    let before = tool(&server, "workers", json!({})).await;

    assert_eq!(server.project.snaxum(&["pause"]).await.code, Some(0));
    std::fs::write(server.project.path().join("pyproject.toml"), settings(2)).expect("a file");
    let response = tool(&server, "reload", json!({})).await;

    assert_eq!(response["reload"]["strategy"], "restart", "{response}");
    assert_eq!(response["restart"], json!({ "accepted": true, "refusal": "" }));
    server.out.wait_for("pool 2 workers").await;
    let after = tool(&server, "workers", json!({})).await;
    assert_ne!(before["run_id"], after["run_id"]);
    assert_eq!(after["pool"]["size"], 2);
}
