//! Handlers with worker processes of their own, and warm-ups, on the real binary.

use serde_json::{Value, json};

use crate::support::{Project, Server};

const MODEL: &str = r#"
import os

import _gate
import snaxum.worker
from snaxum import keep

VERSION = 1


def load():
    return {"loaded_by": os.getpid()}


def model():
    return keep("model", load)


def warm_up():
    _gate.notify(f"warm {snaxum.worker.device}")
    model()


def predict(n):
    return {
        "n": n,
        "pid": os.getpid(),
        "device": snaxum.worker.device,
        "loaded_by": model()["loaded_by"],
        "version": VERSION,
    }
"#;

const APP: &str = r#"
import os

import _gate
from dataclasses import dataclass

import model
from snaxum import Batch, HTTPError, get, post


@dataclass
class Item:
    n: int


@post("/predict", batch=Batch(max_size=2, max_wait_ms=0), workers=2, warm_up=model.warm_up)
def predict(items: list[Item]) -> list[dict[str, object]]:
    if items[0].n == 7:
        os._exit(7)
    if items[0].n == 8:
        _gate.wait("predict")
    return [HTTPError(404, "no 0") if item.n == 0 else model.predict(item.n) for item in items]


@post("/bad", workers=1)
def bad(item: Item):
    return lambda: item


@post("/own", workers=1, use_process_pool=True, warm_up=model.model)
def own(request, pool):
    return pool.submit(model.predict, request.body["n"]).result()


@get("/here")
def here():
    return {"pid": os.getpid(), "loaded_by": model.model()["loaded_by"]}
"#;

fn project() -> Project {
    Project::new().gate().file("app.py", APP).file("model.py", MODEL)
}

/// Opens the gate for each warm-up of two workers.
async fn warm(server: &Server) {
    for device in 0..2 {
        let arrived = server.arrival().await;
        assert_eq!(arrived.name, format!("warm {device}"));
    }
}

async fn dev(args: &[&str]) -> Server {
    let server = project().args(args).spawn("dev");
    warm(&server).await; // before it is ready
    server.ready().await
}

