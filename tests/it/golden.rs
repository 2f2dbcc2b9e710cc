//! One short session, through the log, the socket, `snaxum tail` and the API: all equal one file.
//! `SNAXUM_WRITE_GOLDEN=1` rewrites that file.

use std::fs;

use serde_json::{Value, json};

use super::support::{Console, Project, Server, in_time};
use super::tail::Tail;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/events.ndjson");

const APP: &str = "\
from snaxum import route


@route('/users/<int:id>')
def user(request):
    \"\"\"Greet a user.\"\"\"
    print('a user')
    return 'hello'
";

const BROKEN: &str = "raise RuntimeError('not yet')\n";

/// The fields that differ between runs, machines or Python versions.
const VOLATILE: [&str; 16] = [
    "column",
    "editor",
    "end_column",
    "end_line",
    "ms",
    "pid",
    "pool",
    "py_cpu_ms",
    "python",
    "run_id",
    "text",
    "time_ms",
    "total_ms",
    "uptime_s",
    "version",
    "phases",
];

/// Puts in their place what kind of value it was.
fn normal(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = match &*name {
                    "summary" => without_duration(&value),
                    name if VOLATILE.contains(&name) => kind(value),
                    _ => normal(value),
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

/// Cuts the summary of a reload before its milliseconds.
fn without_duration(summary: &Value) -> Value {
    let text = summary.as_str().expect("a text");
    json!(text.split(" after ").next())
}

fn kind(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, kind(value))).collect()
        }
        Value::Number(_) | Value::Null => json!(0),
        Value::String(_) => json!("…"),
        other => other,
    }
}

fn read(line: &str) -> Value {
    normal(serde_json::from_str(line).expect(line))
}

async fn frames(console: &mut Console, end: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Value| frame["type"] != end) {
        frames.push(normal(console.next().await));
    }
    frames
}

async fn tailed(tail: &mut Tail, end: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &Value| line["type"] != end) {
        lines.push(read(&tail.line_with("{").await));
    }
    lines
}

/// A request that prints, a save that does not load, a save that loads and changes the API.
async fn session(server: &Server) {
    assert_eq!(server.get("/users/7").await.text(), "hello");
    server.edit("app.py", BROKEN);
    server.out.wait_for("\"type\":\"reload.fail\"").await;
    server.edit("app.py", &APP.replace("/users", "/people"));
    server.out.wait_for("\"type\":\"contract.diff\"").await;
}

#[tokio::test]
async fn every_subscriber_receives_the_same_events() {
    let project = Project::new().file("app.py", APP).args(&["--log-format", "json"]);
    let mut server = project.spawn("dev").logging().await;
    let bearer = format!("Bearer {}", server.token);
    let connected = server.connect(&[("authorization", &bearer)]).await;
    let mut console = connected.expect("it is let in");
    let mut tail = Tail::of(&server.project, &["--format", "json"]);
    let mut from_tail = tailed(&mut tail, "snapshot").await;
    let mut from_socket = frames(&mut console, "snapshot").await;

    session(&server).await;
    let paths = ["routes", "reloads", "requests", "logs", "status", "requests/1"];
    let mut responses = Vec::new();
    for path in paths {
        responses.push(normal(server.api(path).await));
    }
    server.stop().await;
    from_socket.extend(frames(&mut console, "bye").await);
    from_tail.extend(tailed(&mut tail, "bye").await);
    in_time("the end of tail", tail.end()).await;
    let log: Vec<Value> = server.out.whole().await.lines().map(read).collect();

    if std::env::var_os("SNAXUM_WRITE_GOLDEN").is_some() {
        fs::write(FILE, log.iter().map(|line| format!("{line}\n")).collect::<String>())
            .expect("the repository is writable");
    }
    let golden = fs::read_to_string(FILE).expect("it is in the repository");
    let golden: Vec<Value> =
        golden.lines().map(|line| serde_json::from_str(line).expect(line)).collect();

    same(&log, &golden, "the log");
    same(&from_tail, &from_socket, "`snaxum tail`");
    assert_eq!(from_socket[0], golden[0]);
    let (first, routes) = (&golden[1], &golden[2]["routes"]);
    let snapshot = json!({
        "v": 2, "seq": 0, "type": "snapshot", "status": first["status"], "routes": routes,
        "requests": [], "reloads": [first["reload"]], "logs": [], "pins": [], "errors": [],
        "profiled": [], "last_failure": null,
    });
    same(&from_socket[1..2], &[snapshot], "the snapshot");
    same(&from_socket[2..], &golden[3..], "the socket");

    let all = |kind: &'static str| {
        let values = golden.iter().rev().filter_map(move |event| event.get(kind).cloned());
        values.filter(|value| !value.is_number()) // the id of a reload
    };
    // Clients that ask later get the changes for clients with their reload.
    let contract = all("contract").next().expect("a comparison");
    let mut reloads: Value = all("reload").collect();
    reloads[0]["contract"] = contract.clone();
    let mut status = all("status").next().expect("one");
    status["last_reload"]["contract"] = contract;
    assert_eq!(responses[0], all("routes").next().expect("a table"));
    assert_eq!(responses[1], reloads);
    assert_eq!(responses[2], all("request").collect::<Value>());
    assert_eq!(responses[3], all("log").collect::<Value>());
    assert_eq!(without(&responses[4], "pool"), without(&status, "pool"), "the socket has no pool");
    let summary =
        &golden.iter().find(|event| event["type"] == "request.end").expect("one")["request"];
    for (name, value) in summary.as_object().expect("an object") {
        assert_eq!(&responses[5][name], value, "{name}");
    }
    assert_eq!(responses[5]["logs"], responses[3]);
}

/// Reports the first difference only.
fn same(found: &[Value], expected: &[Value], source: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{source}: run with SNAXUM_WRITE_GOLDEN=1 and read the diff");
    }
    assert_eq!(found.len(), expected.len(), "{source}: run with SNAXUM_WRITE_GOLDEN=1");
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name);
    object
}
