//! How a server ends: cleanly, at once, or killed.

use std::net::TcpListener;

use super::support::{Project, Server, in_time};

const APP: &str = r#"
import atexit, pathlib
import _gate, tasks
from snaxum import route

@atexit.register
def leave_a_note():
    (pathlib.Path(__file__).parent.parent / "note").write_text("atexit ran")

@route("/hello")
def hello(request): return "hello"

@route("/wait")
def wait(request):
    _gate.wait("wait")
    return "waited"

@route("/wait-async")
async def wait_async(request):
    await _gate.wait_async("wait")
    return "waited"

@route("/pool", use_process_pool=True)
def pool(request, pool):
    return {"task": pool.submit(tasks.wait).result()}
"#;

const TASKS: &str = r#"
import _gate

def wait():
    _gate.wait("task")
    return "done"
"#;

fn project() -> Project {
    Project::new()
        .gate()
        .file("app.py", APP)
        .file("tasks.py", TASKS)
        .args(&["--pool-workers", "1"])
        // The log shows that the signal was received.
        .env("RUST_LOG", "info")
}

/// Starts one task, so that there is a worker process.
async fn warm(server: &Server) {
    let task = server.begin("/pool");
    server.arrival().await.open().await;
    assert_eq!(task.await.expect("a response").status, 200);
}

#[tokio::test]
async fn a_signal_ends_the_server_with_0_and_leaves_nothing_behind() {
    for (signal, command) in [
        (libc::SIGTERM, "serve"),
        (libc::SIGINT, "serve"),
        (libc::SIGTERM, "dev"),
        (libc::SIGINT, "dev"),
        (libc::SIGHUP, "dev"),
    ] {
        let mut server =
            if command == "dev" { project().dev().await } else { project().serve().await };
        warm(&server).await;
        let children = server.children();
        assert!(!children.is_empty());
        assert_eq!(server.announcement().is_some(), command == "dev");

        server.signal(signal);

        assert_eq!(server.ended().await.code(), Some(0), "{command} {signal}");
        assert!(children.iter().all(|child| !child.is_alive()), "{command} {signal}");
        assert!(server.announcement().is_none(), "{command} {signal}");
        let note = std::fs::read_to_string(server.project.path().join("note"));
        assert_eq!(note.expect("a note"), "atexit ran", "{command} {signal}");
        TcpListener::bind(server.authority()).expect("the port is free");
        let log = server.err.whole().await;
        for noise in ["panicked", "Traceback", "leaked", "ERROR", "WARN"] {
            assert!(!log.contains(noise), "{command} {signal}: {log}");
        }
    }
}

