//! State that layers in Rust pass to Python, and calls of Python functions from Rust.
//!
//! The server is `tests/embedding/program.rs`, a program of a user's own.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::quick_start;
use super::support::{Project, Reply, Server, in_time, send};

const SHOP: &str = r#"
import asyncio
import dataclasses
import datetime
import threading
from concurrent.futures import ProcessPoolExecutor

import _gate
import tasks
from snaxum import abort, no_capture


@dataclasses.dataclass
class Order:
    id: int
    prices: list[float]


def add(left, right):
    return left + right


async def add_later(left, right):
    await asyncio.sleep(0)
    return left + right


def scaled(value: int, *, scale: float = 1.0) -> float:
    return value * scale


def total(order: Order) -> dict:
    return {"id": order.id, "sum": sum(order.prices), "on": datetime.date(2026, 11, 29)}


def squares(numbers, pool: ProcessPoolExecutor):
    return list(pool.map(tasks.square, numbers))


def label(left, right):
    return "text"


def nothing():
    pass


def fails(value):
    return add(value,
               None)


def refuses():
    abort(404, "no")


def unencodable():
    return {"a": [threading.Lock()]}


def login(name, password):
    print("logging in", name)
    return {"token": "t-1234567890", "name": name}


@no_capture
def private(value):
    return value


def waits():
    _gate.wait("waits")
    return "waited"


async def waits_async():
    try:
        await _gate.wait_async("waits_async")
        return "waited"
    except asyncio.CancelledError:
        _gate.notify("cancelled")
        raise
"#;

const TASKS: &str = "def square(n):\n    return n * n\n";

const STATE: &str = r#"
from snaxum import Request, WebSocket, route, websocket

@route("/python/state")
def state(request: Request):
    request.state.own = 1
    return {"user": request.state.user, "all": request.state}

@route("/python/list")
def state_list(request: Request):
    return request.state

@route("/bare/state")
def bare(request: Request):
    return {"all": request.state, "user": request.state.get("user")}

@websocket("/python/socket")
async def socket(ws: WebSocket):
    await ws.send_json([ws.state.user["name"], ws.request.state.region])
"#;

fn project() -> Project {
    Project::new()
        .gate()
        .file("shop.py", SHOP)
        .file("tasks.py", TASKS)
        .file("states.py", STATE)
        .file("package/__init__.py", "from shop import add\n")
}

async fn run(args: &[&str]) -> Server {
    quick_start::run("rust-and-python", project().args(args)).await
}

/// A server in dev mode, with its token.
async fn dev() -> Server {
    let mut server = run(&["dev"]).await;
    let line = server.out.wait_for("/__snaxum/?t=").await;
    let token = line.split("?t=").nth(1).and_then(|rest| rest.split_whitespace().next());
    server.token = token.expect("a token").to_owned();
    server
}

async fn call(server: &Server, function: &str, arguments: Value) -> Value {
    server.post(&format!("/call/{function}"), &arguments).await.json()
}

async fn post(server: &Server, path: &str) -> Reply {
    send(server.request(Method::POST, path)).await
}

#[tokio::test]
async fn the_state_of_layers_in_rust_is_the_state_of_the_request() {
    let server = run(&["serve"]).await;

    let anonymous = server.get("/python/state").await.json();
    assert_eq!(anonymous["all"], json!({"region": "eu", "user": null, "own": 1}));
    let request = server.request(Method::GET, "/python/state").header("x-user", "ada");
    let known = send(request).await.json();
    assert_eq!(known["user"], json!({"name": "ada"}));
    assert_eq!(known["all"], json!({"region": "eu", "user": {"name": "ada"}, "own": 1}));
    let request = server.request(Method::GET, "/python/list").header("x-list", "ab");
    assert_eq!(send(request).await.json(), json!([97, 98]));
    let bare = server.get("/bare/state").await.json();
    assert_eq!(bare, json!({"all": {}, "user": null}));

    let socket = server.connect_to("/python/socket", &[("x-user", "ada")]).await;
    let sent = socket.expect("it is accepted").next().await;
    assert_eq!(sent, json!(["ada", "eu"]));
}

