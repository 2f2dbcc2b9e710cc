//! The MCP endpoint over HTTP: access, tools and the bounds of their results.

use std::os::unix::fs::PermissionsExt;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
import sys
from snaxum import route

@route("/hello")
def hello(request):
    """Greets."""
    print("hello printed")
    return "hello"

@route("/raise")
def fail(request):
    api_key = "hunter" + str(2)
    print("about to fail", file=sys.stderr)
    raise ValueError("it went wrong")
"#;

const READING: [&str; 7] =
    ["routes", "errors", "requests", "reloads", "logs", "workers", "await_reload"];
const WRITING: [&str; 3] = ["reload", "replay", "call_route"];
const PATH: &str = "/__snaxum/mcp";
/// Bytes of a tool's result.
const MAX_TEXT: usize = 64 * 1024;

async fn app() -> Server {
    Project::new().file("app.py", APP).args(&["--mcp"]).dev().await
}

/// The option that allows writing.
async fn writing(project: Project) -> Server {
    project.args(&["--mcp", "--mcp-write"]).dev().await
}

fn token(server: &Server) -> String {
    let announced = server.announcement().expect("the server has written it");
    announced["mcp"]["token"].as_str().expect("a token").to_owned()
}

/// A message of an assistant, still without a token.
fn message(server: &Server, method: &str, params: &Value) -> RequestBuilder {
    server
        .request(Method::POST, PATH)
        .header("accept", "application/json, text/event-stream")
        .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
}

async fn ask(server: &Server, method: &str, params: Value) -> Value {
    let reply = send(message(server, method, &params).bearer_auth(token(server))).await;
    assert_eq!(reply.status, 200, "{method}: {}", reply.text());
    let answer = reply.json();
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(1)));
    answer
}

/// A tool's result, as text.
async fn text(server: &Server, tool: &str, arguments: Value) -> Result<String, String> {
    let answer = ask(server, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    let result = &answer["result"];
    let [content] = &result["content"].as_array().expect("a list")[..] else {
        panic!("one content: {answer}")
    };
    assert_eq!(content["type"], "text");
    let text = content["text"].as_str().expect("text").to_owned();
    if result["isError"] == true { Err(text) } else { Ok(text) }
}

async fn tool(server: &Server, name: &str, arguments: Value) -> Value {
    let text = text(server, name, arguments).await.unwrap_or_else(|error| panic!("{error}"));
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert!(answer["note"].as_str().is_some_and(|note| note.contains("untrusted")), "{answer}");
    answer
}

async fn tools(server: &Server) -> Vec<Value> {
    ask(server, "tools/list", json!({})).await["result"]["tools"]
        .as_array()
        .expect("a list")
        .clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().unwrap_or_else(|| panic!("no {name}: {answer}"))
}

// Access

#[tokio::test]
async fn nothing_is_there_unless_it_is_asked_for() {
    let server = Project::new().file("app.py", APP).dev().await;

    for token in ["", &server.token] {
        let reply = send(message(&server, "tools/list", &json!({})).bearer_auth(token)).await;
        assert_eq!((reply.status, reply.text()), (404, "Not found.\n"));
    }
    let reply = send(server.request(Method::GET, PATH).bearer_auth(&server.token)).await;
    assert_eq!(reply.status, 404);
    assert_eq!(server.announcement().expect("a file")["mcp"], Value::Null);
    assert!(!server.out.text().contains("MCP"), "{}", server.out.text());
}

#[tokio::test]
async fn the_token_is_in_a_private_file_and_nowhere_else() {
    let server = app().await;

    let announced = server.announcement().expect("a file");
    let file = server.project.path().join(".snaxum/dev.json");
    let mode = std::fs::metadata(file).expect("a file").permissions().mode();

    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(announced["mcp"]["url"], format!("{}{PATH}", server.url));
    assert_eq!(token(&server).len(), server.token.len());
    let line = server.out.wait_for("MCP").await;
    assert!(line.contains(&format!("{}{PATH}", server.url)), "{line}");
    assert!(line.contains(".snaxum/dev.json"), "{line}");
    for said in [server.out.text(), server.err.text()] {
        assert!(!said.contains(&token(&server)), "{said}");
    }
}

#[tokio::test]
async fn only_its_own_token_opens_it() {
    let server = app().await;
    let with = async |token: &str| -> Reply {
        send(message(&server, "tools/list", &json!({})).bearer_auth(token)).await
    };

    assert_eq!(with(&token(&server)).await.status, 200);
    for wrong in ["", "wrong", &server.token] {
        let reply = with(wrong).await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.text(), "This endpoint requires the token for MCP clients.\n");
    }
    let reply = send(message(&server, "tools/list", &json!({}))).await;
    assert_eq!(reply.status, 401, "no token at all");
    let link = format!("{PATH}?t={}", token(&server));
    assert_eq!(server.get(&link).await.status, 401, "a link is not a token");
}

