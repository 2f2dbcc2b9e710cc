//! Why a request waited: the requests that blocked its thread, and its own CPU time.

use serde_json::{Value, json};

use super::support::{Project, Server, in_time};

const TASKS: &str = "\
import _gate

def hold():
    _gate.wait('held')
";

const APP: &str = r#"import time
import _gate, tasks
from snaxum import route

@route("/hold")
def hold(request):
    _gate.wait("held")
    return "held"

@route("/block/<name>")
async def block(request):
    _gate.wait("held")  # blocks the whole loop
    return "held"

@route("/steps")
async def steps(request):
    try:
        await _gate.wait_async("first")
        await _gate.wait_async("second")
        raise ValueError("as expected")
    except ValueError as error:
        return str(error)

@route("/quick/<name>")
def quick(request):
    return "quick"

@route("/later")
async def later(request):
    return "later"

@route("/work", use_process_pool=True)
def work(request, pool):
    futures = [pool.submit(tasks.hold) for _ in range(2)]
    return str([future.result() for future in futures])

KEPT = []

@route("/kept")
def kept(request):
    KEPT.append(request)
    return "kept"

@route("/compute")
def compute(request):
    began = time.thread_time()
    while time.thread_time() - began < 0.05:
        pass
    return "computed"
"#;

/// Long enough to be attributed to a blocker.
const LONG_MS: f64 = 20.0;

async fn app() -> Server {
    let project = Project::new().gate().file("tasks.py", TASKS).file("app.py", APP);
    project.args(&["--dispatch-workers", "1", "--pool-workers", "1"]).dev().await
}

/// Waits until a request of that path has waited for [`LONG_MS`].
async fn waits(server: &Server, list: &str, path: &str) {
    in_time("a request to wait", async {
        loop {
            let workers = server.api("workers").await;
            let requests = workers[list]["requests"].as_array().cloned().unwrap_or_default();
            let waits = |request: &Value| {
                request["path"] == path && request["age_ms"].as_f64() > Some(LONG_MS)
            };
            if requests.iter().any(waits) {
                return;
            }
        }
    })
    .await;
}

async fn shown(server: &Server, path: &str) -> Value {
    let requests = server.api("requests").await;
    let found = requests.as_array().expect("a list").iter().find(|each| each["path"] == path);
    found.expect("it has ended").clone()
}

#[tokio::test]
async fn a_request_that_waits_for_a_thread_names_its_blocker() {
    let server = app().await;
    let hold = server.begin("/hold");
    let held = server.arrival().await;
    let first = server.begin("/quick/first");
    waits(&server, "queue", "/quick/first").await;
    held.open().await;
    for request in [hold, first] {
        assert_eq!(request.await.expect("no panic").status, 200);
    }

    let (hold, first) = (shown(&server, "/hold").await, shown(&server, "/quick/first").await);
    let holder = &first["blocked_by"][0];
    assert_eq!(
        (&holder["id"], &holder["method"], &holder["path"]),
        (&hold["id"], &json!("GET"), &json!("/hold"))
    );
    let (waited, by) = (first["phases"]["queue"].as_f64(), holder["ms"].as_f64());
    assert!(waited > Some(LONG_MS) && by > Some(0.9 * LONG_MS) && by <= waited, "{first}");
    assert_eq!(hold["blocked_by"], json!([]));

    server.get("/quick/second").await;
    assert_eq!(shown(&server, "/quick/second").await["blocked_by"], json!([]));
}

#[tokio::test]
async fn a_request_that_waits_for_the_loop_names_its_blocker() {
    let server = app().await;
    let block = server.begin("/block/long");
    let held = server.arrival().await;
    let later = server.begin("/later");
    // It is in no queue any more, and on the loop only when that gets to it.
    in_time("a slow request", async {
        let mut console = metrics(&server).await;
        loop {
            let message = console.next().await;
            let slow = message["metrics"]["running"].as_array().cloned().unwrap_or_default();
            if slow.iter().any(|each| each["path"] == "/later") {
                return;
            }
        }
    })
    .await;
    held.open().await;
    for request in [block, later] {
        assert_eq!(request.await.expect("no panic").status, 200);
    }

    let later = shown(&server, "/later").await;
    assert_eq!(later["blocked_by"][0]["path"], "/block/long", "{later}");
    assert!(later["phases"]["queue"].as_f64() > Some(LONG_MS), "{later}");
}

#[tokio::test]
async fn a_coroutine_waits_and_raises_as_it_would_unobserved() {
    let server = app().await;
    let steps = server.begin("/steps");
    server.arrival().await.open().await;
    server.arrival().await.open().await;
    assert_eq!(steps.await.expect("no panic").text(), "as expected");
}

