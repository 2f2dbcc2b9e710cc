//! Messages of a client of the event stream, and the responses (docs/protocol.md).

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::support::{Console, Project, Server};
use super::tail::Tail;

const APP: &str = r#"
import _gate
from snaxum import route

@route("/hello")
def hello(request):
    return "hello"

@route("/raise")
def fail(request):
    raise ValueError("it went wrong")

@route("/hold/<name>")
def hold(request):
    _gate.wait("held")
    return "held"
"#;

const POOL: &str = r#"
import tasks
from snaxum import route

@route("/worker", use_process_pool=True)
def worker(request, pool):
    return {"pid": pool.submit(tasks.worker).result()}

@route("/die", use_process_pool=True)
def die(request, pool):
    return pool.submit(tasks.die).result()
"#;

const TASKS: &str = "\
import os

def worker():
    return os.getpid()

def die():
    os._exit(7)
";

async fn app() -> Server {
    Project::new().gate().file("app.py", APP).dev().await
}

/// A project with one worker.
fn with_pool() -> Project {
    let project = Project::new().file("app.py", POOL).file("tasks.py", TASKS);
    project.args(&["--pool-workers", "1"])
}

/// A client that has read everything so far.
async fn at(server: &Server, query: &str) -> Console {
    let bearer = format!("Bearer {}", server.token);
    let path = format!("/__snaxum/ws{query}");
    let connected = server.connect_to(&path, &[("authorization", &bearer)]).await;
    let mut console = connected.expect("it is let in");
    assert_eq!(console.next().await["type"], "hello");
    console
}

async fn begun(server: &Server, query: &str) -> Console {
    let mut console = at(server, query).await;
    assert_eq!(console.next().await["type"], "snapshot");
    console
}

async fn send(console: &mut Console, message: Value) {
    console.send(Message::text(message.to_string())).await;
}

async fn subscribe(console: &mut Console, types: &[&str]) {
    send(console, json!({"type": "subscribe", "types": types})).await;
    // The server handles messages in order: after the pong the choice is active.
    send(console, json!({"type": "ping", "id": "subscribed"})).await;
    assert_eq!(console.next_of_type("pong").await["id"], "subscribed");
}

fn seq(message: &Value) -> u64 {
    message["seq"].as_u64().expect("a number")
}

/// The types of the messages up to the pong.
async fn received_so_far(console: &mut Console) -> Vec<Value> {
    send(console, json!({"type": "ping"})).await;
    let mut messages = Vec::new();
    loop {
        match console.next().await {
            message if message["type"] == "pong" => return messages,
            message => messages.push(message),
        }
    }
}

#[tokio::test]
async fn a_pong_has_the_id_of_the_ping_and_the_number_of_the_last_event() {
    let server = app().await;
    let mut console = server.console().await;
    send(&mut console, json!({"type": "ping"})).await;
    let pong = console.next().await;
    assert_eq!(pong, json!({"v": 2, "seq": 0, "type": "pong", "id": null}));

    server.get("/hello").await;
    assert_eq!(seq(&console.next_of_type("request.end").await), 1);
    for id in [json!("a"), json!(7)] {
        send(&mut console, json!({"type": "ping", "id": id})).await;
        let pong = console.next().await;
        assert_eq!(pong, json!({"v": 2, "seq": 1, "type": "pong", "id": id}));
    }
}