async fn predict(server: &Server, n: i64) -> Value {
    let reply = server.post("/predict", &json!({"n": n})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn pids(workers: &Value) -> Vec<u64> {
    let of = |pool: &Value| pool["workers"].as_array().expect("a list").clone();
    let handlers = workers["pool"]["handlers"].as_array().cloned().unwrap_or_default();
    let ours = handlers.iter().filter(|each| each["handler"] == "app.predict");
    ours.flat_map(of).map(|worker| worker["pid"].as_u64().expect("a pid")).collect()
}

#[tokio::test]
async fn a_handler_runs_in_workers_with_their_own_model_and_device() {
    let server = dev(&[]).await;
    let status = server.api("workers").await;

    let first = predict(&server, 3).await;

    let workers = pids(&status);
    assert_eq!(workers.len(), 2, "{status}");
    assert!(workers.contains(&first["pid"].as_u64().expect("a pid")), "{first} {workers:?}");
    assert_eq!(first["loaded_by"], first["pid"]);
    assert!([json!(0), json!(1)].contains(&first["device"]), "{first}");
    assert_eq!(first["n"], 3);
    // The server itself has loaded nothing for them.
    let here = server.get("/here").await.json();
    assert_eq!(here["loaded_by"], here["pid"]);

    let missing = server.post("/predict", &json!({"n": 0})).await;
    assert_eq!((missing.status, &missing.json()["detail"]), (404, &json!("no 0")));
    let unsent = server.post("/bad", &json!({"n": 1})).await;
    assert_eq!(unsent.status, 500);
    assert!(unsent.text().contains("a worker cannot send a function"), "{}", unsent.text());
}

#[tokio::test]
async fn workers_are_the_pool_of_a_handler_that_uses_one() {
    let server = dev(&[]).await;

    let first = server.post("/own", &json!({"n": 5})).await.json();

    assert_eq!((&first["n"], &first["device"]), (&json!(5), &json!(0)), "{first}");
    assert_eq!(first["loaded_by"], first["pid"]);
    assert!(!pids(&server.api("workers").await).contains(&first["pid"].as_u64().expect("a pid")));
    assert_eq!(server.post("/own", &json!({"n": 6})).await.json()["pid"], first["pid"]);
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced_with_its_device() {
    let server = dev(&[]).await;
    let before = pids(&server.api("workers").await);

    let lost = server.post("/predict", &json!({"n": 7})).await;

    assert_eq!(lost.status, 500);
    assert!(lost.text().contains("died"), "{}", lost.text());
    let again = server.arrival().await;
    assert!(["warm 0", "warm 1"].contains(&&*again.name), "{}", again.name);
    let device: u64 = again.name[5..].parse().expect("a number");
    drop(again);
    // Both are needed now: one waits at the gate.
    let held = tokio::spawn(crate::support::send(
        server.request(reqwest::Method::POST, "/predict").json(&json!({"n": 8})),
    ));
    let at_gate = server.arrival().await;
    assert_eq!(at_gate.name, "predict");
    let other = predict(&server, 1).await;
    at_gate.open().await;
    let held = held.await.expect("a reply").json();
    let replaced = if other["device"] == device { &other } else { &held };
    assert_eq!(replaced["device"], device);
    assert!(!before.contains(&replaced["pid"].as_u64().expect("a pid")), "{replaced} {before:?}");
}

#[tokio::test]
async fn a_reload_swaps_the_workers_once_they_are_warm() {
    let slow = MODEL.replace("_gate.notify(f\"warm {", "_gate.wait(f\"slow {");
    let server = dev(&["--reload-wait", "1ms"]).await;
    let mut console = server.console().await;
    let before = pids(&server.api("workers").await);

    server.edit("model.py", &slow.replace("VERSION = 1", "VERSION = 2"));
    let first = server.arrival().await;
    assert_eq!(first.name, "slow 0");
    // The old workers serve until the new ones are warm, one after the other.
    let old = predict(&server, 1).await;
    assert_eq!(old["version"], 1);
    assert!(before.contains(&old["pid"].as_u64().expect("a pid")));
    first.open().await;
    let second = server.arrival().await;
    assert_eq!(second.name, "slow 1");
    assert_eq!(predict(&server, 1).await["version"], 1);
    second.open().await;
    console.next_of_type("reload.ok").await;

    let new = predict(&server, 1).await;
    assert_eq!(new["version"], 2);
    assert_eq!(new["loaded_by"], new["pid"]);
    assert!(!before.contains(&new["pid"].as_u64().expect("a pid")));
    let running = |pid: &u64| server.children().iter().any(|child| u64::from(child.pid) == *pid);
    while before.iter().any(running) {
        tokio::task::yield_now().await; // they end once the old code has
    }
}

#[tokio::test]
async fn a_warm_up_that_fails_rejects_the_save() {
    let server = dev(&["--reload-wait", "1h"]).await;
    let mut console = server.console().await;
    let before = pids(&server.api("workers").await);

    server.edit(
        "model.py",
        &MODEL.replace(
            "    model()\n\n\ndef predict",
            "    raise OSError('no weights')\n\n\ndef predict",
        ),
    );
    assert_eq!(server.arrival().await.name, "warm 0");
    let failed = console.next_of_type("reload.fail").await;

    let text = failed.to_string();
    assert!(text.contains("OSError") && text.contains("no weights"), "{text}");
    let old = predict(&server, 1).await;
    assert!(before.contains(&old["pid"].as_u64().expect("a pid")));
    assert_eq!(pids(&server.api("workers").await), before);

    // The next save replaces them.
    server.edit("model.py", &MODEL.replace("VERSION = 1", "VERSION = 3"));
    warm(&server).await;
    console.next_of_type("reload.ok").await;
    assert_eq!(predict(&server, 1).await["version"], 3);
}

#[tokio::test]
async fn no_worker_of_a_handler_outlives_a_clean_stop() {
    let mut server = dev(&[]).await;
    assert_eq!(predict(&server, 2).await["n"], 2);
    let children = server.children();

    assert_eq!(server.stop().await.code(), Some(0));

    assert!(children.len() >= 3, "{children:?}");
    for child in children {
        assert!(!child.is_alive(), "{child:?} is left");
    }
}

const WARM: &str = r#"
import _gate
from snaxum import get, keep

CALLS = []


def model():
    return keep("model", lambda: _gate.wait("load") or "model 1")


async def warm_loop():
    CALLS.append("loop")


@get("/", warm_up=model)
def root():
    return {"model": model(), "calls": CALLS}


@get("/loop", warm_up=warm_loop)
async def loop():
    return model()
"#;

#[tokio::test]
async fn a_warm_up_in_the_server_runs_before_it_is_ready_and_keeps_its_value() {
    let server =
        Project::new().gate().file("app.py", WARM).args(&["--reload-wait", "1h"]).spawn("dev");
    let loading = server.arrival().await;
    assert_eq!(loading.name, "load");
    assert!(server.announcement().is_none());
    loading.open().await;
    let server = server.ready().await;
    let mut console = server.console().await;

    // Nothing loads again: it would wait at the gate.
    assert_eq!(server.get("/").await.json(), json!({"model": "model 1", "calls": ["loop"]}));
    assert_eq!(server.get("/loop").await.text(), "model 1");

    server.edit(
        "app.py",
        &WARM.replace("CALLS.append", "raise OSError").replace("model 1", "model 2"),
    );
    server.arrival().await.open().await;
    let failed = console.next_of_type("reload.fail").await;
    assert!(failed.to_string().contains("OSError"), "{failed}");
    assert_eq!(server.get("/loop").await.text(), "model 1");

    server.edit("app.py", &WARM.replace("model 1", "model 3"));
    server.arrival().await.open().await;
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/loop").await.text(), "model 3");
}

#[tokio::test]
async fn a_start_whose_warm_up_fails_reports_the_reason() {
    let app = "from snaxum import get\n\ndef load():\n    raise OSError('no weights')\n\n@get('/', warm_up=load)\ndef root():\n    return 'x'\n";
    let mut server = Project::new().file("app.py", app).spawn("serve");

    server.err.wait_for("no weights").await;
    assert_eq!(server.ended().await.code(), Some(1));

    // Listing the routes warms nothing up.
    let listed = Project::new().file("app.py", app).snaxum(&["routes"]).await;
    assert_eq!((listed.code, listed.stdout.contains("app.root")), (Some(0), true), "{listed:?}");
}