#[tokio::test]
async fn a_call_returns_the_result_of_the_function_or_the_reason_why_not() {
    let server = run(&["dev"]).await;
    let values = [
        ("shop:add", json!([1, 2]), json!(3)),
        ("shop:add", json!({"left": "a", "right": "b"}), json!("ab")),
        ("package:add", json!([1, 2]), json!(3)),
        ("shop:add_later", json!([1, 2]), json!(3)),
        ("shop:scaled", json!([3]), json!(3.0)),
        (
            "shop:total",
            json!([{"id": 7, "prices": [1, 2]}]),
            json!({"id": 7, "sum": 3.0, "on": "2026-11-29"}),
        ),
        ("shop:squares", json!([[1, 2, 3]]), json!([1, 4, 9])),
        ("shop:nothing", json!([]), Value::Null),
        ("shop:nothing", Value::Null, Value::Null),
    ];
    for (function, arguments, value) in values {
        let result = call(&server, function, arguments.clone()).await;
        assert_eq!(result, json!({ "value": value }), "{function} {arguments}");
    }
    assert_eq!(server.get("/keywords").await.json(), json!(2.5));
    assert_eq!(server.get("/number/shop:add").await.json(), json!(42));

    let errors = [
        ("shop:ad", json!([]), "NoSuchFunction", "did you mean `add`?"),
        ("os:system", json!(["true"]), "NoSuchFunction", "no module `os` is loaded"),
        ("shop", json!([]), "NoSuchFunction", "write `module:function`"),
        ("shop:fails", json!([1]), "Raised", "`shop:fails` raised TypeError: unsupported"),
        ("shop:refuses", json!([]), "Raised", "HTTPError: 404 Not Found: no"),
        ("shop:add", json!([1]), "Arguments", "'right'; it is `add(left, right)`"),
        ("shop:scaled", json!(["x"]), "Arguments", "`value` "),
        ("shop:total", json!([{"id": 1, "prices": [true, "x"]}]), "Arguments", "`order.prices[1]`"),
        ("shop:add", json!("text"), "Arguments", "pass a tuple: `(value,)`"),
        ("shop:unencodable", json!([]), "Result", "cannot encode `lock` at `$.a[0]`"),
    ];
    for (function, arguments, kind, text) in errors {
        let error = call(&server, function, arguments).await;
        let found = error["text"].as_str().expect("a text");
        assert!(error["error"] == kind && found.contains(text), "{function}: {error}");
    }
    let lines = call(&server, "shop:fails", json!([1])).await["lines"].clone();
    assert_eq!(lines.as_array().expect("frames").len(), 2, "{lines}");
    let log = server.out.wait_for("the function raised").await;
    assert!(log.contains("ERROR"), "{log}");

    let wrong_type = server.get("/number/shop:label").await;
    assert_eq!(
        (wrong_type.status, wrong_type.header("content-type")),
        (500, "application/problem+json")
    );
    assert!(!wrong_type.text().contains("label"), "{}", wrong_type.text());
    let reason = "the result of `shop:label` does not convert: `.`: invalid type: string";
    assert!(server.out.wait_for("`shop:label`").await.contains(reason));
}

#[tokio::test]
async fn a_thousand_calls_at_once_all_return() {
    let server = run(&["dev"]).await;
    let sum = server.get("/many").await;
    assert_eq!(sum.json(), json!((0..1000).map(|number| number + 1).sum::<i64>()));
}

