//! The limits of batches and workers: sizes, times, clients that leave, workers that die, processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
import os
from dataclasses import dataclass

import _gate
import snaxum.worker
from snaxum import Batch, Blueprint, after_request, errorhandler, post, process

shop = Blueprint("shop", prefix="/shop")
ONE = Batch(max_size=1, max_wait_ms=0)


@dataclass
class Item:
    n: int


@shop.errorhandler(LookupError)
def missing(request, error):
    return {"missing": str(error)}, 404


@shop.after_request
def mark(request, response):
    response.headers["x-shop"] = "yes"


@shop.post("/prices", batch=Batch(max_size=2, max_wait_ms=3_600_000))
def prices(items: list[Item]) -> list[int | LookupError]:
    return [item.n or LookupError("no 0") for item in items]


@shop.post("/whole", batch=Batch(max_size=2, max_wait_ms=3_600_000))
async def whole(items: list[Item]) -> list[int]:
    raise LookupError(f"no {len(items)}")


@post("/one", batch=ONE)
def one(items: list[Item]) -> list[int]:
    return [len(items)]


@post("/held", batch=Batch(max_size=2, max_wait_ms=0))
def held(items: list[Item]) -> list[list[int]]:
    _gate.wait(" ".join(str(item.n) for item in items))
    return [[item.n for item in items] for _ in items]


@post("/held-loop", batch=Batch(max_size=2, max_wait_ms=0))
async def held_loop(items: list[Item]) -> list[int]:
    try:
        await _gate.wait_async(" ".join(str(item.n) for item in items))
    finally:
        _gate.notify("ended")
    return [item.n for item in items]


@post("/worker", batch=Batch(max_size=2, max_wait_ms=0), workers=1)
def worker(items: list[Item]) -> list[dict[str, object]]:
    if any(item.n < 0 for item in items):
        _gate.wait("dies")
        os._exit(3)
    if items[0].n == 1:
        _gate.wait("worker")
    place = {"pid": os.getpid(), "device": snaxum.worker.device, "size": len(items)}
    return [place for _ in items]


@post("/server")
def server():
    return {"number": process.number, "pid": os.getpid()}
"#;

