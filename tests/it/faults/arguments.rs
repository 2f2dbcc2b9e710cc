//! Handlers that ask for what a request does not have: parameters, JSON bodies, fields, attributes.
//!
//! The plan of a call for each form of a handler is in `tests/python/test_parameters.py`.

use reqwest::Method;
use serde_json::json;

use crate::http::HELLO;
use crate::support::{Project, Server, send};

const HANDLERS: &str = r#"
from concurrent.futures import ProcessPoolExecutor
from snaxum import Request, route

@route("/user/<username>")
def profile(username):
    return f"User {username}"

@route("/async/<int:number>/<name>")
async def both(name, number: int, r: Request, limit=10):
    return [number, name, r.path, limit]

@route("/first/<name>")
def first(anything):
    return anything.path_params["name"]

@route("/none/<name>")
def none():
    return "none"

@route("/stream/<name>")
def stream(name):
    yield name

@route("/pool/<name>", use_process_pool=True)
def pooled(name, executor: ProcessPoolExecutor):
    return executor.submit(str.upper, name).result()
"#;

#[tokio::test]
async fn a_parameter_gets_the_value_of_its_name() {
    let server = Project::new().file("app.py", HANDLERS).serve().await;
    for (path, text) in [
        ("/user/ada", "User ada"),
        ("/async/7/x", r#"[7,"x","/async/7/x",10]"#),
        ("/first/x", "x"),
        ("/none/x", "none"),
        ("/stream/x", "x"),
        ("/pool/x", "X"),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.text()), (200, text), "{path}");
    }
}

#[tokio::test]
async fn a_parameter_that_nothing_fills_is_an_error_when_the_module_loads() {
    for (parameter, message) in [
        ("tags: 5", "`5` is not a type"),
        ("tags: list[route]", "route` is not a type; annotate it as"),
        (
            "tags: Undefined",
            "the type of the parameter `tags` is unknown: `Undefined` is not defined",
        ),
    ] {
        let source = format!(
            "from __future__ import annotations\nfrom snaxum import route\n@route(\"/user/<name>\")\ndef profile(name, {parameter}):\n    return name\n"
        );
        let project = Project::new().file("app.py", &source).file("fine.py", HELLO);
        let checked = project.snaxum(&["check"]).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        let shown = format!("{}{}", checked.stdout, checked.stderr);
        assert!(shown.contains(message) && shown.contains("app.py:3"), "{shown}");

        let server = project.dev().await;
        let reply = server.get("/user/ada").await;
        assert_eq!(reply.status, 500);
        assert!(reply.text().contains(message), "{}", reply.text());
        assert_eq!(server.get("/hello").await.status, 200);
    }
}

const BODIES: &str = r#"
from snaxum import route

def first(data):
    return data[0]

@route("/subscript", methods=["POST"])
def subscript(request): return request.body["a"]

@route("/alias", methods=["POST"])
async def alias(request):
    data = request.body
    return data.get("a")

@route("/helper", methods=["POST"])
def helper(request): return first(request.body)

@route("/loop", methods=["POST"])
def loop(request): return [each for each in request.body]

@route("/unpack", methods=["POST"])
def unpack(request): return dict(**request.body)

@route("/ours", methods=["POST"])
def ours(request):
    data = request.body or {}
    user = data.get("user")
    return user["name"]

@route("/none", methods=["POST"])
def none(request): return {"body": type(request.body).__name__}
"#;

async fn posted(server: &Server, path: &str, content_type: &str, body: &str) -> (u16, String) {
    let mut request = server.request(Method::POST, path).body(body.to_owned());
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    let reply = send(request).await;
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    (reply.status, detail)
}