#[tokio::test]
async fn a_client_receives_the_types_it_has_subscribed_to_and_nothing_else() {
    let server = app().await;
    let (mut console, mut other) = (server.console().await, server.console().await);
    subscribe(&mut console, &["reload.*", "error", "route.diff"]).await;

    server.get("/hello").await;
    let id = server.get("/raise").await.header("x-request-id").to_owned();
    let error = console.next().await;
    assert_eq!(
        (&error["type"], &error["request"], &error["reload"], &error["generation"]),
        (&json!("error"), &json!(id), &Value::Null, &json!(1))
    );
    assert_eq!(error["error"]["type"], "ValueError");
    assert_eq!(error["error"]["source"], "raise ValueError(\"it went wrong\")");

    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let types = [console.next().await, console.next().await, console.next().await];
    let diff = &types[2];
    assert_eq!(types.each_ref().map(|m| &m["type"]), ["reload.start", "reload.ok", "route.diff"]);
    assert_eq!((&diff["generation"], &diff["reload"]), (&json!(2), &types[1]["reload"]["id"]));
    assert_eq!(seq(diff), seq(&types[1]), "it repeats a part of it");
    assert_eq!(diff["diff"], types[1]["reload"]["diff"]);
    assert_eq!(diff["diff"]["added"][0]["path"], "/hallo");

    server.edit("app.py", "def oops(:");
    let types = [console.next().await, console.next().await, console.next().await];
    let error = &types[2];
    assert_eq!(types.each_ref().map(|m| &m["type"]), ["reload.start", "reload.fail", "error"]);
    assert_eq!((&error["request"], &error["reload"]), (&Value::Null, &types[1]["reload"]["id"]));
    assert_eq!((&error["generation"], seq(error)), (&json!(2), seq(&types[1])));
    assert_eq!(error["error"]["type"], "SyntaxError");

    subscribe(&mut console, &["log"]).await;
    server.get("/hallo").await;
    assert_eq!(received_so_far(&mut console).await, [] as [Value; 0], "the newer choice counts");

    // A client without a choice receives everything once.
    let mut types = Vec::new();
    while types.last().is_none_or(|kind| kind != "reload.fail") {
        types.push(other.next().await["type"].as_str().expect("a type").to_owned());
    }
    types.retain(|kind| kind != "contract.diff"); // some time after its reload
    let usual = ["request.end", "request.end", "reload.start", "reload.ok", "routes"];
    assert_eq!(types, [&usual[..], &["reload.start", "reload.fail"]].concat());
}

#[tokio::test]
async fn a_request_start_reaches_its_subscribers_before_the_end() {
    let server = app().await;
    server.get("/hello").await; // without a subscriber it is not an event
    let mut usual = server.console().await;
    let mut console = begun(&server, "?types=request.start,request.end").await;

    let hold = server.begin("/hold/AKIAIOSFODNN7EXAMPLE?token=secret");
    let start = console.next().await;
    let held = server.arrival().await;
    assert_eq!((&start["type"], seq(&start)), (&json!("request.start"), 2));
    assert_eq!(
        (&start["request"]["id"], &start["request"]["method"]),
        (&json!("2"), &json!("GET"))
    );
    assert_eq!(start["request"]["path"], "/hold/••••");
    assert!(start["request"]["time_ms"].is_u64());
    held.open().await;
    hold.await.expect("a response");
    let end = console.next().await;
    assert_eq!((&end["type"], &end["request"]["id"]), (&json!("request.end"), &json!("2")));
    assert_eq!(end["request"]["time_ms"], start["request"]["time_ms"]);
    assert_eq!(seq(&usual.next().await), seq(&end), "other clients do not receive it");

    // Without a subscriber it is not an event any more.
    subscribe(&mut console, &["*"]).await;
    subscribe(&mut console, &["request.end"]).await;
    server.get("/hello").await;
    assert_eq!(seq(&console.next().await), seq(&end) + 1);
}

#[tokio::test]
async fn a_choice_in_the_address_is_like_a_subscription() {
    let server = app().await;
    let mut nothing = begun(&server, "?types=").await;
    let mut some = begun(&server, "?types=error,route.*&metrics=1").await;
    server.get("/raise").await;
    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let mut types = Vec::new();
    while !["metrics", "route.diff"].iter().all(|kind| types.iter().any(|seen| seen == kind)) {
        types.push(some.next().await["type"].as_str().expect("a type").to_owned());
    }
    types.retain(|kind| kind != "metrics");
    assert_eq!(types, ["error", "route.diff"]);
    assert_eq!(received_so_far(&mut nothing).await, [] as [Value; 0]);

    let mut mistaken = begun(&server, "?types=log,eror").await;
    let problem = mistaken.next().await;
    assert_eq!((&problem["type"], &problem["unknown"]), (&json!("problem"), &json!(["eror"])));
    server.get("/hallo").await;
    assert_eq!(mistaken.next().await["type"], "request.end", "as if it had chosen nothing");
}