#[tokio::test]
async fn cpu_time_is_distinguished_from_waiting() {
    let server = app().await;
    let hold = server.begin("/hold");
    let held = server.arrival().await;
    let next = server.begin("/quick/next");
    waits(&server, "queue", "/quick/next").await;
    held.open().await;
    hold.await.expect("no panic");
    next.await.expect("no panic");
    server.get("/compute").await;

    let hold = shown(&server, "/hold").await;
    let (computed, py) = (hold["py_cpu_ms"].as_f64(), hold["phases"]["py"].as_f64());
    assert!(computed.is_some() && computed.map(|ms| ms * 2.0) < py, "{hold}");
    let compute = shown(&server, "/compute").await;
    assert!(compute["py_cpu_ms"].as_f64() >= Some(50.0), "{compute}");
    let next = shown(&server, "/quick/next").await;
    assert_eq!(next["py_cpu_ms"], Value::Null);

    for request in [hold, compute, next] {
        let phases = request["phases"].as_object().expect("an object");
        let sum: f64 = phases.values().filter_map(Value::as_f64).sum();
        let total = request["total_ms"].as_f64().expect("a number");
        assert!((sum - total).abs() <= total / 100.0, "the phases add up: {request}");
    }
}

#[tokio::test]
async fn the_pool_time_of_a_request_is_reported() {
    let server = app().await;
    let work = server.begin("/work");
    let first = server.arrival().await;
    let mut since = None;
    in_time("the second task to wait", async {
        loop {
            let pool = server.api("workers").await["pool"].take();
            let at = pool["workers"][0]["task_ms"].as_f64().expect("it is at the first task");
            if pool["waiting"] == 1 && at > *since.get_or_insert(at) + LONG_MS {
                return;
            }
        }
    })
    .await;
    first.open().await;
    server.arrival().await.open().await;
    assert_eq!(work.await.expect("no panic").status, 200);
    server.get("/quick/name").await;

    let request = shown(&server, "/work").await;
    let pool = &request["pool"];
    assert_eq!(pool["tasks"], 2);
    // There is one worker: the second task waited for as long as the first one ran.
    assert!(pool["run_ms"].as_f64() > Some(LONG_MS), "{request}");
    assert!(pool["wait_ms"].as_f64() > Some(LONG_MS), "{request}");
    assert!(request["phases"]["py"].as_f64() >= pool["run_ms"].as_f64(), "{request}");
    assert_eq!(shown(&server, "/quick/name").await["pool"], Value::Null);
}

async fn metrics(server: &Server) -> super::support::Console {
    let bearer = format!("Bearer {}", server.token);
    let connected =
        server.connect_to("/__snaxum/ws?metrics=1", &[("authorization", &bearer)]).await;
    connected.expect("it is let in")
}

#[tokio::test]
async fn metrics_are_sent_each_second_on_request() {
    let server = app().await;
    let mut console = metrics(&server).await;
    let mut last = 0;
    let mut next = async |what: &str, is_it: fn(&Value) -> bool| {
        in_time(what, async {
            loop {
                let message = console.next().await;
                // A client that resumes after it misses nothing.
                let seq = message["seq"].as_u64().expect("a number");
                assert!(std::mem::replace(&mut last, seq) <= seq, "{message}");
                if message["type"] == "metrics" && is_it(&message["metrics"]) {
                    return message["metrics"].clone();
                }
            }
        })
        .await
    };
    let idle = next("the first numbers", |_| true).await;
    assert_eq!(
        (&idle["queued"], &idle["busy"], &idle["dispatch_workers"], &idle["slow"]),
        (&json!(0), &json!(0), &json!(1), &json!(0))
    );
    assert_eq!((&idle["p50_ms"], &idle["running"]), (&Value::Null, &json!([])));

    let hold = server.begin("/hold");
    let held = server.arrival().await;
    let waiting = server.begin("/quick/name");
    let busy = next("two slow requests", |metrics| metrics["slow"] == 2).await;
    assert_eq!((&busy["queued"], &busy["busy"]), (&json!(1), &json!(1)));
    let paths: Vec<_> =
        busy["running"].as_array().expect("a list").iter().map(|each| &each["path"]).collect();
    assert_eq!(paths, ["/hold", "/quick/name"]);
    held.open().await;
    hold.await.expect("no panic");
    waiting.await.expect("no panic");

    // A request with a response has ended, whatever its handler stores.
    server.get("/kept").await;
    for what in ["the numbers of this second", "and of the next"] {
        let metrics = next(what, |_| true).await;
        assert_eq!(metrics["slow"], 0, "{metrics}");
    }
    server.get("/quick/name").await;
    let after = next("the rate", |metrics| metrics["requests_per_s"].as_f64() > Some(0.0)).await;
    assert!(after["p99_ms"].as_f64() >= after["p50_ms"].as_f64(), "{after}");
    assert!(after["p50_ms"].as_f64() > Some(0.0), "{after}");
}