#[tokio::test]
async fn its_token_opens_nothing_else() {
    let server = app().await;
    let token = token(&server);
    for path in ["/__snaxum/", "/__snaxum/api/status", "/__snaxum/mcp/", "/__snaxum/%6dcp"] {
        let reply = send(server.request(Method::GET, path).bearer_auth(&token)).await;
        assert_eq!(reply.status, 401, "{path}");
    }
    assert_eq!(server.get(&format!("/__snaxum/?t={token}")).await.status, 401);
    let reload = server.request(Method::POST, "/__snaxum/api/reload").json(&json!({}));
    assert_eq!(send(reload.header("x-snaxum", "1").bearer_auth(&token)).await.status, 401);
    let bearer = format!("Bearer {token}");
    let socket = server.connect(&[("authorization", &bearer)]).await;
    assert_eq!(socket.err().map(|status| status.as_u16()), Some(401));
}

#[tokio::test]
async fn a_browser_is_refused_even_with_the_token() {
    let server = app().await;
    let with = async |name: &str, value: &str| -> u16 {
        let request = message(&server, "tools/list", &json!({})).bearer_auth(token(&server));
        send(request.header(name, value)).await.status
    };

    assert_eq!(with("x-anything", "else").await, 200);
    for (name, value) in [
        ("origin", &*server.url),
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("cookie", "a=b"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-user", "?1"),
    ] {
        assert_eq!(with(name, value).await, 403, "{name}: {value}");
    }
    assert_eq!(with("host", "evil.example").await, 403);
    let preflight = server.request(Method::OPTIONS, PATH).bearer_auth(token(&server));
    assert_eq!(send(preflight).await.status, 403);
}

#[tokio::test]
async fn malformed_messages_are_refused() {
    let server = app().await;
    let bearer = token(&server);
    let post = || {
        let accept = "application/json, text/event-stream";
        server.request(Method::POST, PATH).bearer_auth(&bearer).header("accept", accept)
    };
    let json = || post().header("content-type", "application/json");

    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = send(server.request(method.clone(), PATH).bearer_auth(&bearer)).await;
        assert_eq!(reply.status, 405, "{method}");
    }
    assert_eq!(send(post().header("content-type", "text/plain").body("{}")).await.status, 415);
    assert!((400..500).contains(&send(json().body("{")).await.status));
    assert_eq!(send(json().body(" ".repeat(65 * 1024))).await.status, 413);
    assert_eq!(tools(&server).await.len(), READING.len(), "it still responds");
}

#[tokio::test]
async fn responses_have_the_security_headers() {
    let server = app().await;
    let reply = send(message(&server, "ping", &json!({})).bearer_auth(token(&server))).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("content-type"), "application/json");
    assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
}

// The tools

