//! Saves while handlers with batches, workers and warm-ups run, on the real binary.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
import importlib
from dataclasses import dataclass

import _gate
from snaxum import Batch, HTTPError, errorhandler, get, keep, post

VERSION = 1


@dataclass
class Item:
    n: int


@dataclass
class Price:
    n: int
    version: int


class Odd(Exception):
    pass


@errorhandler(Odd)
def explain(request, error):
    return {"odd": str(error)}, 409


@post("/price", batch=Batch(max_size=2, max_wait_ms=0), workers=1)
def price(items: list[Item]) -> list[Price | Odd]:
    _gate.wait("price")
    return [Price(item.n, VERSION) if item.n else Odd("no 0") for item in items]


@post("/fails", workers=1)
def fails(item: Item):
    _gate.wait("fails")
    raise Odd("all")


@post("/sizes", batch=Batch(max_size=3, max_wait_ms=3_600_000))
def sizes(items: list[Item]) -> list[int]:
    return [len(items) for _ in items]


@post("/other", workers=1)
def other_version(item: Item) -> int:
    # An import statement would make the module a dependent of that one.
    return importlib.import_module("other").VERSION
"#;

const OTHER: &str = "VERSION = 1\n";

fn project() -> Project {
    let project = Project::new().gate().file("app.py", APP).file("other.py", OTHER);
    let project = project.file("_store.py", "CALLBACKS = []\n").file("z_leak.py", &leak(1));
    // On a busy machine the start of workers takes longer than a request may.
    project.args(&["--reload-wait", "1ms", "--request-timeout", "5m"])
}

/// Code that is not freed, and so reported with the rest: then nothing else is missing.
fn leak(n: u32) -> String {
    format!("import _store\n\n_store.CALLBACKS.append(lambda: {n})\n")
}

/// Sends one in a task of its own.
fn begin(server: &Server, path: &str, n: i64) -> JoinHandle<Reply> {
    tokio::spawn(send(server.request(Method::POST, path).json(&json!({"n": n}))))
}

/// Waits until so many requests wait on the loop.
async fn waiting(server: &Server, count: u64) {
    while server.api("workers").await["loop"]["count"] != count {
        tokio::task::yield_now().await;
    }
}

async fn ended(request: JoinHandle<Reply>) -> (u16, Value) {
    let reply = request.await.expect("a reply");
    (reply.status, reply.json())
}

