//! Blueprints, hooks, error handlers and middleware, with `def` and `async def` parts in every mix.

use reqwest::Method;
use serde_json::json;

use crate::http::app;
use crate::support::{Project, send};

/// Notes each part in `request.state.trail`, which the outermost middleware sends. `sync` and `aio`
/// are blueprints with the same hooks, as `def` and as `async def`.
const TRAILS: &str = r#"
import asyncio, contextvars, threading
from snaxum import Blueprint, middleware

user = contextvars.ContextVar("user", default="nobody")

@middleware
def outermost(request, call_next):
    request.state.trail = []
    response = call_next(request)
    response.headers["x-trail"] = " ".join(request.state.trail)
    return response

def add_sync(level, name):
    @level.middleware
    def around(request, call_next):
        request.state.trail.append(f"{name}-in")
        response = call_next(request)
        request.state.trail.append(f"{name}-out")
        return response

    @level.before_request
    def before(request):
        request.state.trail.append(f"{name}-before")
        user.set(f"{name} ada")
        if request.query_params.get("at") == name:
            return f"stopped at {name}"

    @level.after_request
    def after(request, response):
        request.state.trail.append(f"{name}-after:{response.status}")

    @level.errorhandler(ValueError)
    def value(request, error):
        request.state.trail.append(f"{name}-value")
        return {"why": str(error)}, 400

def add_async(level, name):
    @level.middleware
    async def around(request, call_next):
        request.state.trail.append(f"{name}-in")
        response = await call_next(request)
        await asyncio.sleep(0)
        request.state.trail.append(f"{name}-out")
        return response

    @level.before_request
    async def before(request):
        await asyncio.sleep(0)
        request.state.trail.append(f"{name}-before")
        user.set(f"{name} ada")
        if request.query_params.get("at") == name:
            return f"stopped at {name}"

    @level.after_request
    async def after(request, response):
        await asyncio.sleep(0)
        request.state.trail.append(f"{name}-after:{response.status}")

    @level.errorhandler(ValueError)
    async def value(request, error):
        await asyncio.sleep(0)
        request.state.trail.append(f"{name}-value")
        return {"why": str(error)}, 400

def add_routes(level):
    @level.get("/def")
    def plain(request):
        request.state.trail.append("handler")
        return {"user": user.get(), "loop": threading.current_thread().name == "asyncio-loop"}

    @level.get("/async")
    async def waiting(request):
        await asyncio.sleep(0)
        request.state.trail.append("handler")
        return {"user": user.get(), "loop": threading.current_thread().name == "asyncio-loop"}

    @level.get("/pool", use_process_pool=True)
    def pooled(request, pool):
        request.state.trail.append("handler")
        return {"user": user.get(), "sum": pool.submit(sum, [1, 2]).result()}

    @level.get("/def/raise")
    def fails(request):
        raise ValueError("def")

    @level.get("/async/raise")
    async def fails_async(request):
        raise ValueError("async")

    @level.get("/stream")
    def stream(request):
        yield "a"
        yield "b"

    @level.get("/async/stream")
    async def stream_async(request):
        yield "a"
        yield "b"

sync, aio = Blueprint("sync", prefix="/sync"), Blueprint("aio", prefix="/aio")
add_sync(sync, "s")
add_async(aio, "a")
mixed = Blueprint("mixed", prefix="/mixed")
add_sync(mixed, "s")

@mixed.before_request
async def second(request):
    await asyncio.sleep(0)
    request.state.trail.append("a-before")
    user.set(user.get() + " and ben")

for level in (sync, aio, mixed):
    add_routes(level)
"#;

#[tokio::test]
async fn hooks_and_handlers_mix_def_and_async_def_in_any_way() {
    let server = app(TRAILS).await;
    for (prefix, name, before, user) in [
        ("/sync", "s", "s-before", "s ada"),
        ("/aio", "a", "a-before", "a ada"),
        ("/mixed", "s", "s-before a-before", "s ada and ben"),
    ] {
        for (path, body) in [
            ("def", json!({"user": user, "loop": false})),
            ("async", json!({"user": user, "loop": true})),
            ("pool", json!({"user": user, "sum": 3})),
        ] {
            let reply = server.get(&format!("{prefix}/{path}")).await;
            assert_eq!((reply.status, reply.json()), (200, body), "{prefix}/{path}");
            assert_eq!(
                reply.header("x-trail"),
                format!("{name}-in {before} handler {name}-after:200 {name}-out"),
                "{prefix}/{path}"
            );
        }
        for path in ["def/raise", "async/raise"] {
            let reply = server.get(&format!("{prefix}/{path}")).await;
            assert_eq!(reply.status, 400, "{prefix}/{path}");
            assert_eq!(
                reply.header("x-trail"),
                format!("{name}-in {before} {name}-value {name}-after:400 {name}-out"),
                "{prefix}/{path}"
            );
        }
        for path in ["stream", "async/stream"] {
            let reply = server.get(&format!("{prefix}/{path}")).await;
            assert_eq!((reply.status, reply.text()), (200, "ab"), "{prefix}/{path}");
            assert!(reply.header("x-trail").ends_with("-out"), "{prefix}/{path}");
        }
        let stopped = server.get(&format!("{prefix}/def?at={name}")).await;
        assert_eq!(stopped.text(), format!("stopped at {name}"));
        assert!(!stopped.header("x-trail").contains("handler"));
    }
}

