//! Pool workers that cannot start, that die before they read a task, and tasks that clients leave.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::{Project, Reply, Server, in_time};

const HANDLERS: &str = r#"
import tasks
from snaxum import route

@route("/who", use_process_pool=True)
def worker(request, pool):
    return str(pool.submit(tasks.worker).result())

@route("/wait", use_process_pool=True)
def wait(request, pool):
    return pool.submit(tasks.wait).result()

@route("/hello")
async def hello(request): return "hello"
"#;

const TASKS: &str = r#"
import os

def worker():
    return os.getpid()

def wait():
    import _gate
    _gate.wait("task")
"#;

/// Runs in each Python process before anything else, and ends it as the file `die` demands.
const SITE: &str = r#"
import os, signal, sys

if "--multiprocessing-fork" in getattr(sys, "orig_argv", ()):
    try:
        how = open(os.environ["DIE"]).read()
    except FileNotFoundError:
        how = ""
    if how:
        os.write(2, b"no luck: " + how.encode() + b"\n")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(3)
    elif how == "abort":
        os.abort()
    elif how == "late":
        # It has read a part of what it starts with.
        signal.signal = lambda *_: os._exit(4)
    elif how == "raise":
        signal.pthread_sigmask = None
"#;

/// A project whose workers end at their start as long as the file `die` demands it.
fn project(how: &str) -> Project {
    let project = Project::new()
        .gate()
        .file("handlers.py", HANDLERS)
        .file("tasks.py", TASKS)
        .top_file("site/sitecustomize.py", SITE)
        // A stop that waits for a request until its time limit is a hang.
        .args(&["--pool-workers", "2", "--request-timeout", "20s", "--drain-timeout", "1h"]);
    let (site, die) = (project.path().join("site"), project.path().join("die"));
    if !how.is_empty() {
        fs::write(&die, how).expect("a file");
    }
    project
        .env("PYTHONPATH", site.to_str().expect("UTF-8"))
        .env("DIE", die.to_str().expect("UTF-8"))
}

/// Replaces the file `die` in one step, so that no worker reads it while it is empty.
fn demand(die: &Path, how: &str) {
    let draft = die.with_extension("draft");
    fs::write(&draft, how).expect("a file");
    fs::rename(draft, die).expect("the same folder");
}

/// Asks again until the pool has tried to start a worker once more.
async fn reply_of_a_worker(server: &Server) -> Reply {
    in_time("a worker that starts", async {
        loop {
            let reply = server.get("/who").await;
            if reply.status == 200 {
                return reply;
            }
            assert_eq!(reply.status, 503, "{}", reply.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

async fn stops(mut server: Server) {
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn workers_that_die_as_they_start_are_a_503_with_the_reason() {
    let server = project("kill").dev().await;
    let die = server.project.path().join("die");
    for (how, reason, printed) in [
        ("kill", "killed by SIGKILL", "no luck: kill"),
        ("exit", "exit code 3", "no luck: exit"),
        ("abort", "killed by SIGABRT", "no luck: abort"),
        ("late", "exit code 4", "no luck: late"),
        ("raise", "exit code 1", "TypeError: 'NoneType' object is not callable"),
    ] {
        demand(&die, how);
        // At once during a pause between two attempts, or with the next attempt.
        let reply = in_time("the reason", async {
            loop {
                let reply = server.get("/who").await;
                assert_eq!(reply.status, 503, "{}", reply.text());
                if reply.text().contains(reason) {
                    return reply;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        assert!(reply.text().contains(printed), "{how}: {}", reply.text());
        assert_eq!(reply.header("retry-after"), "1");
        assert_eq!(server.get("/hello").await.text(), "hello");
    }
    server.err.wait_for("a pool worker could not start: killed by SIGKILL").await;

    fs::remove_file(&die).expect("it is there");
    reply_of_a_worker(&server).await;

    demand(&die, "kill");
    let pids: Vec<i32> = server.children().iter().map(|child| child.pid.cast_signed()).collect();
    for pid in pids {
        // SAFETY: sends a signal to a descendant of our own child.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    let _waiting = server.begin("/who");
    stops(server).await;
}

#[tokio::test]
async fn clients_of_serve_do_not_get_what_a_worker_has_printed() {
    let server = project("kill").serve().await;

    let reply = server.get("/who").await;

    assert_eq!(reply.status, 503, "{}", reply.text());
    let detail = reply.json()["detail"].to_string();
    assert!(
        detail.ends_with("pool workers in a row could not start: killed by SIGKILL\""),
        "{detail}"
    );
    server.err.wait_for("no luck").await;
    stops(server).await;
}

async fn workers(server: &Server) -> Value {
    server.api("status").await["pool"]["workers"].clone()
}

/// Linux reports whether a pipe without a reader has a message; elsewhere the task counts as lost.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_task_whose_worker_died_before_it_read_it_runs_on_another() {
    let server = project("").dev().await;
    let pid = server.get("/who").await.text().parse::<i32>().expect("a pid");
    let signal = |signal| {
        // SAFETY: sends a signal to a descendant of our own child.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    };
    let idle = |workers: &Value| workers.as_array().expect("a list").len() == 2;
    // The other worker must not take the task.
    in_time("two workers", async {
        while !idle(&workers(&server).await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    signal(libc::SIGSTOP);

    let tasks: Vec<_> = (0..2).map(|_| server.begin("/wait")).collect();
    let first = server.arrival().await;
    in_time("a task for the stopped worker", async {
        let has_task = |worker: &Value| worker["pid"] == pid && worker["task"] == "tasks.wait";
        while !workers(&server).await.as_array().expect("a list").iter().any(has_task) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    signal(libc::SIGKILL);
    first.open().await;
    server.arrival().await.open().await;

    for task in tasks {
        let reply = task.await.expect("a response");
        assert_eq!(reply.status, 204, "{}", reply.text());
    }
    let exits = server.api("status").await["pool"]["exits"].clone();
    assert_eq!((&exits[0]["pid"], &exits[0]["task"]), (&json!(pid), &Value::Null), "{exits}");
}

fn threads(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/task", server.python_pid())).expect("it runs").count()
}

#[tokio::test]
async fn tasks_that_clients_leave_need_no_thread_each() {
    let server = project("").dev().await;
    let mut console = server.console().await;
    let leave = async |console: &mut super::super::support::Console| {
        let client = server.begin("/wait");
        let held = server.arrival().await;
        client.abort();
        while console.next_of_type("request.end").await["request"]["status"] != 499 {}
        // The loop gets this request after word of the client that left.
        server.get("/hello").await;
        held.open().await;
    };
    leave(&mut console).await;
    let before = threads(&server);

    for _ in 0..30 {
        leave(&mut console).await;
    }

    assert!(threads(&server) < before + 10, "{before} threads, then {}", threads(&server));
}
