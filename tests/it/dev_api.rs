//! The API of dev mode: status, routes, requests, reloads, and the headers of responses.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, send};

pub(crate) const APP: &str = r#"
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
pub(crate) const PATHS: [&str; 12] = [
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

pub(crate) async fn app() -> Server {
    Project::new().file("app.py", APP).dev().await
}

pub(crate) async fn get_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::GET, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

pub(crate) async fn cookie(server: &Server) -> String {
    let reply = server.get(&format!("/__snaxum/?t={}", server.token)).await;
    reply.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}

pub(crate) fn list(value: &Value) -> &Vec<Value> {
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
    let shown = page.text().matches("<span class=\"bad\">KeyError</span>").count();
    assert_eq!(shown, 8, "{}", page.text());
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
    assert_eq!(
        detail["request_body"],
        json!({"size": 9, "text": null, "note": "it is not text", "kind": null})
    );

    server.get("/stream").await;
    let detail = newest(&server).await;
    assert_eq!(
        (&detail["response_body"]["text"], &detail["request_body"]["size"]),
        (&json!("piece"), &json!(0))
    );
}

#[tokio::test]
async fn a_large_body_is_truncated_and_old_bodies_are_dropped_first() {
    let server = Project::new().file("app.py", ECHO).dev().await;
    for _ in 0..300 {
        // 64 KiB of the request and all of the response are recorded: 202 of both fit.
        echo(&server, "text/plain", "x".repeat(100_000)).await;
    }
    let requests = server.api("requests").await;
    let detail = async |place: usize| {
        let id = requests[place]["id"].as_str().expect("an id").to_owned();
        server.api(&format!("requests/{id}")).await
    };
    let newest = detail(0).await;
    assert_eq!(newest["request_body"]["note"], "it is truncated", "{newest:.600}");
    assert_eq!(newest["request_body"]["text"].as_str().map(str::len), Some(60 * 1024));
    let oldest = &detail(201).await["response_body"];
    assert_eq!(
        (&oldest["note"], oldest["text"].as_str().map(str::len)),
        (&Value::Null, Some(100_000))
    );
    assert_eq!(
        detail(202).await["response_body"],
        json!({"size": 100_000, "text": null, "note": "it is not stored", "kind": null})
    );
}

#[tokio::test]
async fn no_body_is_recorded_with_no_capture_bodies() {
    let server = Project::new().file("app.py", ECHO).args(&["--no-capture-bodies"]).dev().await;
    echo(&server, "text/plain", "swordfish").await;
    let detail = newest(&server).await;
    assert_eq!(
        detail["request_body"],
        json!({"size": 9, "text": null, "note": "it is not stored", "kind": null})
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
    let two = r#""stderr" "WARNING shop: two \u001b[31m""#.replace("\\\\", "\\");
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

    let lines_of = |logs: &Value| -> Vec<Value> {
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
    assert_eq!(lines_of(&first), expected("one", 1));
    assert_eq!(lines_of(&second)[3..], expected("two", 2));
    assert!(line["seq"].as_u64() > begun["seq"].as_u64() && line["type"] == "log", "{line}");
    let whole = lines_of(&server.api("logs").await);
    assert_eq!(whole[6..8], expected("three", 3)[..2]);
    // A thread works for the request that has started it.
    assert_eq!(whole[8..], [json!([null, "1", "stdout", "aside"])]);
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