#[tokio::test]
async fn requests_that_run_when_the_signal_comes_get_their_response() {
    for path in ["/wait", "/wait-async", "/pool"] {
        let mut server = project().serve().await;
        let running = server.begin(path);
        let held = server.arrival().await;

        server.signal(libc::SIGTERM);
        server.err.wait_for("stopping").await;
        held.open().await;

        assert_eq!(running.await.expect("a response").status, 200, "{path}");
        assert_eq!(server.ended().await.code(), Some(0), "{path}");
    }
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_hits_the_workers_too_and_harms_no_task() {
    let mut server = project().serve().await;
    let running = server.begin("/pool");
    let held = server.arrival().await;

    server.signal_group(libc::SIGINT);
    server.err.wait_for("stopping").await;
    held.open().await;

    assert_eq!(running.await.expect("a response").status, 200);
    assert_eq!(server.ended().await.code(), Some(0));
    let log = server.err.whole().await;
    assert!(!log.contains("KeyboardInterrupt") && !log.contains("Traceback"), "{log}");
}

#[tokio::test]
async fn no_new_connection_is_taken_once_the_server_stops() {
    let mut server = project().serve().await;
    let running = server.begin("/wait");
    let held = server.arrival().await;
    server.signal(libc::SIGTERM);
    server.err.wait_for("stopping").await;
    held.open().await;
    running.await.expect("a response");
    server.ended().await;

    let refused = tokio::net::TcpStream::connect(server.authority()).await;

    assert_eq!(
        refused.expect_err("the port is closed").kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn a_dev_server_that_stops_takes_no_connection_while_a_request_still_runs() {
    let mut server = project().dev().await;
    let running = server.begin("/wait");
    let held = server.arrival().await;
    server.signal(libc::SIGTERM);
    in_time("a refusal", async {
        while tokio::net::TcpStream::connect(server.authority()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    held.open().await;
    assert_eq!(running.await.expect("a response").status, 200);
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_shutdown() {
    let mut server = project().serve().await;
    let idle = tokio::net::TcpStream::connect(server.authority()).await.expect("it listens");
    server.get("/hello").await; // leaves a keep-alive connection too

    assert_eq!(server.stop().await.code(), Some(0));
    drop(idle);
}

#[tokio::test]
async fn a_second_ctrl_c_ends_a_server_with_a_hanging_handler_at_once_with_130() {
    for command in ["serve", "dev"] {
        let mut server =
            if command == "dev" { project().dev().await } else { project().serve().await };
        let hanging = server.begin("/wait");
        let held = server.arrival().await;
        let children = server.children();

        server.signal(libc::SIGINT);
        server.err.wait_for("stopping").await;
        server.signal(libc::SIGINT);

        assert_eq!(server.ended().await.code(), Some(130), "{command}");
        assert!(server.announcement().is_none(), "{command}: dev.json is left");
        for child in children {
            child.is_gone().await;
        }
        drop(held);
        hanging.abort();
    }
}

#[tokio::test]
async fn a_signal_ends_a_server_whose_module_hangs_at_the_start() {
    for (command, signal, code) in [
        ("serve", libc::SIGINT, 130),
        ("dev", libc::SIGINT, 130),
        ("serve", libc::SIGTERM, 143),
        ("dev", libc::SIGTERM, 143),
    ] {
        let mut server = Project::new()
            .gate()
            .file("app.py", "import _gate\n_gate.wait('import')\n")
            .spawn(command);
        let held = server.arrival().await;

        server.signal(signal);

        assert_eq!(server.ended().await.code(), Some(code), "{command} {signal}");
        assert!(server.announcement().is_none());
        drop(held);
    }
}

#[tokio::test]
async fn a_killed_server_leaves_no_worker_behind() {
    let mut server = project().dev().await;
    let running = server.begin("/pool"); // a busy task
    let held = server.arrival().await;
    let children = server.children();
    assert!(!children.is_empty());

    server.signal(libc::SIGKILL);
    server.ended().await;

    for child in children {
        child.is_gone().await;
    }
    drop(held);
    running.abort();
}

#[tokio::test]
async fn a_server_starts_after_one_that_was_killed() {
    let mut server = project().dev().await;
    let old = server.announcement().expect("it runs");
    server.signal(libc::SIGKILL);
    server.ended().await;

    let left = server.announcement().expect("it still exists");
    assert_eq!(left, old);
    let Server { project, .. } = server;
    let again = project.dev().await;
    assert_ne!(again.announcement().expect("it runs")["token"], old["token"]);
}

#[tokio::test]
async fn open_consoles_get_bye_and_do_not_delay_the_shutdown() {
    let mut server = project().dev().await;
    let console = server.console().await;

    server.signal(libc::SIGINT);
    let events = console.rest().await;

    // Workers of the pool may have become ready meanwhile.
    assert_eq!(events.iter().filter(|name| *name != "worker").collect::<Vec<_>>(), ["bye"]);
    assert_eq!(events.last().map(String::as_str), Some("bye"));
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_stream_without_end_is_cut_off_at_the_deadline() {
    let mut server = Project::new()
        .file(
            "app.py",
            r#"
import asyncio
from snaxum import route

@route("/endless")
async def endless(request):
    async def pieces():
        yield "started"
        await asyncio.Event().wait()
    return pieces()
"#,
        )
        .serve()
        .await;
    let open = server.request(reqwest::Method::GET, "/endless").send().await.expect("headers");

    assert_eq!(server.stop().await.code(), Some(0));
    drop(open);
}

#[tokio::test]
async fn user_code_cannot_take_the_signals_away() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut server = Project::new()
            .file(
                "app.py",
                "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n\
                 signal.signal(signal.SIGTERM, lambda *_: None)\n\
                 from snaxum import route\n@route('/')\ndef index(request): ...\n",
            )
            .serve()
            .await;

        server.signal(signal);

        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_handler_that_exceeded_its_time_limit_does_not_delay_the_shutdown() {
    let mut server = project().args(&["--request-timeout", "200ms"]).serve().await;
    let hanging = server.begin("/wait");
    let held = server.arrival().await;
    assert_eq!(hanging.await.expect("a response").status, 504);

    assert_eq!(server.stop().await.code(), Some(0));
    drop(held);
}

#[tokio::test]
async fn one_signal_ends_a_server_even_if_a_handler_hangs() {
    let mut server = project().serve().await;
    let hanging = server.begin("/wait");
    let held = server.arrival().await;

    assert_eq!(server.stop().await.code(), Some(0));
    drop(held);
    hanging.abort();
}
