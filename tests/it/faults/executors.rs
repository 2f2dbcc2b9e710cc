//! Executors and processes of the user's own: their functions are found, and new after a save.

use serde_json::json;
use snaxum::build_info::BUILD_PYTHON;

use super::super::support::{Project, Server, in_time};

const WORK: &str = "\
VERSION = 1

def version(_=None):
    return VERSION

def held(_=None):
    import _gate
    _gate.wait('held')
    return VERSION

def put(queue):
    queue.put(VERSION)
";

/// Functions in a module that imports the framework, and in one that does not.
const APP: &str = r#"
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

import work
from snaxum import route

def twice(number):
    return number * 2

def put_twice(queue):
    queue.put(twice(work.VERSION))

@route("/executor/<method>")
def executor(request):
    context = mp.get_context(request.path_params["method"])
    with ProcessPoolExecutor(1, mp_context=context) as own:
        return [own.submit(work.version).result(20), own.submit(twice, work.VERSION).result(20)]

@route("/pool/<method>")
def pool(request):
    with mp.get_context(request.path_params["method"]).Pool(1) as own:
        tasks = [own.apply_async(work.version), own.apply_async(twice, (work.VERSION,))]
        return [task.get(20) for task in tasks]

@route("/process/<method>")
def process(request):
    context = mp.get_context(request.path_params["method"])
    found = []
    for target in (work.put, put_twice):
        queue = context.SimpleQueue()
        child = context.Process(target=target, args=(queue,))
        child.start()
        child.join(20)
        found.append(queue.get() if child.exitcode == 0 else child.exitcode)
    return found
"#;

/// Runs a pool while it loads, as scripts do at module level.
const EARLY: &str = r#"
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

import tasks
import work
from snaxum import route

with ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as own:
    FOUND = [own.submit(work.version).result(20), own.submit(tasks.handler_name).result(20)]

@route("/early")
def at_import(request):
    return FOUND
"#;

const TASKS: &str = "\
from snaxum import route

def handler_name():
    return route.__name__
";

fn project() -> Project {
    Project::new()
        .gate()
        .file("work.py", WORK)
        .file("tasks.py", TASKS)
        .file("early.py", EARLY)
        .file("app.py", APP)
}

async fn every_way_gives(server: &Server, version: i32) {
    let expected = json!([version, version * 2]);
    for path in ["/executor/spawn", "/pool/spawn", "/process/spawn", "/executor/forkserver"] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.json(), expected, "{path}");
    }
    assert_eq!(server.get("/executor/fork").await.json(), expected);
    assert_eq!(server.get("/early").await.json(), json!([version, "route"]));
}

