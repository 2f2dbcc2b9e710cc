//! `snaxum dev main:app`: an application in place of a directory.

use serde_json::json;

use crate::scenarios::world::World;
use crate::support::Project;

const ASGI: &str = r#"
import api

VERSION = 1

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("started", VERSION, flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("ended", VERSION, flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["root_path"] == ""
    if scope["path"] == "/raises":
        raise ValueError("it went wrong")
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": f"{VERSION} {api.TEXT} {scope['path']}".encode()})
"#;

const WSGI: &str = r#"
import logging, sys

class Shop:
    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/excepts":
            try:
                [][1]
            except IndexError:
                start_response("500 Sorry", [("Content-Type", "text/plain")])
            return [b"sorry"]
        if environ["PATH_INFO"] == "/replaces":
            try:
                [][1]
            except IndexError:
                problem = sys.exc_info()
            start_response("500 Sorry", [("Content-Type", "text/plain")], problem)
            return [b"sorry"]
        if environ["PATH_INFO"] == "/handled":
            try:
                {}["key"]
            except KeyError:
                logging.exception("a framework handles it")
            start_response("500 Sorry", [("Content-Type", "text/plain")])
            return [b"sorry"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["SCRIPT_NAME"].encode(), environ["PATH_INFO"].encode()]

class Group:
    shop = Shop()

def create(debug=False):
    return Shop()

def with_setting(setting):
    return Shop()

async def later():
    return Shop()

shop = Shop()
text = "text"
"#;

fn project(module: &str, text: &str) -> Project {
    Project::new().top_file(module, text).top_file("api.py", "TEXT = 'a'\n")
}

#[tokio::test]
async fn an_application_of_the_current_directory_is_served_with_live_reload() {
    let mut world = World::of(project("main.py", ASGI).args(&["main:app"])).await;
    assert_eq!(world.text("/x/y").await, "1 a /x/y");
    assert_eq!(world.text("/openapi.json").await, "1 a /openapi.json", "it has every path");
    assert_eq!(world.get("/raises").await.status, 500);

    world.save("../api.py", "TEXT = 'b'\n").await.ran();
    assert_eq!(world.text("/").await, "1 b /");
    world.save("../main.py", &ASGI.replace("VERSION = 1", "VERSION = 2")).await.ran();
    assert_eq!(world.text("/").await, "2 b /");
    let reload = world.save("../main.py", "def oops(:\n").await;
    assert!(reload.failure().contains("SyntaxError"), "{}", reload.failure());
    let reload = world.save("../main.py", "import api\napplication = lambda a, b: a\n").await;
    let failure = reload.failure();
    assert!(failure.contains("`main:app`: the module at") && failure.contains("has no `app`"));
    assert_eq!(world.text("/").await, "2 b /");

    let rows = world.server.api("routes").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    let line = ASGI.lines().position(|line| line.contains("def app")).expect("a line") + 1;
    assert_eq!(
        (&rows[0]["path"], &rows[0]["handler"]),
        (&json!("/<path:path>"), &json!("main.app"))
    );
    assert_eq!((&rows[0]["file"], &rows[0]["line"]), (&json!("main.py"), &json!(line)));
    world.server.stop().await;
    let output = world.server.out.whole().await;
    assert!(output.contains("ended 2"), "{output}");
}

#[tokio::test]
async fn the_routes_of_an_application_are_listed_and_its_requests_have_them() {
    let app = r#"
from types import SimpleNamespace as Route

async def item(scope, receive, send):
    """Returns an item."""
    if scope["path"] == "/items/2":
        raise ValueError("there is none")
    status = 500 if scope["path"] == "/items/3" else 200
    await send({"type": "http.response.start", "status": status})
    await send({"type": "http.response.body", "body": b"item"})

class Application:
    routes = [
        Route(path="/items/{id:int}", endpoint=item, methods={"GET", "HEAD"}),
        Route(path="/sub", routes=[Route(path="/{rest:path}", endpoint=item, methods={"POST", "PUT"})]),
    ]
    async def __call__(self, scope, receive, send):
        scope["endpoint"] = item
        await item(scope, receive, send)

app = Application()
"#;
    let mut world = World::of(project("main.py", app).args(&["main:app"])).await;
    for (path, status) in [("/items/1", 200), ("/items/2", 500), ("/items/3", 500)] {
        assert_eq!(world.get(path).await.status, status);
        let requests = world.server.api("requests").await;
        assert_eq!(
            (&requests[0]["route"], &requests[0]["handler"]),
            (&json!("/items/{id:int}"), &json!("main.item")),
            "{path}"
        );
    }
    let rows = world.server.api("routes").await;
    let rows = rows.as_array().expect("a list").iter();
    let rows: Vec<_> = rows.map(|row| json!([row["methods"], row["path"], row["line"]])).collect();
    assert_eq!(
        rows,
        [
            json!([["ANY"], "/<path:path>", 21]),
            json!([["GET"], "/items/{id:int}", 4]),
            json!([["POST", "PUT"], "/sub/{rest:path}", 4]),
        ]
    );
    let reload = world.save("../main.py", &app.replace("/items/", "/things/")).await;
    assert_eq!(reload.diff("added"), ["/things/{id:int}"]);
    assert_eq!(reload.diff("removed"), ["/items/{id:int}"]);
}

#[tokio::test]
async fn an_exception_that_a_framework_handles_is_in_the_console() {
    let server = project("wsgi.py", WSGI).args(&["wsgi:shop"]).dev().await;
    for (path, error) in
        [("/handled", "KeyError"), ("/excepts", "IndexError"), ("/replaces", "IndexError")]
    {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.text()), (500, "sorry"), "{path}");
        let list = server.api("requests").await;
        let id = list[0]["id"].as_str().expect("an id");
        let detail = server.api(&format!("requests/{id}")).await;
        assert_eq!(detail["traceback"]["type"], error, "{path}: {detail}");
        let frame = detail["traceback"]["frames"].as_array().expect("frames").last().expect("one");
        assert_eq!(frame["file"], "wsgi.py");
    }
}

