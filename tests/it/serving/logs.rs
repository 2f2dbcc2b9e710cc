//! The access log, logs as JSON, and the ids of requests and traces.

use std::collections::BTreeMap;
use std::fs;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
import logging
import _gate
from snaxum import Request, Response, route

log = logging.getLogger("shop")

@route("/user/<int:id>")
def user(request: Request, id: int):
    log.info("user %s", id, extra={"user": id})
    log.info("with a trace", extra={"trace_id": "mine"})
    return {"request_id": request.request_id, "trace_id": request.trace_id,
            "traceparent": request.traceparent}

@route("/async/<name>")
async def anyone(request: Request, name: str):
    log.warning("from the loop")
    return {"request_id": request.request_id}

@route("/stream")
def stream():
    yield "x" * 1000
    yield "y" * 500

@route("/large")
def large(): return b"z" * 100_000

@route("/fail")
def fail(): raise ValueError("no luck")

@route("/wait")
async def wait():
    await _gate.wait_async("wait")
    return "waited"
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn project(args: &[&str]) -> Project {
    Project::new().gate().file("app.py", APP).args(args)
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::GET, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The fields of a line of text, by position and by name.
fn fields(line: &str) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let (named, plain): (Vec<_>, Vec<_>) = line.split(' ').partition(|word| word.contains('='));
    (plain, named.into_iter().filter_map(|word| word.split_once('=')).collect())
}

#[tokio::test]
async fn the_access_log_has_a_line_for_each_request() {
    let mut server = project(&["--access-log"]).serve().await;

    let user = server.get("/user/7?secret=1").await;
    assert_eq!(server.get("/stream").await.text().len(), 1500);
    assert_eq!(server.get("/large").await.body.len(), 100_000);
    send(server.request(Method::HEAD, "/large")).await;
    assert_eq!(server.get("/nothing%20here").await.status, 404);
    assert_eq!(server.get("/fail").await.status, 500);
    let waiting = server.begin("/wait");
    let held = server.arrival().await;
    waiting.abort();
    let left = server.out.wait_for(" 499 ").await;
    drop(held); // its handler was cancelled
    server.stop().await;

    let out = server.out.whole().await;
    let line = |part: &str| {
        let found: Vec<_> = out.lines().filter(|line| line.contains(part)).collect();
        assert_eq!(found.len(), 1, "{part}: {out}");
        fields(found[0])
    };
    let (plain, named) = line(" /user/7 ");
    assert_eq!(plain[2..6], ["GET", "/user/7", "/user/<int:id>", "200"], "{plain:?}");
    assert_eq!(plain[1], user.header("x-request-id"));
    assert_eq!(plain[6], user.body.len().to_string());
    assert!(plain[0].ends_with('Z') && plain[7].parse::<f64>().is_ok_and(|ms| ms > 0.0));
    assert_eq!((plain.len(), named["client"]), (8, "127.0.0.1"));
    assert!(user.header("traceparent").contains(named["trace"]), "{named:?}");
    for phase in ["read", "queue", "gil", "py", "convert", "send"] {
        assert!(named[phase].parse::<f64>().is_ok(), "{phase}: {named:?}");
    }
    assert!(named["py"].parse::<f64>().is_ok_and(|ms| ms > 0.0), "{named:?}");
    let sent = |part: &str| {
        let (plain, _) = line(part);
        format!("{} {} {} {}", plain[2], plain[4], plain[5], plain[6])
    };
    assert_eq!(sent(" GET /stream "), "GET /stream 200 1500");
    assert_eq!(sent(" GET /large "), "GET /large 200 100000");
    assert_eq!(sent(" HEAD /large "), "HEAD /large 200 0");
    assert!(sent(" GET /nothing%20here ").starts_with("GET - 404 "));
    assert!(sent(" GET /fail ").starts_with("GET /fail 500 "));
    assert!(left.contains(" GET /wait /wait 499 0 "), "{left}");
    assert!(!out.contains("secret"), "{out}");
}

