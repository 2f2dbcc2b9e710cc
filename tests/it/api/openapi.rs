//! The OpenAPI document and the docs page: their paths, their generation, and the hooks around them.
//!
//! The contents are in `tests/python/test_openapi.py`, the page in `tests/browser/docs.spec.js`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Server, send};

const APP: &str = r#"
"""The shop."""
from dataclasses import dataclass
from snaxum import get, post

@dataclass
class Order:
    item: str
    count: int = 1

@post("/orders", status=201)
def create(order: Order) -> Order:
    """Place an order."""
    return order

@get("/orders/<int:id>", response_model=Order)
def show(id: int, secret: bool = False):
    return {"item": "tea", "password": "x"} if not secret else {"count": 2}
"#;

async fn document(server: &Server) -> Value {
    let reply = server.get("/openapi.json").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/json");
    reply.json()
}

#[tokio::test]
async fn the_document_describes_the_serving_generation_and_the_page_shows_it() {
    let project = Project::new()
        .file("app.py", APP)
        .top_file("pyproject.toml", "[project]\nname = \"shop\"\nversion = \"1.2.3\"\n");
    let server = project.dev().await;
    let found = document(&server).await;
    assert_eq!(found["openapi"], "3.1.0");
    assert_eq!(found["info"], json!({ "title": "shop", "version": "1.2.3" }));
    let paths = found["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/orders", "/orders/{id}"], "no own routes");
    assert_eq!(found["paths"]["/orders"]["post"]["operationId"], "app.create");
    assert_eq!(found["tags"], json!([{ "name": "app", "description": "The shop." }]));

    // The tag names the version: a client that has it gets no body.
    let reply = server.get("/openapi.json").await;
    let tag = reply.header("etag").to_owned();
    let known = |path| send(server.request(Method::GET, path).header("if-none-match", &tag));
    assert_eq!(known("/openapi.json").await.status, 304);
    let head = send(server.request(Method::HEAD, "/openapi.json")).await;
    assert_eq!((head.status, head.header("etag")), (200, &*tag));

    server.edit("app.py", &APP.replace("/orders/<", "/bills/<"));
    let saved = known("/openapi.json").await;
    assert_eq!(saved.status, 200, "the request waited for the reload");
    assert!(saved.json()["paths"]["/bills/{id}"].is_object());

    let page = server.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("shop API"), "{}", page.text());
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    for (name, kind) in [
        ("docs.js", "text/javascript; charset=utf-8"),
        ("docs.css", "text/css; charset=utf-8"),
        ("vendor/rapidoc-min.js", "text/javascript; charset=utf-8"),
        ("vendor/preact-htm.js", "text/javascript; charset=utf-8"),
        ("try-it/form.js", "text/javascript; charset=utf-8"),
        ("try-it/try-it.css", "text/css; charset=utf-8"),
    ] {
        let asset = server.get(&format!("/docs/{name}")).await;
        assert_eq!((asset.status, asset.header("content-type")), (200, kind), "{name}");
    }
    // A client of HTTP removes the dots itself.
    for path in [
        "/docs/../console/server/api.js",
        "/docs/%2e%2e/console/server/api.js",
        "/docs/vendor/../../docs",
    ] {
        let host = server.authority();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let response = server.raw(&head).await;
        assert!(response.starts_with("HTTP/1.1 404"), "{path}: {response}");
    }
    for path in ["/docs", "/docs/docs.js", "/openapi.json"] {
        let posted = send(server.request(Method::POST, path).body("x")).await;
        assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD, OPTIONS"), "{path}");
        let options = send(server.request(Method::OPTIONS, path)).await;
        assert_eq!(
            (options.status, options.header("allow")),
            (200, "GET, HEAD, OPTIONS"),
            "{path}"
        );
    }
    let routes = server.api("routes").await;
    assert!(!routes.to_string().contains("openapi"), "{routes}");
}

#[tokio::test]
async fn a_result_has_the_fields_of_the_response_model() {
    let server = Project::new().file("app.py", APP).dev().await;
    assert_eq!(server.get("/orders/1").await.json(), json!({ "item": "tea", "count": 1 }));
    let reply = send(
        server.request(Method::GET, "/orders/1?secret=1").header("accept", "application/json"),
    )
    .await;
    assert_eq!(reply.status, 500);
    let message = &reply.json()["traceback"]["message"];
    assert_eq!(message, "the result does not fit `Order`: `item` is missing");
}

