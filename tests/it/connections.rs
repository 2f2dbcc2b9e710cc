//! Many connections, and the limit of open files.

use super::limits::{LARGE, Slow, idle};
use super::support::{Project, Server, in_time, snaxum};

/// Lets this process open as many sockets as it may.
fn raise_limit_of_descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to a limit of our own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    usize::try_from(limit.rlim_cur).expect("a number")
}

/// Starts `snaxum serve` under a limit of open files, as `ulimit` takes it.
async fn serve_under(limit: &str, project: Project) -> Server {
    let mut command = project.command("sh");
    let serve = format!("ulimit {limit} && exec \"$0\" serve --port 0");
    command.args(["-c", &serve, &snaxum()]);
    project.spawn_process(command).listening().await
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_block_no_request() {
    // The server has the same limit, and reserves a thousand for other uses.
    let count = 10_000.min(raise_limit_of_descriptors() - 1500);
    let server = Project::new().file("app.py", LARGE).serve().await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    let before = server.memory();

    let mut open = Vec::new();
    while open.len() < count {
        open.extend(idle(&server, 500.min(count - open.len())).await);
        // A socket's queue is served in order: these have been accepted.
        let mut next = Slow::get(&server, "/hello").await;
        assert!(next.head().await.starts_with("HTTP/1.1 200 "));
    }
    let grown = server.memory() - before;

    assert_eq!(server.get("/hello").await.text(), "hello");
    assert!(grown < count * 16 * 1024, "{grown}");
}

#[tokio::test]
async fn a_burst_of_clients_waits_in_line_while_the_server_is_busy() {
    let server = Project::new().file("app.py", LARGE).serve().await;

    server.suspend();
    let line = in_time("their turn in the line", idle(&server, 500)).await;
    server.resume();

    assert_eq!(server.get("/hello").await.text(), "hello");
    drop(line);
}

#[tokio::test]
async fn a_low_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let server = serve_under("-Sn 64", Project::new().file("app.py", LARGE)).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut slow = Slow::get(&server, "/hello").await;
        assert!(slow.head().await.starts_with("HTTP/1.1 200 "));
        open.push(slow);
    }
}

const FILES: &str = r#"
from snaxum import route

files = []

@route("/open")
def open_files(request):
    with open(__file__), open(__file__), open(__file__):
        return "opened"

@route("/take-all")
def take_all(request):
    try:
        while True:
            files.append(open(__file__))
    except OSError:
        return "taken"

@route("/give-back")
def give_back(request):
    for file in files:
        file.close()
    return "given back"
"#;

#[tokio::test]
async fn connections_leave_some_descriptors_to_the_handlers_and_the_rest_wait() {
    let server = serve_under("-n 64", Project::new().file("app.py", FILES)).await;
    let mut first = Slow::get(&server, "/open").await;
    assert!(first.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(first.read(6).await, b"opened");

    let others = idle(&server, 200).await;
    server.err.wait_for("the limit of open files").await;
    let waiting = server.begin("/open");
    for _ in 0..100 {
        first.send_request("/open").await;
        assert!(first.head().await.starts_with("HTTP/1.1 200 "));
        assert_eq!(first.read(6).await, b"opened");
    }
    assert!(!waiting.is_finished());
    drop(others);

    assert_eq!(waiting.await.expect("a response").text(), "opened");
    assert_eq!(server.err.text().matches("WARN").count(), 1, "{}", server.err.text());
}

#[tokio::test]
async fn a_server_out_of_descriptors_logs_it_once_and_accepts_clients_later() {
    let server = serve_under("-n 64", Project::new().file("app.py", FILES)).await;
    let mut first = Slow::get(&server, "/take-all").await;
    first.head().await;
    assert_eq!(first.read(5).await, b"taken");

    let waiting = server.begin("/open");
    server.err.wait_for("cannot accept a connection").await;
    for _ in 0..100 {
        first.send_request("/take-all").await;
        first.head().await;
        first.read(5).await;
    }
    first.send_request("/give-back").await;

    assert_eq!(waiting.await.expect("a response").text(), "opened");
    assert_eq!(server.err.text().matches("WARN").count(), 1, "{}", server.err.text());
}
