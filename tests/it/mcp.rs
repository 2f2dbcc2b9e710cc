//! The MCP endpoint over HTTP: access, tools and the bounds of their results.

use std::os::unix::fs::PermissionsExt;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, send};

pub(crate) const APP: &str = r#"
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
pub(crate) const PATH: &str = "/__snaxum/mcp";

pub(crate) async fn app() -> Server {
    Project::new().file("app.py", APP).args(&["--mcp"]).dev().await
}

/// The option that allows writing.
pub(crate) async fn writing(project: Project) -> Server {
    project.args(&["--mcp", "--mcp-write"]).dev().await
}

pub(crate) fn token(server: &Server) -> String {
    let announced = server.announcement().expect("the server has written it");
    announced["mcp"]["token"].as_str().expect("a token").to_owned()
}

/// A message of an assistant, still without a token.
pub(crate) fn message(server: &Server, method: &str, params: &Value) -> RequestBuilder {
    server
        .request(Method::POST, PATH)
        .header("accept", "application/json, text/event-stream")
        .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
}

pub(crate) async fn call(server: &Server, method: &str, params: Value) -> Value {
    let reply = send(message(server, method, &params).bearer_auth(token(server))).await;
    assert_eq!(reply.status, 200, "{method}: {}", reply.text());
    let response = reply.json();
    assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &json!(1)));
    response
}

/// A tool's result, as text.
pub(crate) async fn text(server: &Server, tool: &str, arguments: Value) -> Result<String, String> {
    let response =
        call(server, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    let result = &response["result"];
    let [content] = &result["content"].as_array().expect("a list")[..] else {
        panic!("one content: {response}")
    };
    assert_eq!(content["type"], "text");
    let text = content["text"].as_str().expect("text").to_owned();
    if result["isError"] == true { Err(text) } else { Ok(text) }
}

pub(crate) async fn tool(server: &Server, name: &str, arguments: Value) -> Value {
    let text = text(server, name, arguments).await.unwrap_or_else(|error| panic!("{error}"));
    let response: Value = serde_json::from_str(&text).expect("JSON");
    assert!(response["note"].as_str().is_some_and(|note| note.contains("untrusted")), "{response}");
    response
}

pub(crate) async fn tools(server: &Server) -> Vec<Value> {
    call(server, "tools/list", json!({})).await["result"]["tools"]
        .as_array()
        .expect("a list")
        .clone()
}

pub(crate) fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

pub(crate) fn list<'a>(response: &'a Value, name: &str) -> &'a [Value] {
    response[name].as_array().unwrap_or_else(|| panic!("no {name}: {response}"))
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
    for output in [server.out.text(), server.err.text()] {
        assert!(!output.contains(&token(&server)), "{output}");
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

    let response = call(
        &server,
        "initialize",
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }),
    )
    .await;

    let result = &response["result"];
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
        let response = call(&server, "tools/call", json!({ "name": name, "arguments": arguments }));
        let response = response.await;
        assert_eq!(response["error"]["code"], -32602, "{response}");
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
    let response = tool(&server, "routes", json!({})).await;
    assert_eq!(response["state"], "ok");
    assert_eq!(response["routes"], server.api("routes").await);
    let second = tool(&server, "routes", json!({ "skip": 1, "limit": 1 })).await;
    assert_eq!(second["routes"][0], response["routes"][1]);
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

    let response = tool(&server, "errors", json!({})).await;

    assert_eq!(response["state"], "failing");
    let [reload, request] = list(&response, "errors") else { panic!("two errors: {response}") };
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
    let response = tool(&server, "workers", json!({})).await;
    assert_eq!((&response["pid"], &response["dispatch_workers"]), (&json!(server.pid), &json!(4)));
    assert_eq!((&response["state"], &response["paused"]), (&json!("ok"), &json!(false)));
    assert!(response["pool"]["size"].as_u64().is_some_and(|size| size >= 1), "{response}");
}
