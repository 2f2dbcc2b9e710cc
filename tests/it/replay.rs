//! A recorded request is sent again, manually or after each reload, with its masked secrets.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
import json

from snaxum import Response, route

@route("/echo", methods=["POST", "PUT"])
def echo(request):
    return {
        "method": request.method,
        "query": dict(request.query_params),
        "authorization": request.headers.get("authorization"),
        "tag": request.headers.get("x-tag"),
        "body": request.text,
    }

@route("/stream")
def stream(request):
    def pieces():
        while True:
            yield b"piece"
    return Response(pieces())

count = None

@route("/boom", methods=["GET", "POST"])
def boom(request):
    return {"share": 1 / count}
"#;

/// Does something to the newest request.
async fn act(server: &Server, id: &str, action: &str, changes: Value) -> Reply {
    let path = format!("/__snaxum/api/requests/{id}/{action}");
    let request = server.request(Method::POST, &path).bearer_auth(&server.token);
    send(request.header("x-snaxum", "1").json(&changes)).await
}

async fn newest(server: &Server) -> String {
    server.api("requests").await[0]["id"].as_str().expect("an id").to_owned()
}

async fn send_request(server: &Server) -> String {
    let request = server.request(Method::POST, "/echo?token=swordfish-1&a=%20");
    let request = request.header("authorization", "Bearer swordfish-2").header("x-tag", "one");
    assert_eq!(send(request.body(r#"{"password": "swordfish-3"}"#)).await.status, 200);
    newest(server).await
}

/// The request as the handler got it. Secrets in the response are masked too, so the handler
/// reports their shape.
fn seen(detail: &Value) -> Value {
    let text = detail["response_body"]["text"].as_str().expect("a text");
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_replay_sends_the_original_request_with_its_masked_secrets() {
    let app = APP.replace(
        r#""body": request.text,"#,
        r#""sent": [
            request.query_params["token"] == "swordfish-1",
            request.headers["authorization"] == "Bearer swordfish-2",
            json.loads(request.text)["password"] == "swordfish-3",
        ],"#,
    );
    let server = Project::new().file("app.py", &app).dev().await;
    let original = send_request(&server).await;

    let replay = act(&server, &original, "replay", json!({})).await;
    assert_eq!(replay.status, 200, "{}", replay.text());
    assert!(!replay.text().contains("swordfish"), "{}", replay.text());
    let detail = replay.json();
    assert_eq!(detail["replay_of"], original);
    assert_ne!(detail["id"], original);
    assert_eq!(seen(&detail)["sent"], json!([true, true, true]));
    assert_eq!(newest(&server).await, detail["id"]);
}

#[tokio::test]
async fn an_edited_replay_sends_the_changes_and_unmasks_the_rest() {
    let server = Project::new().file("app.py", APP).dev().await;
    let original = send_request(&server).await;

    let changes = json!({
        "method": "PUT",
        "target": "/echo?b=2",
        "headers": [["authorization", "••••"], ["x-tag", "two"]],
        "body": "another",
    });
    let detail = act(&server, &original, "replay", changes).await.json();
    let seen = seen(&detail);
    assert_eq!((&seen["method"], &seen["query"]), (&json!("PUT"), &json!({"b": "2"})));
    assert_eq!((&seen["tag"], &seen["body"]), (&json!("two"), &json!("another")));
    assert_eq!(seen["authorization"], "••••", "it was sent, and masked on the way back");
}

#[tokio::test]
async fn a_request_that_cannot_be_replayed_is_an_error_with_the_reason() {
    let server = Project::new().file("app.py", APP).dev().await;
    let original = send_request(&server).await;
    let before = newest(&server).await;
    for (id, changes, status, says) in [
        ("999", json!({}), 404, "no such request"),
        ("nonsense", json!({}), 404, "no such request"),
        (&original, json!({"method": "G ET"}), 400, "`G ET` is not a method"),
        (&original, json!({"target": "nowhere"}), 400, "`nowhere` is not a path"),
        (&original, json!({"target": "http://evil.example/echo"}), 400, "is not a path"),
        (&original, json!({"target": "/__snaxum/api/status"}), 400, "do not belong to the app"),
        (&original, json!({"target": "/x?token=••••"}), 400, "the address contains masked values"),
        (&original, json!({"body": "{\"a\": \"••••\"}"}), 400, "the body contains masked values"),
        (&original, json!({"headers": [["x-tag", "a\nb"]]}), 400, "`x-tag` cannot be sent"),
        (&original, json!({"headers": [["a b", "c"]]}), 400, "`a b` is not a header name"),
        (&original, json!({"headers": [["cookie", "••••"]]}), 400, "`cookie` is masked"),
        (&original, json!({"nonsense": 1}), 422, "unknown field `nonsense`"),
    ] {
        let reply = act(&server, id, "replay", changes.clone()).await;
        assert_eq!(reply.status, status, "{changes}: {}", reply.text());
        assert!(reply.text().contains(says), "{changes}: {}", reply.text());
    }
    assert_eq!(newest(&server).await, before, "nothing was sent");

    let large = server.request(Method::POST, "/echo").body("x".repeat(70_000));
    assert_eq!(send(large).await.status, 200);
    let large = newest(&server).await;
    let reply = act(&server, &large, "replay", json!({})).await;
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.text().contains("its body is not recorded completely"), "{}", reply.text());
    let reply = act(&server, &large, "replay", json!({"body": "short"})).await;
    assert_eq!(seen(&reply.json())["body"], "short");
}

#[tokio::test]
async fn a_request_whose_client_disconnected_can_be_replayed() {
    let app = r#"import _gate
from snaxum import route

@route("/hold", methods=["POST"])
def hold(request):
    _gate.wait("held")
    return request.text
"#;
    let server = Project::new().gate().file("app.py", app).dev().await;
    let mut console = server.console().await;
    let client =
        tokio::spawn(send(server.request(Method::POST, "/hold").body("the original body")));
    let held = server.arrival().await;
    client.abort();
    let ended = console.next_of_type("request.end").await["request"].take();
    assert_eq!(ended["status"], 499);
    held.open().await;

    let id = ended["id"].as_str().expect("an id").to_owned();
    let replaying = act(&server, &id, "replay", json!({}));
    let opening = async { server.arrival().await.open().await };
    let both = async { tokio::join!(replaying, opening).0 };
    let reply = in_time("the replay", both).await;
    assert_eq!(reply.json()["response_body"]["text"], "the original body", "{}", reply.text());
}

#[tokio::test]
async fn the_replay_of_an_endless_stream_ends_at_once() {
    let server = Project::new().file("app.py", APP).dev().await;
    drop(server.request(Method::GET, "/stream").send().await.expect("a response"));
    let original = newest(&server).await;
    let detail = act(&server, &original, "replay", json!({})).await.json();
    assert_eq!(detail["status"], 200);
    assert_eq!(detail["response_body"]["note"], "its end was not sent");
}

#[tokio::test]
async fn a_pinned_request_is_sent_after_each_reload_until_it_passes() {
    let server = Project::new().file("app.py", APP).dev().await;
    let mut console = server.console().await;
    assert_eq!(server.get("/boom").await.status, 500);
    let pinned = newest(&server).await;
    let pins = act(&server, &pinned, "pin", json!({})).await.json();
    assert_eq!((&pins[0]["id"], &pins[0]["state"]), (&json!(pinned), &json!("failing")), "{pins}");
    console.next_of_type("pins").await;

    server.edit("app.py", &APP.replace("count = None", "count = 0"));
    let pins = console.next_of_type("pins").await["pins"].clone();
    assert_eq!(
        (&pins[0]["state"], &pins[0]["generation"]),
        (&json!("failing"), &json!(2)),
        "{pins}"
    );

    server.edit("app.py", "count = (");
    console.next_of_type("reload.fail").await; // nothing new to ask
    server.edit("app.py", &APP.replace("count = None", "count = 4"));
    let pins = console.next_of_type("pins").await["pins"].clone();
    assert_eq!((&pins[0]["state"], &pins[0]["replays"]), (&json!("passing"), &json!(2)), "{pins}");
    let replay = pins[0]["replay"].as_str().expect("a replay");
    assert_eq!(server.api(&format!("requests/{replay}")).await["replay_of"], pinned);
    server.out.wait_for("1 pinned request: 1 passing").await;

    let left = act(&server, &pinned, "unpin", json!({})).await.json();
    assert_eq!((left, server.api("pins").await), (json!([]), json!([])));
}

#[tokio::test]
async fn only_failures_are_pinned_and_not_too_many() {
    let server = Project::new().file("app.py", APP).dev().await;
    let fine = send_request(&server).await;
    let reply = act(&server, &fine, "pin", json!({})).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("its status is 200"), "{}", reply.text());
    for place in 0..17 {
        assert_eq!(server.get("/boom").await.status, 500);
        let reply = act(&server, &newest(&server).await, "pin", json!({})).await;
        assert_eq!(reply.status, if place < 16 { 200 } else { 400 }, "{}", reply.text());
    }
    assert_eq!(server.api("pins").await.as_array().map(Vec::len), Some(16));
}
