//! `--preload`: the processes are forked from one that has loaded the code, and share its memory.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::keep_alive::{KeepAlive, Load};
use crate::support::{Process, Project, Server, in_time};

/// The model is written once, when it is loaded.
const APP: &str = r#"
import asyncio, os, threading, snaxum
from snaxum import keep, on_startup, route
import _gate

loaded_in = os.getpid()
number_at_load = snaxum.process.number
model = b"x" * 100_000_000
started = []


@on_startup
async def start():
    started.append((os.getpid(), keep("value", os.getpid)))


@route("/place", methods=["GET", "POST"])
def place(request):
    return {
        "version": "one", "pid": os.getpid(), "number": snaxum.process.number,
        "loaded_in": loaded_in, "number_at_load": number_at_load, "started": started,
    }


@route("/async")
async def sleeps(request):
    await asyncio.sleep(0)
    return place(request)


@route("/pool", use_process_pool=True)
def pooled(request, pool):
    return {"pid": pool.submit(os.getpid).result()}


@route("/fork")
def fork(request):
    child = os.fork()
    if child == 0:
        os._exit(3)
    return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


@route("/slow")
def slow(request):
    _gate.wait("slow")
    return place(request)
"#;

fn project(args: &[&str]) -> Project {
    Project::new().file("app.py", APP).gate().args(&["--preload", "--pool-workers", "1"]).args(args)
}

async fn place(server: &Server, path: &str) -> Value {
    server.get(path).await.json()
}

fn pid(place: &Value) -> u32 {
    u32::try_from(place["pid"].as_u64().expect("a number")).expect("a pid")
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: sends a signal to a process of the server, which its parent has not waited for.
    assert_eq!(unsafe { libc::kill(i32::try_from(pid).expect("a pid"), signal) }, 0);
}

/// The memory of a process in bytes, without the parts that it shares.
fn own_memory(pid: u32) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it runs");
    let kb = |line: &str| line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok());
    let own = rollup.lines().filter(|line| line.starts_with("Private_"));
    own.map(|line| kb(line).expect("kB") * 1024).sum()
}

#[tokio::test]
async fn the_processes_share_what_their_modules_have_loaded_and_start_up_each_on_its_own() {
    let mut server = project(&["--processes", "2"]).serve().await;
    let mut pids = BTreeSet::new();
    for _ in 0..4 {
        let mut connection = KeepAlive::open(server.authority()).await.expect("it listens");
        let place = connection.get("/place").await;
        let own = place["pid"].clone();
        assert_eq!(place["started"], serde_json::json!([[own, own]]), "the hooks ran here");
        assert_eq!(place["number_at_load"], 0);
        assert_ne!(place["loaded_in"], own);
        pids.insert((place["number"].as_u64().expect("a number"), pid(&place)));
        assert!(own_memory(pid(&place)) < 60_000_000, "the model is shared");
    }
    assert_eq!(pids.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    // Each part of a process that is started later.
    assert_eq!(place(&server, "/async").await["version"], "one");
    assert_eq!(place(&server, "/fork").await["code"], 3);
    assert!(place(&server, "/pool").await["pid"].is_u64());
    let all = Process::below(server.pid);
    assert_eq!(server.stop().await.code(), Some(0));
    for process in all {
        process.is_gone().await;
    }
}

#[tokio::test]
async fn a_replacement_has_the_code_of_the_one_before_also_if_the_files_have_changed() {
    let server = project(&[]).serve().await;
    let first = place(&server, "/place").await;
    server.edit("app.py", "1 / 0");
    kill(pid(&first), libc::SIGABRT);
    server.err.wait_for("has crashed (SIGABRT)").await;
    server.err.wait_for("process 1 serves (pid ").await;
    let second = place(&server, "/place").await;
    assert_eq!(second["loaded_in"], first["loaded_in"]);
    assert_ne!(pid(&second), pid(&first));
}

#[tokio::test]
async fn a_deploy_loads_once_for_all_and_loses_no_request() {
    let server = project(&["--processes", "2"]).serve().await;
    let load = Load::start(&server, 8, "/place");
    for generation in 2..6 {
        server.signal(libc::SIGHUP);
        server.err.wait_for(&format!("version {generation} is live")).await;
        load.continues(16).await;
    }
    assert_eq!(load.stop().await, Vec::<String>::new());
    let before = place(&server, "/place").await;

    server.edit("app.py", "1 / 0");
    let rejected = server.project.snaxum(&["reload"]).await;
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.stderr.contains("ZeroDivisionError"), "{}", rejected.stderr);
    assert_eq!(place(&server, "/place").await["loaded_in"], before["loaded_in"]);

    server.edit("app.py", &APP.replace("\"one\"", "\"two\""));
    assert_eq!(server.project.snaxum(&["reload"]).await.code, Some(0));
    assert_eq!(place(&server, "/place").await["version"], "two");
}

#[tokio::test]
async fn a_start_up_hook_that_fails_in_the_fork_rejects_the_code() {
    let server = project(&[]).serve().await;
    server.edit("app.py", &APP.replace("    started.append", "    1 / 0\n    started.append"));
    let rejected = server.project.snaxum(&["reload"]).await;
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.stderr.contains("ZeroDivisionError"), "{}", rejected.stderr);
    assert_eq!(place(&server, "/place").await["version"], "one");
}

#[tokio::test]
async fn modules_that_start_threads_are_loaded_by_each_process_and_a_warning_names_the_threads() {
    let thread = "threading.Thread(target=threading.Event().wait, name='poller', daemon=True)";
    let project = project(&["--processes", "2"]);
    let project = project.file("app.py", &format!("{APP}\n{thread}.start()\n"));
    let server = project.serve().await;
    let warning = server.err.wait_for("the code is not preloaded").await;
    assert!(warning.contains("(poller)") && warning.contains("`on_startup`"), "{warning}");
    let place = place(&server, "/place").await;
    assert_eq!(place["loaded_in"], place["pid"]);
}

#[tokio::test]
async fn without_the_process_that_has_loaded_the_code_the_others_still_serve_and_are_replaced() {
    let server = project(&[]).serve().await;
    let first = place(&server, "/place").await;
    let loader = first["loaded_in"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    kill(loader.expect("a pid"), libc::SIGKILL);
    server.err.wait_for("until the next reload each new process loads the code itself").await;
    kill(pid(&first), libc::SIGKILL);
    server.err.wait_for("process 1 serves (pid ").await;
    let second = place(&server, "/place").await;
    assert_eq!(second["loaded_in"], second["pid"]);
}

#[tokio::test]
async fn processes_that_were_forked_finish_their_requests_when_the_parent_is_killed() {
    let mut server = project(&[]).serve().await;
    let slow = server.begin("/slow");
    let held = server.arrival().await;
    let all = Process::below(server.pid);
    server.signal(libc::SIGKILL);
    server.ended().await;
    held.open().await;
    assert_eq!(in_time("the response", slow).await.expect("no panic").status, 200);
    for process in all {
        process.is_gone().await;
    }
}

#[tokio::test]
async fn code_that_does_not_load_is_one_error_at_the_start() {
    let project = Project::new().file("app.py", "import missing_module\n");
    let failed = project.snaxum(&["serve", "--port", "0", "--processes", "2", "--preload"]).await;
    assert_eq!(failed.code, Some(1));
    assert_eq!(failed.stderr.matches("nothing to serve").count(), 1, "{}", failed.stderr);
}