#[tokio::test]
async fn numbers_of_each_second_can_be_subscribed_to() {
    let server = app().await;
    let mut console = server.console().await;
    subscribe(&mut console, &["metrics"]).await;
    server.get("/hello").await;
    let message = console.next().await;
    assert_eq!(
        (&message["type"], &message["metrics"]["dispatch_workers"].is_u64()),
        (&json!("metrics"), &true)
    );
}

#[tokio::test]
async fn an_unknown_message_gets_a_problem_and_changes_nothing() {
    let server = app().await;
    let mut console = server.console().await;
    subscribe(&mut console, &["error"]).await;
    for (message, about, unknown) in [
        (
            json!({"type": "subscribe", "types": ["log", "eror", "r*"]}),
            json!("subscribe"),
            json!(["eror", "r*"]),
        ),
        (json!({"type": "subscribe", "types": "log"}), json!("subscribe"), json!([])),
        (json!({"type": "subscribe"}), json!("subscribe"), json!([])),
        (json!({"type": "ping", "id": {}}), json!("ping"), json!([])),
        (json!({"type": "reload"}), Value::Null, json!(["reload"])),
        (json!([1]), Value::Null, json!([])),
        (json!(null), Value::Null, json!([])),
    ] {
        send(&mut console, message.clone()).await;
        let problem = console.next().await;
        assert_eq!(
            (&problem["type"], &problem["about"], &problem["unknown"]),
            (&json!("problem"), &about, &unknown),
            "{message}"
        );
        assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()));
    }
    send(&mut console, json!({"type": "subscribe", "types": ["eror"]})).await;
    let known = console.next().await["known"].take();
    assert!(known.as_array().expect("a list").contains(&json!("error")), "{known}");

    server.get("/hello").await;
    server.get("/raise").await;
    assert_eq!(console.next().await["type"], "error", "its choice stays");
    assert_eq!(server.api("status").await["generation"], 1);
}

#[tokio::test]
async fn an_ack_gets_a_problem_that_names_its_replacement() {
    let server = app().await;
    let mut console = server.console().await;

    send(&mut console, json!({"type": "ack", "seq": 1})).await;

    let problem = console.next().await;
    assert_eq!((&problem["type"], &problem["about"]), (&json!("problem"), &json!("ack")));
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("`ack` was removed") && detail.contains("`dropped`"), "{detail}");
    server.get("/hello").await;
    assert_eq!(console.next().await["type"], "request.end", "the stream continues");
}

#[tokio::test]
async fn a_client_of_version_1_only_is_refused_and_sent_the_name_of_version_2() {
    let server = app().await;
    let bearer = format!("Bearer {}", server.token);
    for (offer, expected) in [
        ("snaxum.v1", Some(StatusCode::BAD_REQUEST)),
        ("snaxum.v1, snaxum.v2", None),
        ("snaxum.v2", None),
    ] {
        let headers = [("authorization", &*bearer), ("sec-websocket-protocol", offer)];
        assert_eq!(server.connect(&headers).await.err(), expected, "{offer}");
    }
    let upgrade = format!(
        "GET /__snaxum/ws HTTP/1.1\r\nhost: {}\r\nauthorization: {bearer}\r\nconnection: upgrade, close\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         sec-websocket-protocol: snaxum.v1\r\n\r\n",
        server.authority()
    );
    let response = server.raw(&upgrade).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.contains("snaxum.v1 was removed; use snaxum.v2"), "{response}");
}

#[tokio::test]
async fn events_that_were_not_subscribed_to_are_not_counted_as_dropped() {
    const REQUESTS: u64 = 600; // more than the limit
    let server = app().await;
    let run = server.api("status").await["run_id"].as_str().expect("a name").to_owned();
    for number in 1..=REQUESTS {
        server.get(if number % 100 == 1 { "/raise" } else { "/hello" }).await;
    }
    let mut reloads = at(&server, &format!("?run={run}&since=0&types=reload.*")).await;
    let mut errors = at(&server, &format!("?run={run}&since=0&types=error")).await;
    let mut requests = at(&server, &format!("?run={run}&since=0")).await;
    assert_eq!(received_so_far(&mut reloads).await, [] as [Value; 0]);

    let dropped = errors.next().await;
    assert_eq!((&dropped["type"], &dropped["count"]), (&json!("dropped"), &json!(1)));
    for _ in 0..5 {
        assert_eq!(errors.next().await["type"], "error", "the first of six was dropped");
    }
    assert_eq!(received_so_far(&mut errors).await, [] as [Value; 0]);
    assert_eq!(requests.next().await["count"], REQUESTS - 500);

    server.edit("app.py", "def oops(:");
    assert_eq!(reloads.next().await["type"], "reload.start");
}