#[tokio::test]
async fn an_assistant_receives_instructions_and_a_warning_about_untrusted_data() {
    let server = app().await;
    let client = json!({ "name": "test", "version": "1" });

    let answer = ask(
        &server,
        "initialize",
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }),
    )
    .await;

    let result = &answer["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(
        result["serverInfo"],
        json!({ "name": "snaxum", "version": env!("CARGO_PKG_VERSION") })
    );
    assert_eq!(result["capabilities"], json!({ "tools": {} }));
    let instructions = result["instructions"].as_str().expect("text");
    assert!(instructions.contains("untrusted") && instructions.contains("await_reload"));
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let request = message(&server, "", &json!({})).bearer_auth(token(&server)).json(&initialized);
    assert_eq!(send(request).await.status, 202);
}

#[tokio::test]
async fn the_tools_read_unless_more_is_allowed() {
    let server = app().await;

    let found = tools(&server).await;

    assert_eq!(names(&found), READING);
    for tool in &found {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert!(tool["description"].as_str().is_some_and(|text| text.contains('{')), "{tool}");
    }
    for name in WRITING {
        let arguments = json!({ "path": "/hello", "id": "1" });
        let answer = ask(&server, "tools/call", json!({ "name": name, "arguments": arguments }));
        let answer = answer.await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(server.api("reloads").await.as_array().map(Vec::len), Some(1));
    assert_eq!(server.api("requests").await, json!([]));
}

#[tokio::test]
async fn an_assistant_that_may_write_reloads() {
    let server = writing(Project::new().file("app.py", APP)).await;

    let found = tools(&server).await;
    assert_eq!(names(&found), [&READING[..], &WRITING].concat());
    for tool in &found[READING.len()..] {
        assert_eq!(tool["annotations"]["readOnlyHint"], false, "{tool}");
    }

    let nothing = tool(&server, "reload", json!({})).await;
    assert_eq!((&nothing["reload"], &nothing["status"]["generation"]), (&Value::Null, &json!(1)));
    let full = tool(&server, "reload", json!({ "full": true })).await;
    assert_eq!(
        (&full["reload"]["strategy"], &full["reload"]["cause"]),
        (&json!("all"), &json!("manual"))
    );
    assert_eq!(full["status"]["generation"], 2);
}

#[tokio::test]
async fn mcp_write_without_mcp_is_an_error_that_names_the_option() {
    let project = Project::new().file("app.py", APP);
    let finished = project.snaxum(&["dev", "--mcp-write"]).await;
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("--mcp"), "{}", finished.stderr);
}

#[tokio::test]
async fn mcp_lists_the_serving_routes() {
    let server = app().await;
    let answer = tool(&server, "routes", json!({})).await;
    assert_eq!(answer["state"], "ok");
    assert_eq!(answer["routes"], server.api("routes").await);
    let second = tool(&server, "routes", json!({ "skip": 1, "limit": 1 })).await;
    assert_eq!(second["routes"][0], answer["routes"][1]);
}

#[tokio::test]
async fn requests_are_listed_and_one_is_shown_in_full() {
    let server = app().await;
    server.get("/hello?a=1").await;
    let failed = server.get("/raise").await;
    let id = failed.header("x-request-id");

    let all = tool(&server, "requests", json!({})).await;
    assert_eq!(all["requests"], server.api("requests").await);
    let newest = tool(&server, "requests", json!({ "limit": 1 })).await;
    assert_eq!((&newest["left_out"], &newest["next_skip"]), (&json!(1), &json!(1)));
    assert_eq!(newest["requests"][0]["id"], id);

    let number: u64 = id.parse().expect("a number");
    for id in [json!(id), json!(number)] {
        let one = tool(&server, "requests", json!({ "id": id })).await;
        assert_eq!((&one["status"], &one["path"]), (&json!(500), &json!("/raise")));
        assert_eq!(one["traceback"]["message"], "it went wrong");
        assert_eq!(one["logs"][0]["line"], "about to fail");
        assert!(one.to_string().contains("api_key") && !one.to_string().contains("hunter2"));
    }
    let unknown = text(&server, "requests", json!({ "id": "../../etc" })).await;
    assert!(unknown.is_err_and(|text| text.contains("no recorded request")));
}

