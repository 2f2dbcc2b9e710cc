//! `snaxum mcp`: the bridge from stdin and stdout to a running server, across its restarts.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::support::{Project, Server, in_time, snaxum};

const APP: &str = r#"
from snaxum import route

@route("/hello")
def hello(request):
    print("hello printed")
    return "hello"
"#;

/// The error of what did not reach a server.
const LOST: i64 = -32000;

/// A running `snaxum mcp`.
struct Bridge {
    process: Child,
    stdin: Option<ChildStdin>,
    out: Lines<BufReader<ChildStdout>>,
    err: ChildStderr,
}

impl Bridge {
    fn of(project: &Project) -> Self {
        let mut command = project.command(&snaxum());
        command.arg("mcp").arg(project.path()).stdin(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let stdin = process.stdin.take();
        let out = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let err = process.stderr.take().expect("a pipe");
        Self { process, stdin, out, err }
    }

    async fn send_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn send(&mut self, id: u64, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send_line(&message.to_string()).await;
    }

    async fn notify(&mut self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.send_line(&message.to_string()).await;
    }

    /// The next line, which is a message.
    async fn next(&mut self) -> Value {
        let line = in_time("a line", self.out.next_line()).await.expect("text").expect("one more");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    async fn call(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.send(id, method, params).await;
        let response = self.next().await;
        assert_eq!(response["id"], id, "{response}");
        response
    }

    /// A tool's result.
    async fn tool(&mut self, id: u64, name: &str) -> Value {
        let response = self.call(id, "tools/call", json!({ "name": name, "arguments": {} })).await;
        result_of(&response)
    }

    /// Closes stdin; returns the exit code, and the rest of stdout and stderr.
    async fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        drop(self.stdin.take());
        let (mut lines, mut errors) = (Vec::new(), String::new());
        while let Some(line) = in_time("its end", self.out.next_line()).await.expect("text") {
            lines.push(line);
        }
        in_time("its end", self.err.read_to_string(&mut errors)).await.expect("text");
        let status = in_time("its end", self.process.wait()).await.expect("it is ours");
        (status.code(), lines, errors)
    }
}

fn result_of(response: &Value) -> Value {
    let text = response["result"]["content"][0]["text"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no text: {response}"))).expect("JSON")
}

fn error(response: &Value) -> (Option<i64>, &str) {
    let error = &response["error"];
    (error["code"].as_i64(), error["message"].as_str().unwrap_or_default())
}

async fn app() -> Server {
    Project::new().file("app.py", APP).args(&["--mcp"]).dev().await
}

#[tokio::test]
async fn an_assistant_speaks_over_pipes_and_needs_no_token() {
    let server = app().await;
    server.get("/hello").await;
    let mut bridge = Bridge::of(&server.project);

    let client = json!({ "name": "test", "version": "1" });
    let first =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let response = bridge.call(1, "initialize", first).await;
    assert_eq!(response["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(response["result"]["serverInfo"]["name"], "snaxum");
    bridge.notify("notifications/initialized", json!({})).await;
    let tools = bridge.call(2, "tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(7), "{tools}");
    assert_eq!(bridge.tool(3, "logs").await["logs"][0]["line"], "hello printed");
    let unknown = bridge.call(4, "nonsense", json!({})).await;
    assert_eq!(error(&unknown).0, Some(-32601), "{unknown}");

    let (code, left, errors) = bridge.end().await;
    assert_eq!((code, left, &*errors), (Some(0), Vec::new(), ""));
}

#[tokio::test]
async fn each_message_may_bring_its_version_of_the_protocol() {
    let server = app().await;
    let mut bridge = Bridge::of(&server.project);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });

    let call = json!({ "name": "workers", "arguments": {}, "_meta": meta });
    let response = bridge.call(1, "tools/call", call).await;

    assert_eq!(result_of(&response)["pid"], server.pid);
}

#[tokio::test]
async fn the_bridge_without_a_server_or_mcp_names_the_command_to_start() {
    let project = Project::new().file("app.py", APP);
    let none = project.snaxum(&["mcp"]).await;
    assert_eq!((none.code, &*none.stdout), (Some(2), ""));
    assert!(none.stderr.contains("no dev server is running"), "{}", none.stderr);

    let server = project.dev().await;
    let closed = server.project.snaxum(&["mcp"]).await;
    assert_eq!((closed.code, &*closed.stdout), (Some(2), ""));
    assert!(closed.stderr.contains("`snaxum dev --mcp`"), "{}", closed.stderr);
}

#[tokio::test]
async fn a_malformed_message_is_refused_and_the_next_one_works() {
    let server = app().await;
    let mut bridge = Bridge::of(&server.project);

    for (line, code) in [("{", -32700), ("[]", -32600), ("\"\u{1b}\"", -32700)] {
        bridge.send_line(line).await;
        let response = bridge.next().await;
        assert_eq!((&response["id"], error(&response).0), (&Value::Null, Some(code)), "{response}");
    }
    let large = bridge.call(1, "tools/call", json!({ "name": "x".repeat(70_000) })).await;
    assert!(error(&large).1.contains("65536"), "{large}");
    bridge.send_line(&"x".repeat(2 * 1024 * 1024)).await;
    let response = bridge.next().await;
    assert!(error(&response).1.contains("the line is too long"), "{response}");

    for line in ["", "\r", r#"{"jsonrpc":"2.0","id":9,"result":{}}"#] {
        bridge.send_line(line).await;
    }
    assert_eq!(bridge.tool(2, "workers").await["pid"], server.pid);
}

#[tokio::test]
async fn a_message_that_waits_delays_no_other_and_can_be_cancelled() {
    let project = Project::new().gate().file("app.py", APP).args(&["--mcp"]);
    let server = project.dev().await;
    let mut bridge = Bridge::of(&server.project);
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    let held = server.arrival().await;
    let wait = json!({ "name": "await_reload", "arguments": { "timeout_ms": 60_000 } });

    bridge.send(1, "tools/call", wait.clone()).await;
    bridge.send(2, "tools/call", wait).await;
    assert_eq!(bridge.tool(3, "workers").await["generation"], 1);
    bridge.notify("notifications/cancelled", json!({ "requestId": 1 })).await;
    bridge.call(4, "ping", json!({})).await;
    held.open().await;

    let response = bridge.next().await;
    assert_eq!(
        (&response["id"], &result_of(&response)["generation"]),
        (&json!(2), &json!(2)),
        "{response}"
    );
    let (code, left, _) = bridge.end().await;
    assert_eq!((code, left), (Some(0), Vec::new()), "the cancelled message has no response");
}

#[tokio::test]
async fn the_bridge_ends_with_stdin_after_pending_responses() {
    let project = Project::new().gate().file("app.py", APP).args(&["--mcp"]);
    let server = project.dev().await;
    let mut bridge = Bridge::of(&server.project);
    bridge.send(1, "tools/list", json!({})).await;
    let (code, left, errors) = bridge.end().await;
    assert_eq!((code, left.len(), &*errors), (Some(0), 1, ""));

    let mut bridge = Bridge::of(&server.project);
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    let held = server.arrival().await;
    let wait = json!({ "name": "await_reload", "arguments": { "timeout_ms": 60_000 } });
    bridge.send(1, "tools/call", wait).await;
    let (code, left, errors) = bridge.end().await;
    assert_eq!((code, left, &*errors), (Some(0), Vec::new(), ""));
    held.open().await;
}

#[tokio::test]
async fn the_bridge_ends_when_its_stdout_is_closed() {
    let server = app().await;
    let mut bridge = Bridge::of(&server.project);
    bridge.call(1, "ping", json!({})).await;
    let Bridge { mut process, mut stdin, out, .. } = bridge;
    drop(out);

    let ping = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n";
    stdin.as_mut().expect("a pipe").write_all(ping.as_bytes()).await.expect("it reads");

    let status = in_time("its end", process.wait()).await.expect("it is ours");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_message_waits_while_a_new_process_takes_over() {
    let project = Project::new().gate().file("app.py", APP).args(&["--mcp"]);
    let server = project.dev().await;
    let mut bridge = Bridge::of(&server.project);
    bridge.call(0, "tools/list", json!({})).await;
    let before = bridge.tool(1, "workers").await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    server.arrival().await.open().await;
    let mut restart = server.project.command(&snaxum());
    let mut restart = restart.arg("restart").arg(server.project.path()).spawn().expect("it starts");
    server.arrival().await.open().await; // the trial
    let held = server.arrival().await; // the new process loads
    assert_eq!(server.announcement(), None);

    bridge.send(2, "tools/call", json!({ "name": "workers", "arguments": {} })).await;
    held.open().await;

    let response = bridge.next().await;
    assert_eq!(response["id"], 2);
    assert_ne!(result_of(&response)["run_id"], before["run_id"]);
    let status = in_time("the restart", restart.wait()).await.expect("it is ours");
    assert_eq!(status.code(), Some(0));
}

/// Restarts a server on the project of an ended one, and returns when it responds.
async fn start_again(project: &Project, args: &[&str]) -> Child {
    let mut again = project.command(&snaxum());
    again.args(["dev", "--port", "0"]).args(args).stderr(Stdio::null());
    let mut again = again.spawn().expect("it starts");
    let mut lines = BufReader::new(again.stdout.take().expect("a pipe")).lines();
    in_time("its address", async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if line.contains("/__snaxum/?t=") {
                return;
            }
        }
        panic!("it has ended");
    })
    .await;
    // Nothing reads the pipe; it has room for the few lines that a server prints by itself.
    again.stdout = Some(lines.into_inner().into_inner());
    again
}

#[tokio::test]
async fn a_server_that_is_started_again_is_found_by_the_next_message() {
    let mut server = app().await;
    let mut bridge = Bridge::of(&server.project);
    assert_eq!(bridge.tool(1, "workers").await["pid"], server.pid);
    let token = server.announcement().expect("a file")["mcp"]["token"].clone();

    server.stop().await;
    let none = bridge.call(2, "tools/list", json!({})).await;
    assert_eq!(error(&none).0, Some(LOST));
    assert!(error(&none).1.contains("no dev server is running"), "{none}");

    let mut without = start_again(&server.project, &[]).await;
    let closed = bridge.call(3, "tools/list", json!({})).await;
    assert!(error(&closed).1.contains("`snaxum dev --mcp`"), "{closed}");
    without.kill().await.expect("it is ours");
    let gone = bridge.call(4, "tools/list", json!({})).await;
    assert_eq!(error(&gone).0, Some(LOST), "its dev.json is still there");

    let mut again = start_again(&server.project, &["--mcp"]).await;
    assert_ne!(server.announcement().expect("a file")["mcp"]["token"], token);
    assert_eq!(bridge.tool(5, "workers").await["pid"], again.id().expect("it runs"));
    again.kill().await.expect("it is ours");
}

/// A server of the test's own, and a project that announces it.
async fn pretend() -> (TcpListener, Project) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mcp = json!({ "url": format!("{url}/__snaxum/mcp"), "token": "secret" });
    let announced = json!({ "url": url, "token": "t", "pid": 1, "mcp": mcp }).to_string();
    (listener, Project::new().top_file(".snaxum/dev.json", &announced))
}

/// The next request, head and body.
async fn request(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = in_time("a connection", listener.accept()).await.expect("a client");
    let mut seen = Vec::new();
    in_time("a request", async {
        while !seen.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut seen).await.expect("bytes"), 0);
        }
    })
    .await;
    (stream, String::from_utf8(seen).expect("UTF-8"))
}