#[tokio::test]
async fn refused_requests_and_preflights_are_in_the_log_and_the_metrics() {
    let options = ["--access-log", "--metrics", "127.0.0.1:0", "--header-timeout", "300ms"];
    let cors = "[tool.snaxum.cors]\nallow-origins = [\"https://a.example\"]\n";
    let mut server = project(&options).top_file("pyproject.toml", cors).serve().await;
    let cookies = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {}\r\n", "c".repeat(70_000));
    for (bytes, line) in [
        ("no\x1bt HTTP\r\n\r\n", " - - - - 400 0 "),
        (&*cookies, " - - - - 431 0 "),
        ("GET /no%20host HTTP/1.1\r\n\r\n", " - GET /no%20host - 400 0 "),
        ("GET /slow HT", " - - - - 408 0 "),
    ] {
        let socket = server.socket(bytes.as_bytes()).await;
        let line = server.out.wait_for(line).await;
        assert!(line.contains(" client=127.0.0.1 trace=-"), "{line}");
        drop(socket);
    }
    // A frame of HTTP/2 with data that belongs to no stream.
    let frames = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0x";
    server.raw(frames).await;
    let preflight = server
        .request(Method::OPTIONS, "/user/7")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "GET");
    let reply = send(preflight).await;
    assert_eq!(reply.header("access-control-allow-origin"), "https://a.example");
    let line = server.out.wait_for(" OPTIONS /user/7 - 200 0 ").await;
    assert!(line.contains(reply.header("x-request-id")), "{line}");

    let url = server.out.wait_for("metrics on http://").await;
    let url = url.trim_start_matches("metrics on ");
    let text = send(reqwest::Client::new().get(url)).await.text().to_owned();
    for sample in [
        r#"requests_total{method="other",route="unmatched",status="408"} 1"#,
        r#"requests_total{method="other",route="unmatched",status="400"} 2"#,
        r#"requests_total{method="other",route="unmatched",status="431"} 1"#,
        r#"requests_total{method="GET",route="unmatched",status="400"} 1"#,
        r#"requests_total{method="OPTIONS",route="unmatched",status="200"} 1"#,
        "snaxum_requests_in_progress 0",
    ] {
        assert!(text.contains(sample), "{sample}\n{text}");
    }
    assert_eq!(server.raw("").await, "", "a connection that was idle is not a request");
    server.stop().await;
    assert_eq!(server.out.whole().await.matches(" 408 0 ").count(), 1);
}

#[tokio::test]
async fn a_request_beyond_its_time_has_its_route() {
    let mut server = project(&["--access-log", "--request-timeout", "100ms"]).serve().await;
    let waiting = server.begin("/wait");
    let held = server.arrival().await;
    assert_eq!(waiting.await.expect("a response").status, 504);
    server.out.wait_for(" GET /wait /wait 504 ").await;
    drop(held);
    server.stop().await;
}

/// Starts a server whose output is JSON.
async fn with_json_log(args: &[&str]) -> Server {
    let mut server = project(args).args(&["--log-format", "json"]).spawn("serve");
    let line: Value =
        serde_json::from_str(&server.out.wait_for("listening on http://").await).expect("JSON");
    let message = line["message"].as_str().expect("a text");
    server.url = message.strip_prefix("listening on ").expect("the address").to_owned();
    server
}

fn objects(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    text.lines().map(parse).collect()
}