#[tokio::test]
async fn a_resumed_stream_begins_with_the_number_it_resumes_from() {
    let server = app().await;
    let run = server.api("status").await["run_id"].as_str().expect("a name").to_owned();
    for _ in 0..5 {
        server.get("/hello").await;
    }
    let path = format!("/__snaxum/ws?run={run}&since=3");
    let bearer = format!("Bearer {}", server.token);
    let connected = server.connect_to(&path, &[("authorization", &bearer)]).await;
    let mut console = connected.expect("it is let in");
    let mut numbers = Vec::new();
    for kind in ["hello", "request.end", "request.end"] {
        let message = console.next().await;
        assert_eq!(message["type"], kind);
        numbers.push(seq(&message));
    }
    assert_eq!(numbers, [3, 4, 5]);
}

/// The process of the one worker.
async fn worker_pid(server: &Server) -> Value {
    server.get("/worker").await.json()["pid"].take()
}

async fn worker(console: &mut Console) -> Value {
    console.next_of_type("worker").await["worker"].take()
}

#[tokio::test]
async fn worker_events_are_sent() {
    let server = with_pool().dev().await;
    let pid = worker_pid(&server).await;
    let mut console = begun(&server, "?types=worker").await;
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    tail.line_with("snapshot").await;
    let process = server.children().into_iter().find(|child| json!(child.pid) == pid);
    let process = process.expect("it runs");

    // SAFETY: sends a signal to a descendant of our own child.
    unsafe { libc::kill(i32::try_from(process.pid).expect("a pid"), libc::SIGKILL) };
    let died = worker(&mut console).await;
    assert!(died["time_ms"].is_u64());
    assert_eq!(
        died,
        json!({
            "time_ms": died["time_ms"], "change": "died", "pid": pid, "task": null,
            "exit_code": -libc::SIGKILL, "was_killed": false, "replaces": null, "generation": null,
        })
    );

    let next = worker_pid(&server).await;
    let (started, updated) = (worker(&mut console).await, worker(&mut console).await);
    assert_eq!(
        (&started["change"], &started["pid"], &started["replaces"]),
        (&json!("started"), &next, &pid)
    );
    assert_eq!(
        (&updated["change"], &updated["pid"], &updated["generation"]),
        (&json!("updated"), &next, &json!(1))
    );

    server.edit("tasks.py", &TASKS.replace("os._exit(7)", "os._exit(8)"));
    assert_eq!(server.get("/die").await.status, 500);
    let (updated, died) = (worker(&mut console).await, worker(&mut console).await);
    assert_eq!((&updated["pid"], &updated["generation"]), (&next, &json!(2)));
    assert_eq!(
        (&died["pid"], &died["task"], &died["exit_code"]),
        (&next, &json!("tasks.die"), &json!(8))
    );
    assert_eq!(worker(&mut console).await["replaces"], next);
    let line: Value = serde_json::from_str(&tail.line_with("\"worker\"").await).expect("JSON");
    assert_eq!((&line["type"], &line["worker"]["pid"]), (&json!("worker"), &pid));
}

#[tokio::test]
async fn a_log_of_events_has_worker_events_too() {
    let mut server = with_pool().args(&["--log-format", "json"]).spawn("dev").logging().await;
    let pid = worker_pid(&server).await;
    assert_eq!(server.get("/die").await.status, 500);
    let line = server.out.wait_for("\"died\"").await;
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["type"], &line["worker"]["pid"]), (&json!("worker"), &pid));
    assert_eq!((&line["worker"]["exit_code"], &line["v"]), (&json!(7), &json!(2)));
    server.stop().await;
    // A worker that ends with the server has not died.
    assert_eq!(server.out.whole().await.matches("\"died\"").count(), 1);
}
