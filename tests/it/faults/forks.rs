//! Child processes of user code: forks, `multiprocessing`, executors of the user's own.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::super::support::{Process, Project, Server};

const FORKS: &str = r#"
import multiprocessing as mp
import os

import _gate
from snaxum import route

def work(name):
    _gate.wait(name)

@route("/fork")
def fork(request):
    pid = os.fork()
    if pid == 0:
        _gate.wait("fork")
        os._exit(0)
    return {"pid": pid}

@route("/process/<method>")
def process(request):
    method = request.path_params["method"]
    child = mp.get_context(method).Process(target=work, args=(method,))
    child.start()
    return {"pid": child.pid}

@route("/both")
def both(request):
    pid = os.fork()
    return {"pid": os.getpid(), "child": pid}

@route("/exit")
def end(request):
    mp.current_process()
    child = mp.get_context("fork").Process(target=print, args=("from the child",))
    child.start()
    child.join()
    return {"exit": child.exitcode}

@route("/task", use_process_pool=True)
def task(request, pool):
    return str(pool.submit(os.getpid).result())
"#;

/// With it, a stop that waits for the work of a child until its time limit is a hang.
const LONG: [&str; 2] = ["--drain-timeout", "1h"];

async fn forking(command: &str) -> Server {
    let project =
        Project::new().gate().file("forks.py", FORKS).args(&["--pool-workers", "1"]).args(&LONG);
    match command {
        "dev" => project.dev().await,
        _ => project.serve().await,
    }
}

fn child(server: &Server, pid: &Value) -> Process {
    let children = server.children();
    children.into_iter().find(|child| u64::from(child.pid) == *pid).expect("it runs")
}

#[tokio::test]
async fn children_of_a_handler_delay_no_stop_and_occupy_no_port() {
    for command in ["serve", "dev"] {
        let mut server = forking(command).await;
        let worker = server.get("/task").await.json();
        let worker = child(&server, &worker);
        let mut children = vec![];
        let mut held = vec![];
        for path in ["/fork", "/process/fork", "/process/spawn"] {
            let reply = server.get(path).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            held.push(server.arrival().await);
            children.push(child(&server, &reply.json()["pid"]));
        }
        for child in &children {
            let fds = fs::read_dir(format!("/proc/{}/fd", child.pid)).expect("it runs");
            let links = fds.filter_map(|fd| fs::read_link(fd.expect("an entry").path()).ok());
            let watches: Vec<_> =
                links.filter(|link| link.to_str() == Some("anon_inode:inotify")).collect();
            assert!(watches.is_empty(), "{watches:?}");
        }

        assert_eq!(server.stop().await.code(), Some(0));

        let port = server.authority().to_owned();
        TcpListener::bind(&port).unwrap_or_else(|error| panic!("{command}: {port}: {error}"));
        assert!(!worker.is_alive(), "{command}: a worker of the pool is left");
        for child in &children {
            assert!(child.is_alive(), "{command}: it waits at the gate");
        }
        for gate in held {
            gate.open().await;
        }
        for child in &children {
            child.is_gone().await;
        }
    }
}

#[tokio::test]
async fn a_forked_child_responds_to_nothing_and_can_be_stopped() {
    let server = forking("serve").await;

    let both = server.get("/both").await.json();
    let fork = server.get("/fork").await.json();
    let _held = server.arrival().await;
    let waiting = child(&server, &fork["pid"]);
    // SAFETY: sends a signal to a descendant of our own child.
    unsafe { libc::kill(waiting.pid.cast_signed(), libc::SIGTERM) };
    waiting.is_gone().await;

    assert_eq!(both["pid"], u64::from(server.python_pid()));
    for left in server.children() {
        assert_ne!(json!(left.pid), both["child"], "it returned from the handler and ended");
    }
    // Its thread is a dispatch worker of Rust, which Python knows by now.
    for _ in 0..2 {
        assert_eq!(server.get("/exit").await.json(), json!({"exit": 0}));
    }
}

const EXECUTORS: &str = r#"
import multiprocessing as mp
import os
from concurrent.futures import ProcessPoolExecutor

import _gate
from snaxum import route

started = []

def work(name):
    _gate.wait(name)

@route("/<kind>/<method>")
def start(request):
    kind, method = request.path_params["kind"], request.path_params["method"]
    context = mp.get_context(method)
    if kind == "executor":
        started.append(ProcessPoolExecutor(2, mp_context=context))
        started[-1].submit(work, "task")
    else:
        started.append(context.Pool(2))
        started[-1].apply_async(work, ("task",))
    return "ok"
"#;

#[tokio::test]
async fn executors_of_the_user_delay_no_stop_and_end_with_it() {
    let mut server = Project::new().gate().file("app.py", EXECUTORS).args(&LONG).serve().await;
    let mut held = vec![];
    for path in ["/executor/fork", "/executor/spawn", "/pool/fork", "/pool/spawn"] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        held.push(server.arrival().await);
    }
    let children = server.children();
    assert!(children.len() >= 6, "{children:?}");

    assert_eq!(server.stop().await.code(), Some(0));

    for child in children {
        child.is_gone().await;
    }
}
