//! New code without a lost request: SIGHUP and `snaxum reload`.

use std::thread::available_parallelism;

use super::keep_alive::{KeepAlive, Load};
use super::versions::{app, project, reload, version};
use crate::support::in_time;

#[tokio::test]
async fn an_open_connection_continues_on_the_new_code() {
    let server = project().args(&["--processes", "2"]).serve().await;
    let mut connection = KeepAlive::open(server.authority()).await.expect("it listens");
    assert_eq!(connection.get("/version").await["version"], "one");
    // The last request had a body, in two pieces.
    let post = "POST /version HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
    let mut with_body = KeepAlive::open(server.authority()).await.expect("it listens");
    assert!(with_body.send(post).await.expect("a response").0.contains("one"));
    let unused = KeepAlive::open(server.authority()).await.expect("it listens");

    server.edit("app.py", &app("two"));
    server.signal(libc::SIGHUP);
    server.err.wait_for("version 2 is live in 2 new processes").await;

    assert_eq!(connection.get("/version").await["version"], "two");
    let (text, stays_open) = with_body.send(post).await.expect("a response");
    assert!(text.contains("two") && stays_open, "{text}");
    let mut unused = unused;
    assert_eq!(unused.get("/version").await["version"], "two");
}

#[tokio::test]
async fn a_request_under_way_ends_on_the_code_that_it_began_with() {
    let server = project().serve().await;
    let mut connection = KeepAlive::open(server.authority()).await.expect("it listens");
    let slow = tokio::spawn(async move {
        let response = connection.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        (response.expect("a response"), connection)
    });
    let held = server.arrival().await;
    server.edit("app.py", &app("two"));
    let finished = reload(&server).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    assert_eq!(finished.stdout, "version 2 is live in a new process\n");
    assert_eq!(version(&server).await, "two");

    held.open().await;

    let ((text, _), mut connection) = in_time("the response", slow).await.expect("no panic");
    assert!(text.contains("one"), "{text}");
    assert_eq!(connection.get("/version").await["version"], "two");
}

/// Whether the modules for failures are there, which a first start imports later.
const IMPORTED: &str = "
import sys
from snaxum import route

@route('/version')
def version(request):
    return {'version': str('snaxum._debug.stack' in sys.modules)}
";

#[tokio::test]
async fn new_processes_have_imported_everything_before_they_serve() {
    let server = project().serve().await;
    server.edit("app.py", IMPORTED);
    assert_eq!(reload(&server).await.code, Some(0));
    assert_eq!(version(&server).await, "True");
}

#[tokio::test]
async fn code_that_does_not_load_changes_nothing_and_the_client_gets_the_traceback() {
    let server = project().args(&["--processes", "2"]).serve().await;
    for (broken, parts) in [
        ("1 / 0\n", ["ZeroDivisionError", "app.py"]),
        ("def f(:\n", ["SyntaxError", "app.py"]),
        ("import os\nos._exit(3)\n", ["SystemExit", "app.py"]),
    ] {
        server.edit("app.py", broken);
        let finished = reload(&server).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{}", finished.stderr);
        for part in ["still serving", parts[0], parts[1]] {
            assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
        }
        server.err.wait_for(parts[0]).await;
    }
    assert_eq!(version(&server).await, "one");

    server.edit("app.py", &app("two"));
    assert_eq!(reload(&server).await.code, Some(0));
    assert_eq!(version(&server).await, "two");
}

/// The processes that load new code at once.
fn at_once() -> usize {
    (available_parallelism().expect("a number").get() / 2).max(1)
}

/// A module that needs a core until the gate opens.
const COMPUTES: &str = r#"
import threading
import _gate

opening = threading.Thread(target=_gate.wait, args=("load",))
opening.start()
while opening.is_alive():
    pass
"#;

#[tokio::test]
async fn half_of_the_cores_load_new_code_and_the_others_are_left_to_requests() {
    let at_once = at_once();
    let count = at_once + 1;
    let mut server = project().args(&["--processes", &count.to_string()]).serve().await;
    server.edit("app.py", &format!("{COMPUTES}\n{}", app("two")));
    server.signal(libc::SIGHUP);
    let mut held = Vec::new();
    for _ in 0..at_once {
        held.push(server.arrival().await);
    }

    assert_eq!(server.processes().len(), count + at_once);

    for loading in held {
        loading.open().await;
    }
    server.arrival().await.open().await;
    server.err.wait_for(&format!("version 2 is live in {count} new processes")).await;
    assert_eq!(version(&server).await, "two");
    server.stop().await;
}

#[tokio::test]
async fn processes_that_load_code_and_only_wait_leave_the_cores_to_others() {
    let count = at_once() + 1;
    let server = project().args(&["--processes", &count.to_string()]).serve().await;
    server.edit("app.py", &format!("import _gate\n_gate.wait('load')\n{}", app("two")));
    server.signal(libc::SIGHUP);

    let mut held = Vec::new();
    for _ in 0..count {
        held.push(server.arrival().await);
    }

    for loading in held {
        loading.open().await;
    }
    server.err.wait_for(&format!("version 2 is live in {count} new processes")).await;
    assert_eq!(version(&server).await, "two");
}

#[tokio::test]
async fn a_smoke_request_that_fails_rejects_the_new_code() {
    let server = project().args(&["--smoke", "/version"]).serve().await;
    server.edit("app.py", &app("two").replace("/version", "/other"));
    let finished = reload(&server).await;
    assert_eq!(finished.code, Some(1));
    let stderr = finished.stderr;
    assert!(stderr.contains("GET /version") && stderr.contains("404"), "{stderr}");
    assert_eq!(version(&server).await, "one");
}

#[tokio::test]
async fn twenty_reloads_under_load_lose_no_request() {
    let server = project().args(&["--processes", "2"]).serve().await;
    let load = Load::start(&server, 16, "/version");
    for generation in 2..22 {
        server.signal(libc::SIGHUP);
        server.err.wait_for(&format!("version {generation} is live")).await;
        load.continues(32).await;
    }
    assert_eq!(load.stop().await, Vec::<String>::new());
    assert!(!server.err.text().contains("has ended"), "{}", server.err.text());
}

#[tokio::test]
async fn a_server_that_is_to_stop_serves_for_the_shutdown_delay_or_until_a_second_signal() {
    let mut server = project().args(&["--processes", "2", "--shutdown-delay", "1h"]).serve().await;
    server.signal(libc::SIGTERM);
    server.err.wait_for("no longer ready").await;
    assert_eq!(server.get("/version").await.status, 200);
    server.signal(libc::SIGTERM);
    assert_eq!(server.ended().await.code(), Some(0));
}
