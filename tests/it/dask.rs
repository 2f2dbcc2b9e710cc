//! The pool on dask.distributed: a cluster of separate processes that it joins, and one of its own.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, in_time, send};

const HANDLERS: &str = r#"
import tasks
from snaxum import route

@route("/ident", use_process_pool=True)
def ident(request, pool):
    return pool.submit(tasks.ident).result()

@route("/squares", methods=["POST"], use_process_pool=True)
def squares(request, pool):
    return list(pool.map(tasks.square, request.body))

@route("/versions", use_process_pool=True)
def versions(request, pool):
    return [pool.submit(tasks.wait).result(), pool.submit(tasks.ident).result()["version"]]

@route("/run/<name>", use_process_pool=True)
def run(request, pool):
    return {"result": pool.submit(getattr(tasks, request.path_params["name"])).result()}

@route("/size", use_process_pool=True)
def size(request, pool):
    return pool.submit(len, bytes(20_000_000)).result()

@route("/hello")
def hello(request): return "hello"
"#;

const TASKS: &str = r#"
import os
import pathlib
import signal
import time

VERSION = 1
MARK = pathlib.Path(__file__).parent.parent / "died"

def ident():
    print("ident", VERSION)
    return {"pid": os.getpid(), "version": VERSION}

def square(n):
    return n * n

def fail():
    raise LookupError("nothing in the task")

