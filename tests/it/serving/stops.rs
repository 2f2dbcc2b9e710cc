//! Signals, crashes and stops while the processes of a server are being replaced.

use std::path::PathBuf;

use super::keep_alive::KeepAlive;
use super::run;
use crate::support::{Process, Project, Server, in_time, snaxum};

const APP: &str = r#"
import os
from snaxum import route
import _gate


@route("/pid")
def pid(request):
    return {"pid": os.getpid()}


@route("/slow")
def slow(request):
    _gate.wait("slow")
    return {"pid": os.getpid()}


@route("/fork")
def fork(request):
    child = os.fork()
    if child == 0:
        _gate.wait("fork")
        os._exit(0)
    return {"pid": os.getpid()}
"#;

fn project(args: &[&str]) -> Project {
    Project::new().file("app.py", APP).gate().args(args)
}

/// Starts a request that the old code is running while new code serves.
async fn deploy_beside_a_slow_request(
    server: &Server,
) -> (tokio::task::JoinHandle<std::io::Result<(String, bool)>>, crate::support::Held) {
    let mut old = KeepAlive::open(server.authority()).await.expect("it listens");
    let slow = tokio::spawn(async move { old.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await });
    let held = server.arrival().await;
    server.signal(libc::SIGHUP);
    server.err.wait_for("version 2 is live").await;
    (slow, held)
}

async fn pid(server: &Server) -> u32 {
    let pid = server.get("/pid").await.json()["pid"].as_u64();
    u32::try_from(pid.expect("a number")).expect("a pid")
}

#[tokio::test]
async fn a_stop_while_new_code_loads_is_a_success() {
    let mut server = project(&[]).serve().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('load')\n{APP}"));
    server.signal(libc::SIGHUP);
    let held = server.arrival().await;
    assert_eq!(held.name, "load");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_reload_that_is_asked_for_during_a_stop_is_refused_at_once() {
    let mut server = project(&["--shutdown-delay", "1h"]).serve().await;
    server.signal(libc::SIGTERM);
    server.err.wait_for("no longer ready").await;
    let refused = server.project.snaxum(&["reload"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("the server stops"), "{}", refused.stderr);
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn ctrl_c_after_a_deploy_does_not_end_the_requests_of_the_old_code() {
    let mut server = project(&[]).serve().await;
    let (slow, held) = deploy_beside_a_slow_request(&server).await;
    pid(&server).await; // the new code serves
    server.signal_group(libc::SIGINT);
    server.err.wait_for("stopping").await;
    held.open().await;
    in_time("the response", slow).await.expect("no panic").expect("a response");
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_crash_of_old_code_that_finishes_its_requests_is_reported() {
    let server = project(&[]).serve().await;
    let old = pid(&server).await;
    let (slow, _held) = deploy_beside_a_slow_request(&server).await;
    // SAFETY: sends a signal to a process of the server, which its parent has not waited for.
    unsafe { libc::kill(i32::try_from(old).expect("a pid"), libc::SIGABRT) };
    server.err.wait_for(&format!("process 1 (pid {old}) has crashed (SIGABRT)")).await;
    assert!(in_time("the end", slow).await.expect("no panic").is_err());
    assert_ne!(pid(&server).await, old);
}

#[tokio::test]
async fn a_process_that_user_code_forks_does_not_count_as_a_process_of_the_server() {
    let server = project(&["--metrics", "127.0.0.1:0"]).serve().await;
    server.out.wait_for("metrics on ").await;
    let text = server.out.text();
    let metrics = text.lines().find_map(|line| line.split("metrics on ").nth(1));
    let metrics = metrics.expect("an address").trim().to_owned();
    let old = pid(&server).await;
    server.get("/fork").await;
    let _forked = server.arrival().await; // it outlives its parent
    // SAFETY: sends a signal to a process of the server, which its parent has not waited for.
    unsafe { libc::kill(i32::try_from(old).expect("a pid"), libc::SIGKILL) };
    server.err.wait_for("process 1 serves (pid ").await;
    let curl = run("curl", server.project.path(), &["-sS", "--noproxy", "*", &metrics]).await;
    let text = String::from_utf8(curl.stdout).expect("UTF-8");
    assert!(text.lines().any(|line| line == "snaxum_processes 1"), "{text}");
}

#[tokio::test]
async fn a_program_of_another_version_does_not_join_the_server() {
    let project = project(&[]);
    let mut command = project.command(&snaxum());
    command.args(["serve", "--port", "0"]);
    command.env("SNAXUM_TAKE_OVER", r#"{"protocol": 0}"#);
    let output = in_time("the end", command.output()).await.expect("it starts");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("another version; run `snaxum reload`, or restart the server"), "{text}");
}

#[tokio::test]
async fn a_server_needs_no_writable_directory_for_temporary_files() {
    let missing = PathBuf::from("/nonexistent");
    let missing = missing.to_str().expect("UTF-8");
    let mut server = project(&[]).env("TMPDIR", missing).serve().await;
    let process = Process::of(pid(&server).await);
    assert_eq!(server.stop().await.code(), Some(0));
    process.is_gone().await;
}