#[tokio::test]
async fn a_handler_that_needs_json_and_gets_none_responds_with_415_or_400() {
    let form = "application/x-www-form-urlencoded";
    let server = Project::new().file("app.py", BODIES).dev().await;

    for path in ["/subscript", "/alias", "/helper", "/loop", "/unpack"] {
        for (content_type, body, status, detail) in [
            (form, r#"{"a":1}"#, 415, "the body is `application/x-www-form-urlencoded`, not JSON"),
            ("application/json", "", 400, "the request has no body; send JSON"),
            ("application/json", "null", 400, "the body is `null`"),
            ("", "", 400, "the request has no body"),
            ("", "{", 400, "the body is not valid JSON"),
        ] {
            let (got, shown) = posted(&server, path, content_type, body).await;
            assert_eq!(got, status, "{path}: {shown}");
            assert!(shown.starts_with(detail), "{path}: {shown}");
        }
    }
    // The console still has the exception.
    let recorded = server.api("requests").await;
    assert_eq!(recorded[0]["status"], 400);
    let id = recorded[0]["id"].to_string();
    let request = server.api(&format!("requests/{}", id.trim_matches('"'))).await;
    assert!(request["traceback"]["message"].as_str().expect("text").contains("NoneType"));

    assert_eq!(posted(&server, "/ours", form, "x").await.0, 500, "a None of the handler's own");
    let reply = send(server.request(Method::POST, "/none").body("x")).await;
    assert_eq!(reply.json(), json!({"body": "NoneType"}), "without JSON, `body` stays None");
}

const WRONG: &str = r#"
from snaxum import Response, route

@route("/json")
def json(request): return request.json

@route("/args")
def args(request): return request.args["q"]

@route("/form", methods=["POST"])
def form(request): return request.form["name"]

@route("/query")
def query(request): return request.query_params["q"]

@route("/header")
def header(request): return request.headers["x-key"]

@route("/cookie")
def cookie(request): return request.cookies["sid"]

@route("/keyword")
def keyword(request): return Response(content="x", status=200)

@route("/called")
async def called(request): return await request.form()

@route("/caught")
def caught(request):
    try:
        return request.query_params["q"]
    except KeyError:
        return request.query_params.get("q", "default")
"#;

#[tokio::test]
async fn an_attribute_of_another_framework_names_the_equivalent() {
    let server = Project::new().file("app.py", WRONG).dev().await;

    for (path, status, detail) in [
        ("/json", 500, "a request has no `json`; the parsed JSON is `request.body`"),
        ("/args", 500, "a request has no `args`; use `request.query_params`"),
        ("/query?a=1", 400, "the query parameter `q` is missing; the request has `a`"),
        ("/header", 400, "the header `x-key` is missing"),
        ("/cookie", 400, "the cookie `sid` is missing; the request has none"),
    ] {
        let reply = server.get(path).await;
        let problem = reply.json();
        assert_eq!(reply.status, status, "{problem}");
        assert!(problem["detail"].as_str().expect("text").contains(detail), "{problem}");
    }
    for (path, expected) in [
        ("/keyword", "there is no `content` here; the body is the first argument, `body`"),
        ("/called", "`request.form` is a value and not a function; write it without `()`"),
    ] {
        let problem = server.get(path).await.json();
        let hint = problem["traceback"]["hint"].as_str().expect("a hint");
        assert!(hint.starts_with(expected), "{problem}");
    }
    assert_eq!(server.get("/caught").await.text(), "default");
    let form = "application/x-www-form-urlencoded";
    let (status, detail) = posted(&server, "/form", form, "a=1").await;
    let expected = "the form field `name` is missing; the request has `a`";
    assert_eq!((status, &*detail), (400, expected));
}

const WITHOUT_FRAMES: &str = r#"
import functools
from snaxum import Response, route

@route("/value")
@functools.cache
def value(request):
    return object()

@route("/nested")
async def nested(request):
    return {"a": [{1j}]}

@route("/status")
def status(request): return "x", "200"

def takes_nothing(): ...

@route("/signature")
def signature(*args, **kwargs):
    return takes_nothing

def plain(function):
    return lambda *args: function(1, 2, 3)

@route("/call")
@plain
def call(request): return "x"
"#;

#[tokio::test]
async fn a_wrong_return_value_has_the_line_of_its_handler() {
    let mut server = Project::new().file("app.py", WITHOUT_FRAMES).dev().await;

    for (path, function, line) in [
        ("/value", "value", 7),
        ("/nested", "nested", 11),
        ("/status", "status", 15),
        ("/signature", "signature", 20),
        ("/call", "plain.<locals>.<lambda>", 24),
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500, "{path}");
        let problem = reply.json();
        let frame = &problem["traceback"]["frames"][0];
        assert_eq!(frame["file"], "python/app.py", "{path}");
        assert_eq!(frame["line"], line, "{path}");
        assert!(
            frame["function"]
                .as_str()
                .expect("a name")
                .ends_with(function.rsplit('.').next().expect("one"))
        );
        assert!(problem["traceback"]["text"].as_str().expect("text").contains("app.py\", line"));
        server.out.wait_for(&format!("python/app.py:{line}")).await;
        let page = send(server.request(Method::GET, path).header("accept", "text/html")).await;
        assert!(page.text().contains(&format!("app.py:{line}")), "{path}"); // slashes are escaped
    }
    server.stop().await;
}
