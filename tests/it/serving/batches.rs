//! Handlers that take many requests in one call, on the real binary.
//!
//! A batch is full, or waits at the gate: no test waits for the time limit of one.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Reply, Server, send};

const HANDLERS: &str = r#"
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass

import _gate
import tasks
from snaxum import Batch, HTTPError, Request, after_request, before_request, errorhandler, post, route

FULL = Batch(max_size=3, max_wait_ms=3_600_000)
user = ContextVar("user", default="nobody")


@dataclass
class Item:
    n: int


class Odd(Exception):
    pass


@before_request
def sign_in(request):
    user.set(request.headers.get("x-user", "?"))


@after_request
def name_user(request, response):
    response.headers["x-user-after"] = user.get()


@errorhandler(Odd)
def explain(request, error):
    return {"odd": str(error)}, 409


def results(items: list[Item]) -> list[object]:
    return [{"n": item.n, "size": len(items), "user": user.get()} for item in items]


@post("/def", batch=FULL)
def in_thread(items: list[Item]) -> list[object]:
    return results(items)


@post("/async", batch=FULL)
async def on_loop(items: list[Item]) -> list[object]:
    return results(items)


@post("/pool", batch=FULL, use_process_pool=True)
def in_pool(items: list[Item], pool: ProcessPoolExecutor) -> list[object]:
    squares = pool.map(tasks.square, [item.n for item in items])
    return [{**each, "square": square} for each, square in zip(results(items), squares)]


@route("/path/<int:n>", batch=FULL)
def from_path(n: list[int], q: list[str], requests: list[Request]):
    return [f"{a} {b} {each.path}" for a, b, each in zip(n, q, requests)]


@dataclass
class Receipt:
    n: int


@dataclass
class Secret(Receipt):
    key: str


@post("/mixed", batch=FULL, status=201)
def mixed(items: list[Item]) -> list[Receipt | Exception]:
    return [
        HTTPError(404, f"no {item.n}") if item.n == 0 else Odd(item.n) if item.n % 2 else Secret(item.n, "k")
        for item in items
    ]


@post("/raises", batch=FULL)
def raises(items: list[Item]) -> list[object]:
    raise LookupError(f"no model for {len(items)}")


@post("/short", batch=FULL)
def short(items: list[Item]) -> list[object]:
    return [1, 2]


@post("/no-list", batch=FULL)
def no_list(items: list[Item]):
    return {"n": 1}


@post("/held", batch=Batch(max_size=2, max_wait_ms=0))
def held(items: list[Item]) -> list[object]:
    _gate.wait(" ".join(str(item.n) for item in items))
    return results(items)
"#;

const TASKS: &str = "def square(n):\n    return n * n\n";

fn project() -> Project {
    Project::new().gate().file("app.py", HANDLERS).file("tasks.py", TASKS)
}

async fn server() -> Server {
    project().args(&["--pool-workers", "1"]).dev().await
}

/// Sends `{"n": …}` for each number at once.
async fn batch(server: &Server, path: &str, numbers: [i64; 3]) -> Vec<Reply> {
    join_all(numbers.map(|n| {
        let request = server.request(Method::POST, path).json(&json!({"n": n}));
        send(request.header("x-user", format!("user-{n}")))
    }))
    .await
}

/// Sends one in a task of its own.
fn begin(server: &Server, path: &str, n: i64) -> tokio::task::JoinHandle<Reply> {
    tokio::spawn(send(server.request(Method::POST, path).json(&json!({"n": n}))))
}

