//! The MCP tools that send requests, and the bounds of all results.

use reqwest::Method;
use serde_json::{Value, json};

use super::mcp::{app, call, list, message, text, token, tool, writing};
use super::support::{Project, send};

/// Bytes of a tool's result.
const MAX_TEXT: usize = 64 * 1024;

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
fn seen(response: &Value) -> Value {
    let text = response["response_body"]["text"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no text: {response}"))).expect("JSON")
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
    let response = tool(&server, "call_route", arguments).await;

    assert_eq!(
        (&response["status"], &response["generation"]),
        (&json!(200), &json!(1)),
        "{response}"
    );
    assert!(response["total_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{response}");
    let (query, host) = (json!({ "a": " b" }), "localhost");
    assert_eq!(
        seen(&response),
        json!({ "method": "PUT", "query": query, "type": "text/plain", "host": host, "x": "y",
                "body": "é" })
    );
    assert_eq!(response["logs"][0]["line"], "echoed");
    assert_eq!(
        (&response["replay_of"], &response["request_headers"]),
        (&Value::Null, &Value::Null)
    );
    let recorded = server.api("requests").await;
    assert_eq!((&recorded[0]["id"], &recorded[1]), (&response["id"], &Value::Null));

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
        let response = tool(&server, "replay", json!({ "id": given })).await;

        assert_eq!((&response["status"], &response["replay_of"]), (&json!(200), &json!(id)));
        assert_eq!(seen(&response), json!([true, true, true]));
        assert_ne!(response["id"], id);
        assert!(!response.to_string().contains("swordfish"), "{response}");
        assert_eq!(server.api("requests").await[0]["id"], response["id"]);
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

    let error = text(&server, "call_route", json!({ "path": "/held", "timeout_ms": 900 })).await;
    assert!(error.is_err_and(|error| error.contains("no response within 900 ms")));
    server.arrival().await.open().await;

    let slow = tool(&server, "call_route", json!({ "path": "/slow", "timeout_ms": 500 })).await;
    assert_eq!(
        slow["response_body"],
        json!({ "size": 5, "text": "first", "note": "the body had not ended at the timeout", "kind": null })
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
    let response = call(&server, "tools/call", json!({ "name": "rm", "arguments": {} })).await;
    assert_eq!(response["error"]["code"], -32602);
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
        let response: Value = serde_json::from_str(&text).expect("JSON");
        let one = response["errors"].get(0).unwrap_or(&response);
        assert_eq!(one["traceback"]["type"], "ValueError", "{name}");
        let frames = list(&one["traceback"], "frames");
        assert_eq!(frames[frames.len() - 1]["function"], "deeper", "the deepest frame is included");
        assert!(text.contains("more) …"), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_response_of_a_no_capture_handler_is_not_shown() {
    let app = "from snaxum import no_capture, route\n\n@route('/private')\n@no_capture\ndef private(request):\n    return 'swordfish'\n";
    let server = writing(Project::new().file("app.py", app)).await;
    let response = tool(&server, "call_route", json!({ "path": "/private" })).await;
    let body = &response["response_body"];
    assert_eq!((&response["status"], &body["text"]), (&json!(200), &Value::Null), "{response}");
    assert!(body["note"].as_str().is_some_and(|note| note.contains("@no_capture")), "{response}");
    let again = tool(&server, "replay", json!({ "id": response["id"] })).await;
    assert!(again["status"] == 200 && !again.to_string().contains("swordfish"), "{again}");
}
