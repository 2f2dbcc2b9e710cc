//! Streams, foreign threads and processes, and modules that load do not delay the end of a server.

use futures_util::StreamExt;

use crate::support::{Project, Server, in_time};

const APP: &str = r#"
import asyncio
import _gate, tasks
from snaxum import Response, route

@route("/hello")
def hello(request): return "hello"

@route("/wait")
def wait(request):
    _gate.wait("wait")
    return "waited"

@route("/pool-wait", use_process_pool=True)
def pool_wait(request, pool):
    return pool.submit(tasks.wait).result()

async def pieces():
    yield "data: started\n\n"
    await asyncio.Event().wait()

def plain_pieces():
    yield "data: started\n\n"
    _gate.wait("stream")

@route("/events")
async def events(request):
    return Response(pieces(), content_type="text/event-stream")

@route("/plain-events")
def plain_events(request):
    return Response(plain_pieces(), content_type="text/event-stream; charset=utf-8")

@route("/endless")
async def endless(request):
    return pieces()
"#;

const TASKS: &str = "import _gate\n\ndef wait():\n    _gate.wait('task')\n";

/// Code that `python app.py` would wait for.
const FOREIGN: &str = r"
import multiprocessing, threading, time
from concurrent.futures import ProcessPoolExecutor
from snaxum import route

threading.Timer(600, print).start()
threading.Thread(target=time.sleep, args=(600,)).start()
context = multiprocessing.get_context('fork')
process = context.Process(target=time.sleep, args=(600,), daemon=True)
process.start()
pool = ProcessPoolExecutor(1, mp_context=context)
pool.submit(time.sleep, 600)

@route('/hello')
def hello(request): return 'hello'
";

fn app() -> Project {
    Project::new().gate().file("app.py", APP).file("tasks.py", TASKS).env("RUST_LOG", "info")
}

async fn start(project: Project, command: &str) -> Server {
    if command == "dev" { project.dev().await } else { project.serve().await }
}

#[tokio::test]
async fn event_streams_end_at_once_when_the_server_stops() {
    for command in ["serve", "dev"] {
        // Longer than the test waits.
        let mut server = start(app().args(&["--drain-timeout", "10m"]), command).await;
        let mut streams = Vec::new();
        for path in ["/events", "/plain-events"] {
            let request = server.request(reqwest::Method::GET, path);
            let mut stream = request.send().await.expect("headers").bytes_stream();
            let first = stream.next().await.expect("a chunk").expect("it is open");
            assert_eq!(&*first, b"data: started\n\n");
            streams.push(stream);
        }
        let held = server.arrival().await;

        server.signal(libc::SIGTERM);

        for stream in &mut streams {
            let rest = in_time("the end of the stream", stream.next()).await;
            assert!(rest.is_none(), "{command}: {rest:?}");
        }
        assert_eq!(server.ended().await.code(), Some(0), "{command}");
        drop(held);
    }
}

#[tokio::test]
async fn other_streams_have_the_time_limit_of_the_drain() {
    let mut server = app().args(&["--drain-timeout", "200ms"]).dev().await;
    let request = server.request(reqwest::Method::GET, "/endless");
    let mut stream = request.send().await.expect("headers").bytes_stream();
    stream.next().await.expect("a chunk").expect("it is open");

    assert_eq!(server.stop().await.code(), Some(0));
    assert!(in_time("the end", stream.next()).await.is_none_or(|chunk| chunk.is_err()));
}

#[tokio::test]
async fn threads_and_processes_of_the_user_do_not_delay_the_end() {
    for command in ["serve", "dev"] {
        let mut server = start(Project::new().file("app.py", FOREIGN), command).await;
        let children = server.children();
        assert!(children.len() >= 2, "{command}");

        server.signal(libc::SIGINT);

        assert_eq!(server.ended().await.code(), Some(0), "{command}");
        for child in children {
            child.is_gone().await;
        }
    }
}

#[tokio::test]
async fn a_signal_during_a_reload_interrupts_the_module() {
    let mut server = app().args(&["--import-timeout", "10m"]).dev().await;
    server.edit("slow.py", "import _gate\n_gate.wait('import')\n");
    server.edit("app.py", &format!("import slow\n{APP}"));
    let held = server.arrival().await;

    server.signal(libc::SIGTERM);

    assert_eq!(server.ended().await.code(), Some(0));
    drop(held);
}

#[tokio::test]
async fn hooks_run_however_many_clients_of_the_console_wait_for_a_module() {
    let hook = "from snaxum import on_shutdown\non_shutdown(lambda: _gate.notify('hook'))\n";
    let app = app().file("app.py", &format!("{APP}\n{hook}"));
    let mut server = app.args(&["--import-timeout", "10m"]).dev().await;
    server.edit("slow.py", "import _gate\n_gate.wait('import')\n");
    let held = server.arrival().await;
    // More than the queue of the runtime thread has room for.
    let waiting = (0..80).map(|_| server.api("workers"));
    futures_util::future::join_all(waiting).await;

    server.signal(libc::SIGTERM);

    // Another attempt to load may come before.
    while server.arrival().await.name != "hook" {}
    assert_eq!(server.ended().await.code(), Some(0));
    drop(held);
}

#[tokio::test]
async fn work_without_a_client_does_not_delay_the_end() {
    // Longer than the test waits.
    let project = app().args(&["--drain-timeout", "10m"]);
    let mut server = project.args(&["--request-timeout", "10m"]).serve().await;
    let mut held = Vec::new();
    for path in ["/wait", "/pool-wait"] {
        let request = server.begin(path);
        held.push(server.arrival().await);
        request.abort(); // closes the connection
    }
    server.get("/hello").await; // the server has noticed it
    assert_eq!(server.stop().await.code(), Some(0));
    drop(held);
}

#[tokio::test]
async fn a_second_sigterm_ends_the_drain() {
    for command in ["serve", "dev"] {
        let mut server = start(app().args(&["--drain-timeout", "0"]), command).await;
        let hanging = server.begin("/wait");
        let held = server.arrival().await;

        server.signal(libc::SIGTERM);
        server.err.wait_for("stopping").await;
        server.signal(libc::SIGTERM);

        assert_eq!(server.ended().await.code(), Some(0), "{command}");
        drop(held);
        hanging.abort();
    }
}
