//! Slow leaks and surprises: each of these once cost a worker, a thread,
//! a reload or a secret.

use std::fs;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, at_once, in_time, send};

/// Handlers and tasks; one worker, so that a task that runs next runs in the same process.
fn pool_project(handlers: &str, tasks: &str) -> Project {
    let handlers = format!(
        "import tasks\nfrom snaxum import route\n\n\
         @route('/who', use_process_pool=True)\ndef who(request, pool):\n    \
         return {{'pid': pool.submit(tasks.worker).result()}}\n{handlers}"
    );
    let tasks = format!("import os\n\ndef worker():\n    return os.getpid()\n{tasks}");
    Project::new()
        .gate()
        .file("handlers.py", &handlers)
        .file("tasks.py", &tasks)
        .args(&["--pool-workers", "1"])
}

async fn worker_of(server: &Server) -> u64 {
    let reply = server.get("/who").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["pid"].as_u64().expect("a pid")
}

#[tokio::test]
async fn exceeded_time_limits_use_up_no_dispatch_worker() {
    const WORKERS: usize = 8;
    // More than may hang at once, and every worker that there was at the start.
    const HANGS: u64 = 64 + 2 * WORKERS as u64;
    let server = Project::new()
        .file(
            "app.py",
            r#"
import threading
from snaxum import route

hung, go = 0, threading.Event()

@route("/hang")
def hang(request):
    global hung
    hung += 1
    go.wait()

@route("/release")
def release(request):
    global go
    released, go = go, threading.Event()
    released.set()
    return {"hung": hung}
"#,
        )
        .args(&["--dispatch-workers", &WORKERS.to_string(), "--request-timeout", "200ms"])
        .serve()
        .await;
    let server = Arc::new(server);

    let mut hung = 0;
    while hung < HANGS {
        for reply in at_once(&server, "/hang", WORKERS) {
            assert_eq!(reply.await.expect("a response").status, 504, "after {hung}");
        }
        let released = server.get("/release").await;
        assert_eq!(released.status, 200, "after {hung}: {}", released.text());
        hung = released.json()["hung"].as_u64().expect("a number");
    }

    for reply in at_once(&server, "/release", WORKERS) {
        assert_eq!(reply.await.expect("a response").status, 200);
    }
}

#[tokio::test]
async fn a_map_that_fails_at_its_first_item_cancels_thousands_and_the_pool_works_on() {
    let server = pool_project(
        r#"
@route("/many", use_process_pool=True)
def many(request, pool):
    return list(pool.map(tasks.item, range(2000)))
"#,
        r#"
def item(n):
    if n == 0:
        raise LookupError("the first one")
    return n
"#,
    )
    .dev()
    .await;
    let before = worker_of(&server).await;

    let failed = server.get("/many").await;

    assert_eq!(failed.status, 500);
    assert_eq!(failed.json()["traceback"]["message"], "the first one");
    assert_eq!(worker_of(&server).await, before);
}

