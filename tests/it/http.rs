//! Requests and responses, as the reference promises them to any client.

use std::sync::Arc;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;

use super::support::{Project, Server, at_once, in_time, send};

const HELLO: &str = r#"
from snaxum import route

@route("/hello")
def hello(request):
    return {"hello": "world"}
"#;

async fn app(source: &str) -> Server {
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

const WAITS: &str = r#"
import _gate
from snaxum import route

@route("/wait")
def wait(request):
    _gate.wait("wait")
    return "waited"

@route("/wait-async")
async def wait_async(request):
    await _gate.wait_async("wait")
    return "waited"

@route("/hello")
def hello(request): return "hello"
"#;

#[tokio::test]
async fn a_full_queue_is_a_503_with_retry_after() {
    let server = Project::new()
        .gate()
        .file("app.py", WAITS)
        .args(&["--dispatch-workers", "1", "--max-queue", "1"])
        .serve()
        .await;
    let first = server.begin("/wait");
    let held = server.arrival().await;

    // One more may wait; of two, one is turned away at once and the other is not.
    let (second, third) = (server.begin("/wait"), server.begin("/wait"));
    let (turned_away, waiting) = tokio::select! {
        reply = second => (reply, server.begin("/hello")),
        reply = third => (reply, server.begin("/hello")),
    };
    let turned_away = turned_away.expect("a response");
    let also = waiting.await.expect("a response");

    assert_eq!((turned_away.status, also.status), (503, 503));
    assert_eq!(turned_away.header("retry-after"), "1");
    assert_eq!(turned_away.header("content-type"), "application/problem+json");
    held.open().await;
    assert_eq!(first.await.expect("a response").text(), "waited");
    server.arrival().await.open().await;
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn when_every_worker_hangs_each_request_is_a_504_and_later_ones_work() {
    let server = Project::new()
        .gate()
        .file("app.py", WAITS)
        .args(&["--dispatch-workers", "2", "--request-timeout", "300ms"])
        .serve()
        .await;
    let hanging = [server.begin("/wait"), server.begin("/wait")];
    let held = [server.arrival().await, server.arrival().await];

    for reply in hanging {
        assert_eq!(reply.await.expect("a response").status, 504);
    }
    assert_eq!(server.get("/hello").await.text(), "hello");
    assert_eq!(server.get("/hello").await.text(), "hello");
    for held in held {
        held.open().await;
    }
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn an_async_handler_over_its_time_limit_is_a_504_and_is_cancelled() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, asyncio
from snaxum import route

@route("/hang")
async def hang(request):
    try:
        await asyncio.Event().wait()
    finally:
        _gate.notify("cancelled")
"#,
        )
        .args(&["--request-timeout", "200ms"])
        .serve()
        .await;

    assert_eq!(server.get("/hang").await.status, 504);
    assert_eq!(server.arrival().await.name, "cancelled");
}

#[tokio::test]
async fn hundreds_of_async_handlers_wait_at_once_on_one_dispatch_worker() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
import asyncio
from snaxum import route

count, everybody, go = 0, asyncio.Event(), asyncio.Event()

@route("/wait")
async def wait(request):
    global count
    count += 1
    if count == 300:
        everybody.set()
    await go.wait()
    return "released"

@route("/release")
async def release(request):
    await everybody.wait()
    go.set()
    return {"waiting": count}
"#,
        )
        .args(&["--dispatch-workers", "1"])
        .serve()
        .await;
    let server = Arc::new(server);

    let waiting = at_once(&server, "/wait", 300);
    let released = server.get("/release").await;

    assert_eq!(released.json(), json!({"waiting": 300}));
    for reply in waiting {
        assert_eq!(reply.await.expect("a response").text(), "released");
    }
}

#[tokio::test]
async fn a_handler_that_blocks_does_not_delay_the_others() {
    let server = Project::new()
        .gate()
        .file("app.py", WAITS)
        .args(&["--dispatch-workers", "2"])
        .serve()
        .await;
    let blocked = server.begin("/wait");
    let held = server.arrival().await;

    assert_eq!(server.get("/hello").await.text(), "hello");
    held.open().await;
    assert_eq!(blocked.await.expect("a response").text(), "waited");
}

#[tokio::test]
async fn a_stream_is_sent_piece_by_piece() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate
from snaxum import Response, route

@route("/plain")
def plain(request):
    def pieces():
        yield "one"
        _gate.wait("between")
        yield b"two"
    return Response(pieces(), content_type="text/event-stream")

@route("/async")
async def later(request):
    async def pieces():
        yield "one"
        await _gate.wait_async("between")
        yield b"two"
    return Response(pieces(), content_type="text/event-stream")
"#,
        )
        .serve()
        .await;
    for path in ["/plain", "/async"] {
        let response = server.request(Method::GET, path).send().await.expect("headers");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut pieces = response.bytes_stream();

        // The first chunk arrives while the handler waits at the gate.
        let held = server.arrival().await;
        let first =
            in_time("the first piece", pieces.next()).await.expect("a piece").expect("bytes");
        assert_eq!(&first[..], b"one", "{path}");
        held.open().await;
        let second =
            in_time("the second piece", pieces.next()).await.expect("a piece").expect("bytes");
        assert_eq!(&second[..], b"two", "{path}");
        assert!(pieces.next().await.is_none());
    }
}

