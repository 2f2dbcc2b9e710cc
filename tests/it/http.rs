//! Requests and responses, as the reference promises them to any client.

use reqwest::Method;
use serde_json::json;

use super::support::{Project, Server, send};

pub(crate) const HELLO: &str = r#"
from snaxum import route

@route("/hello")
def hello(request):
    return {"hello": "world"}
"#;

pub(crate) async fn app(source: &str) -> Server {
    Project::new().file("app.py", source).serve().await
}

#[tokio::test]
async fn a_converter_takes_what_it_converts_and_nothing_else() {
    let server = app(r#"
from snaxum import route

for kind in ("string", "int", "float", "path", "uuid"):
    @route(f"/{kind}/<{kind}:value>")
    def show(request):
        value = request.path_params["value"]
        return {type(value).__name__: str(value)}

@route("/plain/<value>")
def plain(request):
    return {"plain": request.path_params["value"]}
"#)
    .await;
    let id = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    for (path, expected) in [
        ("/plain/caf%C3%A9%20au", json!({"plain": "café au"})),
        ("/string/x", json!({"str": "x"})),
        ("/int/42", json!({"int": "42"})),
        ("/float/2.5", json!({"float": "2.5"})),
        ("/path/a/b/c", json!({"str": "a/b/c"})),
        (&format!("/uuid/{id}"), json!({"UUID": id})),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
    for path in [
        "/plain/a/b",
        "/plain/",
        "/int/-1",
        "/int/4x",
        "/float/2",
        "/uuid/7",
        "/string/a/b",
        "/int/4/",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_narrower_route_wins_whatever_the_order() {
    let server = app(r#"
from snaxum import route

@route("/<path:rest>")
def anything(request): return "path"

@route("/users/<name>")
def name(request): return "name"

@route("/users/<int:id>")
def id(request): return "id"

@route("/users/me")
def me(request): return "me"
"#)
    .await;
    for (path, winner) in
        [("/users/me", "me"), ("/users/7", "id"), ("/users/bob", "name"), ("/a/b", "path")]
    {
        assert_eq!(server.get(path).await.text(), winner, "{path}");
    }
}

#[tokio::test]
async fn the_return_value_decides_the_response() {
    let server = app(r#"
import dataclasses, datetime, decimal, enum, uuid
from snaxum import Response, route

@dataclasses.dataclass
class Point:
    x: int

class Color(enum.Enum):
    RED = "red"

RESULTS = {
    "dict": {"a": 1}, "list": [1, "é"], "str": "<b>é</b>", "bytes": b"\x00\xff", "none": None,
    "status": ("made", 201), "headers": ({"a": 1}, 202, {"x-a": "b"}),
    "response": Response("t", 203, {"x-c": "d"}, content_type="text/plain"),
    "rich": {"at": datetime.datetime(2020, 1, 2, 3, 4), "id": uuid.UUID(int=1), "c": Color.RED,
             "p": Point(1), "d": decimal.Decimal("1.50")},
}

@route("/<what>")
def result(request):
    return RESULTS[request.path_params["what"]]
"#)
    .await;
    for (what, status, content_type, body) in [
        ("dict", 200, "application/json", r#"{"a":1}"#.as_bytes()),
        ("list", 200, "application/json", r#"[1,"é"]"#.as_bytes()),
        ("str", 200, "text/html; charset=utf-8", "<b>é</b>".as_bytes()),
        ("bytes", 200, "application/octet-stream", b"\x00\xff"),
        ("none", 204, "", b""),
        ("status", 201, "text/html; charset=utf-8", b"made"),
        ("headers", 202, "application/json", br#"{"a":1}"#),
        ("response", 203, "text/plain", b"t"),
    ] {
        let reply = server.get(&format!("/{what}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, content_type), "{what}");
        assert_eq!(reply.body, body, "{what}");
    }
    assert_eq!(server.get("/headers").await.header("x-a"), "b");
    assert_eq!(server.get("/response").await.header("x-c"), "d");
    let rich = server.get("/rich").await.json();
    assert_eq!(rich["at"], "2020-01-02T03:04:00");
    assert_eq!((&rich["c"], &rich["p"]), (&json!("red"), &json!({"x": 1})));
}

#[tokio::test]
async fn a_value_that_json_cannot_encode_is_named_with_its_place() {
    let server = Project::new()
        .file("app.py", "from snaxum import route\n\n@route('/')\ndef bad(request):\n    return {'a': [1, {'b': object()}]}\n")
        .dev()
        .await;

    let reply = server.get("/").await;

    let detail = reply.json()["detail"].to_string();
    assert_eq!(reply.status, 500);
    assert!(
        detail.contains("object") && detail.contains('b') && detail.contains("[1]"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_handler_sees_the_whole_request() {
    let server = app(r#"
from snaxum import route

@route("/see", methods=["PATCH"])
def see(request):
    return {
        "method": request.method, "path": request.path, "body": request.body, "text": request.text,
        "bytes": len(request.data), "last": request.query_params["a"],
        "header": [request.headers["X-Thing"], request.headers["x-thing"]],
    }
"#)
    .await;

    let request = server.request(Method::PATCH, "/see?a=1&a=%C3%A9&b").header("X-tHING", "t");
    let seen = send(request.json(&json!({"n": [1, "é"]}))).await.json();

    assert_eq!(seen["method"], "PATCH");
    assert_eq!(seen["path"], "/see");
    assert_eq!(seen["body"], json!({"n": [1, "é"]}));
    assert_eq!(seen["text"], r#"{"n":[1,"é"]}"#);
    assert_eq!(seen["bytes"], 14);
    assert_eq!(seen["last"], "é");
    assert_eq!(seen["header"], json!(["t", "t"]));
}

#[tokio::test]
async fn a_large_body_comes_back_unchanged() {
    let server = app(r#"
from snaxum import route

@route("/echo", methods=["POST"])
def echo(request): return request.data
"#)
    .await;
    let body: Vec<u8> =
        (0..5_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();

    let reply = send(server.request(Method::POST, "/echo").body(body.clone())).await;

    assert!(reply.body == body, "{} bytes came back", reply.body.len());
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = app(HELLO).await;

    let get = server.get("/hello").await;
    let head = send(server.request(Method::HEAD, "/hello")).await;

    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn options_and_a_wrong_method_list_the_allowed_methods() {
    let server = app(r#"
from snaxum import route

@route("/thing", methods=["GET", "PUT"])
def thing(request): return "thing"
"#)
    .await;

    let options = send(server.request(Method::OPTIONS, "/thing")).await;
    let wrong = send(server.request(Method::POST, "/thing")).await;

    assert_eq!((options.status, wrong.status), (200, 405));
    for reply in [&options, &wrong] {
        let mut allowed: Vec<&str> = reply.header("allow").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "PUT"]);
    }
}

#[tokio::test]
async fn a_tool_gets_a_problem_document_and_a_browser_a_page() {
    let server = app(HELLO).await;

    let tool = server.get("/nowhere").await;
    let browser = server
        .request(Method::GET, "/nowhere<script>")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    let browser = send(browser).await;

    assert_eq!((tool.status, browser.status), (404, 404));
    assert_eq!(tool.header("content-type"), "application/problem+json");
    assert_eq!(tool.json()["status"], 404);
    assert_eq!(tool.json()["title"], "Not Found");
    assert!(tool.json()["detail"].as_str().expect("a text").contains("/nowhere"));
    assert_eq!(browser.header("content-type"), "text/html; charset=utf-8");
    assert!(browser.text().contains("<h1>") && !browser.text().contains("<script>"));
}

#[tokio::test]
async fn json_that_does_not_parse_is_a_400() {
    let server = app(r#"
from snaxum import route

@route("/json", methods=["POST"])
def read(request): return {"body": request.body}
"#)
    .await;
    let post = |body: &'static str| {
        server.request(Method::POST, "/json").header("content-type", "application/json").body(body)
    };
    for body in ["{", "{'a': 1}", "[1,]", "nul"] {
        let reply = send(post(body)).await;
        assert_eq!(reply.status, 400, "{body:?}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    assert_eq!(send(post("[1]")).await.json(), json!({"body": [1]}));
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_declared_or_not() {
    let server = Project::new()
        .file("app.py", "from snaxum import route\n\n@route('/', methods=['POST'])\ndef size(request):\n    return {'size': len(request.data)}\n")
        .args(&["--max-body-size", "1kB"])
        .serve()
        .await;
    let chunked = |size: usize| {
        let chunks = (0..size).map(|_| Ok::<_, std::io::Error>("x"));
        reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))
    };

    let fits = send(server.request(Method::POST, "/").body("x".repeat(1000))).await;
    let declared = send(server.request(Method::POST, "/").body("x".repeat(1001))).await;
    let undeclared = send(server.request(Method::POST, "/").body(chunked(1001))).await;

    assert_eq!(fits.json(), json!({"size": 1000}));
    assert_eq!((declared.status, undeclared.status), (413, 413));
    assert!(declared.json()["detail"].as_str().expect("a text").contains("1000 bytes"));
}

const RAISES: &str = r#"
from snaxum import HTTPError, route

@route("/raise")
def boom(request):
    wanted = "the-secret-text"
    raise ValueError(wanted)

@route("/teapot")
def teapot(request):
    raise HTTPError(418, "short and stout", {"x-tea": "yes"})
"#;

#[tokio::test]
async fn in_production_an_exception_is_a_500_without_details() {
    let server = app(RAISES).await;
    for accept in ["text/html", "application/json"] {
        let reply = send(server.request(Method::GET, "/raise").header("accept", accept)).await;
        assert_eq!(reply.status, 500);
        for inside in ["the-secret-text", "ValueError", "app.py", "Traceback"] {
            assert!(!reply.text().contains(inside), "{inside} in {}", reply.text());
        }
    }
    // The log has it, with its place.
    server.err.wait_for("ValueError: the-secret-text").await;
    assert!(server.err.text().contains("app.py\", line 7"), "{}", server.err.text());
}

#[tokio::test]
async fn in_dev_an_exception_is_a_500_with_its_traceback() {
    let server = Project::new().file("app.py", RAISES).dev().await;

    let tool = server.get("/raise").await;
    let browser = send(server.request(Method::GET, "/raise").header("accept", "text/html")).await;

    assert_eq!((tool.status, browser.status), (500, 500));
    let traceback = &tool.json()["traceback"];
    assert_eq!(traceback["type"], "ValueError");
    let frame = traceback["frames"].as_array().and_then(|frames| frames.last()).expect("a frame");
    assert_eq!((&frame["file"], &frame["line"]), (&json!("python/app.py"), &json!(7)));
    assert!(browser.text().contains("app.py:7") && browser.text().contains("the-secret-text"));
}

#[tokio::test]
async fn an_http_error_sets_status_detail_and_headers() {
    let server = app(RAISES).await;

    let reply = server.get("/teapot").await;

    assert_eq!((reply.status, reply.header("x-tea")), (418, "yes"));
    assert_eq!(reply.json()["detail"], "short and stout");
}