#[tokio::test]
async fn a_route_of_the_user_wins_and_hooks_run_around_the_rest() {
    let own = r#"
from snaxum import before_request, get

@before_request
def check(request):
    if request.query_params.get("key") == "text":
        return "text"
    if request.query_params.get("key") != "k":
        return "no", 401

@get("/docs")
def docs():
    return "my own"
"#;
    let server = Project::new().file("app.py", own).dev().await;
    assert_eq!(server.get("/docs?key=k").await.text(), "my own");
    assert_eq!(server.get("/openapi.json").await.status, 401);
    for path in ["/openapi.json", "/nowhere"] {
        assert_eq!(server.get(&format!("{path}?key=text")).await.text(), "text", "{path}");
    }
    let reply = server.get("/openapi.json?key=k").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.json()["paths"]["/docs"].is_object());
}

#[tokio::test]
async fn serve_has_them_once_they_are_set_and_an_empty_url_turns_one_off() {
    let server = Project::new().file("app.py", APP).serve().await;
    assert_eq!(server.get("/openapi.json").await.status, 404);
    assert_eq!(server.get("/docs").await.status, 404);

    let options = "[tool.snaxum]\ndocs-url = \"/api/docs\"\n";
    let project = Project::new().file("app.py", APP).top_file("pyproject.toml", options);
    let server = project.serve().await;
    assert_eq!(server.get("/openapi.json").await.status, 200);
    let page = server.get("/api/docs").await.text().replace("&#x2f;", "/");
    assert!(page.contains(r#"spec-url="../openapi.json" data-root="..""#), "{page}");
    assert_eq!(server.get("/api/docs/docs.js").await.status, 200);

    let project = Project::new().file("app.py", APP).args(&["--docs-url", ""]);
    let server = project.dev().await;
    assert_eq!(server.get("/docs").await.status, 404);
    assert_eq!(document(&server).await["openapi"], "3.1.0");

    for (option, value, problem) in [
        ("--openapi-url", "spec.json", "it must be a path"),
        ("--docs-url", "/openapi.json", "which is `openapi-url`, too"),
    ] {
        let project = Project::new().file("app.py", APP);
        let refused = project.snaxum(&["dev", "--port", "0", option, value]).await;
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn a_response_model_that_cannot_be_sent_is_an_error_and_the_last_code_serves() {
    let server = Project::new().file("app.py", APP).dev().await;
    let mut console = server.console().await;
    server.edit("app.py", &APP.replace("response_model=Order", "response_model=open"));
    let failed = console.next_of_type("reload.fail").await;
    let text = failed.to_string();
    assert!(text.contains("`response_model` cannot be sent"), "{text}");
    assert!(text.contains("app.py:"), "{text}");
    assert!(document(&server).await["paths"]["/orders/{id}"].is_object());
}

/// A type whose description takes until another version of the module runs.
const SLOW: &str = r#"
import threading
from snaxum import get, keep

began = threading.Event()
shared = keep("shared", dict)
shared.update(go_on=threading.Event(), is_made=False)

class Meta(type):
    def __eq__(cls, other):
        began.set()
        shared["go_on"].wait(30)
        shared["is_made"] = True
        return cls is other
    __hash__ = type.__hash__

class Slow(metaclass=Meta):
    pass

@get("/slow")
def slow(): ...

slow.__annotations__["return"] = list[Slow]

@get("/began")
def has_begun():
    return str(began.wait(60))
"#;

#[tokio::test]
async fn a_save_takes_effect_while_a_document_is_made() {
    let server = Project::new().file("app.py", SLOW).dev().await;
    assert_eq!(server.get("/began").await.text(), "True");
    let next = r#"
from snaxum import get, keep

shared = keep("shared", dict)
was_made = shared["is_made"]
shared["go_on"].set()

@get("/new")
def new() -> str:
    return "late" if was_made else "meanwhile"
"#;
    server.edit("app.py", next);
    assert_eq!(server.get("/new").await.text(), "meanwhile");
    assert_eq!(document(&server).await["paths"].as_object().expect("paths").len(), 1);
}
