//! `async def` handlers that use the process pool.

use serde_json::json;

use super::support::{Process, Project, Server, send};

const HANDLERS: &str = r#"
import asyncio, contextvars
import tasks
from concurrent.futures import ProcessPoolExecutor
from snaxum import before_request, route

seen = contextvars.ContextVar("seen", default=0)

@route("/square/<int:n>", use_process_pool=True)
async def square(request, pool):
    future = pool.submit(tasks.square, request.path_params["n"])
    return {"square": await asyncio.wrap_future(future)}

@route("/both")
async def both(n: int, pool: ProcessPoolExecutor):
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*(loop.run_in_executor(pool, tasks.square, x) for x in (n, n + 1)))

@route("/wait", use_process_pool=True)
async def wait(request, pool):
    return {"waited": await asyncio.wrap_future(pool.submit(tasks.wait))}

@route("/leave", use_process_pool=True)
async def leave(request, pool):
    future = pool.submit(tasks.square, 1)
    print("submitted", flush=True)
    try:
        await asyncio.wrap_future(future)
    finally:
        print("cancelled", future.cancelled(), flush=True)

@route("/large", use_process_pool=True)
async def large(request, pool):
    print("submitting", flush=True)
    return await asyncio.wrap_future(pool.submit(tasks.size, b"x" * 4_000_000))

@route("/worker", use_process_pool=True)
async def worker(request, pool):
    return await asyncio.wrap_future(pool.submit(tasks.pid))

@route("/quick")
async def quick(request):
    return "quick"
"#;

const TASKS: &str = r#"
import os
import _gate

def pid():
    return {"pid": os.getpid()}

def size(argument):
    return {"size": len(argument)}

def square(n):
    return n * n

def wait():
    _gate.wait("task")
    return True
"#;

const HOOKS: &str = r#"
@before_request
def sync_hook(request): seen.set(1)

@before_request
async def async_hook(request): seen.set(2)
"#;

async fn server(handlers: &str) -> Server {
    let project = Project::new().gate().file("app.py", handlers).file("tasks.py", TASKS);
    project.args(&["--pool-workers", "2"]).dev().await
}

#[tokio::test]
async fn an_async_handler_awaits_tasks_and_other_handlers_run_meanwhile() {
    for handlers in [HANDLERS.to_owned(), format!("{HANDLERS}{HOOKS}")] {
        let server = server(&handlers).await;
        assert_eq!(server.get("/square/7").await.json(), json!({"square": 49}));
        assert_eq!(server.get("/both?n=3").await.json(), json!([9, 16]));
        let waiting = server.begin("/wait");
        let held = server.arrival().await;
        assert_eq!(server.get("/quick").await.text(), "quick");
        held.open().await;
        assert_eq!(waiting.await.expect("no panic").json(), json!({"waited": true}));
        assert_eq!(server.api("routes").await[0]["mode"], "process pool");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_handler_and_its_tasks() {
    let project = Project::new().gate().file("app.py", HANDLERS).file("tasks.py", TASKS);
    let server = project.args(&["--pool-workers", "1"]).dev().await;
    let first = server.begin("/wait");
    let held = server.arrival().await;
    // Its task waits for the only worker.
    let second = tokio::spawn(send(server.request(reqwest::Method::GET, "/leave")));
    server.out.wait_for("submitted").await;
    second.abort();
    server.out.wait_for("cancelled True").await;
    held.open().await;
    assert_eq!(first.await.expect("no panic").json(), json!({"waited": true}));
}

#[tokio::test]
async fn a_large_argument_for_a_worker_that_does_not_read_delays_no_other_handler() {
    let project = Project::new().gate().file("app.py", HANDLERS).file("tasks.py", TASKS);
    let server = project.args(&["--pool-workers", "1"]).dev().await;
    let pid = server.get("/worker").await.json()["pid"].as_u64().expect("a number");
    let worker = Process::of(u32::try_from(pid).expect("a pid"));
    worker.suspend();

    let large = server.begin("/large");
    server.out.wait_for("submitting").await;
    assert_eq!(server.get("/quick").await.text(), "quick");

    worker.signal(libc::SIGCONT);
    assert_eq!(large.await.expect("no panic").json(), json!({"size": 4_000_000}));
}