#[tokio::test]
async fn half_a_surrogate_pair_in_an_error_ends_neither_reloading_nor_a_request() {
    let source = |n: u32, more: &str| {
        format!(
            r#"
from snaxum import HTTPError, route

@route("/raise")
def fail(request):
    raise ValueError("caf\udce9")

@route("/missing")
def missing(request):
    raise HTTPError(404, "no caf\udce9")

@route("/hello")
def hello(request): return "hello {n}"

{more}
"#
        )
    };
    let server = Project::new().file("app.py", &source(1, "")).dev().await;
    let mut console = server.console().await;

    let failed = server.get("/raise").await;
    let missing = server.get("/missing").await;
    server.edit("app.py", &source(2, r#"raise ValueError("caf\udce9")"#));
    let rejected = console.next_of_type("reload.fail").await;

    assert_eq!((failed.status, missing.status), (500, 404));
    for message in [
        &failed.json()["traceback"]["message"],
        &missing.json()["detail"],
        &rejected["reload"]["traceback"]["message"],
    ] {
        assert!(message.as_str().expect("a text").contains("caf"), "{message}");
    }
    assert_eq!(server.api("status").await["state"], "failing");
    assert_eq!(server.get("/hello").await.text(), "hello 1");

    server.edit("app.py", &source(3, ""));
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/hello").await.text(), "hello 3");
    assert_eq!(server.api("status").await["state"], "ok");
    assert!(!server.err.text().contains("panicked"), "{}", server.err.text());
}

#[tokio::test]
async fn streams_have_places_of_their_own_and_the_pool_has_others() {
    const PLACES: usize = 64;
    let server = pool_project(
        r#"
import threading

go = threading.Event()

@route("/stream")
def stream(request):
    def pieces():
        yield "open"
        go.wait()
        yield " and closed"
    return pieces()

@route("/release")
def release(request):
    go.set()
"#,
        "",
    )
    .serve()
    .await;

    let open = join_all((0..PLACES).map(|_| server.request(Method::GET, "/stream").send())).await;
    let mut streams = Vec::new();
    for response in open {
        let response = response.expect("headers");
        assert_eq!(response.status(), 200);
        let mut pieces = response.bytes_stream();
        let first = in_time("the first piece", pieces.next()).await.expect("a piece");
        assert_eq!(&first.expect("bytes")[..], b"open");
        streams.push(pieces);
    }

    worker_of(&server).await;
    let refused = server.get("/stream").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.header("content-type"), "application/problem+json");

    // Some disconnect, the others read to the end.
    let mut streams = streams.split_off(PLACES / 2);
    assert_eq!(server.get("/release").await.status, 204);
    for pieces in &mut streams {
        let rest = in_time("the last piece", pieces.next()).await.expect("a piece");
        assert_eq!(&rest.expect("bytes")[..], b" and closed");
        assert!(pieces.next().await.is_none());
    }
    // A client sees the end a moment before the place is free.
    let again = async {
        loop {
            let replies = join_all((0..PLACES).map(|_| server.get("/stream"))).await;
            if replies.iter().all(|reply: &Reply| reply.status == 200) {
                return replies;
            }
        }
    };
    for reply in in_time("all the places", again).await {
        assert_eq!(reply.text(), "open and closed");
    }
}

#[tokio::test]
async fn an_exception_that_pickles_but_does_not_unpickle_costs_no_worker() {
    let server = pool_project(
        r#"
@route("/odd", use_process_pool=True)
def odd(request, pool):
    return pool.submit(tasks.odd).result()
"#,
        r#"
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")

def odd():
    raise Odd("oil", "water")
"#,
    )
    .dev()
    .await;
    let before = worker_of(&server).await;

    let failed = server.get("/odd").await;

    assert_eq!(failed.status, 500);
    let traceback = &failed.json()["traceback"];
    let message = traceback["message"].as_str().expect("a text");
    assert!(message.contains("Odd") && message.contains("oil and water"), "{message}");
    let detail = server.api(&format!("requests/{}", failed.header("x-request-id"))).await;
    let text = detail["traceback"]["text"].as_str().unwrap_or_else(|| panic!("no text: {detail}"));
    assert!(text.contains("tasks.py") && text.contains("in odd"), "{text}");
    assert_eq!(worker_of(&server).await, before);
}

#[tokio::test]
async fn an_http_error_cannot_set_connection_headers() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
from snaxum import HTTPError, route

@route("/")
def fail(request):
    raise HTTPError(400, "x", {
        "content-length": "3", "transfer-encoding": "chunked", "connection": "close",
        "x-mine": "1",
    })
"#,
        )
        .serve()
        .await;

    let reply = server.get("/").await;

    assert_eq!((reply.status, reply.header("x-mine")), (400, "1"));
    assert_eq!(reply.json()["detail"], "x");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    assert_eq!((reply.header("transfer-encoding"), reply.header("connection")), ("", ""));
}

#[tokio::test]
async fn installed_packages_below_the_python_dir_are_not_run_again_by_a_save() {
    let source = |text: &str| {
        format!(
            r#"
import sys
for place in (".hidden", "vendor/site-packages"):
    if place not in sys.path:
        sys.path.append(place)
import hidden.part, vendored.part
from snaxum import route

@route("/")
def index(request): return "{text}"
"#
        )
    };
    let noted = "open('runs', 'a').write(__name__ + '\\n')\n";
    let server = Project::new()
        .top_file("app.py", &source("one"))
        .top_file(".hidden/hidden/__init__.py", "from . import part\n")
        .top_file(".hidden/hidden/part.py", noted)
        .top_file("vendor/site-packages/vendored/__init__.py", "from . import part\n")
        .top_file("vendor/site-packages/vendored/part.py", noted)
        .args(&["--python-dir", "."])
        .dev()
        .await;
    assert_eq!(server.get("/").await.text(), "one");
    let mut console = server.console().await;

    fs::write(server.project.path().join("app.py"), source("two")).expect("a file");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "two");
    let runs = fs::read_to_string(server.project.path().join("runs")).expect("it ran");
    assert_eq!(runs, "hidden.part\nvendored.part\n");
}

#[tokio::test]
async fn a_task_gives_an_instance_of_a_users_class_in_the_middle_of_a_reload() {
    let tasks = |text: &str| {
        format!(
            r#"
{text}
class Point:
    def __init__(self, x):
        self.x = x

def make():
    return Point(7)
"#
        )
    };
    let handlers = r#"
@route("/make", use_process_pool=True)
def make(request, pool):
    point = pool.submit(tasks.make).result()
    return [type(point) is tasks.Point, point.x]
"#;
    let server = pool_project(handlers, &tasks("")).dev().await;
    let mut console = server.console().await;
    let before = worker_of(&server).await;

    // Only the server stops at the gate, and before it comes to the class.
    let stops = "import _gate, multiprocessing\n\
                 if multiprocessing.parent_process() is None:\n    _gate.wait('import')\n";
    let worker = "import os\n\ndef worker():\n    return os.getpid()\n";
    server.edit("tasks.py", &format!("{}{worker}", tasks(stops)));
    let held = server.arrival().await;
    let during = server.get("/make").await;
    let pid = worker_of(&server).await;
    held.open().await;
    console.next_of_type("reload.ok").await;

    assert_eq!(during.status, 200, "{}", during.text());
    assert_eq!(during.json(), json!([true, 7]));
    assert_eq!(server.get("/make").await.json(), json!([true, 7]));
    assert_eq!((pid, worker_of(&server).await), (before, before));
}