#[tokio::test]
async fn factories_packages_and_wsgi_are_served_in_production() {
    for (module, args) in [
        ("wsgi.py", &["wsgi:shop"][..]),
        ("wsgi.py", &["wsgi:create", "--factory"]),
        ("wsgi.py", &["wsgi:Group.shop", "--interface", "wsgi"]),
        ("web/site.py", &["web.site:shop"]),
        ("src/site.py", &["site_:shop", "--app-dir", "src"]),
        ("wsgi.py", &["--app", "wsgi:shop"]),
    ] {
        let module = module.replace("src/site", "src/site_");
        let mut server = project(&module, WSGI).args(args).serve().await;
        assert_eq!(server.get("/a/b").await.text(), "/a/b", "{args:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_module_with_the_name_of_the_framework_is_named_where_it_is_imported() {
    for file in ["snaxum.py", "snaxum/__init__.py"] {
        let project = project("main.py", &format!("from snaxum import mine\n{WSGI}"))
            .top_file(file, "mine = 1\n");
        let ended = project.snaxum(&["serve", "main:shop", "--port", "0"]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let sentence = format!(
            "`{file}` has the name of a module of an installed package, which comes first; rename the \
             file"
        );
        assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);
        assert!(ended.stderr.contains("main.py:1"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_target_that_cannot_be_is_one_message_with_the_way_out() {
    let project = project("main.py", WSGI);
    for (args, expected) in [
        (&["main:nope"][..], &["has no `nope`", "`shop`"][..]),
        (&["main:shoop"], &["did you mean `shop`"]),
        (&["nomodule:app"], &["no module `nomodule`", "api, main", "--app-dir"]),
        (
            &["main:text"],
            &["`main:text` at", "main.py:42", "it is the str 'text'; name an", "such as `shop`"],
        ),
        (&["main:create"], &["as a factory; pass `--factory`"]),
        (&["main:with_setting", "--factory"], &["needs `setting`", "give each a default"]),
        (&["main:later", "--factory"], &["is an `async def`; make it a `def`"]),
        (&["main:text", "--factory"], &["is a str, and not a factory; remove `--factory`"]),
        (&["main:"], &["`DIR` is `main:`", "such as main:app"]),
        (&["main:shop", "--interface", "cgi"], &["must be asgi or wsgi"]),
    ] {
        let ended = project.snaxum(&[&["serve", "--port", "0"], args].concat()).await;
        let code = if expected[0].starts_with("`DIR`") || expected[0].starts_with("must be") {
            2
        } else {
            1
        };
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
        for text in expected {
            assert!(ended.stderr.contains(text), "{args:?}: {text}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn an_application_that_cannot_serve_is_one_message_with_its_place() {
    let lifespan = |then: &str| {
        format!("async def app(scope, receive, send):\n    await receive()\n    {then}\n")
    };
    let failed = "await send({'type': 'lifespan.startup.failed', 'message': 'no database'})";
    let twice = format!("from snaxum import mount\n{WSGI}\nmount('/', shop)\napp = shop\n");
    for (code, expected) in [
        (
            lifespan("raise RuntimeError('no database')"),
            &["RuntimeError: no database", "main.py"][..],
        ),
        (
            lifespan(failed),
            &["lifespan of the application failed to start: no database", "main.py"],
        ),
        ("app = lambda: None\n".to_owned(), &["as a factory; pass `--factory`", "main.py:1"]),
        ("import nolibrary\n".to_owned(), &["No module named 'nolibrary'", "main.py"]),
    ] {
        let project = project("main.py", &code);
        let ended = project.snaxum(&["serve", "--port", "0", "main:app"]).await;
        assert_eq!(ended.code, Some(1), "{code}: {}", ended.stderr);
        for text in expected {
            assert!(ended.stderr.contains(text), "{code}: {text}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("please report"), "{}", ended.stderr);
        let checked = project.snaxum(&["check", "main:app"]).await;
        assert_eq!(checked.code, Some(i32::from(!code.contains("receive"))), "{}", checked.stderr);
    }
    let server = project("main.py", &twice).args(&["main:app"]).serve().await;
    server.err.wait_for("two applications at `/`").await;
    assert_eq!(server.get("/a").await.text(), "/a", "the first one is served");
}
