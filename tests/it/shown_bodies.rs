//! Bodies that are not text, and headers as columns: what the API of dev mode gives of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Reply, Server, send};

const APP: &str = r#"
import os

import _gate
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

@route("/paper")
def paper(request):
    return Response(b"%PDF-1.4 <script>1</script>\xff", content_type="text/html")

@route("/private")
@no_capture
def private(request):
    return Response(PNG)

@route("/echo", methods=["POST"])
def echo(request):
    return Response("ok", headers={"x-color": "teal", "set-cookie": "session=abc; Path=/; HttpOnly"})

@route("/table/<kind>")
def table(request, kind):
    tables = {
        "csv": ("text/csv", "city,api_token\nGraz,swordfish\n"),
        "split": ("application/json", '{"columns":["city","api_token"],"data":[["Graz","swordfish"]]}'),
        "lines": ("application/x-ndjson", '["city","api_token"]\n["Graz","swordfish"]\n'),
        "list": ("application/json", '[["city","api_token"],["Graz","swordfish"]]'),
    }
    content_type, text = tables[kind]
    return Response(text, content_type=content_type)

@route("/controls")
def controls(request):
    return Response("\x01" * 2_000_000, content_type="text/plain")

@route("/deep")
def deep(request):
    return Response('{"columns":["token"],"data":[' * 60_000, content_type="application/json")

@route("/held")
def held(request):
    _gate.wait("held")
    return "late"
"#;

async fn app() -> Server {
    let project = Project::new().gate().file("app.py", APP);
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
async fn only_a_pdf_is_opened_in_a_tab() {
    let server = app().await;
    for (path, opened, saved) in [
        ("/paper", "application/pdf", "application/octet-stream"),
        ("/png", "image/png", "image/png"),
    ] {
        let request = newest(&server, path).await;
        let reply = body(&server, &request, "response?open=true").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, opened));
        let disposition = if path == "/paper" { "inline" } else { "attachment" };
        assert_eq!(reply.header("content-disposition"), disposition);
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        let reply = body(&server, &request, "response").await;
        assert_eq!(reply.header("content-type"), saved);
        assert_eq!(reply.header("content-disposition"), "attachment");
    }
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
    let cookies = server.api("headers?cookies=true&after=1").await;
    assert_eq!(cookies, json!([["2", ["session", "session"]]]));
    let newest = &server.api("requests").await[0];
    assert_eq!(newest["response_size"], 2);
    assert!(newest["response_type"].as_str().is_some_and(|kind| kind.starts_with("text/")));

    let names = vec!["a"; 21].join(",");
    let path = format!("/__snaxum/api/headers?request={names}");
    let reply = send(server.request(Method::GET, &path).bearer_auth(&server.token)).await;
    assert_eq!((reply.status, reply.text()), (400, "Name at most 20 headers.\n"));
}

#[tokio::test]
async fn headers_of_a_request_that_ends_after_later_ones_are_given() {
    let server = app().await;
    let client = server.begin("/held");
    let held = server.arrival().await;
    server.get("/png").await;
    held.open().await;
    client.await.expect("a response");
    let rows = server.api("headers?response=x-none&after=1").await;
    assert_eq!(rows, json!([["2", [null]]]), "the first one ended last");
}

#[tokio::test]
async fn the_cookies_of_a_request_have_their_attributes_and_no_value() {
    let server = app().await;
    let request = server.request(Method::POST, "/echo").header("cookie", "a=hunter2; theme=dark");
    send(request.body("x")).await;
    let request = server.api("requests/1").await;
    let sent = json!([{"name": "a", "value": "••••"}, {"name": "theme", "value": "••••"}]);
    assert_eq!(request["request_cookies"], sent);
    let attributes = json!([["Path", "/"], ["HttpOnly", ""]]);
    let set = json!([{"name": "session", "value": "••••", "attributes": attributes}]);
    assert_eq!(request["response_cookies"], set);
    assert!(!request.to_string().contains("hunter2"), "{request}");
}

#[tokio::test]
async fn columns_with_secret_names_are_masked_in_tables_of_text() {
    let server = app().await;
    for kind in ["csv", "split", "lines", "list"] {
        let body = &newest(&server, &format!("/table/{kind}")).await["response_body"];
        let text = body["text"].as_str().expect("a text");
        assert!(text.contains("Graz") && text.contains("••••"), "{kind}: {text}");
        assert!(!text.contains("swordfish"), "{kind}: {text}");
    }
}

#[tokio::test]
async fn a_hostile_body_costs_the_server_no_more_than_its_size() {
    let server = app().await;
    for path in ["/controls", "/deep"] {
        let body = newest(&server, path).await["response_body"].clone();
        let (size, shown) = (body["size"].as_u64().expect("a size"), body.to_string().len() as u64);
        // JSON writes a control character as six, and a mask is longer than the shortest value.
        assert!(shown <= 6 * size + 200, "{path}: {shown} of {size}");
    }
}
