//! The server process of `snaxum dev` ends without being asked: its supervisor starts it again.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::support::{Project, Server, in_time};
use crate::terminal::Screen;

const APP: &str = "import ctypes, os, signal
from snaxum import route


@route('/hello')
def hello(request):
    return 'hello'


@route('/pid')
async def pid(request):
    return {'pid': os.getpid()}


@route('/exit')
def exit(request):
    os._exit(0)


@route('/segfault')
def segfault(request):
    ctypes.string_at(0)


@route('/abort')
async def abort(request):
    os.abort()


@route('/kill')
def kill(request):
    os.kill(os.getpid(), signal.SIGKILL)
";

fn app() -> Project {
    Project::new().file("app.py", APP)
}

/// Requests a path whose handler ends the process.
async fn crash(server: &Server, path: &str) {
    let request = server.request(reqwest::Method::GET, path);
    in_time("no response", request.send()).await.expect_err("the process has ended");
}

#[tokio::test]
async fn a_handler_that_ends_the_process_is_named_and_the_server_starts_again() {
    for (path, cause, line) in [
        ("/exit", "os._exit(0)", "python/app.py:17 in exit"),
        ("/segfault", "SIGSEGV", "python/app.py:22 in segfault"),
        ("/abort", "SIGABRT", "python/app.py:27 in abort"),
        ("/kill", "SIGKILL", ""),
    ] {
        let server = app().env("NO_COLOR", "1").dev().await;
        let before = server.announcement().expect("it runs");
        let first = server.get("/pid").await.json();

        crash(&server, path).await;
        // No connection is refused meanwhile.
        let waiting = server.begin("/hello");
        let response = server.get("/pid").await;

        assert_eq!(waiting.await.expect("a response").text(), "hello", "{path}");
        assert_ne!(response.json(), first, "{path}");
        assert_eq!(response.header("x-snaxum-gen"), "2", "{path}: it counts on");
        server.err.wait_for(&format!("✖ GET {path} ended the server process: {cause}")).await;
        server.err.wait_for("starting again").await;
        assert!(server.err.text().contains(line), "{path}: {}", server.err.text());
        // The console has the same token, and shows the crash.
        let requests = server.api("requests").await;
        let crashed = requests.as_array().expect("a list").iter();
        let crashed: Vec<_> = crashed.filter(|request| request["path"] == path).collect();
        assert_eq!(crashed.len(), 1, "{path}: {requests}");
        assert_eq!(crashed[0]["error"]["type"], cause, "{path}");
        let (_, function) = line.split_once(" in ").unwrap_or_default();
        let named = crashed[0]["error"]["function"].as_str().unwrap_or_default();
        assert_eq!(named, function, "{path}");
        let after = server.announcement().expect("it runs");
        assert_eq!((&after["token"], &after["pid"]), (&before["token"], &before["pid"]));
        assert_eq!(after["pid"], server.pid);
    }
}

#[tokio::test]
async fn crashes_in_a_row_wait_for_the_next_save_and_leave_a_server_that_works() {
    let mut server = app().args(&["--restart-delay", "60s"]).dev().await;

    server.edit("app.py", "import os\nos.abort()\n");
    server.err.wait_for("2 crashes in a row: starting again in 60 s, or on the next save").await;
    let waiting = server.begin("/hello");
    server.edit("app.py", APP);

    assert_eq!(waiting.await.expect("a response").text(), "hello");
    // A restart and a reload work in the new process.
    let before = server.get("/hello").await.header("x-snaxum-gen").to_owned();
    let restarted = server.project.snaxum(&["restart", "."]).await;
    assert_eq!(restarted.code, Some(0), "{}", restarted.stderr);
    let after = server.get("/hello").await;
    assert_ne!((after.text(), after.header("x-snaxum-gen")), ("hello", &*before));
    server.edit("app.py", &APP.replace("return 'hello'", "return 'changed'"));
    assert_eq!(server.get("/hello").await.text(), "changed");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_a_save_and_nothing_is_left() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut server = app().args(&["--restart-delay", "60s"]).dev().await;
        server.edit("app.py", "import os\nos.abort()\n");
        server.err.wait_for("2 crashes in a row").await;

        server.signal(signal);

        assert_eq!(server.ended().await.code(), Some(0));
        assert!(server.announcement().is_none());
    }
}

#[tokio::test]
async fn a_killed_supervisor_ends_its_server() {
    let mut server = app().dev().await;
    let python = server.python_process();
    server.signal(libc::SIGKILL);
    assert_eq!(server.ended().await.signal(), Some(libc::SIGKILL));
    python.is_gone().await;
}

#[tokio::test]
async fn ctrl_z_stops_both_processes_and_both_continue() {
    let mut server = app().dev().await;
    let python = server.python_process();

    server.signal(libc::SIGTSTP);
    server.has_stopped();
    assert!(python.is_stopped());
    server.signal(libc::SIGCONT);

    assert_eq!(server.get("/hello").await.text(), "hello");
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_crash_leaves_a_terminal_that_works() {
    let project = app().env("CI", "");
    let mut screen = Screen::start(project, 100).await;
    screen.wait_for("● version 1 live").await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let crashed = client.get(format!("{}/exit", screen.url)).send();
    in_time("no response", crashed).await.expect_err("the process has ended");

    screen.wait_for("GET /exit ended the server process").await;
    screen.wait_for("● version 2 live").await;
    screen.press("l");
    screen.wait_for("/segfault").await;
    screen.press("q");

    assert_eq!(screen.ended().await.code(), Some(0));
    assert_eq!(screen.mode(), [true; 3]);
    let announced = fs::exists(screen.project.path().join(".snaxum/dev.json"));
    assert!(!announced.expect("a directory"));
}