async fn reply(mut stream: TcpStream, status: &str, kind: &str, body: &str) {
    let size = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.expect("it reads");
}

#[tokio::test]
async fn it_sends_what_a_program_sends_and_nothing_of_a_browser() {
    let (listener, project) = pretend().await;
    let mut bridge = Bridge::of(&project);

    bridge.send(1, "tools/call", json!({ "name": "logs" })).await;
    let (stream, seen) = request(&listener).await;

    let head = seen.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
    assert!(head.starts_with("post /__snaxum/mcp http/1.1\r\n"), "{head}");
    for line in [
        "authorization: bearer secret",
        "accept: application/json, text/event-stream",
        "content-type: application/json",
        "mcp-method: tools/call",
        "mcp-name: logs",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    for name in ["sec-fetch", "origin:", "cookie:", "user-agent:"] {
        assert!(!head.contains(name), "{name}: {head}");
    }
    reply(stream, "403 Forbidden", "text/plain", "Not \u{1b}[31m for you.\n").await;
    let response = bridge.next().await;
    assert_eq!((&response["id"], error(&response).0), (&json!(1), Some(LOST)));
    let message = error(&response).1;
    assert!(message.contains("403") && message.contains(r"Not \u{1b}[31m for you."), "{message}");
}

#[tokio::test]
async fn events_of_a_server_are_lines() {
    let (listener, project) = pretend().await;
    let mut bridge = Bridge::of(&project);

    bridge.send(1, "tools/call", json!({ "name": "logs" })).await;
    let (stream, _) = request(&listener).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
    let events = format!(
        "retry: 3000\n\ndata: {note}\n\n\
         data: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{{}}}}\n\n"
    );
    reply(stream, "200 OK", "text/event-stream", &events).await;
    assert_eq!(bridge.next().await["method"], "notifications/message");
    assert_eq!(bridge.next().await, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));

    bridge.send(2, "tools/call", json!({ "name": "logs" })).await;
    let (stream, _) = request(&listener).await;
    reply(stream, "200 OK", "text/event-stream", ": nothing\n\n").await;
    assert!(error(&bridge.next().await).1.contains("closed before the response"));
}

