//! `--processes N`: even load, replacement of what ends, hangs or has served enough.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::keep_alive::{KeepAlive, Load};
use crate::support::{Process, Project, Server, in_time};

const APP: &str = r#"
import ctypes, os, snaxum
from snaxum import route
import _gate

kept = []


@route("/place", methods=["GET", "POST"])
def place(request):
    return {"pid": os.getpid(), "number": snaxum.process.number, "count": snaxum.process.count}


@route("/slow")
def slow(request):
    _gate.wait("slow")
    return place(request)


@route("/crash")
def crash(request):
    ctypes.string_at(0)


@route("/block")
def block(request):
    ctypes.PyDLL(None).sleep(1000)


@route("/grow")
def grow(request):
    kept.append(b"x" * 300_000_000)
    return place(request)
"#;

fn project(args: &[&str]) -> Project {
    Project::new().file("app.py", APP).gate().args(args)
}

async fn open(server: &Server) -> KeepAlive {
    KeepAlive::open(server.authority()).await.expect("it listens")
}

fn number(of: &Value) -> u64 {
    of["number"].as_u64().expect("a number")
}

fn pid(of: &Value) -> u32 {
    u32::try_from(of["pid"].as_u64().expect("a number")).expect("a pid")
}

fn kill(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).expect("a pid");
    // SAFETY: sends a signal to a process of the server, which its parent has not waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "the process is there");
}

/// Sends requests on new connections until one is handled by another process than `old`.
async fn wait_for_another(server: &Server, old: &[u32]) -> Value {
    in_time("another process", async {
        loop {
            let place = open(server).await.get("/place").await;
            if !old.contains(&pid(&place)) {
                return place;
            }
        }
    })
    .await
}

#[tokio::test]
async fn connections_are_spread_evenly_and_each_process_knows_its_number() {
    let mut server = project(&["--processes", "2"]).serve().await;
    let mut connections = Vec::new();
    let mut by_number = BTreeMap::<u64, Vec<u32>>::new();
    for _ in 0..6 {
        let mut connection = open(&server).await;
        let place = connection.get("/place").await;
        assert_eq!(place["count"], 2);
        by_number.entry(number(&place)).or_default().push(pid(&place));
        connections.push(connection);
    }
    let [first, second] = [&by_number[&1], &by_number[&2]];
    assert_eq!((first.len(), second.len()), (3, 3), "{by_number:?}");
    assert!(first[0] != second[0] && first[0] != server.pid && second[0] != server.pid);
    drop(connections);
    let processes: Vec<_> = [first[0], second[0]].map(Process::of).into();
    assert_eq!(server.stop().await.code(), Some(0));
    for process in processes {
        process.is_gone().await;
    }
}

#[tokio::test]
async fn while_a_request_blocks_one_process_the_other_one_gets_all_others() {
    let server = project(&["--processes", "2", "--dispatch-workers", "1"]).serve().await;
    let mut blocked = open(&server).await;
    let first = blocked.get("/place").await;
    // Another connection of the same process.
    let mut others = Vec::new();
    let mut of_blocked = in_time("a connection of that process", async {
        loop {
            let mut connection = open(&server).await;
            if pid(&connection.get("/place").await) == pid(&first) {
                return connection;
            }
            others.push(connection);
        }
    })
    .await;

    let request = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
    let slow = tokio::spawn(async move { blocked.send(request).await.map(|_| blocked) });
    let held = server.arrival().await;
    for _ in 0..20 {
        let place = open(&server).await.get("/place").await;
        assert_ne!(pid(&place), pid(&first), "the other process is idle");
    }
    // A connection moves away, too, once it is clear that the process is blocked.
    in_time("a move", async { while pid(&of_blocked.get("/place").await) == pid(&first) {} }).await;
    held.open().await;
    in_time("the slow one", slow).await.expect("no panic").expect("a response");
}

#[tokio::test]
async fn a_process_that_is_killed_loses_only_its_own_requests_and_is_replaced() {
    let server = project(&["--processes", "2"]).serve().await;
    let victim = open(&server).await.get("/place").await;
    let load = Load::start(&server, 8, "/place");
    load.continues(50).await;

    kill(pid(&victim), libc::SIGKILL);

    server.err.wait_for("was killed (SIGKILL)").await;
    let number = number(&victim);
    server.err.wait_for(&format!("process {number} serves (pid ")).await;
    load.continues(50).await;
    let failures = load.stop().await;
    assert!(failures.len() <= 8, "one a connection: {failures:?}");
    let place = wait_for_another(&server, &[pid(&victim)]).await;
    assert_eq!(place["count"], 2);
}