#[tokio::test]
async fn the_console_shows_calls_with_secrets_masked_and_no_client_can_make_one() {
    let server = dev().await;
    call(&server, "shop:login", json!({"name": "ada", "password": "hunter2"})).await;
    call(&server, "shop:private", json!(["visible"])).await;
    call(&server, "shop:fails", json!([1])).await;
    call(&server, "shop:ad", json!([1])).await;
    call(&server, "shop:login", json!(["eve", "swordfish"])).await;

    let requests = server.api("requests").await;
    let shown: Vec<_> = requests.as_array().expect("a list").iter().rev().collect();
    let what = |request: &Value| {
        json!([request["method"], request["path"], request["status"], request["generation"]])
    };
    assert_eq!(
        shown.iter().map(|request| what(request)).collect::<Vec<_>>(),
        [
            json!(["CALL", "shop:login", 200, 1]),
            json!(["CALL", "shop:private", 200, 1]),
            json!(["CALL", "shop:fails", 500, 1]),
            json!(["CALL", "shop:ad", 404, 1]),
            json!(["CALL", "shop:login", 200, 1]),
        ]
    );
    assert!(shown.iter().all(|request| request["is_call"] == true));
    let detail = async |position: usize| {
        let id = shown[position]["id"].as_str().expect("an id");
        server.api(&format!("requests/{id}")).await
    };
    let login = detail(0).await;
    let (sent, returned) = (&login["request_body"]["text"], &login["response_body"]["text"]);
    assert!(sent.as_str().is_some_and(|text| text.contains("ada")), "{login}");
    assert!(returned.as_str().is_some_and(|text| text.contains("ada")), "{login}");
    assert!(!login.to_string().contains("hunter2"), "{login}");
    assert!(!login.to_string().contains("t-1234567890"), "{login}");
    assert_eq!(login["logs"][0]["line"], "logging in ada");
    let by_position = detail(4).await;
    assert_eq!(by_position["request_body"]["text"], json!("{\"args\":[\"eve\",\"••••\"]}"));
    assert!(!by_position.to_string().contains("swordfish"), "{by_position}");
    assert!(!detail(1).await.to_string().contains("visible"));
    let fails = detail(2).await;
    assert_eq!(fails["traceback"]["type"], "TypeError");
    assert_eq!(fails["traceback"]["frames"][0]["function"], "fails");

    let id = shown[0]["id"].as_str().expect("an id");
    for command in ["replay", "pin"] {
        let path = format!("/__snaxum/api/requests/{id}/{command}");
        let request = server.request(Method::POST, &path).header("x-snaxum", "1");
        let refused = send(request.bearer_auth(&server.token).json(&json!({}))).await;
        assert!((400..500).contains(&refused.status), "{command}: {}", refused.text());
        assert!(refused.text().contains("a call from Rust"), "{command}: {}", refused.text());
    }
    let method = Method::from_bytes(b"CALL").expect("a method");
    for path in ["/python/shop:add", "/bare/shop:add", "/bare/%3Ashop%3Aadd"] {
        let request = server.request(method.clone(), path).body(r#"{"args":[1,2]}"#);
        assert_eq!(send(request).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_call_after_a_save_runs_the_new_code_and_after_a_broken_one_the_last_good_code() {
    let server = dev().await;
    assert_eq!(call(&server, "shop:add", json!([1, 2])).await, json!({"value": 3}));

    server.edit("shop.py", &SHOP.replace("return left + right", "return left * right * 10"));
    assert_eq!(call(&server, "shop:add", json!([1, 2])).await, json!({"value": 20}));
    assert_eq!(call(&server, "package:add", json!([1, 2])).await, json!({"value": 20}));

    let mut console = server.console().await;
    server.edit("shop.py", "def add(:\n");
    console.next_of_type("reload.fail").await;
    assert_eq!(call(&server, "shop:add", json!([1, 2])).await, json!({"value": 20}));

    server.edit("shop.py", "def plus(left, right):\n    return left + right\n");
    server.edit("package/__init__.py", "from shop import plus\n");
    assert_eq!(call(&server, "package:plus", json!([1, 2])).await, json!({"value": 3}));
    let gone = call(&server, "shop:add", json!([1, 2])).await;
    assert!(gone["text"].as_str().is_some_and(|text| text.contains("there: `plus`")), "{gone}");
}

#[tokio::test]
async fn dropping_the_future_cancels_the_call() {
    let server = dev().await;
    post(&server, "/begin/shop:waits_async").await;
    let held = server.arrival().await;

    assert_eq!(post(&server, "/drop/shop:waits_async").await.text(), "dropped");
    assert_eq!(server.arrival().await.name, "cancelled");
    drop(held);

    // A call that waits for the only worker never starts.
    post(&server, "/begin/shop:waits").await;
    let held = server.arrival().await;
    post(&server, "/begin/shop:fails").await;
    assert_eq!(post(&server, "/drop/shop:fails").await.text(), "dropped");
    held.open().await;
    assert_eq!(server.get("/result/shop:waits").await.text(), "\"waited\"");
    assert_eq!(call(&server, "shop:add", json!([1, 2])).await, json!({"value": 3}));

    let requests = server.api("requests").await;
    let shown = requests.as_array().expect("a list").iter().rev();
    let shown: Vec<_> = shown.map(|each| json!([each["path"], each["status"]])).collect();
    assert_eq!(
        shown,
        [
            json!(["shop:waits_async", 499]),
            json!(["shop:fails", 499]),
            json!(["shop:waits", 200]),
            json!(["shop:add", 200]),
        ]
    );
}

#[tokio::test]
async fn a_call_that_finds_the_queue_full_is_refused_at_once() {
    let server = run(&["serve"]).await;
    post(&server, "/begin/shop:waits").await;
    let held = server.arrival().await;

    // The spare worker sets one aside, and one fits into the queue.
    let mut results = JoinSet::new();
    for _ in 0..4 {
        let (url, body) = ("/call/shop:add", json!([1, 2]));
        results.spawn(send(server.request(Method::POST, url).json(&body)));
    }
    let mut result = async || {
        let result = in_time("a result", results.join_next()).await.expect("one more");
        result.expect("no panic").json()
    };
    // The others wait for the only worker.
    let refused = result().await;
    assert_eq!(refused["error"], "QueueFull");
    let text = refused["text"].as_str().expect("a text");
    assert_eq!(text, "`shop:add` was not called: too many requests are waiting");
    held.open().await;
    let mut called = 0;
    for _ in 0..3 {
        let result = result().await;
        match result["error"].as_str() {
            None => {
                assert_eq!(result, json!({"value": 3}));
                called += 1;
            }
            Some(error) => assert_eq!(error, "QueueFull"),
        }
    }
    assert!(called > 0);
    assert_eq!(server.get("/result/shop:waits").await.text(), "\"waited\"");
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_and_the_next_one_runs() {
    let server = run(&["serve", "1000"]).await;
    post(&server, "/begin/shop:waits").await;
    let held = server.arrival().await;
    let timed_out = server.get("/result/shop:waits").await;
    assert_eq!(timed_out.text(), "TimedOut: `shop:waits` took longer than 1 s");
    // Its thread still waits.
    assert_eq!(server.get("/number/shop:add").await.json(), json!(42));
    drop(held);
}

#[tokio::test]
async fn a_call_under_way_ends_before_a_stop_and_a_later_one_is_refused() {
    let mut server = run(&["serve"]).await;
    post(&server, "/begin/shop:waits").await;
    let held = server.arrival().await;

    server.signal(libc::SIGTERM);
    server.out.wait_for("stopping").await;
    held.open().await;

    assert_eq!(server.out.wait_for("shop:waits: ").await.trim(), "shop:waits: \"waited\"");
    assert!(server.out.wait_for("later: ").await.contains("Stopped: "));
    assert!(server.ended().await.success());
}