#[tokio::test]
async fn requests_without_a_route_meet_the_hooks_for_all_routes() {
    let server = app(r#"
from snaxum import Blueprint, after_request, before_request, errorhandler, post

shop = Blueprint("shop", prefix="/shop")

@before_request
async def guard(request):
    if request.headers.get("x-deny"):
        return "denied", 403

@after_request
def cors(request, response):
    response.headers["access-control-allow-origin"] = "*"

@errorhandler(404, 405)
def refused(request, error):
    return {"status": error.status, "path": request.path}

@shop.errorhandler(404)
def never(request, error):
    return "a blueprint has no part in a path that no route has"

@post("/orders")
def order(): return "ordered"
"#)
    .await;

    let missing = server.get("/shop/nothing").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json(), json!({"status": 404, "path": "/shop/nothing"}));
    assert_eq!(missing.header("access-control-allow-origin"), "*");
    let wrong = server.get("/orders").await;
    assert_eq!((wrong.status, wrong.json()["status"].as_u64()), (405, Some(405)));
    let options = send(server.request(Method::OPTIONS, "/orders")).await;
    assert_eq!((options.status, options.header("allow")), (200, "OPTIONS, POST"));
    assert_eq!(options.header("access-control-allow-origin"), "*");
    let denied = send(server.request(Method::GET, "/nothing").header("x-deny", "1")).await;
    assert_eq!((denied.status, denied.text()), (403, "denied"));
}

#[tokio::test]
async fn a_failure_without_a_handler_is_the_servers_page_with_the_headers_of_the_hooks() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
from snaxum import HTTPError, after_request, get, middleware

@after_request
async def mark(request, response):
    response.headers["x-status"] = str(response.status)

@middleware
def timing(request, call_next):
    response = call_next(request)
    response.headers["x-timing"] = "1"
    return response

@get("/gone")
def gone(): raise HTTPError(410, "it is gone", {"x-own": "1"})

@get("/bug")
def bug(): return 1 / 0

@get("/body")
def body(request): return request.body["name"]
"#,
        )
        .dev()
        .await;

    let gone = server.get("/gone").await;
    assert_eq!((gone.status, gone.json()["detail"].as_str()), (410, Some("it is gone")));
    assert_eq!(["x-own", "x-status", "x-timing"].map(|name| gone.header(name)), ["1", "410", "1"]);
    let bug = server.get("/bug").await;
    assert_eq!((bug.status, bug.header("x-status")), (500, "500"));
    assert_eq!(bug.json()["traceback"]["type"], "ZeroDivisionError");
    let body = server.get("/body").await;
    assert_eq!((body.status, body.header("x-status")), (400, "400"));
}

#[tokio::test]
async fn an_error_handler_gets_the_original_exception_and_its_traceback_is_not_lost() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
from snaxum import Blueprint, errorhandler, get

shop = Blueprint("shop", prefix="/shop")

@shop.before_request
async def before(): ...

@shop.get("/pool", use_process_pool=True)
def pooled(pool):
    return str(pool.submit(sum, [1, 2]).result())

@errorhandler(500)
def sorry(request, error):
    return {"kind": type(error).__name__}

@get("/bug")
def bug(): return 1 / 0

@get("/value")
def value(): return {"value": object()}
"#,
        )
        .dev()
        .await;
    let mut console = server.console().await;

    let bug = server.get("/bug").await;
    assert_eq!((bug.status, bug.json()), (500, json!({"kind": "ZeroDivisionError"})));
    let end = console.next_of_type("request.end").await;
    assert_eq!(end["request"]["error"]["type"], "ZeroDivisionError", "{end}");
    let value = server.get("/value").await;
    assert_eq!((value.status, value.json()), (500, json!({"kind": "EncodingError"})));
    console.next_of_type("request.end").await;
    assert_eq!(server.get("/shop/pool").await.text(), "3");
    let end = console.next_of_type("request.end").await;
    assert_eq!(
        (&end["request"]["pool"]["tasks"], &end["request"]["mode"]),
        (&json!(1), &json!("process pool"))
    );
}