/// Waits until so many requests wait on the loop.
async fn waiting(server: &Server, count: u64) {
    while server.api("workers").await["loop"]["count"] != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn concurrent_requests_become_one_call_and_each_gets_its_result() {
    let server = server().await;

    for path in ["/def", "/async", "/pool"] {
        let replies = batch(&server, path, [5, 6, 7]).await;

        for (n, reply) in [5, 6, 7].into_iter().zip(&replies) {
            let body = reply.json();
            assert_eq!((&body["n"], &body["size"]), (&json!(n), &json!(3)), "{path}: {body}");
            if path == "/pool" {
                assert_eq!(body["square"], n * n);
            }
            // The call has a context of its own, and so has each request.
            assert_eq!(body["user"], "nobody", "{path}");
            assert_eq!(reply.header("x-user-after"), format!("user-{n}"), "{path}");
        }
    }
}

#[tokio::test]
async fn each_parameter_is_a_list_of_its_values() {
    let server = server().await;

    let replies = join_all((0..3).map(|n| {
        let server = &server;
        async move { server.get(&format!("/path/{n}?q=q{n}")).await }
    }))
    .await;

    let texts: Vec<_> = replies.iter().map(Reply::text).collect();
    assert_eq!(texts, ["0 q0 /path/0", "1 q1 /path/1", "2 q2 /path/2"]);
    assert_eq!(server.get("/path/1").await.status, 422); // it would wait for others
}

#[tokio::test]
async fn a_bad_item_fails_alone() {
    let server = server().await;

    // Validation comes before the batch: with this one it would be full.
    let first = begin(&server, "/def", 1);
    waiting(&server, 1).await;
    let invalid = server.post("/def", &json!({"n": "text"})).await;
    assert_eq!(invalid.status, 422);
    assert_eq!(invalid.json()["errors"][0]["loc"], json!(["n"]));
    let rest = [begin(&server, "/def", 2), begin(&server, "/def", 3)];
    assert_eq!(first.await.expect("a reply").json()["size"], 3);
    for each in rest {
        assert_eq!(each.await.expect("a reply").status, 200);
    }

    // An exception in the list is the error of its request; the model and the status of the route apply
    // to each result.
    let replies = batch(&server, "/mixed", [0, 1, 2]).await;
    let seen: Vec<_> = replies.iter().map(|reply| (reply.status, reply.json())).collect();
    assert_eq!((seen[0].0, &seen[0].1["detail"]), (404, &json!("no 0")));
    assert_eq!(seen[1], (409, json!({"odd": "1"})));
    assert_eq!(seen[2], (201, json!({"n": 2})));
    assert_eq!(replies[1].header("x-user-after"), "user-1");
}

#[tokio::test]
async fn a_failed_call_is_an_error_of_each_of_its_requests() {
    let server = server().await;
    let line = |text: &str| HANDLERS.lines().position(|line| line == text).expect("a line") + 1;

    for (path, kind, message, place) in [
        ("/raises", "LookupError", "no model for 3".to_owned(), 0),
        (
            "/short",
            "BatchError",
            "`app.short` returned 2 results for a batch of 3; return one for each request"
                .to_owned(),
            line(r#"@post("/short", batch=FULL)"#),
        ),
        (
            "/no-list",
            "BatchError",
            "`app.no_list` returned a dict for a batch of 3; return a list".to_owned(),
            line(r#"@post("/no-list", batch=FULL)"#),
        ),
    ] {
        for reply in batch(&server, path, [1, 2, 3]).await {
            let body = reply.json();
            assert_eq!(reply.status, 500, "{body}");
            let detail = body["detail"].as_str().expect("a text");
            assert!(detail.contains(kind) && detail.contains(&message), "{path}: {body}");
            assert!(place == 0 || detail.contains(&format!("app.py:{place}")), "{path}: {body}");
        }
    }
    assert_eq!(batch(&server, "/def", [1, 2, 3]).await[0].status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_item_out() {
    let server = server().await;
    let stays = begin(&server, "/def", 1);
    waiting(&server, 1).await;
    let leaves = begin(&server, "/def", 2);
    waiting(&server, 2).await;

    leaves.abort();
    waiting(&server, 1).await;
    let others = [begin(&server, "/def", 3), begin(&server, "/def", 4)];

    // The request that has left is not in it.
    assert_eq!(stays.await.expect("a reply").json()["size"], 3);
    for other in others {
        assert_eq!(other.await.expect("a reply").status, 200);
    }
}

#[tokio::test]
async fn requests_collect_while_a_batch_runs() {
    let server = server().await;
    let first = begin(&server, "/held", 1);
    let running = server.arrival().await;
    assert_eq!(running.name, "1");

    let others: Vec<_> = (2..10).map(|n| begin(&server, "/held", n)).collect();
    waiting(&server, 9).await;
    running.open().await;

    assert_eq!(first.await.expect("a reply").json()["size"], 1);
    // Their hooks run in threads, so the last ones may be a little later than the first batch.
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < others.len() {
        let batch = server.arrival().await;
        sizes.push(batch.name.split(' ').count());
        batch.open().await;
    }
    assert_eq!(sizes.iter().max(), Some(&2), "{sizes:?}");
    for other in others {
        assert_eq!(other.await.expect("a reply").status, 200);
    }
}

#[tokio::test]
async fn a_batch_runs_on_the_code_of_its_requests() {
    let server = project().args(&["--reload-wait", "1h"]).dev().await;
    let mut console = server.console().await;
    let old = begin(&server, "/def", 1);
    waiting(&server, 1).await;

    server.edit("app.py", &HANDLERS.replace(r#""size": len(items)"#, r#""size": "new""#));
    console.next_of_type("reload.ok").await;
    let new = batch(&server, "/def", [2, 3, 4]).await;

    // They are three, so the old one is not among them.
    assert!(new.iter().all(|reply| reply.json()["size"] == "new"));
    old.abort();
    waiting(&server, 0).await;
}

#[tokio::test]
async fn one_request_does_not_wait_longer_than_the_limit_and_serve_batches_too() {
    let app = HANDLERS.replace("max_wait_ms=3_600_000", "max_wait_ms=1");
    let server = project().file("app.py", &app).serve().await;

    let alone = server.post("/def", &json!({"n": 1})).await;
    assert_eq!((alone.status, &alone.json()["size"]), (200, &json!(1)));
    let failed = server.post("/short", &json!({"n": 1})).await;
    assert_eq!(failed.status, 500);
    server.err.wait_for("`app.short` returned 2 results for a batch of 1").await;
}

#[tokio::test]
async fn a_handler_that_cannot_take_a_batch_is_refused_with_its_place() {
    let cases: [(&str, &str); 6] = [
        ("batch=Batch())\ndef f(item: dict): ...", "write `item: list[dict]`"),
        ("batch=Batch())\ndef f(items: list[dict]) -> dict: ...", "write `-> list[dict]`"),
        ("batch=Batch())\ndef f(items: list[dict]):\n    yield 1", "a batch handler has a `yield`"),
        ("batch=32)\ndef f(items: list[dict]): ...", "write `batch=Batch(max_size=32)`"),
        ("workers=1)\ndef f(request): ...", "cannot go to the process of a worker"),
        ("workers=1)\nasync def f(item: dict): ...", "make it a `def`"),
    ];
    for (text, reason) in cases {
        let app = format!("from snaxum import Batch, post\n\n@post('/f', {text}\n");
        let checked = Project::new().file("app.py", &app).snaxum(&["check"]).await;

        let told = format!("{}{}", checked.stdout, checked.stderr);
        assert_eq!(checked.code, Some(1), "{text}: {told}");
        assert!(told.contains(reason) && told.contains("app.py:3"), "{text}: {told}");
    }
}

#[tokio::test]
async fn the_list_of_routes_shows_batches_and_workers() {
    let app = "from snaxum import Batch, post\n\n@post('/f', batch=Batch(8), workers=2)\ndef f(items: list[dict]) -> list[int]:\n    return [1 for _ in items]\n";
    let project = Project::new().file("app.py", app);

    let table = project.snaxum(&["routes"]).await.stdout;
    assert!(table.contains("workers: 2, batch of 8"), "{table}");
    let rows: Value =
        serde_json::from_str(&project.snaxum(&["routes", "--format", "json"]).await.stdout)
            .expect("JSON");
    assert_eq!(rows[0]["batch"], json!({"max_size": 8, "max_wait_ms": 5.0}));
    assert_eq!((&rows[0]["workers"], &rows[0]["mode"]), (&json!(2), &json!("workers")));
}