#[tokio::test]
async fn a_crash_is_reported_with_its_stack_and_a_server_of_one_process_recovers() {
    let server = project(&[]).serve().await;
    let first = server.get("/place").await.json();
    assert_eq!((number(&first), &first["count"]), (1, &Value::from(1)));

    let request = "GET /crash HTTP/1.1\r\nhost: a\r\n\r\n";
    assert!(open(&server).await.send(request).await.is_err());

    server.err.wait_for("process 1 (pid ").await;
    let report = server.err.text();
    assert!(report.contains("has crashed (SIGSEGV)"), "{report}");
    server.err.wait_for("in crash").await;
    // Clients that connect meanwhile wait.
    assert_ne!(pid(&server.get("/place").await.json()), pid(&first));
}

#[tokio::test]
async fn after_max_requests_a_process_is_replaced_without_a_lost_request() {
    let server = project(&["--processes", "2", "--max-requests", "40"]).serve().await;
    let mut connection = open(&server).await;
    let first = connection.get("/place").await;
    let load = Load::start(&server, 4, "/place");
    server.err.wait_for("has reached `max-requests`").await;
    // The connection stays open, and leads to a newer process.
    in_time("another process", async {
        while pid(&connection.get("/place").await) == pid(&first) {}
    })
    .await;
    assert_eq!(load.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn above_max_rss_a_process_is_replaced() {
    let server = project(&["--max-rss", "200MiB"]).serve().await;
    let grown = server.get("/grow").await.json();
    server.err.wait_for("has reached `max-rss`").await;
    wait_for_another(&server, &[pid(&grown)]).await;
}

#[tokio::test]
async fn a_process_whose_interpreter_is_blocked_is_replaced() {
    let server = project(&["--hang-timeout", "1"]).serve().await;
    let first = server.get("/place").await.json();
    let hanging = server.begin("/block");
    server.err.wait_for("has not responded for 1s").await;
    server.err.wait_for("in block").await;
    wait_for_another(&server, &[pid(&first)]).await;
    hanging.abort();
}

#[tokio::test]
async fn processes_finish_their_requests_and_end_when_their_parent_is_killed() {
    let mut server = project(&["--processes", "2"]).serve().await;
    let slow = server.begin("/slow");
    let held = server.arrival().await;
    let processes = Process::below(server.pid);
    assert_eq!(processes.len(), 2);

    server.signal(libc::SIGKILL);

    server.ended().await;
    held.open().await;
    assert_eq!(in_time("the response", slow).await.expect("no panic").status, 200);
    for process in processes {
        process.is_gone().await;
    }
}

#[tokio::test]
async fn ctrl_c_on_a_terminal_reaches_all_and_stops_once() {
    let mut server = project(&["--processes", "2"]).serve().await;
    let slow = server.begin("/slow");
    let held = server.arrival().await;
    server.signal_group(libc::SIGINT);
    server.err.wait_for("stopping").await;
    held.open().await;
    assert_eq!(in_time("the response", slow).await.expect("no panic").status, 200);
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn code_that_does_not_load_is_one_error_at_the_start() {
    let project = Project::new().file("app.py", "import missing_module\n");
    let failed = project.snaxum(&["serve", "--port", "0", "--processes", "3"]).await;
    assert_eq!(failed.code, Some(1));
    assert_eq!(failed.stderr.matches("nothing to serve").count(), 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("missing_module"), "{}", failed.stderr);
}

#[tokio::test]
async fn more_processes_than_sense_are_an_error() {
    let project = project(&[]);
    for (count, part) in [("5000", "use 0, which is one for each core"), ("-1", "a whole number")] {
        let option = format!("--processes={count}");
        let failed = project.snaxum(&["serve", "--port", "0", &option]).await;
        assert_eq!(failed.code, Some(2));
        assert!(failed.stderr.contains(part), "{}", failed.stderr);
    }
}

#[tokio::test]
async fn a_second_server_of_a_project_is_refused_and_the_first_one_still_serves() {
    let mut server = project(&[]).serve().await;
    let refused = server.project.snaxum(&["serve", "--port", "0"]).await;
    assert_eq!(refused.code, Some(2));
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("process {} serves", server.pid)));
    assert_eq!(server.get("/place").await.status, 200);
    server.stop().await;
    let state = fs::read_dir(server.project.path().join(".snaxum")).expect("a directory");
    let names: Vec<_> = state.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(!names.iter().any(|name| name == "serve.sock"), "{names:?}");
}
