//! The bodies of streams as dev mode records them: in pieces, bounded, and with their secrets masked.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Console, Project, Server, send};

const APP: &str = r#"
import _gate
from snaxum import Response, no_capture, route

KEY = "AKIA" + "IOSFODNN7EXAMPLE"

def stepwise(*pieces):
    for piece in pieces[:-1]:
        yield piece
        _gate.wait("step")
    yield pieces[-1]

@route("/events")
def events(request):
    pieces = stepwise('data: {"n": 1}\n\n', 'data: {"token": "swo', 'rdfish"}\n\n', "data: " + KEY + "\n\n")
    return Response(pieces, content_type="text/event-stream")

@route("/cut")
def cut(request):
    return Response(stepwise("a " + KEY[:9], KEY[9:] + " b"), content_type="text/plain")

@route("/private")
@no_capture
def private(request):
    return Response(stepwise("hidden", "rest"), content_type="text/plain")

@route("/broken")
def broken(request):
    def pieces():
        yield "a " + KEY[:9]
        _gate.wait("step")
        raise RuntimeError("in the middle")
    return Response(pieces(), content_type="text/plain")

@route("/png")
def png(request):
    return Response(iter([b"\x89PNG\r\n\x1a\n", bytes(9)]), content_type="image/png")

@route("/large")
def large(request):
    return Response((b"x" * 99 + b"\n" for _ in range(3000)), content_type="text/plain")

@route("/many")
def many(request):
    return Response((b"\n" for _ in range(5000)), content_type="text/plain")

@route("/short")
def short(request):
    return Response(iter([b"short"]), content_type="text/plain")

@route("/plain")
def plain(request):
    return "plain"
"#;

async fn app() -> Server {
    Project::new().gate().file("app.py", APP).dev().await
}

/// The newest request to a path, whole.
async fn recorded(server: &Server, path: &str) -> Value {
    let requests = server.api("requests").await;
    let requests = requests.as_array().expect("a list");
    let request = requests.iter().find(|request| request["path"] == path).expect("a request");
    server.api(&format!("requests/{}", request["id"].as_str().expect("an id"))).await
}

/// The same after the next end of a stream.
async fn ended(server: &Server, console: &mut Console, path: &str) -> Value {
    let event = console.next_of_type("stream.end").await;
    assert_eq!(event["request"]["path"], path);
    recorded(server, path).await
}

fn lines(body: &Value) -> Vec<u64> {
    let pieces = body["pieces"].as_array().expect("pieces");
    pieces.iter().map(|piece| piece["line"].as_u64().expect("a line")).collect()
}

#[tokio::test]
async fn a_stream_is_recorded_while_it_is_sent() {
    let server = app().await;
    let mut console = server.console().await;
    let request = server.request(Method::GET, "/events");
    let mut response = request.send().await.expect("a response");
    response.chunk().await.expect("a chunk");
    let gate = server.arrival().await;
    let body = &recorded(&server, "/events").await["response_body"];
    assert_eq!(body["text"], "data: {\"n\": 1}\n\n");
    assert_eq!((&body["size"], &body["note"]), (&json!(16), &json!("it is still being sent")));
    assert_eq!((lines(body), &body["pieces"][0]["at"]), (vec![0], &json!(0)));

    gate.open().await;
    response.chunk().await.expect("a chunk");
    let gate = server.arrival().await;
    let body = &recorded(&server, "/events").await["response_body"];
    assert_eq!(body["text"], "data: {\"n\": 1}\n\ndata: {\"token\": \"••••\"");
    assert_eq!((lines(body), &body["pieces"][1]["at"]), (vec![0, 2], &Value::Null));

    gate.open().await;
    server.arrival().await.open().await;
    while response.chunk().await.expect("a chunk").is_some() {}
    let request = ended(&server, &mut console, "/events").await;
    let body = &request["response_body"];
    let text = "data: {\"n\": 1}\n\ndata: {\"token\": \"••••\"}\n\ndata: ••••\n\n";
    assert_eq!((body["text"].as_str(), &body["note"]), (Some(text), &Value::Null));
    assert_eq!(lines(body), [0, 2, 2, 4]);
    let ms = |value: &Value| value.as_f64().expect("milliseconds");
    let first = ms(&request["stream"]["first_byte_ms"]) - ms(&body["pieces"][0]["after_ms"]);
    assert!((0.0..0.11).contains(&first), "{request}");
    assert_eq!(
        (&request["response_size"], &request["stream"]["chunks"]),
        (&Value::Null, &json!(4))
    );
}