#[tokio::test]
async fn ids_of_clients_are_in_handlers_responses_and_all_logs_as_json() {
    let mut server = with_json_log(&["--access-log", "access.log"]).await;
    let given = [("x-request-id", "order-17"), ("traceparent", PARENT)];

    let user = get(&server, "/user/7", &given).await;
    let anyone = get(&server, "/async/a", &[("x-request-id", "not sane \\")]).await;
    let failed = get(&server, "/fail", &[("x-request-id", "bad-luck")]).await;
    server.stop().await;

    let span = user.header("traceparent").to_owned();
    assert!(span.starts_with(&format!("00-{TRACE}-")) && span != PARENT, "{span}");
    assert_eq!(user.header("x-request-id"), "order-17");
    let seen = user.json();
    assert_eq!((&seen["request_id"], &seen["trace_id"]), (&"order-17".into(), &TRACE.into()));
    assert_eq!(seen["traceparent"], *span);
    let made = anyone.header("x-request-id").to_owned();
    assert!(made.len() < 32 && anyone.json()["request_id"] == *made, "{made}");
    assert_eq!((failed.header("x-request-id"), failed.json()["request_id"].as_str()), {
        ("bad-luck", Some("bad-luck"))
    });

    let access = fs::read_to_string(server.project.path().join("access.log")).expect("a file");
    let access = objects(&access);
    let ids: Vec<_> = access.iter().map(|line| line["request_id"].as_str()).collect();
    assert_eq!(ids, [Some("order-17"), Some(&*made), Some("bad-luck")]);
    let line = &access[0];
    assert_eq!(line["trace_id"], TRACE);
    assert!(span.contains(line["span_id"].as_str().expect("a span")), "{line}");
    assert_eq!(
        (&line["route"], &line["status"], &line["bytes"]),
        (&"/user/<int:id>".into(), &200.into(), &user.body.len().into())
    );
    assert!(line["phases"]["py"].as_f64().expect("a number") > 0.0, "{line}");

    let log = objects(&server.err.whole().await);
    let one = |message: &str| {
        let is_it = |line: &&Value| line["message"].as_str().is_some_and(|it| it.contains(message));
        log.iter().find(is_it).unwrap_or_else(|| panic!("no {message}: {log:#?}"))
    };
    let logged = one("user 7");
    assert_eq!(
        (&logged["request_id"], &logged["trace_id"], &logged["level"], &logged["user"]),
        (&"order-17".into(), &TRACE.into(), &"info".into(), &7.into())
    );
    let own = one("with a trace");
    assert_eq!((&own["request_id"], &own["trace_id"]), (&"order-17".into(), &"mine".into()));
    assert_eq!(one("from the loop")["request_id"], *made);
    let raised = one("no luck");
    assert_eq!((&raised["request_id"], &raised["level"]), (&"bad-luck".into(), &"error".into()));
    assert_eq!(one("stopping")["level"], "info");
    objects(&server.out.whole().await);
}

#[tokio::test]
async fn records_of_logging_have_the_request_and_levels_can_be_set() {
    let setup = "import logging, sys\nlogging.basicConfig(level=logging.DEBUG, format='%(request_id)s|%(message)s')\n";
    let app = format!("{setup}{APP}\nlogging.getLogger('start').debug('loaded')\n");
    let mut text =
        Project::new().gate().file("app.py", &app).args(&["--access-log=x.log"]).serve().await;
    let id = get(&text, "/user/1", &[("x-request-id", "abc")]).await;
    assert_eq!(id.status, 200);
    text.err.wait_for("abc|user 1").await;
    text.err.wait_for("-|loaded").await;
    text.stop().await;

    let project = Project::new().gate().file("app.py", &app).args(&["--log-format=json"]);
    let mut json = project.spawn("serve");
    let loaded = json.err.wait_for("loaded").await;
    let loaded: Value = serde_json::from_str(&loaded).expect("JSON");
    assert_eq!((&loaded["logger"], &loaded["level"]), (&"start".into(), &"debug".into()));
    assert_eq!(loaded.get("request_id"), None);
    json.out.wait_for("listening").await;
    json.stop().await;
}

#[tokio::test]
async fn sigusr1_opens_the_file_again_and_ends_no_server() {
    let mut server = project(&["--access-log", "a.log", "--processes", "2"]).serve().await;
    let path = |name: &str| server.project.path().join(name);
    let (log, old) = (path("a.log"), path("a.log.1"));

    server.get("/user/1").await;
    fs::rename(&log, &old).expect("renamed");
    server.signal(libc::SIGUSR1);
    while server.err.text().matches("opened the access log").count() < 2 {
        tokio::task::yield_now().await; // each process has the file open
    }
    server.get("/user/2").await;
    server.stop().await;

    let text = |path| fs::read_to_string(path).expect("a file");
    assert!(text(old).contains(" /user/1 "));
    let new = text(log);
    assert!(new.contains(" /user/2 ") && !new.contains(" /user/1 "), "{new}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_one_line() {
    let cases = [
        ("--access-log=no/such/dir/a.log", "cannot write the access log", 1),
        ("--log-format=xml", "it must be text or json", 2),
    ];
    for (option, problem, code) in cases {
        let ended = project(&[]).snaxum(&["serve", "--port", "0", option]).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains("error:")).collect();
        assert!(lines.len() == 1 && ended.stderr.contains(problem), "{ended:?}");
    }
}