#[tokio::test]
async fn errors_are_requests_and_reloads_that_failed() {
    let server = app().await;
    server.get("/hello").await;
    server.get("/raise").await;
    server.edit("app.py", "def oops(:\n");
    tool(&server, "await_reload", json!({})).await;

    let answer = tool(&server, "errors", json!({})).await;

    assert_eq!(answer["state"], "failing");
    let [reload, request] = list(&answer, "errors") else { panic!("two errors: {answer}") };
    assert_eq!(
        (&reload["kind"], &reload["traceback"]["type"]),
        (&json!("reload"), &json!("SyntaxError"))
    );
    assert_eq!((&request["kind"], &request["path"]), (&json!("request"), &json!("/raise")));
    assert_eq!(request["traceback"]["type"], "ValueError");
    assert_eq!(request["traceback"]["frames"][0]["function"], "fail");
}

#[tokio::test]
async fn reloads_and_logs_are_listed_newest_first() {
    let server = app().await;
    server.get("/hello").await;
    let failed = server.get("/raise").await;
    server.edit("app.py", &APP.replace("\"hello\"", "\"hi\""));
    tool(&server, "await_reload", json!({})).await;

    let reloads = tool(&server, "reloads", json!({})).await;
    assert_eq!(reloads["reloads"], server.api("reloads").await);
    assert_eq!(list(&reloads, "reloads").len(), 2);

    let logs = tool(&server, "logs", json!({ "limit": 1 })).await;
    let [line] = list(&logs, "logs") else { panic!("one line: {logs}") };
    assert_eq!((&line["line"], &line["stream"]), (&json!("about to fail"), &json!("stderr")));
    assert_eq!(line["request"], failed.header("x-request-id"));
    assert_eq!(logs["left_out"], 1);
}