#[tokio::test]
async fn a_secret_across_two_pieces_shows_no_part() {
    let server = app().await;
    let mut console = server.console().await;
    for (path, note, text) in
        [("/cut", Value::Null, "a •••• b"), ("/broken", json!("its end was not sent"), "a ")]
    {
        let mut response = server.request(Method::GET, path).send().await.expect("a response");
        response.chunk().await.expect("a chunk");
        let gate = server.arrival().await;
        assert_eq!(recorded(&server, path).await["response_body"]["text"], "a ", "{path}");
        gate.open().await;
        while let Ok(Some(_)) = response.chunk().await {}
        let body = &ended(&server, &mut console, path).await["response_body"];
        assert_eq!((body["text"].as_str(), &body["note"]), (Some(text), &note), "{path}");
    }
}

#[tokio::test]
async fn a_private_stream_is_not_recorded() {
    let server = app().await;
    let mut console = server.console().await;
    let mut response = server.request(Method::GET, "/private").send().await.expect("a response");
    response.chunk().await.expect("a chunk");
    let gate = server.arrival().await;
    assert_eq!(recorded(&server, "/private").await["response_body"], Value::Null);
    gate.open().await;
    while response.chunk().await.expect("a chunk").is_some() {}
    let request = ended(&server, &mut console, "/private").await;
    assert_eq!(
        (&request["response_body"], &request["stream"]["bytes"]),
        (&Value::Null, &json!(10))
    );
}

#[tokio::test]
async fn no_stream_is_recorded_with_no_capture_bodies() {
    let project = Project::new().gate().file("app.py", APP);
    let server = project.args(&["--no-capture-bodies"]).dev().await;
    let mut console = server.console().await;
    server.get("/large").await;
    assert_eq!(ended(&server, &mut console, "/large").await["response_body"], Value::Null);
}

#[tokio::test]
async fn a_stream_is_bounded_by_its_bytes_and_its_pieces() {
    let server = app().await;
    let mut console = server.console().await;
    assert_eq!(server.get("/large").await.body.len(), 300_000);
    let body = &ended(&server, &mut console, "/large").await["response_body"];
    assert_eq!((&body["size"], &body["note"]), (&json!(300_000), &json!("it is truncated")));
    let shown = body["text"].as_str().expect("a text").len();
    assert_eq!(shown, 60 * 1024);
    assert!(lines(body).len() <= 620, "{}", lines(body).len());

    server.get("/many").await;
    let body = &ended(&server, &mut console, "/many").await["response_body"];
    assert_eq!(body["size"], 5000);
    assert!(lines(body).len() <= 4096);
}

#[tokio::test]
async fn a_picture_that_was_streamed_is_shown() {
    let server = app().await;
    let mut console = server.console().await;
    server.get("/png").await;
    let request = ended(&server, &mut console, "/png").await;
    assert_eq!(request["response_body"]["kind"], "png");
    let id = request["id"].as_str().expect("an id");
    let path = format!("/__snaxum/api/requests/{id}/body/response");
    let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
    assert_eq!((reply.status, reply.body.len()), (200, 17));
}

#[tokio::test]
async fn a_stream_that_has_ended_counts_with_what_it_has_stored() {
    let server = app().await;
    let mut console = server.console().await;
    server.get("/plain").await;
    for _ in 0..450 {
        server.get("/short").await;
        console.next_of_type("stream.end").await;
    }
    // While they were open they counted as 43 MB, and 32 MiB are stored.
    assert_eq!(recorded(&server, "/plain").await["response_body"]["text"], "plain");
}