#[tokio::test]
async fn results_of_a_worker_belong_to_the_code_of_their_requests() {
    let server = project().dev().await;
    let mut console = server.console().await;
    let old = begin(&server, "/price", 1);
    let at_gate = server.arrival().await;
    let none = begin(&server, "/price", 0);
    waiting(&server, 2).await;
    let failing = begin(&server, "/fails", 1);
    let failing_at_gate = server.arrival().await;

    server.edit("app.py", &APP.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;
    at_gate.open().await;
    failing_at_gate.open().await;
    server.arrival().await.open().await;

    // Their models and error handlers belong to the old code.
    assert_eq!(ended(old).await, (200, json!({"n": 1, "version": 1})));
    assert_eq!(ended(none).await, (409, json!({"odd": "no 0"})));
    assert_eq!(ended(failing).await, (409, json!({"odd": "all"})));
    let new = begin(&server, "/price", 3);
    server.arrival().await.open().await;
    assert_eq!(ended(new).await, (200, json!({"n": 3, "version": 2})));
}

#[tokio::test]
async fn a_batch_has_requests_of_one_generation() {
    let server = project().dev().await;
    let mut console = server.console().await;
    let old = begin(&server, "/sizes", 1);
    waiting(&server, 1).await;

    // No more requests come for the old code. The handler is the same after this save.
    server.edit("other.py", "VERSION = 2\n");
    console.next_of_type("reload.ok").await;
    assert_eq!(ended(old).await, (200, json!(1)));
    let new = begin(&server, "/sizes", 2);
    waiting(&server, 1).await;

    // It is another one after this one.
    server.edit("app.py", &APP.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;
    assert_eq!(ended(new).await, (200, json!(1)));
    let three = [3, 4, 5].map(|n| begin(&server, "/sizes", n));
    for each in three {
        assert_eq!(ended(each).await, (200, json!(3)));
    }
    // The timer of an old batch does not refer to the old code.
    server.edit("z_leak.py", &leak(2));
    let line = server.err.wait_for("is still referenced by").await;
    assert!(line.contains("`z_leak`"), "{line}");
    assert!(!server.err.text().contains("`app`"), "{}", server.err.text());
}

// The reload of another module leaves the workers as they are, and gives them that module.
#[tokio::test]
async fn workers_get_other_modules_without_a_new_start_and_refer_to_no_old_code() {
    let server = project().dev().await;
    let mut console = server.console().await;
    let pids = |status: Value| -> Vec<Value> {
        let handlers = status["pool"]["handlers"].as_array().expect("a list").clone();
        handlers.iter().map(|each| each["workers"][0]["pid"].clone()).collect()
    };
    let before = pids(server.api("workers").await);
    assert_eq!(ended(begin(&server, "/other", 1)).await, (200, json!(1)));

    server.edit("other.py", "VERSION = 2\n");
    server.edit("z_leak.py", &leak(2));
    console.next_of_type("reload.ok").await;

    // No request of the new code has called the other handlers.
    let line = server.err.wait_for("is still referenced by").await;
    assert!(line.contains("`z_leak`"), "{line}");
    assert!(!server.err.text().contains("`other`"), "{}", server.err.text());
    assert_eq!(ended(begin(&server, "/other", 1)).await, (200, json!(2)));
    assert_eq!(pids(server.api("workers").await), before);
}

const WARM: &str = r#"
import _gate
from snaxum import get, keep

VERSION = 1


def load():
    _gate.wait(f"load {VERSION}")
    return VERSION


def model():
    return keep("model", load, version=VERSION)


@get("/", warm_up=model)
def root():
    return {"model": model(), "version": VERSION}
"#;

async fn warm(server: Server, name: &str) -> Server {
    let loading = server.arrival().await;
    assert_eq!(loading.name, name);
    loading.open().await;
    server.ready().await
}

#[tokio::test]
async fn the_old_code_serves_from_its_kept_values_while_the_new_code_warms_up() {
    let project = Project::new().gate().file("app.py", WARM).args(&["--reload-wait", "1ms"]);
    let server = warm(project.spawn("dev"), "load 1").await;
    let mut console = server.console().await;

    server.edit("app.py", &WARM.replace("VERSION = 1", "VERSION = 2"));
    let loading = server.arrival().await;

    assert_eq!(loading.name, "load 2");
    assert_eq!(server.get("/").await.json(), json!({"model": 1, "version": 1}));
    loading.open().await;
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.json(), json!({"model": 2, "version": 2}));
}

#[tokio::test]
async fn a_save_ends_a_warm_up_that_hangs() {
    let project = Project::new().gate().file("app.py", WARM).args(&["--reload-wait", "1ms"]);
    let server = warm(project.spawn("dev"), "load 1").await;
    let mut console = server.console().await;

    server.edit("app.py", &WARM.replace("VERSION = 1", "VERSION = 2"));
    let hanging = server.arrival().await;
    assert_eq!(hanging.name, "load 2");
    server.edit("app.py", &WARM.replace("VERSION = 1", "VERSION = 3"));
    let correct = server.arrival().await;
    assert_eq!(correct.name, "load 3");
    correct.open().await;

    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.json(), json!({"model": 3, "version": 3}));
    drop(hanging);
}

#[tokio::test]
async fn a_save_ends_a_worker_whose_warm_up_hangs() {
    let app = WARM.replace("\"/\", warm_up", "\"/\", workers=1, warm_up");
    let project = Project::new().gate().file("app.py", &app).args(&["--reload-wait", "1ms"]);
    let server = warm(project.spawn("dev"), "load 1").await;
    let app = app.replace("def root():", "def root() -> dict[str, int]:");
    let mut console = server.console().await;
    let before = server.children();

    server.edit("app.py", &app.replace("VERSION = 1", "VERSION = 2"));
    let hanging = server.arrival().await;
    assert_eq!(hanging.name, "load 2");
    let added: Vec<_> =
        server.children().into_iter().filter(|child| !before.contains(child)).collect();
    assert_eq!(added.len(), 1, "{added:?}");
    server.edit("app.py", &app.replace("VERSION = 1", "VERSION = 3"));
    let correct = server.arrival().await;
    assert_eq!(correct.name, "load 3");
    correct.open().await;

    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.json(), json!({"model": 3, "version": 3}));
    for worker in added {
        worker.is_gone().await;
    }
    drop(hanging);
}

#[tokio::test]
async fn a_first_warm_up_that_fails_is_shown_to_requests_and_corrected_by_a_save() {
    let app = |line: &str| {
        format!(
            "from snaxum import get\n\ndef load():\n    {line}\n\n@get('/', warm_up=load)\ndef root():\n    return 'x'\n"
        )
    };
    let project = Project::new().file("app.py", &app("raise OSError('no weights')"));
    let server = project.args(&["--reload-wait", "1h"]).dev().await;

    let failed = server.get("/").await;
    assert_eq!(failed.status, 500, "{}", failed.text());
    assert!(failed.text().contains("OSError"), "{}", failed.text());

    server.edit("app.py", &app("pass"));
    assert_eq!(server.get("/").await.text(), "x");
}