class Unusual(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")

def fail_unusually():
    raise Unusual("one", "two")

def wait():
    import _gate
    _gate.wait("task")
    import tasks
    return [VERSION, tasks.VERSION]

def spin():
    import _gate
    _gate.wait("begun")
    try:
        while True:
            time.sleep(0.001)
    finally:
        _gate.notify("ended")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def die_once():
    if not MARK.exists():
        MARK.touch()
        die()
    return "alive"
"#;

fn project() -> Project {
    Project::new().packages().gate().file("handlers.py", HANDLERS).file("tasks.py", TASKS)
}

/// A process of Dask's; it ends with its handle.
fn dask(args: &[&str]) -> Server {
    let project = Project::new();
    let mut command = project.command(crate::venv::python().to_str().expect("UTF-8"));
    command.args(args);
    project.spawn_process(command)
}

async fn address(scheduler: &Server) -> String {
    let line = scheduler.err.wait_for("Scheduler at:").await;
    line.rsplit("tcp://").next().expect("an address").trim().to_owned()
}

async fn scheduler(port: &str) -> (Server, String) {
    let at = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"];
    let scheduler = dask(&[&["-m", "distributed.cli.dask_scheduler"], &at[..]].concat());
    let address = address(&scheduler).await;
    (scheduler, address)
}

/// A worker of one thread; its process runs the tasks.
fn begin_worker(address: &str) -> Server {
    let address = format!("tcp://{address}");
    let how = ["--no-nanny", "--nthreads", "1", "--no-dashboard"];
    dask(&[&["-m", "distributed.cli.dask_worker", &address], &how[..]].concat())
}

async fn worker(address: &str) -> Server {
    let worker = begin_worker(address);
    worker.err.wait_for("Registered to:").await;
    worker
}

/// A scheduler and two workers.
async fn cluster() -> (Server, String, [Server; 2]) {
    let (scheduler, address) = scheduler("0").await;
    let workers = [begin_worker(&address), begin_worker(&address)];
    for worker in &workers {
        worker.err.wait_for("Registered to:").await;
    }
    (scheduler, address, workers)
}

fn pid(value: &Value) -> u32 {
    u32::try_from(value.as_u64().expect("a pid")).expect("a pid")
}

fn detail(reply: &Reply) -> String {
    reply.json()["detail"].as_str().expect("a text").to_owned()
}

/// Requests `/ident` until a worker has run it: a cluster may take long to start.
async fn has_pool(server: &Server) -> Reply {
    in_time("a cluster", async {
        loop {
            let reply = server.get("/ident").await;
            if ![503, 504].contains(&reply.status) {
                return reply;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_cluster_runs_the_tasks_of_handlers_on_the_code_of_their_requests() {
    let (_scheduler, address, workers) = cluster().await;
    let pool = format!("dask://{address}");
    let project = project().args(&["--pool", &pool, "--request-timeout", "5"]);
    let server = project.dev().await;
    let mut console = server.console().await;
    let pids: Vec<u32> = workers.iter().map(|worker| worker.pid).collect();

    // Results, exceptions and printed lines are as in the pool of processes.
    let ident = has_pool(&server).await;
    assert!(pids.contains(&pid(&ident.json()["pid"])), "{}", ident.text());
    assert_eq!(server.post("/squares", &json!([1, 2, 3])).await.json(), json!([1, 4, 9]));
    let failed = server.get("/run/fail").await;
    assert_eq!(failed.json()["traceback"]["type"], "LookupError", "{}", failed.text());
    // Neither an exception that cannot be unpickled nor a large argument is special.
    let unusual = server.get("/run/fail_unusually").await;
    assert!(detail(&unusual).contains("Unusual: one and two"), "{}", unusual.text());
    assert_eq!(server.get("/size").await.text(), "20000000");
    assert!(!server.err.text().contains("large graph"), "{}", server.err.text());
    let request = server.api(&format!("requests/{}", ident.header("x-request-id"))).await;
    assert_eq!(request["logs"][0]["line"], "ident 1", "{request:#}");
    assert_eq!(request["pool"]["tasks"], 1, "{request:#}");

    // A request stays on its code, in the worker too, while a save takes effect.
    let old = server.begin("/versions");
    let held = server.arrival().await;
    server.edit("tasks.py", &TASKS.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/ident").await.json()["version"], 2);
    held.open().await;
    assert_eq!(old.await.expect("a response").json(), json!([[1, 1], 1]));
    assert_eq!(server.get("/ident").await.json()["version"], 2);

    // A client that leaves ends its task.
    let leaving = tokio::spawn(send(server.request(Method::GET, "/run/spin")));
    let begun = server.arrival().await;
    begun.open().await;
    leaving.abort();
    assert_eq!(server.arrival().await.name, "ended");

    // A worker that dies costs its own task alone.
    let other = server.begin("/versions");
    let held = server.arrival().await;
    let lost = server.get("/run/die").await;
    assert_eq!(lost.status, 500);
    assert!(detail(&lost).contains("tasks.die"), "{}", lost.text());
    held.open().await;
    assert_eq!(other.await.expect("a response").json(), json!([[2, 2], 2]));
    assert_eq!(server.get("/ident").await.status, 200);

    let status = server.api("status").await["pool"].clone();
    assert_eq!((&status["kind"], &status["size"]), (&json!("dask"), &json!(1)), "{status:#}");
    assert_eq!(status["exits"][0]["task"], "tasks.die", "{status:#}");
    assert_eq!(status["workers"][0]["generation"], 2, "{status:#}");
}

#[tokio::test]
async fn a_task_runs_again_by_option_and_a_lost_scheduler_costs_only_pool_requests() {
    let (scheduler_process, address, workers) = cluster().await;
    let pool = format!("dask://{address}");
    let mut server = project().args(&["--pool", &pool, "--pool-retries", "1"]).serve().await;

    assert_eq!(server.get("/run/die_once").await.json(), json!({"result": "alive"}));

    drop((scheduler_process, workers));
    server.err.wait_for("is lost").await;
    let lost = server.get("/ident").await;
    assert_eq!(lost.status, 503);
    assert!(detail(&lost).contains("Dask scheduler"), "{}", lost.text());
    assert!(!lost.text().contains(&address), "{}", lost.text());
    assert_eq!(server.get("/hello").await.text(), "hello");

    let port = address.rsplit(':').next().expect("a port");
    let (_scheduler, again) = scheduler(port).await;
    assert_eq!(again, address);
    let worker = worker(&address).await;
    let found = has_pool(&server).await;
    assert_eq!(pid(&found.json()["pid"]), worker.pid, "{}", found.text());
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn without_a_scheduler_pool_requests_get_503_with_the_reason() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.expect("a port").port().to_string();
    let pool = format!("dask://127.0.0.1:{port}");
    let mut server = project().args(&["--pool", &pool]).serve().await;

    server.err.wait_for("cannot be reached: Connection refused").await;
    let refused = server.get("/ident").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(detail(&refused).contains("cannot be reached"), "{}", refused.text());
    assert_eq!(server.get("/hello").await.text(), "hello");

    let other = "import distributed.versions as versions\n\
        real = versions.get_package_info\n\
        versions.get_package_info = lambda names: {**real(names), 'distributed': '2020.1.0'}\n\
        from distributed.cli.dask_scheduler import main\n\
        main()";
    let args = ["-c", other, "--host", "127.0.0.1", "--port", &port, "--no-dashboard"];
    let old = dask(&args);
    address(&old).await;
    server.err.wait_for("has distributed 2020.1.0, and the server has").await;
    assert!(detail(&server.get("/ident").await).contains("2020.1.0"));
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn without_the_library_pool_requests_get_503_with_the_way_out() {
    let project = Project::new().file("handlers.py", HANDLERS).file("tasks.py", TASKS);
    let server = project.args(&["--pool", "dask"]).dev().await;

    server.err.wait_for("pip install distributed").await;
    let missing = server.get("/ident").await;
    assert_eq!(missing.status, 503);
    assert!(detail(&missing).contains("pip install distributed"), "{}", missing.text());
    assert_eq!(server.get("/hello").await.text(), "hello");
}

#[tokio::test]
async fn a_local_cluster_begins_and_ends_with_the_server() {
    let mut server = project().args(&["--pool", "dask", "--pool-workers", "1"]).dev().await;

    let before = pid(&has_pool(&server).await.json()["pid"]);
    assert!(server.children().iter().any(|child| child.pid == before));
    let lost = server.get("/run/die").await;
    assert_eq!(lost.status, 500, "{}", lost.text());
    let after = pid(&has_pool(&server).await.json()["pid"]);
    assert_ne!(before, after);

    let children = server.children();
    server.signal_group(libc::SIGINT);
    assert_eq!(server.ended().await.code(), Some(0));
    for child in children {
        child.is_gone().await;
    }
}