#[tokio::test]
async fn mcp_lists_pool_workers_and_threads() {
    let server = app().await;
    let answer = tool(&server, "workers", json!({})).await;
    assert_eq!((&answer["pid"], &answer["dispatch_workers"]), (&json!(server.pid), &json!(4)));
    assert_eq!((&answer["state"], &answer["paused"]), (&json!("ok"), &json!(false)));
    assert!(answer["pool"]["size"].as_u64().is_some_and(|size| size >= 1), "{answer}");
}

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

    let answer = tool(&server, "await_reload", json!({ "timeout_ms": 1 })).await;

    assert_eq!((&answer["settled"], &answer["generation"]), (&json!(false), &json!(1)));
    held.open().await;
    let answer = tool(&server, "await_reload", json!({ "timeout_ms": 30_000 })).await;
    assert_eq!((&answer["settled"], &answer["generation"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn a_change_that_needs_a_new_process_is_not_reported_as_live() {
    let project = Project::new().gate().file("app.py", APP);
    let server = project.args(&["--mcp"]).dev().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('import')\n{APP}"));
    server.arrival().await.open().await;
    let answer = tool(&server, "await_reload", json!({})).await;
    assert_eq!((&answer["needs_restart"], &answer["generation"]), (&json!(false), &json!(2)));

    let settings = "[tool.snaxum]\npool-workers = 1\n";
    std::fs::write(server.project.path().join("pyproject.toml"), settings).expect("a file");
    let trial = server.arrival().await;
    let answer = tool(&server, "await_reload", json!({})).await;
    assert_eq!((&answer["settled"], &answer["needs_restart"]), (&json!(true), &json!(true)));

    trial.open().await;
    server.arrival().await.open().await; // the new process
    server.out.wait_for("pool 1 worker · ").await;
    let answer = tool(&server, "await_reload", json!({})).await;
    assert_eq!(
        (&answer["needs_restart"], &answer["last_reload"]["cause"]),
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

    let mut answer = String::new();
    in_time("the response", stream.read_to_string(&mut answer)).await.expect("it responds");
    assert!(answer.contains("the server is stopping"), "{answer}");
    held.open().await;
    server.ended().await;
    assert!(!server.err.text().contains("ERROR"), "{}", server.err.text());
}

// The tools that send requests

const ECHO: &str = r#"
from snaxum import HTTPError, Response, route

@route("/echo", methods=["GET", "POST", "PUT"])
def echo(request):
    print("echoed")
    return {
        "method": request.method,
        "query": dict(request.query_params),
        "type": request.headers.get("content-type"),
        "host": request.headers.get("host"),
        "x": request.headers.get("x-x"),
        "body": request.text,
    }

@route("/known", methods=["POST"])
def known(request):
    return [
        request.headers.get("authorization") == "Bearer swordfish-1",
        request.query_params["token"] == "swordfish-2",
        request.body == {"password": "swordfish-3"},
    ]

@route("/gone")
def gone(request):
    raise HTTPError(410, "it was here")

@route("/raise")
def fail(request):
    raise ValueError("it went wrong")

@route("/endless")
def endless(request):
    def pieces():
        while True:
            yield b"piece"
    return Response(pieces())

@route("/long")
def long(request):
    return Response("\x1b]0;title\x07 \u202e" + "x" * 200_000, content_type="text/plain")
"#;

/// The request as a handler of [`ECHO`] got it.
fn seen(answer: &Value) -> Value {
    let text = answer["response_body"]["text"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no text: {answer}"))).expect("JSON")
}

#[tokio::test]
async fn an_assistant_that_may_write_calls_a_route() {
    let server = writing(Project::new().file("app.py", ECHO)).await;

    let arguments = json!({
        "method": "PUT",
        "path": "/echo?a=%20b",
        "headers": { "X-X": "y", "content-type": "text/plain" },
        "body": "é",
    });
    let answer = tool(&server, "call_route", arguments).await;

    assert_eq!((&answer["status"], &answer["generation"]), (&json!(200), &json!(1)), "{answer}");
    assert!(answer["total_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{answer}");
    let (query, host) = (json!({ "a": " b" }), "localhost");
    assert_eq!(
        seen(&answer),
        json!({ "method": "PUT", "query": query, "type": "text/plain", "host": host, "x": "y",
                "body": "é" })
    );
    assert_eq!(answer["logs"][0]["line"], "echoed");
    assert_eq!((&answer["replay_of"], &answer["request_headers"]), (&Value::Null, &Value::Null));
    let recorded = server.api("requests").await;
    assert_eq!((&recorded[0]["id"], &recorded[1]), (&answer["id"], &Value::Null));

    let value = tool(&server, "call_route", json!({ "path": "/echo", "body": {"n": 1} })).await;
    assert_eq!(seen(&value)["type"], "application/json");
    assert_eq!(
        (&seen(&value)["body"], &seen(&value)["method"]),
        (&json!("{\"n\":1}"), &json!("GET"))
    );
}

#[tokio::test]
async fn the_response_of_a_route_is_returned_even_if_it_is_an_error() {
    let server = writing(Project::new().file("app.py", ECHO).args(&["--no-capture-bodies"])).await;

    let gone = tool(&server, "call_route", json!({ "path": "/gone" })).await;
    assert_eq!((&gone["status"], &seen(&gone)["detail"]), (&json!(410), &json!("it was here")));
    let failed = tool(&server, "call_route", json!({ "path": "/raise" })).await;
    assert_eq!((&failed["status"], &failed["handler"]), (&json!(500), &json!("app.fail")));
    assert_eq!(failed["traceback"]["message"], "it went wrong");
    let nothing = tool(&server, "call_route", json!({ "path": "/nowhere" })).await;
    assert_eq!((&nothing["status"], &nothing["route"]), (&json!(404), &Value::Null));
}

#[tokio::test]
async fn a_request_reaches_the_app_only_and_an_invalid_one_is_an_error_with_the_reason() {
    let server = writing(Project::new().file("app.py", ECHO)).await;

    for (arguments, part) in [
        (json!({ "path": "http://127.0.0.1:1/echo" }), "is not a path"),
        (json!({ "path": "127.0.0.1:1" }), "is not a path"),
        (json!({ "path": "echo" }), "is not a path"),
        (json!({ "path": "" }), "is not a path"),
        (json!({ "path": "/a b" }), "is not a path"),
        (json!({ "path": "/echo", "headers": { "Host": "evil.example" } }), "cannot be chosen"),
        (json!({ "path": "/__snaxum/" }), "do not belong to the app"),
        (json!({ "path": "/__snaxum" }), "do not belong to the app"),
        (json!({ "path": "/__snaxum/api/reload", "method": "POST" }), "do not belong to the app"),
        (json!({ "path": "/__snaxum?t=1" }), "do not belong to the app"),
        (json!({ "path": "/echo", "method": "G ET" }), "is not a method"),
        (json!({ "path": "/echo", "headers": { "a b": "c" } }), "is not a header name"),
        (json!({ "path": "/echo", "headers": { "a": "b\r\nc: d" } }), "cannot be sent"),
        (json!({ "path": "/echo", "headers": { "authorization": "••••" } }), "`replay`"),
        (json!({ "path": "/echo?token=••••" }), "`replay`"),
        (json!({ "path": "/echo", "body": { "password": "••••" } }), "`replay`"),
        (json!({ "path": "/echo", "timeout_ms": 60_001 }), "at most 60000"),
        (json!({ "path": "/echo", "port": 1 }), "unknown field"),
        (json!({}), "missing field `path`"),
    ] {
        let error = text(&server, "call_route", arguments.clone()).await.expect_err("refused");
        assert!(error.contains(part), "{arguments}: {error}");
    }
    for (arguments, part) in [
        (json!({ "id": "99" }), "no such request"),
        (json!({ "id": "../x" }), "no such request"),
        (json!({ "id": "1", "path": "/echo" }), "unknown field"),
        (json!({}), "missing field `id`"),
    ] {
        let error = text(&server, "replay", arguments.clone()).await.expect_err("refused");
        assert!(error.contains(part), "{arguments}: {error}");
    }
    assert_eq!(server.api("requests").await, json!([]), "nothing was sent");
}

#[tokio::test]
async fn a_replay_sends_secrets_that_the_assistant_does_not_see() {
    let server = writing(Project::new().file("app.py", ECHO)).await;
    let request = server.request(Method::POST, "/known?token=swordfish-2");
    let request = request.bearer_auth("swordfish-1").json(&json!({ "password": "swordfish-3" }));
    let original = send(request).await;
    let id = original.header("x-request-id");

    for given in [json!(id), json!(id.parse::<u64>().expect("a number"))] {
        let answer = tool(&server, "replay", json!({ "id": given })).await;

        assert_eq!((&answer["status"], &answer["replay_of"]), (&json!(200), &json!(id)));
        assert_eq!(seen(&answer), json!([true, true, true]));
        assert_ne!(answer["id"], id);
        assert!(!answer.to_string().contains("swordfish"), "{answer}");
        assert_eq!(server.api("requests").await[0]["id"], answer["id"]);
    }
}

#[tokio::test]
async fn a_response_is_shown_escaped_and_truncated() {
    let server = writing(Project::new().file("app.py", ECHO)).await;

    let endless = tool(&server, "call_route", json!({ "path": "/endless" })).await;
    let body = &endless["response_body"];
    assert_eq!((&body["size"], &body["note"]), (&json!(64 * 1024), &json!("the body is longer")));
    assert!(body["text"].as_str().is_some_and(|text| text.starts_with("piecepiece")), "{body}");

    let long = text(&server, "call_route", json!({ "path": "/long" })).await.expect("a response");
    assert!(long.len() <= MAX_TEXT, "{}", long.len());
    assert!(
        long.contains("untrusted") && long.contains(r"\u001b]0;title\u0007 \u202exxx"),
        "{long}"
    );
    let long: Value = serde_json::from_str(&long).expect("JSON");
    assert!(long["response_body"]["size"].as_u64().is_some_and(|size| size > 200_000), "{long}");
    assert_eq!(long["response_body"]["note"], "it is truncated");
}

const GATED: &str = r#"
import _gate
from snaxum import Response, route

@route("/held")
def held(request):
    return _gate.wait("handler")

@route("/slow")
def slow(request):
    def pieces():
        yield b"first"
        _gate.wait("stream")
    return Response(pieces(), content_type="text/plain")
"#;

#[tokio::test]
async fn a_request_that_takes_too_long_is_cancelled() {
    let server = writing(Project::new().gate().file("app.py", GATED)).await;

    let error = text(&server, "call_route", json!({ "path": "/held", "timeout_ms": 1 })).await;
    assert!(error.is_err_and(|error| error.contains("no response within 1 ms")));
    server.arrival().await.open().await;

    let slow = tool(&server, "call_route", json!({ "path": "/slow", "timeout_ms": 500 })).await;
    assert_eq!(
        slow["response_body"],
        json!({ "size": 5, "text": "first", "note": "the body had not ended at the timeout" })
    );
    server.arrival().await.open().await;
}

#[tokio::test]
async fn a_request_without_a_client_is_cancelled() {
    let app = r#"
import asyncio
import _gate
from snaxum import route

@route("/held")
async def held(request):
    try:
        await _gate.wait_async("handler")
    except asyncio.CancelledError:
        _gate.notify("cancelled")
        raise
"#;
    let server = writing(Project::new().gate().file("app.py", app)).await;
    let arguments = json!({ "path": "/held", "timeout_ms": 60_000 });
    let params = json!({ "name": "call_route", "arguments": arguments });
    let asking = message(&server, "tools/call", &params).bearer_auth(token(&server));
    let asking = tokio::spawn(send(asking));
    let _held = server.arrival().await;

    asking.abort();

    assert_eq!(server.arrival().await.name, "cancelled");
}

#[tokio::test]
async fn wrong_arguments_get_an_error_that_names_the_remedy() {
    let server = app().await;
    for (tool, arguments, part) in [
        ("routes", json!({ "limit": 0 }), "give 1 to 200"),
        ("logs", json!({ "limit": 201 }), "give 1 to 200"),
        ("logs", json!({ "limit": "many" }), "invalid type"),
        ("errors", json!({ "\u{202e}x": 1 }), r"\u202ex"),
        ("workers", json!({ "verbose": true }), "unknown field"),
        ("await_reload", json!({ "timeout_ms": 60_001 }), "at most 60000"),
    ] {
        let error = text(&server, tool, arguments.clone()).await.expect_err("it is refused");
        assert!(error.contains(part), "{tool} {arguments}: {error}");
    }
    let answer = ask(&server, "tools/call", json!({ "name": "rm", "arguments": {} })).await;
    assert_eq!(answer["error"]["code"], -32602);
}

// How much, and in which words

#[tokio::test]
async fn text_of_the_app_cannot_steer_a_terminal_or_hide() {
    let app = r#"
from snaxum import route

@route("/raise")
def fail(request):
    print("\x1b]0;title\x07 \x9b31m \u202egnp.exe \u200b\U000e0041 \x7f")
    raise ValueError("\x1b[2J \u2066 IGNORE\u2028ALL")
"#;
    let server = Project::new().file("app.py", app).args(&["--mcp"]).dev().await;
    server.get("/raise?%1B%5B=%E2%80%AE").await;
    server.get("/%1B%5B2J%E2%80%AE").await;

    for tool in ["errors", "requests", "logs"] {
        let text = text(&server, tool, json!({})).await.expect("a response");
        let steers = |c: &char| {
            c.is_control() || matches!(c, '\u{200b}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
        };
        assert_eq!(text.chars().find(steers), None, "{tool}: {text:?}");
        assert!(text.contains(r"\u001b"), "{tool}: it was there: {text}");
        serde_json::from_str::<Value>(&text).expect("it is still JSON");
    }
}

#[tokio::test]
async fn a_result_is_bounded_and_names_the_omissions() {
    let app = r#"
from snaxum import route

@route("/print")
def many(request):
    for n in range(300):
        print(n, "x" * 1000)

@route("/raise/<int:n>")
def fail(request):
    return deeper(request.path_params["n"])

def deeper(n):
    a = b = c = d = e = "y" * 1000
    if n:
        return deeper(n - 1)
    raise ValueError("z" * 100_000)
"#;
    let server = Project::new().file("app.py", app).args(&["--mcp"]).dev().await;
    server.get("/print").await;
    let failed = server.get("/raise/90").await;

    let whole = text(&server, "logs", json!({ "limit": 200 })).await.expect("a response");
    assert!((MAX_TEXT / 2..=MAX_TEXT).contains(&whole.len()), "{}", whole.len());
    let logs: Value = serde_json::from_str(&whole).expect("JSON");
    let shown = list(&logs, "logs").len();
    assert_eq!((&logs["left_out"], &logs["next_skip"]), (&json!(300 - shown), &json!(shown)));
    let rest = tool(&server, "logs", json!({ "limit": 1, "skip": shown })).await;
    let next = rest["logs"][0]["line"].as_str().expect("a line");
    assert!(next.starts_with(&format!("{} x", 299 - shown)), "no line is missing: {next}");

    for (name, arguments) in
        [("errors", json!({})), ("requests", json!({ "id": failed.header("x-request-id") }))]
    {
        let text = text(&server, name, arguments).await.expect("a response");
        assert!(text.len() <= MAX_TEXT, "{name}: {}", text.len());
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let one = answer["errors"].get(0).unwrap_or(&answer);
        assert_eq!(one["traceback"]["type"], "ValueError", "{name}");
        let frames = list(&one["traceback"], "frames");
        assert_eq!(frames[frames.len() - 1]["function"], "deeper", "the deepest frame is included");
        assert!(text.contains("more) …"), "{name}: {text}");
    }
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
    let answer = tool(&server, "reload", json!({})).await;

    assert_eq!(answer["reload"]["strategy"], "restart", "{answer}");
    assert_eq!(answer["restart"], json!({ "accepted": true, "refusal": "" }));
    server.out.wait_for("pool 2 workers").await;
    let after = tool(&server, "workers", json!({})).await;
    assert_ne!(before["run_id"], after["run_id"]);
    assert_eq!(after["pool"]["size"], 2);
}

#[tokio::test]
async fn the_response_of_a_no_capture_handler_is_not_shown() {
    let app = "from snaxum import no_capture, route\n\n@route('/private')\n@no_capture\ndef private(request):\n    return 'swordfish'\n";
    let server = writing(Project::new().file("app.py", app)).await;
    let answer = tool(&server, "call_route", json!({ "path": "/private" })).await;
    let body = &answer["response_body"];
    assert_eq!((&answer["status"], &body["text"]), (&json!(200), &Value::Null), "{answer}");
    assert!(body["note"].as_str().is_some_and(|note| note.contains("@no_capture")), "{answer}");
    let again = tool(&server, "replay", json!({ "id": answer["id"] })).await;
    assert!(again["status"] == 200 && !again.to_string().contains("swordfish"), "{again}");
}