#[tokio::test]
async fn processes_of_the_user_find_the_functions_of_user_modules() {
    let server = project().dev().await;
    let mut console = server.console().await;
    every_way_gives(&server, 1).await;

    server.edit("work.py", &WORK.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;

    every_way_gives(&server, 2).await;
}

#[tokio::test]
async fn they_find_them_in_an_environment_too() {
    every_way_gives(&with_environment().await.serve().await, 1).await;

    let server = with_environment().await.dev().await;
    let mut console = server.console().await;
    every_way_gives(&server, 1).await;

    server.edit("work.py", &WORK.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;

    every_way_gives(&server, 2).await;
}

async fn with_environment() -> Project {
    let project = project();
    let venv =
        project.command(BUILD_PYTHON).args(["-m", "venv", "--without-pip", ".venv"]).output();
    assert!(venv.await.expect("it starts").status.success());
    project
}

/// Executors in a module that no save changes, one in another module's `keep`, one made by a handler.
const OWN: &str = r#"
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import ThreadPool

import snaxum

fork, spawn = mp.get_context("fork"), mp.get_context("spawn")
started = []
threads = ThreadPool(1, started.append, [1])
executors = {
    "module": ProcessPoolExecutor(1, mp_context=fork),
    "spawn": ProcessPoolExecutor(1, mp_context=spawn),
    "kept": snaxum.keep("own", lambda: ProcessPoolExecutor(1, mp_context=fork)),
}

def of(name):
    if name not in executors:
        executors[name] = fork.Pool(1)
    return executors[name]
"#;

const OWN_APP: &str = r#"
import asyncio
import gc
import importlib
import multiprocessing as mp

import loky.reusable_executor
import own
from snaxum import route

@route("/loky")
def shared(request):
    return str(loky.reusable_executor.get())

@route("/threads")
def threads(request):
    return [own.threads.apply(importlib.import_module("work").version), len(own.started)]

@route("/children")
def children(request):
    gc.collect()
    return len(mp.active_children())

@route("/<name>/<function>")
async def run(request):
    executor = own.of(request.path_params["name"])
    # Only this handler imports it, so a save of it does not run `own` again.
    function = getattr(importlib.import_module("work"), request.path_params["function"])
    if request.path_params["name"] == "pool":
        return str(await asyncio.to_thread(executor.apply_async(function).get, 20))
    return str(await asyncio.get_running_loop().run_in_executor(executor, function))
"#;

/// Stands for loky: the names that its newest version has.
const LOKY: &str = "\
_executor = _executor_kwargs = None
_made = 0

def get():
    global _executor, _made
    if _executor is None:
        _executor = object()
        _made += 1
    return _made
";

#[tokio::test]
async fn executors_of_the_user_run_new_code_after_a_save_and_finish_their_tasks() {
    let project = Project::new()
        .gate()
        .file("work.py", WORK)
        .file("own.py", OWN)
        .file("app.py", OWN_APP)
        .top_file("site/loky/reusable_executor.py", LOKY);
    let site = project.path().join("site").display().to_string();
    let mut server = project.env("PYTHONPATH", &site).dev().await;
    let mut console = server.console().await;
    let names = ["module", "spawn", "kept", "pool"];
    for name in names {
        assert_eq!(server.get(&format!("/{name}/version")).await.text(), "1", "{name}");
    }
    assert_eq!(server.get("/loky").await.text(), "1");
    assert_eq!(server.get("/threads").await.json(), json!([1, 1]));
    let running: Vec<_> = names.map(|name| server.begin(&format!("/{name}/held"))).into();
    let mut held = vec![];
    for _ in names {
        held.push(server.arrival().await);
    }

    server.edit("work.py", &WORK.replace("VERSION = 1", "VERSION = 2"));
    let report = console.next_of_type("reload.ok").await;

    assert!(!report.to_string().contains("python/own.py"), "{report}");
    let note = "executors that get processes with the new code for their next task";
    assert_eq!(
        report["reload"]["notes"],
        json!([format!(
            "{note}: `own.executors` (3), the kept value 'own', the shared executor of loky"
        )])
    );
    server.out.wait_for(note).await;
    for name in names {
        assert_eq!(server.get(&format!("/{name}/version")).await.text(), "2", "{name}");
    }
    assert_eq!(server.get("/loky").await.text(), "2");
    assert_eq!(server.get("/threads").await.json(), json!([2, 1]), "threads continue");
    for gate in held {
        gate.open().await;
    }
    for reply in running {
        assert_eq!(reply.await.expect("a response").text(), "1");
    }

    server.edit("own.py", &format!("{OWN}\nnew = 1"));
    let report = console.next_of_type("reload.ok").await;

    let ended = "executors that end with the replaced run of their module: `own.executors` (3)";
    let kept = format!("{note}: the kept value 'own', the shared executor of loky");
    assert_eq!(report["reload"]["notes"], json!([kept, ended]));
    let ended = async { while server.get("/children").await.json() != json!(1) {} };
    in_time("the end of the others", ended).await;
    // Forked processes of a server that is killed stay.
    assert_eq!(server.stop().await.code(), Some(0));
}