fn project() -> Project {
    Project::new().gate().file("app.py", APP)
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
async fn routes_of_a_blueprint_have_batches_with_its_hooks_and_error_handlers() {
    let server = project().serve().await;

    let both = [begin(&server, "/shop/prices", 0), begin(&server, "/shop/prices", 5)];
    let replies = join_all(both).await.into_iter().map(|reply| reply.expect("a reply"));
    let replies: Vec<_> = replies.collect();
    assert_eq!((replies[0].status, replies[0].json()), (404, json!({"missing": "no 0"})));
    assert_eq!((replies[1].status, replies[1].json()), (200, json!(5)));
    assert!(replies.iter().all(|reply| reply.header("x-shop") == "yes"));

    // An exception of the whole batch is that of each request.
    for each in [begin(&server, "/shop/whole", 1), begin(&server, "/shop/whole", 2)] {
        assert_eq!(ended(each).await, (404, json!({"missing": "no 2"})));
    }
}

#[tokio::test]
async fn a_batch_of_one_is_a_list_of_one() {
    let server = project().serve().await;
    let all: Vec<_> = (0..8).map(|n| begin(&server, "/one", n)).collect();
    for each in all {
        assert_eq!(ended(each).await, (200, json!(1)));
    }
}

#[tokio::test]
async fn a_request_whose_time_is_over_leaves_its_batch_alone() {
    let server = project().args(&["--request-timeout", "1"]).dev().await;
    let first = begin(&server, "/held", 1);
    let running = server.arrival().await;
    let waits = begin(&server, "/held", 2);
    waiting(&server, 2).await;

    // Both are over; the second one is in no batch yet, and never will be.
    assert_eq!(ended(first).await.0, 504);
    assert_eq!(ended(waits).await.0, 504);
    waiting(&server, 0).await;
    let next = begin(&server, "/held", 3);
    waiting(&server, 1).await; // the loop has dropped both before
    running.open().await;
    let after = server.arrival().await;
    assert_eq!(after.name, "3");
    after.open().await;
    assert_eq!(ended(next).await, (200, json!([3])));
}

#[tokio::test]
async fn a_batch_that_no_client_waits_for_is_cancelled_and_the_next_one_begins() {
    let server = project().dev().await;
    let two = [begin(&server, "/held-loop", 1), begin(&server, "/held-loop", 2)];
    let first = server.arrival().await;
    waiting(&server, 2).await;
    let numbers = first.name.clone();
    let (alone, other) = if numbers == "1" { (0, 1) } else { (1, 0) };
    let [a, b] = two;
    let mut requests = [Some(a), Some(b)];

    requests[alone].take().expect("a request").abort();

    // Its task gets a `CancelledError`; the other request begins without the first one.
    assert_eq!(server.arrival().await.name, "ended");
    let second = server.arrival().await;
    assert_ne!(second.name, numbers);
    second.open().await;
    assert_eq!(server.arrival().await.name, "ended");
    let n = i64::try_from(other).expect("a number") + 1;
    assert_eq!(ended(requests[other].take().expect("a request")).await, (200, json!(n)));
    drop(first);
}

#[tokio::test]
async fn a_worker_that_dies_in_a_batch_fails_the_requests_of_that_batch_only() {
    let server = project().dev().await;
    let first = begin(&server, "/worker", 1);
    let held = server.arrival().await;
    assert_eq!(held.name, "worker");
    let pair = [begin(&server, "/worker", -1), begin(&server, "/worker", -2)];
    waiting(&server, 3).await;
    held.open().await;
    let (status, before) = ended(first).await;
    assert_eq!((status, &before["device"]), (200, &json!(0)));

    let dying = server.arrival().await;
    assert_eq!(dying.name, "dies");
    let waits = begin(&server, "/worker", 2);
    waiting(&server, 3).await;
    dying.open().await;

    for each in pair {
        let (status, problem) = ended(each).await;
        assert_eq!(status, 500, "{problem}");
        assert!(problem.to_string().contains("the pool worker that ran app.worker died"));
    }
    let (status, after) = ended(waits).await;
    assert_eq!((status, &after["device"], &after["size"]), (200, &json!(0), &json!(1)));
    assert_ne!(before["pid"], after["pid"]);
}

/// Sends a POST on a connection of its own, so that any process may accept it.
async fn from_any_process(server: &Server, path: &str, body: &str) -> Value {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = server.raw(&request).await;
    let (_, body) = reply.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

fn parent_of(pid: &Value) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit_once(')').expect("a name").1;
    fields.split_whitespace().nth(1).expect("a parent").parse().expect("a pid")
}

#[tokio::test]
async fn each_process_has_workers_of_its_own_also_after_a_preload() {
    for args in [&["--processes", "2"][..], &["--processes", "2", "--preload"]] {
        let server = project().args(args).serve().await;

        let (mut processes, mut parents) = (BTreeMap::new(), BTreeSet::new());
        while processes.len() < 2 || parents.len() < 2 {
            let place = from_any_process(&server, "/server", "").await;
            let pid = place["pid"].as_u64().expect("a pid");
            processes.insert(place["number"].as_u64().expect("a number"), pid);
            let worker = from_any_process(&server, "/worker", r#"{"n":5}"#).await;
            assert_eq!(worker["device"], 0, "{worker}");
            parents.insert(parent_of(&worker["pid"]));
        }

        assert_eq!(parents, processes.into_values().collect(), "{args:?}");
    }
}

#[tokio::test]
async fn a_websocket_has_no_batch() {
    let app = "from snaxum import Batch, websocket\n\n@websocket('/f', batch=Batch())\nasync def f(ws): ...\n";
    let checked = Project::new().file("app.py", app).snaxum(&["check"]).await;

    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert_eq!(checked.code, Some(1), "{told}");
    assert!(
        told.contains("there is no `batch` here; a WebSocket has a call")
            && told.contains("app.py"),
        "{told}"
    );
}