#[tokio::test]
async fn a_pool_task_that_hangs_is_ended_with_the_server_and_no_worker_follows_it() {
    // Every Python process that starts writes its line.
    let mut server = pool_project(
        r#"
@route("/wait", use_process_pool=True)
def wait(request, pool):
    return pool.submit(tasks.wait).result()
"#,
        r#"
def wait():
    import _gate
    _gate.wait("task")
"#,
    )
    .top_file("site/sitecustomize.py", "open('started', 'a').write('one\\n')\n")
    .env("PYTHONPATH", "site")
    .serve()
    .await;
    let started = |server: &Server| {
        let text = fs::read_to_string(server.project.path().join("started")).expect("lines");
        text.lines().count()
    };
    let hanging = [server.begin("/wait"), server.begin("/wait")]; // one waits for the worker
    let held = server.arrival().await;
    let (children, before) = (server.children(), started(&server));
    assert!(!children.is_empty());

    assert_eq!(server.stop().await.code(), Some(0));

    for child in children {
        assert!(!child.is_alive(), "{child:?} is left");
    }
    assert_eq!(started(&server), before);
    let log = server.err.whole().await;
    assert!(!log.contains("panicked"), "{log}");
    drop(held);
    for client in hanging {
        client.abort();
    }
}

const SECRETIVE: &str = r#"
from snaxum import Response, route

@route("/away")
def away(request):
    return Response("", 302, {"location": "/next?accessToken=swordfish-1&page=harmless"})

@route("/raise")
def fail(request):
    headers = request.headers
    plain = "harmless"
    raise ValueError("it went wrong")
"#;

#[tokio::test]
async fn secrets_are_masked_in_camel_case_in_addresses_and_in_mappings() {
    let server = Project::new().file("app.py", SECRETIVE).dev().await;
    let query = "accessToken=swordfish-2&clientSecret=swordfish-3&pageSize=harmless";
    let get = |path: &str| {
        send(
            server
                .request(Method::GET, &format!("{path}?{query}"))
                .header("authorization", "Bearer swordfish-4")
                .header("x-api-key", "swordfish-5"),
        )
    };

    let away = get("/away").await;
    let failed = get("/raise").await;

    assert_eq!((away.status, failed.status), (302, 500));
    // The client gets the whole body.
    assert_eq!(away.header("location"), "/next?accessToken=swordfish-1&page=harmless");
    let [away, detail] = [recorded(&server, &away).await, recorded(&server, &failed).await];
    for shown in [away.to_string(), detail.to_string(), failed.text().to_owned()] {
        assert!(!shown.contains("swordfish"), "{shown}");
    }
    assert!(away["query"].as_str().is_some_and(|query| query.ends_with("&pageSize=harmless")));
    assert!(away["response_headers"].to_string().contains("&page=harmless"), "{away}");
    let locals = detail["traceback"]["frames"][0]["locals"].to_string();
    assert!(locals.contains("authorization") && locals.contains("harmless"), "{locals}");
}

#[tokio::test]
async fn a_referer_shows_no_secret_of_its_query_as_a_header_or_as_a_local() {
    let server = Project::new().file("app.py", SECRETIVE).dev().await;

    let request = server.request(Method::GET, "/raise");
    let failed = send(request.header("referer", "/before?sessionId=swordfish&page=2")).await;

    let detail = recorded(&server, &failed).await;
    let headers = detail["request_headers"].to_string();
    let locals = detail["traceback"]["frames"][0]["locals"].to_string();
    assert!(!headers.contains("swordfish") && headers.contains("page=2"), "{headers}");
    assert!(!locals.contains("swordfish") && locals.contains("referer"), "{locals}");
}

async fn recorded(server: &Server, reply: &Reply) -> Value {
    server.api(&format!("requests/{}", reply.header("x-request-id"))).await
}

#[tokio::test]
async fn a_line_break_in_a_path_forges_no_line_on_the_terminal() {
    let server = Project::new().file("app.py", "").dev().await;
    server.get("/a%0a%0d%20%20GET%20/forged%1b[31m").await;
    let line = server.out.wait_for("forged").await;
    assert!(line.contains("/a\\u{a}\\u{d}  GET /forged\\u{1b}[31m  404"), "{line}");
}
