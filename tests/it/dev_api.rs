//! Dev mode over HTTP: the API, the event stream, and the guard in front of both (security.md,
//! S-01 to S-13).

use std::collections::HashSet;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::support::{Project, Reply, Server, send};

const APP: &str = r#"
from snaxum import route

@route("/hello")
def hello(request):
    """Greets."""
    return "hello"

@route("/raise", methods=["GET", "POST"])
def fail(request):
    fish = chr(102) + "ish"  # the source is shown, so the secrets are not written in it
    password = f"sword{fish}-1"
    database_url = f"postgres://bob:sword{fish}-2@db/app"
    harmless = "plain text"
    link = f"https://bob:sword{fish}-3@example.org/"
    return deeper(harmless)

def deeper(text):
    raise ValueError("it went wrong")

@route("/later/<int:n>")
async def later(request):
    return {"n": request.path_params["n"]}
"#;

/// Every path under the prefix, and one that is not there.
const PATHS: [&str; 12] = [
    "/__snaxum/",
    "/__snaxum",
    "/__snaxum/ws",
    "/__snaxum/api/status",
    "/__snaxum/api/routes",
    "/__snaxum/api/routes/r_00000000/source",
    "/__snaxum/api/match?method=GET&path=/",
    "/__snaxum/api/workers",
    "/__snaxum/api/requests",
    "/__snaxum/api/requests/1",
    "/__snaxum/api/reloads",
    "/__snaxum/nothing/here",
];

async fn app() -> Server {
    Project::new().file("app.py", APP).dev().await
}

async fn get_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::GET, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn console_with(server: &Server, headers: &[(&str, &str)]) -> u16 {
    let bearer = format!("Bearer {}", server.token);
    let all: Vec<_> = headers.iter().copied().chain([("authorization", &*bearer)]).collect();
    get_with(server, "/__snaxum/api/status", &all).await.status
}