#[tokio::test]
async fn only_read_only_messages_are_retried_when_a_connection_breaks() {
    let (listener, project) = pretend().await;
    let mut bridge = Bridge::of(&project);

    // `tools/list` changes nothing, and names the tools that change nothing.
    bridge.send(1, "tools/list", json!({})).await;
    drop(request(&listener).await);
    let (stream, _) = request(&listener).await;
    let tools = json!([{ "name": "logs", "annotations": { "readOnlyHint": true } }]);
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools } });
    reply(stream, "200 OK", "application/json", &listed.to_string()).await;
    assert_eq!(bridge.next().await, listed);

    bridge.send(2, "tools/call", json!({ "name": "logs" })).await;
    drop(request(&listener).await);
    let (stream, _) = request(&listener).await;
    let response = json!({ "jsonrpc": "2.0", "id": 2, "result": {} });
    reply(stream, "200 OK", "application/json", &response.to_string()).await;
    assert_eq!(bridge.next().await, response);

    bridge.send(3, "tools/call", json!({ "name": "call_route" })).await;
    drop(request(&listener).await);
    let problem = bridge.next().await;
    assert!(error(&problem).1.contains("may have started on this message"), "{problem}");
}

#[tokio::test]
async fn an_address_that_came_with_the_project_is_not_asked() {
    let (_listener, project) = pretend().await;
    let mut bridge = Bridge::of(&project);
    bridge.send_line("{").await;
    bridge.next().await;
    let url = "http://10.0.0.1:3000";
    let mcp = json!({ "url": format!("{url}/__snaxum/mcp"), "token": "t" });
    let announced = json!({ "url": url, "token": "t", "pid": 1, "mcp": mcp }).to_string();
    let project = project.top_file(".snaxum/dev.json", &announced);
    let response = bridge.call(1, "initialize", json!({})).await;
    assert!(error(&response).1.contains("not an address of this machine"), "{response}");

    let refused = project.snaxum(&["mcp"]).await;
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("not an address of this machine"), "{}", refused.stderr);
}

#[tokio::test]
async fn cancellations_are_read_though_as_much_is_under_way_as_may_be() {
    let (listener, project) = pretend().await;
    let mut bridge = Bridge::of(&project);
    let logs = json!({ "name": "logs" });
    let mut open = Vec::new();
    for id in 1..=64 {
        bridge.send(id, "tools/call", logs.clone()).await;
        open.push(request(&listener).await.0);
    }
    let refused = bridge.call(65, "tools/call", logs.clone()).await;
    assert_eq!(
        error(&refused),
        (Some(LOST), "64 messages are pending; cancel one or wait for a response")
    );

    bridge.notify("notifications/cancelled", json!({ "requestId": 7 })).await;
    let left = in_time("the end of its connection", open[6].read_u8()).await;
    assert!(left.is_err(), "it has no caller");
    bridge.send(66, "tools/call", logs).await;
    let (stream, _) = request(&listener).await;
    let response = json!({ "jsonrpc": "2.0", "id": 66, "result": {} });
    reply(stream, "200 OK", "application/json", &response.to_string()).await;
    assert_eq!(bridge.next().await, response);
}
