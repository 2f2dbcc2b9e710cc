//! Handlers that use the process pool, and the processes behind it.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, send};

const HANDLERS: &str = r#"
import tasks
from snaxum import route

@route("/square/<int:n>", use_process_pool=True)
def square(request, pool):
    return {"square": pool.submit(tasks.square, request.path_params["n"]).result()}

@route("/squares", methods=["POST"], use_process_pool=True)
def squares(request, pool):
    return list(pool.map(tasks.square, request.body))

@route("/who", use_process_pool=True)
def worker(request, pool):
    return pool.submit(tasks.worker).result()

@route("/die", use_process_pool=True)
def die(request, pool):
    return pool.submit(tasks.die).result()

@route("/orphan", use_process_pool=True)
def orphan(request, pool):
    return pool.submit(tasks.orphan).result()

@route("/raise", use_process_pool=True)
def fail(request, pool):
    return pool.submit(tasks.fail).result()

@route("/lambda", use_process_pool=True)
def nameless(request, pool):
    return pool.submit(lambda: 1).result()

@route("/wait", use_process_pool=True)
def wait(request, pool):
    return {"waited": pool.submit(tasks.wait).result()}

@route("/kind", use_process_pool=True)
def kind(request, pool):
    from concurrent.futures import Future, ProcessPoolExecutor
    with pool:
        future = pool.submit(tasks.square, 2)
    return [isinstance(pool, ProcessPoolExecutor), isinstance(future, Future), future.result()]

@route("/hello")
def hello(request): return "hello"
"#;

const TASKS: &str = r#"
import os

VERSION = 1

def square(n):
    return n * n

def worker():
    return {"pid": os.getpid(), "version": VERSION}

def die():
    os._exit(7)

def orphan():
    if os.fork() == 0:
        import _gate
        _gate.wait("orphan")
    os._exit(7)

def fail():
    raise LookupError("nothing in the task")

def wait():
    import _gate
    _gate.wait("task")
    return os.getpid()
"#;

fn project() -> Project {
    Project::new().gate().file("handlers.py", HANDLERS).file("tasks.py", TASKS)
}

async fn one_worker() -> Server {
    project().args(&["--pool-workers", "1"]).dev().await
}

async fn pool(server: &Server) -> Value {
    server.api("status").await["pool"].clone()
}

#[tokio::test]
async fn a_task_runs_in_another_process() {
    let server = one_worker().await;

    let worker = server.get("/who").await.json();

    let pid = worker["pid"].as_u64().expect("a pid");
    assert_ne!(pid, u64::from(server.pid));
    assert!(server.children().iter().any(|child| u64::from(child.pid) == pid));
    assert_eq!(pool(&server).await["workers"][0]["pid"], pid);
}

#[tokio::test]
async fn a_task_gets_its_arguments_and_gives_its_result() {
    let server = one_worker().await;

    assert_eq!(server.get("/square/7").await.json(), json!({"square": 49}));
    assert_eq!(server.post("/squares", &json!([1, 2, 3])).await.json(), json!([1, 4, 9]));
}

#[tokio::test]
async fn the_pool_is_an_executor_that_no_handler_can_shut_down() {
    let server = one_worker().await;

    assert_eq!(server.get("/kind").await.json(), json!([true, true, 4]));
    assert_eq!(server.get("/kind").await.json(), json!([true, true, 4]));
}

#[tokio::test]
async fn a_worker_that_dies_costs_its_request_a_500_and_the_next_works() {
    let server = one_worker().await;
    let before = server.get("/who").await.json();

    let lost = server.get("/die").await;
    let after = server.get("/who").await;

    assert_eq!(lost.status, 500);
    assert!(
        lost.json()["detail"].as_str().expect("a text").contains("tasks.die"),
        "{}",
        lost.text()
    );
    assert_eq!(after.status, 200, "{}", after.text());
    assert_ne!(after.json()["pid"], before["pid"]);
    let pool = pool(&server).await;
    assert_eq!((&pool["size"], &pool["replaced"]), (&json!(1), &json!(1)));
    let loss = &pool["exits"][0];
    assert_eq!((&loss["pid"], &loss["task"]), (&before["pid"], &json!("tasks.die")));
    assert_eq!((&loss["successor"], &loss["was_killed"]), (&after.json()["pid"], &json!(false)));
    assert!(loss["exit_code"].is_i64() && loss["time_ms"].as_u64().is_some(), "{loss}");
}