#[tokio::test]
async fn a_def_handler_between_async_hooks_never_blocks_the_loop() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate
from snaxum import Blueprint, get

shop = Blueprint("shop", prefix="/shop")

@shop.before_request
async def before(request): ...

@shop.get("/wait")
def wait():
    _gate.wait("wait")
    return "waited"

@get("/async")
async def other(): return "other"
"#,
        )
        .args(&["--request-timeout", "300ms"])
        .serve()
        .await;

    let waiting = server.begin("/shop/wait");
    let held = server.arrival().await;
    assert_eq!(server.get("/async").await.text(), "other");
    assert_eq!(waiting.await.expect("a response").status, 504);
    held.open().await;
    let again = server.begin("/shop/wait");
    server.arrival().await.open().await;
    assert_eq!(again.await.expect("a response").text(), "waited");
}

#[tokio::test]
async fn a_time_limit_cancels_an_async_handler_behind_a_def_middleware() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate, asyncio
from snaxum import get, middleware

@middleware
def around(request, call_next):
    return call_next(request)

@get("/hang")
async def hang():
    try:
        await asyncio.Event().wait()
    finally:
        _gate.notify("cancelled")

@get("/hello")
async def hello(): return "hello"
"#,
        )
        .args(&["--request-timeout", "200ms"])
        .serve()
        .await;

    assert_eq!(server.get("/hang").await.status, 504);
    assert_eq!(server.arrival().await.name, "cancelled");
    assert_eq!(server.get("/hello").await.text(), "hello");
}

const SHOP: &str = r#"
from snaxum import get, url_for
import hooks

@get("/")
def index(): return url_for("index", page=2)
"#;

fn hooks(mark: &str) -> String {
    format!(
        r#"
from snaxum import after_request

@after_request
def mark(request, response):
    response.headers["x-mark"] = "{mark}"
"#
    )
}

#[tokio::test]
async fn hooks_belong_to_their_module_and_change_with_a_save() {
    // No module imports `hooks` here, so only it runs again.
    let server = Project::new()
        .file("app.py", &SHOP.replace("import hooks", ""))
        .file("hooks.py", &hooks("one"))
        .dev()
        .await;
    assert_eq!(server.get("/").await.header("x-mark"), "one");
    assert_eq!(server.get("/").await.text(), "/?page=2");
    let routes = server.api("routes").await;
    assert_eq!(routes[0]["via"], json!(["after_request hooks.mark"]), "{routes}");

    server.edit("hooks.py", &hooks("two"));
    assert_eq!(server.get("/").await.header("x-mark"), "two");

    // A module that does not load changes nothing.
    server.edit("hooks.py", &hooks("three").replace("request, response", "response"));
    assert_eq!(server.get("/").await.header("x-mark"), "two");
    let failed = server.api("status").await.to_string();
    assert!(failed.contains("cannot take (request, response)"), "{failed}");

    server.edit("hooks.py", "\n");
    assert_eq!(server.get("/").await.header("x-mark"), "");
    assert_eq!(server.api("routes").await[0]["via"], json!([]));
}

#[tokio::test]
async fn two_error_handlers_for_one_thing_are_an_error_and_the_last_good_code_serves() {
    let handler = "from snaxum import errorhandler\n\n@errorhandler(404)\ndef first(request, error): return 'first'\n";
    let server = Project::new().file("app.py", SHOP).file("hooks.py", handler).dev().await;
    assert_eq!(server.get("/nothing").await.text(), "first");

    server.edit("app.py", &format!("{SHOP}\n{}", handler.replace("first", "second")));

    assert_eq!(server.get("/nothing").await.text(), "first");
    let failed = server.api("status").await.to_string();
    assert!(failed.contains("two error handlers of all routes for 404: hooks.first"), "{failed}");
}

#[tokio::test]
async fn the_route_table_and_a_match_show_the_hooks() {
    let project = Project::new().file("app.py", SHOP).file("hooks.py", &hooks("one"));

    let table = project.snaxum(&["routes"]).await;
    assert_eq!(
        table.stdout,
        "METHOD  PATH  HANDLER    MODE       VIA         SOURCE\n\
         GET     /     app.index  in-thread  hooks.mark  python/app.py:5\n\n1 routes\n"
    );
    let found = project.snaxum(&["routes", "--match", "/"]).await;
    assert!(found.stdout.contains("    via after_request hooks.mark\n"), "{}", found.stdout);
    let json = project.snaxum(&["routes", "--format", "json"]).await;
    assert!(json.stdout.contains("\"after_request hooks.mark\""), "{}", json.stdout);
}
