//! The times of a request: of a stream to its end, of an error, and that the phases add up.

use reqwest::Method;
use serde_json::Value;

use super::support::{Project, Server, in_time};

const APP: &str = r#"import _gate
from snaxum import route, static

static("/assets", "assets")

@route("/parts")
def parts(request):
    def chunks():
        yield b"one"
        _gate.wait("thread")
        yield b"three"
    return chunks()

@route("/parts/async")
async def parts_async(request):
    async def chunks():
        yield b"one"
        await _gate.wait_async("loop")
        yield b"three"
    return chunks()

@route("/broken")
def broken(request):
    def chunks():
        yield b"one"
        _gate.wait("thread")
        raise RuntimeError("in the middle")
    return chunks()

@route("/broken/first")
def broken_first(request):
    def chunks():
        raise RuntimeError("before the first")
        yield b""
    return chunks()

@route("/raise")
def fail(request):
    raise ValueError("it went wrong")

@route("/plain")
def plain(request):
    return {"a": 1}
"#;

async fn app() -> Server {
    Project::new().gate().file("app.py", APP).top_file("assets/a.txt", "a").dev().await
}

/// Checks that the phases of a request add up to its total time.
fn add_up(request: &Value) {
    let phases = request["phases"].as_object().expect("phases");
    let sum: f64 = phases.values().map(|ms| ms.as_f64().expect("a number")).sum();
    let total = request["total_ms"].as_f64().expect("a number");
    assert!((sum - total).abs() < 0.02, "{sum} of {total}: {request}");
}

fn phase(request: &Value, name: &str) -> f64 {
    request["phases"][name].as_f64().expect("a number")
}

#[tokio::test]
async fn the_time_of_a_stream_goes_to_its_end_and_its_first_byte_is_marked() {
    let server = app().await;
    let mut console = server.console().await;
    for path in ["/parts", "/parts/async"] {
        let client = server.begin(path);
        let held = server.arrival().await;
        let open = console.next_of_type("request.end").await["request"].clone();
        assert_eq!(open["stream"]["state"], "open");
        assert!(open["stream"]["first_byte_ms"].is_null());
        add_up(&open);
        held.open().await;

        let ended = console.next_of_type("stream.end").await["request"].clone();
        assert_eq!((&ended["id"], &ended["path"]), (&open["id"], &path.into()));
        let stream = &ended["stream"];
        assert_eq!((&stream["state"], &stream["chunks"]), (&"complete".into(), &2.into()));
        assert_eq!(stream["bytes"], 8);
        let (first, total) = (stream["first_byte_ms"].as_f64(), ended["total_ms"].as_f64());
        assert!(open["total_ms"].as_f64() <= first && first < total, "{ended}");
        assert!(phase(&ended, "stream") > phase(&open, "stream"), "{ended}");
        add_up(&ended);
        assert_eq!(client.await.expect("a response").text(), "onethree");
        let id = ended["id"].as_str().expect("an id");
        assert_eq!(server.api(&format!("requests/{id}")).await["total_ms"], ended["total_ms"]);
    }
}

#[tokio::test]
async fn a_stream_reports_the_reason_for_its_end() {
    let server = app().await;
    let mut console = server.console().await;

    let client = tokio::spawn(server.request(Method::GET, "/parts").send());
    let held = server.arrival().await;
    drop(in_time("the head", client).await.expect("no panic").expect("a response"));
    let left = console.next_of_type("stream.end").await;
    assert_eq!(left["request"]["stream"]["state"], "client");
    held.open().await;

    let client = tokio::spawn(server.request(Method::GET, "/broken").send());
    server.arrival().await.open().await;
    let aborted = console.next_of_type("stream.end").await;
    assert_eq!(aborted["request"]["stream"]["state"], "aborted");
    drop(client);
}

#[tokio::test]
async fn the_description_of_an_exception_is_not_a_conversion() {
    let server = app().await;
    let mut console = server.console().await;
    for path in ["/raise", "/broken/first"] {
        assert_eq!(server.get(path).await.status, 500);
        let request = console.next_of_type("request.end").await["request"].clone();
        assert!(request["stream"].is_null(), "{request}");
        assert!(phase(&request, "error") > 0.0, "{request}");
        add_up(&request);
    }
    server.get("/raise").await;
    let raised = console.next_of_type("request.end").await["request"].clone();
    assert_eq!(phase(&raised, "convert"), 0.0, "{raised}");
}

#[tokio::test]
async fn the_phases_of_each_request_add_up() {
    let server = app().await;
    for path in ["/plain", "/assets/a.txt", "/unknown", "/plain"] {
        server.get(path).await;
    }
    let requests = server.api("requests").await;
    let requests = requests.as_array().expect("a list");
    assert_eq!(requests.len(), 4);
    requests.iter().for_each(add_up);
    assert!(requests.iter().all(|request| request["stream"].is_null()));
}