#[tokio::test]
async fn a_stream_that_raises_is_cut_off_and_never_seems_complete() {
    let server = app(r#"
from snaxum import route

@route("/broken")
def broken(request):
    def pieces():
        yield "one"
        raise ValueError("midway")
    return pieces()

@route("/hello")
def hello(request): return "hello"
"#)
    .await;

    // Cut off after the headers, or before they were out: both are an error to the client.
    let is_whole = match server.request(Method::GET, "/broken").send().await {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    };

    assert!(!is_whole, "the body ended as if it were whole");
    server.err.wait_for("midway").await;
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn a_client_that_disconnects_ends_the_stream() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, itertools
from snaxum import route

@route("/endless")
def endless(request):
    def pieces():
        try:
            for n in itertools.count():
                yield f"{n}\n" * 1000
        finally:
            _gate.notify("closed")
    return pieces()
"#,
        )
        .serve()
        .await;

    let response = server.request(Method::GET, "/endless").send().await.expect("headers");
    drop(response);

    assert_eq!(server.arrival().await.name, "closed");
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_the_async_handler() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, asyncio
from snaxum import route

@route("/forever")
async def forever(request):
    _gate.notify("started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _gate.notify("cancelled")
        raise
"#,
        )
        .serve()
        .await;

    let client = server.begin("/forever");
    assert_eq!(server.arrival().await.name, "started");
    client.abort();

    assert_eq!(server.arrival().await.name, "cancelled");
}

#[tokio::test]
async fn no_handler_can_take_the_server_down() {
    let server = app(r#"
import sys
from snaxum import route

@route("/exit")
def leave(request): sys.exit(3)

@route("/exit-async")
async def leave_async(request): raise SystemExit

@route("/interrupt")
def interrupt(request): raise KeyboardInterrupt

@route("/interrupt-async")
async def interrupt_async(request): raise KeyboardInterrupt

@route("/recurse")
def recurse(request): return recurse(request)

@route("/recurse-async")
async def recurse_async(request): return await recurse_async(request)

@route("/nested")
def nested(request):
    value = []
    for _ in range(200_000):
        value = [value]
    return value

class Hostile(Exception):
    def __str__(self): raise SystemExit
    __repr__ = __str__

@route("/hostile")
def hostile(request): raise Hostile

@route("/coroutine")
def coroutine(request):
    async def never(): ...
    return never()

@route("/status")
def status(request): return "x", 99

@route("/header")
def header(request): return "x", 200, {"x-a": "a\r\nx-b: b"}

@route("/hello")
def hello(request): return "hello"
"#)
    .await;
    for path in [
        "/exit",
        "/exit-async",
        "/interrupt",
        "/interrupt-async",
        "/recurse",
        "/recurse-async",
        "/nested",
        "/hostile",
        "/coroutine",
        "/status",
        "/header",
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500, "{path}: {}", reply.text());
        assert_eq!(server.get("/hello").await.text(), "hello", "after {path}");
    }
}

#[tokio::test]
async fn the_server_survives_any_output_of_a_handler() {
    let server = app(r#"
import sys
from snaxum import route

@route("/print")
def garbage(request):
    print("\ud800 \x1b[2J é")
    print("to stderr \udcff", file=sys.stderr)
    sys.stdout.buffer.write(b"\xff\xfe\x00\n")
    sys.stdout.flush()
    return "printed"

@route("/close")
def close(request):
    sys.stdout.close()
    return "closed"
"#)
    .await;

    assert_eq!(server.get("/print").await.text(), "printed");
    server.out.wait_for("é").await;
    assert_eq!(server.get("/close").await.text(), "closed");
    assert_eq!(server.get("/print").await.status, 500);
    assert_eq!(server.get("/close").await.text(), "closed");
}

#[tokio::test]
async fn one_connection_carries_request_after_request() {
    let server = app(HELLO).await;
    let one = "GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    let answers = server.raw(&format!("{one}{one}{last}")).await;

    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test]
async fn a_relative_import_within_a_package_works_and_every_module_of_it_loads_by_name() {
    let server = Project::new()
        .file("shop/__init__.py", "from . import views\n")
        .file("shop/views.py", "from snaxum import route\nfrom .prices import PRICE\n\n@route('/price')\ndef price(request):\n    return {'price': PRICE}\n")
        .file("shop/prices.py", "PRICE = 7\n")
        .file("_private.py", "raise SystemExit('not to be loaded')\n")
        .file("test_shop.py", "raise SystemExit('not to be loaded')\n")
        .file("conftest.py", "raise SystemExit('not to be loaded')\n")
        .serve()
        .await;

    assert_eq!(server.get("/price").await.json(), json!({"price": 7}));
}

#[tokio::test]
async fn a_background_task_that_raises_system_exit_leaves_the_loop_running() {
    let server = app(r#"
import asyncio
from snaxum import route

async def leave():
    raise SystemExit(3)

@route("/start")
async def start(request):
    task = asyncio.ensure_future(leave())
    await asyncio.sleep(0)
    return {"done": task.done()}

@route("/hello")
async def hello(request):
    await asyncio.sleep(0)
    return "hello"
"#)
    .await;
    let started = server.begin("/start");

    assert_eq!(server.get("/hello").await.text(), "hello");
    assert_eq!(server.get("/hello").await.text(), "hello");
    started.abort();
}