/// Tasks that print, as `handlers.py` has them called: `/NAME`.
const TALKING: &str = "\
import logging, os, sys, threading
from snaxum import route

def talk():
    print('out', 'postgres://ada:hunter2@db')
    logging.getLogger('shop').warning('logged')
    print('err \\x1b[2J', file=sys.stderr)
    aside = threading.Thread(target=print, args=('aside',))
    aside.start()
    aside.join()
    print('no end', end='')

def much():
    for number in range(4000):
        print('line', number)

def crash():
    print('last words')
    os.write(1, b'written\\n')
    os.write(2, b'to both\\n')
    os.abort()

@route('/<task>', use_process_pool=True)
def run(request, pool):
    pool.submit(globals()[request.path_params['task']]).result()
    return 'ok'
";

async fn talking() -> Server {
    Project::new().file("handlers.py", TALKING).args(&["--pool-workers", "1"]).dev().await
}

/// The output of a request, as `stream: line`.
async fn printed(server: &Server, reply: &Reply) -> Vec<String> {
    let detail = server.api(&format!("requests/{}", reply.header("x-request-id"))).await;
    let lines = detail["logs"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    lines.map(|log| format!("{}: {}", text(&log["stream"]), text(&log["line"]))).collect()
}

#[tokio::test]
async fn the_output_of_a_task_belongs_to_the_request_that_submitted_it() {
    let server = talking().await;
    let (first, second) = (server.get("/talk").await, server.get("/talk").await);

    let expected = [
        "stdout: out postgres://ada:••••@db",
        "stderr: logged",
        "stderr: err \u{1b}[2J",
        "stdout: no end",
    ];
    assert_eq!(printed(&server, &first).await, expected);
    assert_eq!(printed(&server, &second).await, expected);
    let all = server.api("logs").await;
    let aside = all.as_array().expect("a list").iter().filter(|log| log["line"] == "aside");
    assert_eq!(aside.map(|log| &log["request"]).collect::<Vec<_>>(), [&Value::Null; 2]);
    // The terminal gets everything but control characters.
    server.out.wait_for("out postgres://ada:hunter2@db").await;
    server.err.wait_for("err \\u{1b}[2J").await;
}

#[tokio::test]
async fn no_line_of_a_task_that_prints_much_is_lost() {
    let server = talking().await;
    let reply = server.get("/much").await;
    let expected: Vec<String> = (0..4000).map(|number| format!("stdout: line {number}")).collect();
    assert!(printed(&server, &reply).await == expected);
}

#[tokio::test]
async fn the_output_of_a_task_that_crashed_is_recorded_and_printed() {
    let server = talking().await;
    let reply = server.get("/crash").await;
    assert_eq!(reply.status, 500);
    assert_eq!(printed(&server, &reply).await[0], "stdout: last words");
    server.out.wait_for("last words").await;
    server.out.wait_for("written").await;
    server.err.wait_for("to both").await;
}

#[tokio::test]
async fn outside_dev_mode_the_output_of_a_task_is_unchanged() {
    let project = Project::new().file("handlers.py", TALKING);
    let server = project.args(&["--pool-workers", "1"]).serve().await;
    assert_eq!(server.get("/talk").await.status, 200);
    server.err.wait_for("err \u{1b}[2J").await;
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced_even_if_its_forked_child_survives() {
    let server = one_worker().await;

    let lost = server.begin("/orphan");
    let orphan = server.arrival().await;

    assert_eq!(lost.await.expect("a response").status, 500);
    assert_eq!(server.get("/square/3").await.json(), json!({"square": 9}));
    orphan.open().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_while_idle_costs_no_request_anything() {
    let server = one_worker().await;
    let pid = server.get("/who").await.json()["pid"].as_u64().expect("a pid");
    let worker =
        server.children().into_iter().find(|child| u64::from(child.pid) == pid).expect("it runs");

    // SAFETY: sends a signal to a descendant of our own child.
    unsafe { libc::kill(i32::try_from(worker.pid).expect("a pid"), libc::SIGKILL) };
    worker.is_gone().await;

    let after = server.get("/who").await;
    assert_eq!(after.status, 200, "{}", after.text());
    assert_ne!(after.json()["pid"], pid);
}

#[tokio::test]
async fn an_exception_in_a_task_is_the_handlers_exception() {
    let server = one_worker().await;

    let reply = server.get("/raise").await;

    assert_eq!(reply.status, 500);
    assert_eq!(reply.json()["traceback"]["type"], "LookupError");
    assert_eq!(reply.json()["traceback"]["message"], "nothing in the task");
}

#[tokio::test]
async fn a_function_that_a_worker_cannot_find_is_named_with_the_way_out() {
    let server = one_worker().await;

    let reply = server.get("/lambda").await;

    let detail = reply.json()["detail"].to_string();
    assert_eq!(reply.status, 500);
    assert!(
        detail.contains("nameless.<locals>.<lambda>") && detail.contains("top level"),
        "{detail}"
    );
    assert_eq!(server.get("/square/3").await.status, 200);
}

#[tokio::test]
async fn waiting_pool_handlers_block_no_request_even_when_they_outnumber_the_workers() {
    let server = project().args(&["--pool-workers", "1", "--dispatch-workers", "1"]).serve().await;

    let waiting: Vec<_> = (0..6).map(|_| server.begin("/wait")).collect();
    let first = server.arrival().await;

    assert_eq!(server.get("/hello").await.text(), "hello");
    first.open().await;
    for _ in 1..6 {
        server.arrival().await.open().await;
    }
    for reply in waiting {
        assert_eq!(reply.await.expect("a response").status, 200);
    }
}

#[tokio::test]
async fn two_tasks_run_in_two_processes_at_the_same_time() {
    let server = project().args(&["--pool-workers", "2"]).serve().await;

    let waiting = [server.begin("/wait"), server.begin("/wait")];
    let (first, second) = (server.arrival().await, server.arrival().await);
    first.open().await;
    second.open().await;

    let [first, second] = waiting;
    assert_ne!(first.await.expect("a response").json(), second.await.expect("a response").json());
}

#[tokio::test]
async fn an_edited_task_runs_its_new_code_next_time_in_the_same_process() {
    let server = one_worker().await;
    let mut console = server.console().await;
    let before = server.get("/who").await.json();

    server.edit("tasks.py", &TASKS.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;

    let after = server.get("/who").await.json();
    assert_eq!((&before["version"], &after["version"]), (&json!(1), &json!(2)));
    assert_eq!(before["pid"], after["pid"]);
}

#[tokio::test]
async fn a_rejected_edit_leaves_the_workers_on_the_last_good_code() {
    let server = one_worker().await;
    let mut console = server.console().await;
    server.get("/who").await;

    server.edit("tasks.py", &TASKS.replace("VERSION = 1", "VERSION = 2\nraise ValueError"));
    console.next_of_type("reload.fail").await;

    assert_eq!(server.get("/who").await.json()["version"], 1);
}

#[tokio::test]
async fn a_task_that_runs_during_an_edit_finishes() {
    let server = one_worker().await;
    let mut console = server.console().await;
    let running = server.begin("/wait");
    let held = server.arrival().await;

    server.edit("tasks.py", &TASKS.replace("VERSION = 1", "VERSION = 2"));
    console.next_of_type("reload.ok").await;
    held.open().await;

    assert_eq!(running.await.expect("a response").status, 200);
    assert_eq!(server.get("/who").await.json()["version"], 2);
}

#[tokio::test]
async fn classes_of_the_users_travel_both_ways_across_reloads() {
    let handlers = r#"
import tasks
from snaxum import route

@route("/move", use_process_pool=True)
def move(request, pool):
    moved = pool.submit(tasks.move, tasks.Point(1, 2)).result()
    return [type(moved) is tasks.Point, moved.x, moved.y]
"#;
    let tasks = r#"
import dataclasses

@dataclasses.dataclass
class Point:
    x: int
    y: int

def move(point):
    return Point(point.x + 10, point.y)
"#;
    let server = Project::new()
        .file("handlers.py", handlers)
        .file("tasks.py", tasks)
        .args(&["--pool-workers", "1"])
        .dev()
        .await;
    let mut console = server.console().await;
    assert_eq!(server.get("/move").await.json(), json!([true, 11, 2]));

    server.edit("tasks.py", &tasks.replace("+ 10", "+ 20"));
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/move").await.json(), json!([true, 21, 2]));
}

#[tokio::test]
async fn the_output_of_a_task_is_printed() {
    let server = Project::new()
        .file("handlers.py", "import tasks\nfrom snaxum import route\n\n@route('/print', use_process_pool=True)\ndef printing(request, pool):\n    return {'printed': pool.submit(tasks.printing).result()}\n")
        .file("tasks.py", "def printing():\n    print('hello from the task é')\n    return 1\n")
        .args(&["--pool-workers", "1"])
        .serve()
        .await;

    assert_eq!(server.get("/print").await.status, 200);

    server.out.wait_for("hello from the task é").await;
}

#[tokio::test]
async fn a_client_that_leaves_a_waiting_pool_request_leaves_the_pool_working() {
    let server = one_worker().await;
    let client = server.begin("/wait");
    let held = server.arrival().await;

    client.abort();
    held.open().await;

    assert_eq!(server.get("/square/5").await.json(), json!({"square": 25}));
}

#[tokio::test]
async fn a_task_over_the_time_limit_is_a_504_and_the_pool_works_on() {
    let server = project().args(&["--pool-workers", "2", "--request-timeout", "2s"]).serve().await;
    // On a busy machine the start of a worker may exceed the limit.
    while server.get("/square/2").await.status != 200 {}

    let slow = server.begin("/wait");
    let held = server.arrival().await;

    assert_eq!(slow.await.expect("a response").status, 504);
    assert_eq!(send(server.request(Method::GET, "/square/5")).await.json(), json!({"square": 25}));
    held.open().await;
}

#[tokio::test]
async fn no_worker_outlives_a_clean_stop() {
    let mut server = one_worker().await;
    assert_eq!(server.get("/square/2").await.status, 200);
    let children = server.children();
    assert!(!children.is_empty());

    assert_eq!(server.stop().await.code(), Some(0));

    for child in children {
        assert!(!child.is_alive(), "{child:?} is left");
    }
}

#[tokio::test]
async fn tasks_that_hang_do_not_use_the_workers_up() {
    let server = Project::new()
        .file(
            "tasks.py",
            "import time\n\ndef hang():\n    time.sleep(10_000)\n\ndef one():\n    return 1\n",
        )
        .file(
            "app.py",
            r#"
import tasks
from snaxum import route

@route("/hang", use_process_pool=True)
def hang(request, pool): return {"never": pool.submit(tasks.hang).result()}

@route("/one", use_process_pool=True)
def one(request, pool): return {"one": pool.submit(tasks.one).result()}
"#,
        )
        .args(&["--pool-workers", "1", "--request-timeout", "5s"])
        .dev()
        .await;
    assert_eq!(server.get("/one").await.text(), r#"{"one":1}"#);

    assert_eq!(server.get("/hang").await.status, 504);
    // The task may outlive its request by one more time limit.
    server.err.wait_for("died while it ran tasks.hang").await;

    assert_eq!(server.get("/one").await.text(), r#"{"one":1}"#);
    let loss = &pool(&server).await["exits"][0];
    assert_eq!((&loss["was_killed"], &loss["exit_code"]), (&json!(true), &json!(-9)), "{loss}");
}
