//! Bodies that are not text, and headers as columns: what the API of dev mode gives of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, send};

const APP: &str = r#"
import os

from snaxum import Response, no_capture, route

PNG = b"\x89PNG\r\n\x1a\n" + bytes(9)

@route("/png")
def png(request):
    return Response(PNG, content_type="text/html")

@route("/script")
def script(request):
    return Response(b"<script>1</script>\xff", content_type="image/png")

@route("/large")
def large(request):
    return Response(PNG + bytes(1_000_000), content_type="image/png")

@route("/too-large")
def too_large(request):
    return Response(PNG + bytes(3_000_000), content_type="image/png")

@route("/pdf")
def pdf(request):
    return Response(b"%PDF-1.4 " + os.environ["API_TOKEN"].encode() + b"\xff")

@route("/form")
def form(request):
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    return Response(b"%PDF-1.4 " + key.encode() + b"\xff")

@route("/private")
@no_capture
def private(request):
    return Response(PNG)

@route("/echo", methods=["POST"])
def echo(request):
    return Response("ok", headers={"x-color": "teal", "set-cookie": "session=abc"})
"#;

async fn app() -> Server {
    let project = Project::new().file("app.py", APP);
    project.top_file(".env", "API_TOKEN=correct-horse-battery\n").dev().await
}

/// The newest request whole, after one to `path`.
async fn newest(server: &Server, path: &str) -> Value {
    assert_eq!(server.get(path).await.status, 200);
    let id = server.api("requests").await[0]["id"].as_str().expect("an id").to_owned();
    server.api(&format!("requests/{id}")).await
}

async fn body(server: &Server, request: &Value, part: &str) -> Reply {
    let id = request["id"].as_str().expect("an id");
    let path = format!("/__snaxum/api/requests/{id}/body/{part}");
    send(server.request(Method::GET, &path).bearer_auth(&server.token)).await
}

#[tokio::test]
async fn the_bytes_of_a_body_are_given_by_its_first_bytes_and_as_a_download() {
    let server = app().await;
    let png = newest(&server, "/png").await;
    assert_eq!(
        png["response_body"],
        json!({"size": 17, "text": null, "note": null, "kind": "png"})
    );
    let reply = body(&server, &png, "response").await;
    assert_eq!((reply.status, reply.body.len()), (200, 17));
    assert!(reply.body.starts_with(b"\x89PNG"));
    assert_eq!(reply.header("content-type"), "image/png");
    assert_eq!(reply.header("content-disposition"), "attachment");
    assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(body(&server, &png, "request").await.status, 409, "it is empty");

    let script = newest(&server, "/script").await;
    let expected = json!({"size": 19, "text": null, "note": "it is not text", "kind": null});
    assert_eq!(script["response_body"], expected);
    assert_eq!(body(&server, &script, "response").await.status, 409);
    assert_eq!(body(&server, &json!({"id": "999"}), "response").await.status, 404);
}

#[tokio::test]
async fn a_response_of_two_mebibytes_is_stored_whole() {
    let server = app().await;
    let large = newest(&server, "/large").await;
    assert_eq!(large["response_body"]["kind"], "png");
    assert_eq!(body(&server, &large, "response").await.body.len(), 1_000_017);
    let too_large = newest(&server, "/too-large").await;
    assert_eq!(
        too_large["response_body"],
        json!({"size": 3_000_017, "text": null, "note": "it is not text, and too large to be stored", "kind": null})
    );
    assert_eq!(body(&server, &too_large, "response").await.status, 409);
}

#[tokio::test]
async fn bytes_that_contain_a_secret_are_not_given() {
    let server = app().await;
    for path in ["/pdf", "/form", "/private"] {
        let request = newest(&server, path).await;
        let reply = body(&server, &request, "response").await;
        assert_eq!(reply.status, 409, "{path}: {}", reply.text());
        let text = reply.text();
        assert!(!text.contains("horse") && !text.contains("AKIA"), "{text}");
    }
}

#[tokio::test]
async fn headers_are_columns_of_the_list_with_their_secrets_masked() {
    let server = app().await;
    for color in ["red", "blue"] {
        let request = server.request(Method::POST, "/echo").header("x-sent", color);
        send(request.header("cookie", "session=abc").body("x")).await;
    }
    let query = "headers?request=x-sent,Cookie&response=x-color,set-cookie,x-none";
    let rows = server.api(query).await;
    let values = |sent: &str| json!([sent, "••••", "teal", "••••", null]);
    assert_eq!(rows, json!([["2", values("blue")], ["1", values("red")]]));
    assert_eq!(server.api("headers?request=x-sent&after=1").await, json!([["2", ["blue"]]]));
    let newest = &server.api("requests").await[0];
    assert_eq!(newest["response_size"], 2);
    assert!(newest["response_type"].as_str().is_some_and(|kind| kind.starts_with("text/")));

    let names = vec!["a"; 21].join(",");
    let path = format!("/__snaxum/api/headers?request={names}");
    let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
    assert_eq!((reply.status, reply.text()), (400, "Name at most 20 headers.\n"));
}