async fn cookie(server: &Server) -> String {
    let reply = server.get(&format!("/__snaxum/?t={}", server.token)).await;
    reply.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

// The API

#[tokio::test]
async fn the_status_shows_the_serving_generation() {
    let server = app().await;

    let status = server.api("status").await;

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["python"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert_eq!(status["pid"], server.pid);
    assert_eq!(status["generation"], 1);
    assert_eq!(status["state"], "ok");
    assert_eq!(status["routes"], 3);
    assert!(status["uptime_s"].as_f64().is_some_and(|seconds| seconds >= 0.0));
    assert_eq!(status["last_reload"]["outcome"], "ok");
    assert!(status["pool"].is_object());
}

#[tokio::test]
async fn the_routes_equal_the_output_of_the_routes_command() {
    let server = app().await;

    let routes = server.api("routes").await;
    let listed = server.project.snaxum(&["routes", "--format", "json"]).await;

    assert_eq!(routes, serde_json::from_str::<Value>(&listed.stdout).expect("JSON"));
    let hello = list(&routes).iter().find(|route| route["path"] == "/hello").expect("it is listed");
    assert_eq!(hello["methods"], json!(["GET"]));
    assert_eq!((&hello["handler"], &hello["mode"]), (&json!("app.hello"), &json!("in-thread")));
    assert_eq!((&hello["file"], &hello["line"]), (&json!("python/app.py"), &json!(4)));
    assert_eq!(hello["doc"], "Greets.");
}

#[tokio::test]
async fn the_newest_requests_are_listed_with_their_phases() {
    let server = app().await;
    server.get("/hello?a=1").await;
    let newest = server.get("/later/5").await;

    let requests = server.api("requests").await;

    let [later, hello] = &list(&requests)[..] else { panic!("two requests: {requests}") };
    assert_eq!(later["id"], newest.header("x-request-id"));
    assert_eq!((&later["path"], &later["route"]), (&json!("/later/5"), &json!("/later/<int:n>")));
    assert_eq!(
        (&hello["method"], &hello["status"], &hello["generation"]),
        (&json!("GET"), &json!(200), &json!(1))
    );
    assert_eq!((&hello["path"], &hello["query"]), (&json!("/hello"), &json!("a=1")));
    for phase in ["queue", "gil", "py", "convert"] {
        assert!(hello["phases"][phase].as_f64().is_some_and(|ms| ms >= 0.0), "{phase}: {hello}");
    }
}

#[tokio::test]
async fn a_request_has_its_traceback_and_locals() {
    let server = app().await;
    let failed = server.get("/raise").await;

    let detail = server.api(&format!("requests/{}", failed.header("x-request-id"))).await;

    assert_eq!(detail["status"], 500);
    let traceback = &detail["traceback"];
    assert_eq!(
        (&traceback["type"], &traceback["message"]),
        (&json!("ValueError"), &json!("it went wrong"))
    );
    let [outer, inner] = &list(&traceback["frames"])[..] else { panic!("two frames: {traceback}") };
    assert_eq!((&outer["function"], &inner["function"]), (&json!("fail"), &json!("deeper")));
    assert_eq!((&inner["file"], &inner["line"]), (&json!("python/app.py"), &json!(19)));
    assert_eq!(inner["locals"], json!([{"name": "text", "value": "'plain text'"}]));
}

const GROUP: &str = r#"
from snaxum import route

class SeveralGroup(Exception):  # 3.10 has no other
    def __init__(self, exceptions):
        super().__init__("several")
        self.exceptions = exceptions

def deeper():
    raise KeyError("inside")

@route("/group")
def group(request):
    inner = []
    for number in range(12):
        try:
            deeper()
        except KeyError as error:
            inner.append(error)
    raise SeveralGroup(inner)
"#;

#[tokio::test]
async fn an_exception_group_is_shown_up_to_a_bound() {
    let server = Project::new().file("app.py", GROUP).dev().await;
    let reply = server.get("/group").await;
    let held = &reply.json()["traceback"]["exceptions"];
    assert_eq!(held.as_array().map(Vec::len), Some(8), "{held}");
    assert_eq!(held[0]["frames"][1]["function"], "deeper", "{held}");

    let page = get_with(&server, "/group", &[("accept", "text/html")]).await;
    assert_eq!(page.text().matches("<b>KeyError</b>").count(), 8, "{}", page.text());
}

#[tokio::test]
async fn secrets_are_masked_wherever_a_request_is_shown() {
    let server = app().await;
    let mut console = server.console().await;
    let headers = [
        ("authorization", "Basic swordfish-4"),
        ("cookie", "id=swordfish-5"),
        ("x-api-key", "swordfish-6"),
        ("x-csrf-token", "swordfish-7"),
        // By their pattern, under any name.
        ("x-note", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.swordfish-9"),
        ("x-database", "postgres://ada:swordfish-10@db/shop"),
        ("x-plain", "harmless"),
    ];
    let failed = get_with(&server, "/raise?token=swordfish-8&plain=yes", &headers).await;
    let event = console.next_of_type("request.end").await;
    let detail = server.api(&format!("requests/{}", failed.header("x-request-id"))).await;
    let others =
        [server.api("requests").await, event, failed.json()].map(|value| value.to_string());

    assert!(detail.to_string().contains("plain text") && detail.to_string().contains("harmless"));
    assert_eq!(
        detail["query"].as_str().and_then(|query| query.split('&').nth(1)),
        Some("plain=yes")
    );
    for shown in others.iter().chain([&detail.to_string()]) {
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}

/// The newest request whole.
async fn newest(server: &Server) -> Value {
    let requests = server.api("requests").await;
    let id = requests[0]["id"].as_str().expect("an id").to_owned();
    server.api(&format!("requests/{id}")).await
}

const ECHO: &str = r#"
from snaxum import Response, route

@route("/echo", methods=["POST"])
def echo(request):
    return Response(request.data, content_type=request.headers["content-type"])

@route("/stream")
def stream(request):
    def pieces():
        yield b"piece"
    return Response(pieces())
"#;

async fn echo(server: &Server, content_type: &str, body: impl Into<reqwest::Body>) {
    let request = server.request(Method::POST, "/echo").header("content-type", content_type);
    assert_eq!(send(request.body(body)).await.status, 200);
}

#[tokio::test]
async fn bodies_of_both_ways_are_shown_with_their_secrets_masked() {
    let server = Project::new().file("app.py", ECHO).dev().await;
    echo(&server, "application/json", r#"{"user": "ada", "password": "swordfish"}"#).await;
    let detail = newest(&server).await;
    for body in ["request_body", "response_body"] {
        let shown = &detail[body];
        assert_eq!(shown["text"], r#"{"user": "ada", "password": "••••"}"#, "{detail}");
        assert_eq!((&shown["size"], &shown["note"]), (&json!(40), &Value::Null));
    }
    echo(&server, "application/octet-stream", vec![0xff_u8; 9]).await;
    let detail = newest(&server).await;
    assert_eq!(detail["request_body"], json!({"size": 9, "text": null, "note": "it is not text"}));

    server.get("/stream").await;
    let detail = newest(&server).await;
    assert_eq!(
        (&detail["response_body"], &detail["request_body"]["size"]),
        (&Value::Null, &json!(0))
    );
}

#[tokio::test]
async fn a_large_body_is_truncated_and_old_bodies_are_dropped_first() {
    let server = Project::new().file("app.py", ECHO).dev().await;
    for _ in 0..300 {
        echo(&server, "text/plain", "x".repeat(100_000)).await; // two bodies of 64 KiB each are recorded: 256 fit
    }
    let requests = server.api("requests").await;
    let detail = async |place: usize| {
        let id = requests[place]["id"].as_str().expect("an id").to_owned();
        server.api(&format!("requests/{id}")).await
    };
    let newest = detail(0).await;
    assert_eq!(newest["request_body"]["note"], "it is truncated", "{newest:.600}");
    assert_eq!(newest["request_body"]["text"].as_str().map(str::len), Some(60 * 1024));
    assert_eq!(detail(255).await["response_body"]["note"], "it is truncated");
    assert_eq!(
        detail(256).await["response_body"],
        json!({"size": 100_000, "text": null, "note": "it is not stored"})
    );
}

#[tokio::test]
async fn no_body_is_recorded_with_no_capture_bodies() {
    let server = Project::new().file("app.py", ECHO).args(&["--no-capture-bodies"]).dev().await;
    echo(&server, "text/plain", "swordfish").await;
    let detail = newest(&server).await;
    assert_eq!(
        detail["request_body"],
        json!({"size": 9, "text": null, "note": "it is not stored"})
    );
    assert!(!detail.to_string().contains("swordfish"), "{detail}");
}

#[tokio::test]
async fn the_output_of_a_request_is_shown_with_it() {
    let source = "\
import asyncio, logging, sys
from snaxum import route

@route('/loud')
def loud(request):
    print('one', request.query_params['n'])
    logging.getLogger('shop').warning('two \\x1b[31m')
    return 'ok'

@route('/async')
async def later(request):
    await asyncio.sleep(0)
    print('three', file=sys.stderr)
    return 'ok'
";
    let server = Project::new().file("app.py", source).dev().await;
    let mut console = server.console().await;

    let (first, second) = (server.get("/loud?n=1").await, server.get("/loud?n=2").await);
    let third = server.get("/async").await;

    let logs = async |reply: &Reply| {
        let id = reply.header("x-request-id");
        let detail = server.api(&format!("requests/{id}")).await;
        let lines = list(&detail["logs"]).iter();
        lines.map(|log| format!("{} {}", log["stream"], log["line"])).collect::<Vec<_>>()
    };
    let two = r#""stderr" "two \u001b[31m""#.replace("\\\\", "\\");
    assert_eq!(logs(&first).await, [r#""stdout" "one 1""#.to_owned(), two.clone()]);
    assert_eq!(logs(&second).await, [r#""stdout" "one 2""#.to_owned(), two]);
    assert_eq!(logs(&third).await, [r#""stderr" "three""#]);
    let log = console.next_of_type("log").await;
    assert_eq!(log["log"]["line"], "one 1");
    assert_eq!(log["log"]["request"], first.header("x-request-id"));
    let newest = server.api("logs").await;
    assert_eq!(newest[0]["line"], "three");
    // Nothing is taken away from the terminal.
    server.out.wait_for("one 2").await;
}

/// Prints while it loads, and in a start-up hook, which has a thread of its own.
const TALKATIVE: &str = "\
import sys, threading
from snaxum import on_startup, route

print('VERSION loads, postgres://ada:hunter2@db \\x1b[2J')
print('and warns', file=sys.stderr)

@on_startup
def greet():
    print('VERSION starts up')

@route('/')
def index(request):
    aside = threading.Thread(target=print, args=('aside',))
    aside.start()
    aside.join()
    return 'ok'
";

#[tokio::test]
async fn the_output_of_loading_modules_belongs_to_the_reload() {
    let source = |version: &str| TALKATIVE.replace("VERSION", version);
    let server = Project::new().file("app.py", &source("one")).dev().await;
    let mut console = server.console().await;
    let first = server.api("logs").await;

    server.edit("app.py", &source("two"));
    let begun = console.next_of_type("reload.start").await;
    let line = console.next().await;
    console.next_of_type("reload.ok").await;
    let second = server.api("logs").await;
    server.edit("app.py", &(source("three") + "\nraise RuntimeError\n"));
    console.next_of_type("reload.fail").await;
    server.get("/").await;

    let told = |logs: &Value| -> Vec<Value> {
        let lines = list(logs).iter().rev();
        lines
            .map(|log| json!([log["reload"], log["request"], log["stream"], log["line"]]))
            .collect()
    };
    let expected = |version: &str, reload: u32| {
        let loads = format!("{version} loads, postgres://ada:••••@db \u{1b}[2J");
        let starts = format!("{version} starts up");
        [
            json!([reload, null, "stdout", loads]),
            json!([reload, null, "stderr", "and warns"]),
            json!([reload, null, "stdout", starts]),
        ]
    };
    assert_eq!(told(&first), expected("one", 1));
    assert_eq!(told(&second)[3..], expected("two", 2));
    assert!(line["seq"].as_u64() > begun["seq"].as_u64() && line["type"] == "log", "{line}");
    let whole = told(&server.api("logs").await);
    assert_eq!(whole[6..8], expected("three", 3)[..2]);
    // A thread that code starts works for no request.
    assert_eq!(whole[8..], [json!([null, null, "stdout", "aside"])]);
    server.out.wait_for("one loads, postgres://ada:hunter2@db \\u{1b}[2J").await;
}

#[tokio::test]
async fn a_path_without_a_route_lists_near_misses_in_dev_mode_only() {
    let reply = app().await.get("/helo").await;
    assert_eq!(reply.status, 404);
    assert_eq!(
        reply.json()["detail"],
        "no route for /helo; near it: `/hello` has `hello` where the path has `helo`"
    );
    let server = Project::new().file("app.py", APP).serve().await;
    assert_eq!(server.get("/helo").await.json()["detail"], "no route for /helo");
}

#[tokio::test]
async fn a_request_that_is_not_known_is_a_404() {
    let server = app().await;
    for id in ["999", "0", "x", "..%2f..%2fetc%2fpasswd", "1%00"] {
        let path = format!("/__snaxum/api/requests/{id}");
        let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
        assert_eq!(reply.status, 404, "{id}");
    }
}

#[tokio::test]
async fn the_list_of_requests_is_bounded() {
    let server = app().await;
    for _ in 0..510 {
        server.get("/hello").await;
    }

    let requests = server.api("requests").await;

    assert_eq!(list(&requests).len(), 500);
    assert_eq!(requests[0]["id"], "510");
}

#[tokio::test]
async fn the_reloads_are_listed_with_what_they_did() {
    let server = app().await;
    let mut console = server.console().await;
    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    console.next_of_type("reload.ok").await;
    server.edit("app.py", "raise ValueError('no')");
    console.next_of_type("reload.fail").await;

    let reloads = server.api("reloads").await;

    let [failed, good, start] = &list(&reloads)[..] else { panic!("three reloads: {reloads}") };
    assert_eq!((&start["cause"], &start["generation"]), (&json!("start"), &json!(1)));
    assert_eq!((&good["outcome"], &good["generation"]), (&json!("ok"), &json!(2)));
    assert_eq!(good["files"], json!(["python/app.py"]));
    assert_eq!(good["modules"][0]["name"], "app");
    assert_eq!(good["diff"]["added"][0]["path"], "/hallo");
    assert!(good["phases"]["stage"].as_f64().is_some_and(|ms| ms > 0.0));
    assert_eq!((&failed["outcome"], &failed["generation"]), (&json!("failed"), &json!(2)));
    assert_eq!(failed["traceback"]["type"], "ValueError");
}

#[tokio::test]
async fn every_response_of_a_handler_has_generation_id_and_timing() {
    let server = app().await;
    let mut ids = Vec::new();
    for path in ["/hello", "/later/1", "/raise"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("x-snaxum-gen"), "1", "{path}");
        ids.push(reply.header("x-request-id").to_owned());
        let names: Vec<&str> = reply
            .header("server-timing")
            .split(", ")
            .filter_map(|part| part.split(";dur=").next())
            .collect();
        assert_eq!(names, ["queue", "gil", "py", "convert"], "{path}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn serve_has_nothing_of_dev_mode() {
    let server = Project::new().file("app.py", APP).serve().await;
    for path in PATHS {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.text().contains("console"), "{path}: {}", reply.text());
    }
    let reply = server.get("/hello").await;
    for header in ["x-snaxum-gen", "x-request-id", "server-timing"] {
        assert_eq!(reply.header(header), "", "{header}");
    }
    assert!(!server.project.path().join(".snaxum/dev.json").exists());
}

// The event stream

#[tokio::test]
async fn the_stream_begins_with_hello_and_a_snapshot() {
    let server = app().await;
    server.get("/hello").await;
    let bearer = format!("Bearer {}", server.token);
    let mut console = server.connect(&[("authorization", &bearer)]).await.expect("let in");

    let (hello, snapshot) = (console.next().await, console.next().await);

    assert_eq!((&hello["v"], &hello["type"]), (&json!(2), &json!("hello")));
    assert_eq!(hello["generation"], 1);
    assert_eq!((&snapshot["v"], &snapshot["type"]), (&json!(2), &json!("snapshot")));
    assert_eq!(snapshot["routes"], server.api("routes").await);
    assert_eq!(snapshot["requests"], server.api("requests").await);
    assert_eq!(snapshot["reloads"], server.api("reloads").await);
    assert_eq!(snapshot["status"]["state"], "ok");
}

#[tokio::test]
async fn the_stream_sends_changes_in_order() {
    let server = app().await;
    let mut console = server.console().await;

    server.get("/raise").await;
    let request = console.next().await;
    assert_eq!(
        (&request["type"], &request["request"]["path"]),
        (&json!("request.end"), &json!("/raise"))
    );
    assert_eq!(
        request["request"]["error"],
        json!({
            "type": "ValueError",
            "message": "it went wrong",
            "file": "python/app.py",
            "line": request["request"]["error"]["line"],
            "function": request["request"]["error"]["function"],
            "source": "raise ValueError(\"it went wrong\")",
            "locals": [],
        })
    );

    server.edit("app.py", &APP.replace("/hello", "/hallo"));
    let (start, good, routes) = (console.next().await, console.next().await, console.next().await);
    assert_eq!(
        (&start["type"], &start["files"]),
        (&json!("reload.start"), &json!(["python/app.py"]))
    );
    assert_eq!((&good["type"], &good["status"]["generation"]), (&json!("reload.ok"), &json!(2)));
    assert_eq!((&routes["type"], list(&routes["routes"]).len()), (&json!("routes"), 3));

    server.edit("app.py", "def oops(:");
    let (start, bad) = (console.next().await, console.next().await);
    assert_eq!(start["type"], "reload.start");
    assert_eq!((&bad["type"], &bad["status"]["state"]), (&json!("reload.fail"), &json!("failing")));
    assert_eq!(bad["reload"]["traceback"]["type"], "SyntaxError");

    let order = [&request, &good, &routes, &start, &bad]
        .map(|message| message["seq"].as_u64().expect("a number"));
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
}

#[tokio::test]
async fn a_console_receives_each_request_or_a_count_of_those_it_missed() {
    const REQUESTS: u64 = 3000;
    let server = app().await;
    let mut console = server.console().await;

    // More at once than the limit.
    let client = |_| async {
        for _ in 0..REQUESTS / 30 {
            server.get("/hello").await;
        }
    };
    futures_util::future::join_all((0..30).map(client)).await;

    let (mut told, mut last) = (0, 0);
    while told < REQUESTS {
        let message = console.next().await;
        match message["type"].as_str() {
            Some("request.end") => {
                let seq = message["seq"].as_u64().expect("a number");
                assert!(seq > last, "{seq} after {last}");
                (told, last) = (told + 1, seq);
            }
            Some("dropped") => told += message["count"].as_u64().expect("a number"),
            other => panic!("{other:?} in a burst of requests"),
        }
    }
    assert_eq!(told, REQUESTS);
    assert_eq!(list(&server.api("requests").await).len(), 500);
}

#[tokio::test]
async fn a_console_that_reconnects_receives_the_missed_events_and_no_others() {
    let server = app().await;
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", &*bearer)];
    let run = server.api("status").await["run_id"].as_str().expect("a name").to_owned();
    let mut console = server.console().await;
    server.get("/hello").await;
    let seen = console.next().await["seq"].as_u64().expect("a number");
    drop(console);
    server.get("/raise").await;

    let path = format!("/__snaxum/ws?run={run}&since={seen}");
    let mut console = server.connect_to(&path, &headers).await.expect("let in");
    assert_eq!(console.next().await["type"], "hello");
    let missed = console.next().await;
    assert_eq!((&missed["seq"], &missed["request"]["path"]), (&json!(seen + 1), &json!("/raise")));

    // Another server's run, or a number from the future, starts with a snapshot.
    for path in [
        format!("/__snaxum/ws?run=other&since={seen}"),
        format!("/__snaxum/ws?run={run}&since=999999"),
    ] {
        let mut console = server.connect_to(&path, &headers).await.expect("let in");
        assert_eq!(console.next().await["type"], "hello");
        assert_eq!(console.next().await["type"], "snapshot", "{path}");
    }
}

#[tokio::test]
async fn the_stream_is_refused_without_the_token_and_to_other_sites() {
    let server = app().await;
    let (bearer, cookie) = (format!("Bearer {}", server.token), cookie(&server).await);
    let same = server.url.clone();
    for (headers, expected) in [
        (vec![], StatusCode::UNAUTHORIZED),
        (vec![("authorization", "Bearer wrong")], StatusCode::UNAUTHORIZED),
        // A browser always sends `Origin`; a client without it is not a browser.
        (vec![("cookie", &*cookie)], StatusCode::UNAUTHORIZED),
        (vec![("cookie", &*cookie), ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![("cookie", &*cookie), ("origin", "null")], StatusCode::FORBIDDEN),
        (vec![("cookie", &*cookie), ("origin", "http://127.0.0.1:1")], StatusCode::FORBIDDEN),
        (
            vec![("authorization", &*bearer), ("origin", "http://evil.example")],
            StatusCode::FORBIDDEN,
        ),
        (
            vec![("authorization", &*bearer), ("sec-fetch-site", "cross-site")],
            StatusCode::FORBIDDEN,
        ),
    ] {
        assert_eq!(server.connect(&headers).await.err(), Some(expected), "{headers:?}");
    }
    assert!(server.connect(&[("cookie", &cookie), ("origin", &same)]).await.is_ok());
    assert!(server.connect(&[("authorization", &bearer)]).await.is_ok());
}

#[tokio::test]
async fn one_console_too_many_gets_bye_and_is_closed() {
    let server = app().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(server.console().await);
    }
    let bearer = format!("Bearer {}", server.token);

    let turned_away = server.connect(&[("authorization", &bearer)]).await.expect("an upgrade");

    assert_eq!(turned_away.rest().await, ["bye"]);
    server.get("/hello").await;
    for console in &mut open {
        console.next_of_type("request.end").await;
    }
}

#[tokio::test]
async fn messages_from_a_console_change_nothing() {
    let server = app().await;
    let mut console = server.console().await;
    for text in ["", "{", r#"{"type": "reload"}"#, r#"{"v": 1, "type": "reload.ok"}"#] {
        console.send(Message::text(text)).await;
    }

    server.get("/hello").await;

    assert_eq!(console.next().await["type"], "request.end");
    assert_eq!(server.api("status").await["generation"], 1);
}

#[tokio::test]
async fn a_console_that_sends_bytes_or_too_much_is_closed_and_others_are_not() {
    let server = app().await;
    let mut other = server.console().await;
    for message in [Message::binary(vec![1, 2, 3]), Message::text("x".repeat(65 * 1024))] {
        let mut console = server.console().await;
        console.send(message).await;
        assert!(console.rest().await.is_empty());
    }

    server.get("/hello").await;

    other.next_of_type("request.end").await;
}

// The guard

#[tokio::test]
async fn dev_json_is_readable_by_its_owner_only() {
    let server = app().await;
    let state = server.project.path().join(".snaxum");
    let mode =
        |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;

    let announced = server.announcement().expect("it runs");

    assert_eq!(mode(&state.join("dev.json")), 0o600);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(std::fs::read_to_string(state.join(".gitignore")).expect("a file"), "*\n");
    assert_eq!(announced["pid"], server.pid);
    assert_eq!(announced["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(announced["token"].as_str().map(str::len), Some(43)); // 256 bits
}

#[tokio::test]
async fn without_the_token_the_whole_prefix_is_a_401_without_details() {
    let server = app().await;
    for path in PATHS {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            let reply = send(server.request(method.clone(), path)).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert!(!reply.text().contains("app.py") && reply.body.len() < 200, "{method} {path}");
        }
    }
    for path in ["/__snaxum/?t=wrong", "/__snaxum/?t=", "/__snaxum/api/status?t=TOKEN"] {
        let reply = server.get(&path.replace("TOKEN", &server.token)).await;
        assert_eq!(reply.status, 401, "{path}");
    }
}

#[tokio::test]
async fn no_spelling_of_the_prefix_gets_around_the_guard() {
    let server = app().await;
    for path in [
        "/__snaxum/api/../api/status",
        "//__snaxum/api/status",
        "/__snaxum//api/status",
        "/%5f_snaxum/api/status",
        "/__snaxum/api/status/",
        "/__SNAXUM/api/status",
        "/./__snaxum/api/status",
        "/__snaxum/%61pi/status",
        "/__snaxum/assets/..%2fconsole.html",
        "/__snaxum/assets/console.js",
    ] {
        let answer = server
            .raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
            .await;
        let status = answer.split(' ').nth(1).expect("a status");
        assert!(["401", "404"].contains(&status), "{path}: {answer}");
        assert!(!answer.contains("uptime_s") && !answer.contains("import "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn the_printed_link_sets_a_cookie_and_leads_to_the_clean_address() {
    let server = app().await;
    let line = server.out.wait_for("/__snaxum/?t=").await;
    let link = line.split_whitespace().find(|word| word.contains("?t=")).expect("a link");
    let path = link.strip_prefix(&server.url).expect("it leads to this server");

    for _ in 0..2 {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (303, "/__snaxum/"));
        let set = reply.header("set-cookie");
        assert!(
            set.contains("HttpOnly")
                && set.contains("SameSite=Strict")
                && set.contains("Path=/__snaxum/"),
            "{set}"
        );
        let port = server.authority().rsplit(':').next().expect("a port");
        assert!(set.split('=').next().is_some_and(|name| name.contains(port)), "{set}");
    }
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie(&server).await)]).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!page.text().contains(&server.token));
}

#[tokio::test]
async fn the_page_carries_every_protective_header_and_a_fresh_nonce() {
    let server = app().await;
    let cookie = cookie(&server).await;
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;
    let again = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;

    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'nonce-",
        "style-src 'nonce-",
        "img-src data:;",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'; trusted-types snaxum-preview",
        &format!("connect-src 'self' ws://{}", server.authority()),
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert_ne!(policy, again.header("content-security-policy"));
    // The nonce of styles is in rendered responses too; it must allow no script.
    let nonces: HashSet<_> = policy.split('\'').filter(|part| part.starts_with("nonce-")).collect();
    assert_eq!(nonces.len(), 2, "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value, "{name}");
        // A rejection has the same headers.
        assert_eq!(server.get("/__snaxum/").await.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn the_page_and_all_it_loads_name_no_other_host() {
    let server = app().await;
    let cookie = cookie(&server).await;
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;
    let text = page.text().replace("&#x2f;", "/");
    let assets: Vec<&str> =
        text.split(['"', '\'']).filter(|part| part.starts_with("/__snaxum/assets/")).collect();
    assert!(!assets.is_empty(), "{}", page.text());
    for path in assets {
        let asset = get_with(&server, path, &[("cookie", &cookie)]).await;
        assert_eq!(asset.status, 200, "{path}");
        for line in asset.text().lines().filter(|line| line.contains("http")) {
            let harmless = line.replace("http://www.w3.org/", "");
            assert!(
                !harmless.contains("http://") && !harmless.contains("https://"),
                "{path}: {line}"
            );
        }
    }
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
}

#[tokio::test]
async fn only_names_of_this_machine_reach_app_and_console() {
    let server = app().await;
    for good in
        ["localhost", "localhost:1", "LOCALHOST", "my.localhost:3000", "127.0.0.1", "[::1]:80"]
    {
        assert_eq!(get_with(&server, "/hello", &[("host", good)]).await.status, 200, "{good}");
        assert_eq!(console_with(&server, &[("host", good)]).await, 200, "{good}");
    }
    for bad in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "0.0.0.0",
        "192.168.1.7",
        "localhost.",
        "bob@localhost",
        "[::]",
        "evil.example:3000",
        "127.1",
        "2130706433",
        ".localhost",
        "localhost:x",
    ] {
        let reply = get_with(&server, "/hello", &[("host", bad)]).await;
        assert_eq!(reply.status, 403, "{bad}");
        assert_ne!(reply.text(), "hello", "{bad}");
        assert_eq!(console_with(&server, &[("host", bad)]).await, 403, "{bad}");
    }
    // The log names the remedy.
    server.err.wait_for("--allow-host").await;
}

#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused() {
    let server = app().await;
    for head in [
        "GET /hello HTTP/1.1\r\n",
        "GET /hello HTTP/1.0\r\n",
        "GET /hello HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n",
        "GET http://evil.example/hello HTTP/1.1\r\nhost: localhost\r\n",
    ] {
        let answer = server.raw(&format!("{head}connection: close\r\n\r\n")).await;
        let status = answer.split(' ').nth(1).expect("a status");
        assert!(["400", "403"].contains(&status), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_name_that_is_allowed_reaches_the_app() {
    let server = Project::new().file("app.py", APP).args(&["--allow-host", "App.Test"]).dev().await;

    assert_eq!(get_with(&server, "/hello", &[("host", "app.test:3000")]).await.status, 200);
    assert_eq!(get_with(&server, "/hello", &[("host", "other.test")]).await.status, 403);
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_from_the_console() {
    let server = app().await;
    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost:1")],
        [("origin", "http://127.0.0.1")],
        [("origin", "file://")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(console_with(&server, &headers).await, 403, "{headers:?}");
    }
    assert_eq!(console_with(&server, &[("origin", &server.url)]).await, 200);
    for site in ["same-origin", "none"] {
        assert_eq!(console_with(&server, &[("sec-fetch-site", site)]).await, 200, "{site}");
    }
}

#[tokio::test]
async fn a_preflight_is_refused_and_no_response_grants_access_to_other_sites() {
    let server = app().await;
    for path in PATHS {
        let request = server.request(Method::OPTIONS, path).bearer_auth(&server.token);
        assert_eq!(send(request).await.status, 403, "{path}");
    }
    for headers in
        [vec![], vec![("origin", server.url.as_str())], vec![("origin", "http://evil.example")]]
    {
        for path in PATHS {
            let bearer = format!("Bearer {}", server.token);
            let all: Vec<_> =
                headers.iter().copied().chain([("authorization", &*bearer)]).collect();
            let reply = get_with(&server, path, &all).await;
            let granted =
                reply.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(granted, None, "{path}");
        }
    }
}

#[tokio::test]
async fn with_the_token_an_unknown_path_is_a_plain_404_and_a_write_a_405() {
    let server = app().await;
    let with_token = |method, path| send(server.request(method, path).bearer_auth(&server.token));

    assert_eq!(with_token(Method::GET, "/__snaxum/nothing/here").await.status, 404);
    assert_eq!(with_token(Method::GET, "/__snaxum/assets/../../Cargo.toml").await.status, 404);
    let write = server.request(Method::POST, "/__snaxum/api/status").bearer_auth(&server.token);
    let write = write.json(&json!({})).header("x-snaxum", "1");
    assert_eq!(send(write).await.status, 405);
}

/// The paths that change the server.
const CHANGES: [&str; 4] = ["reload", "restart", "pause", "resume"];

#[tokio::test]
async fn only_marked_json_with_the_token_changes_anything() {
    let server = app().await;
    let bearer = format!("Bearer {}", server.token);
    let cookie = cookie(&server).await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    for path in CHANGES.map(|name| format!("/__snaxum/api/{name}")) {
        for (method, headers, expected) in [
            (Method::POST, vec![("content-type", json), ("x-snaxum", "1")], 401),
            (Method::POST, vec![("authorization", &*bearer), ("content-type", form)], 415),
            (Method::POST, vec![("cookie", &*cookie), ("content-type", "text/plain")], 415),
            (Method::POST, vec![("authorization", &*bearer)], 415),
            (Method::POST, vec![("authorization", &*bearer), ("content-type", json)], 403),
            (
                Method::POST,
                vec![
                    ("cookie", &*cookie),
                    ("origin", "http://evil.example"),
                    ("content-type", json),
                    ("x-snaxum", "1"),
                ],
                403,
            ),
            (Method::GET, vec![("authorization", &*bearer), ("x-snaxum", "1")], 405),
            (Method::HEAD, vec![("authorization", &*bearer), ("x-snaxum", "1")], 405),
        ] {
            let request = server.request(method.clone(), &path).body("{}");
            let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
            assert_eq!(send(request).await.status, expected, "{method} {path} {headers:?}");
        }
    }
    let status = server.api("status").await;
    assert_eq!((&status["pid"], &status["generation"]), (&json!(server.pid), &json!(1)));
    assert_eq!(status["paused"], false);
    assert_eq!(list(&server.api("reloads").await).len(), 1);
}

#[tokio::test]
async fn no_response_of_the_app_contains_the_token() {
    let server = app().await;
    for path in ["/hello", "/raise", "/nowhere", "/__snaxum/", "/__snaxum/api/status"] {
        for accept in ["text/html", "application/json"] {
            let reply = get_with(&server, path, &[("accept", accept)]).await;
            assert!(!reply.text().contains(&server.token), "{path}");
            assert!(!format!("{:?}", reply.headers).contains(&server.token), "{path}");
        }
    }
    for path in ["status", "routes", "requests", "reloads"] {
        assert!(!server.api(path).await.to_string().contains(&server.token), "{path}");
    }
}

#[tokio::test]
async fn the_console_serves_loopback_only_even_where_the_app_is_public() {
    let mut server = Project::new().file("app.py", APP).args(&["--host", "0.0.0.0"]).dev().await;
    // The address that other machines would use; there is none on a machine without a network.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    if socket.connect("192.0.2.1:9").is_err() {
        return;
    }
    let outside = socket.local_addr().expect("an address").ip();
    let port = server.authority().rsplit(':').next().expect("a port");
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("host", "localhost"),
        ("authorization", &*bearer),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
    ];
    server.url = format!("http://{outside}:{port}");

    assert_eq!(get_with(&server, "/hello", &headers).await.status, 200);
    for path in PATHS {
        assert_eq!(get_with(&server, path, &headers).await.status, 403, "{path}");
    }
}
