//! Secrets that a project declares: more names, values of its environment, and private handlers.

use reqwest::Method;
use serde_json::Value;

use super::support::{Project, Reply, Server, send};

const ECHO: &str = r#"
from snaxum import Response, route

@route("/echo/<path:rest>", methods=["GET", "POST"])
def echo(request):
    return Response(request.data, content_type=request.headers.get("content-type", "text/plain"),
                    headers={"x-seen": request.headers.get("x-note", "")})

@route("/fail")
def fail(request):
    national_id = request.query_params["national_id"]
    form = {"customer-iban": request.query_params["iban"], "harmless": "plain text"}
    raise ValueError(f"see /x?iban={form['customer-iban']}")
"#;

/// Everything that the API shows of the request with this response.
async fn shown(server: &Server, reply: &Reply) -> String {
    assert!(reply.status < 600);
    let list: Value = server.api("requests").await;
    format!("{}\n{list}", detail(server, reply).await)
}

async fn detail(server: &Server, reply: &Reply) -> Value {
    server.api(&format!("requests/{}", reply.header("x-request-id"))).await
}

#[tokio::test]
async fn names_that_the_project_calls_secret_are_masked_everywhere() {
    let server = Project::new()
        .file("app.py", ECHO)
        .top_file("pyproject.toml", "[tool.snaxum]\nredact-extra = [\"iban\", \"national-id\"]\n")
        .dev()
        .await;
    let request = server.request(Method::POST, "/echo/x?iban=swordfish-1&b=plain-1");
    let request = request.header("x-national-id", "swordfish-2").header("x-plain", "plain-2");
    let body = r#"{"customerIban": "swordfish-3", "nationalId": ["swordfish-4"], "b": "plain-3"}"#;
    let reply = send(request.header("content-type", "application/json").body(body)).await;
    assert!(
        reply.text().contains("swordfish-4"),
        "the response itself is unchanged: {}",
        reply.text()
    );
    let text = shown(&server, &reply).await;
    assert!(!text.contains("swordfish"), "{text}");
    for plain in ["plain-1", "plain-2", "plain-3"] {
        assert!(text.contains(plain), "{text}");
    }

    let reply = server.get("/fail?national_id=swordfish-5&iban=swordfish-6").await;
    let text = self::shown(&server, &reply).await;
    assert!(!text.contains("swordfish"), "{text}");
    assert!(text.contains("plain text") && text.contains("/x?iban=••••"), "{text}");
}

const POOL: &str = r#"
import os
from snaxum import route

def talk():
    print("see /x?iban=swordfish-1&b=plain-1 of", os.environ["SHOP_IBAN"])

@route("/pool", use_process_pool=True)
def run(request, pool):
    pool.submit(talk).result()
"#;

#[tokio::test]
async fn names_that_the_project_calls_secret_are_masked_in_what_the_pool_prints() {
    let server = Project::new()
        .file("app.py", POOL)
        .env("SHOP_IBAN", "swordfish-2")
        .args(&["--redact-extra", "iban", "--pool-workers", "1"])
        .dev()
        .await;
    let reply = server.get("/pool").await;
    let detail = detail(&server, &reply).await;
    assert_eq!(detail["logs"][0]["line"], "see /x?iban=••••&b=plain-1 of ••••");
}

#[tokio::test]
async fn a_name_without_a_letter_is_refused_with_an_example() {
    let project = Project::new().file("app.py", ECHO);
    let finished = project.snaxum(&["check", "--redact-extra=--"]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("a name such as iban or national-id"), "{}", finished.stderr);
}

#[tokio::test]
async fn values_of_secret_variables_are_masked_wherever_a_request_has_them() {
    let server = Project::new()
        .file("app.py", ECHO)
        .top_file(".env", "SHOP_TOKEN=\"sword fish/1\"\nSHOP_NAME=corner-shop\n")
        .env("SHOP_SECRET", "swordfish-2")
        .env("SHOP_PIN", "4711")
        .dev()
        .await;
    let send_all = async || {
        let target = "/echo/swordfish-2/x?q=sword%20fish%2F1&r=sword+fish%2F1&s=corner-shop";
        let request = server.request(Method::POST, target).header("x-note", "is swordfish-2, 4711");
        send(request.body("swordfish-2, sword fish/1, other-fish and corner-shop")).await
    };
    let reply = send_all().await;
    assert_eq!(reply.header("x-seen"), "is swordfish-2, 4711");
    let text = shown(&server, &reply).await;
    for secret in ["swordfish", "sword fish", "sword%20fish", "sword+fish"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("/echo/••••/x") && text.contains("is ••••, 4711"), "{text}");
    assert!(text.contains("••••, ••••, other-fish and corner-shop"), "{text}");

    server.edit("../.env", "SHOP_TOKEN=other-fish\nSHOP_NAME=corner-shop\n");
    server.api("wait").await;
    let text = self::shown(&server, &send_all().await).await;
    assert!(text.contains("••••, ••••, •••• and corner-shop"), "{text}");
}

const PRIVATE: &str = r#"
import asyncio, functools
from snaxum import Response, no_capture, route

def echo(request):
    return Response(request.data)

def logged(handler):
    @functools.wraps(handler)
    def outer(request):
        return handler(request)
    return outer

@no_capture
@route("/above", methods=["POST"])
def above(request):
    return echo(request)

@route("/below", methods=["POST"])
@logged
@no_capture
def below(request):
    return echo(request)

@route("/async", methods=["POST"])
@no_capture
async def later(request):
    return echo(request)

@route("/late", methods=["POST"])
@no_capture
async def late(request):
    await asyncio.Event().wait()

@route("/fail", methods=["POST"])
@no_capture
def fail(request):
    text = request.text
    return deeper(text + "!")

def deeper(text):
    raise ValueError("it went wrong")

@route("/open", methods=["POST"])
def open_(request):
    return echo(request)
"#;

#[tokio::test]
async fn no_capture_records_nothing_of_the_request_but_its_path() {
    let project = Project::new().file("app.py", PRIVATE).args(&["--request-timeout", "500ms"]);
    let server = project.dev().await;
    let send_to = async |path: &str| {
        let request = server.request(Method::POST, &format!("{path}?a=swordfish-1&swordfish-2"));
        send(request.body("swordfish-3")).await
    };
    for (path, status) in [
        ("/above", 200),
        ("/below", 200),
        ("/async", 200),
        ("/fail", 500),
        // A request without a route may have been meant for one of these.
        ("/late", 504),
        ("/abov", 404),
    ] {
        let reply = send_to(path).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(status != 200 || reply.text() == "swordfish-3", "{path}");
        let text = shown(&server, &reply).await;
        assert!(!text.contains("swordfish"), "{path}: {text}");
        assert!(text.contains("a=••••&••••") && text.contains("it is not stored"), "{text}");
    }
    let failed = send_to("/fail").await;
    let detail = detail(&server, &failed).await;
    let frames = detail["traceback"]["frames"].as_array().expect("frames");
    assert!(
        frames.len() >= 2 && frames.iter().all(|frame| frame["locals"] == Value::Array(vec![]))
    );

    let reply = send_to("/open").await;
    let kept = self::detail(&server, &reply).await;
    assert_eq!(
        kept["request_body"]["text"], "swordfish-3",
        "other requests are recorded as always"
    );
    let marked = server
        .api("routes")
        .await
        .as_array()
        .map(|routes| routes.iter().filter(|route| route["no_capture"] == true).count());
    assert_eq!(marked, Some(5));

    // The mark goes with a save, and comes with one.
    server.edit("app.py", &PRIVATE.replace("@no_capture\n", ""));
    server.api("wait").await;
    let kept = self::detail(&server, &send_to("/above").await).await;
    assert_eq!(kept["request_body"]["text"], "swordfish-3", "{kept}");
    server.edit("app.py", PRIVATE);
    server.api("wait").await;
    let kept = self::detail(&server, &send_to("/above").await).await;
    assert!(!kept.to_string().contains("swordfish"), "{kept}");
}

const HELD: &str = r#"import _gate
from snaxum import no_capture, route

@route("/blocked", methods=["POST"])
@no_capture
def blocked(request):
    _gate.wait("held")
    return request.text
"#;

#[tokio::test]
async fn no_capture_applies_to_requests_that_outlive_the_handler() {
    let server = Project::new().gate().file("app.py", HELD).dev().await;
    let request = server.request(Method::POST, "/blocked?a=swordfish-1").body("swordfish-2");
    let sending = tokio::spawn(send(request));
    let held = server.arrival().await;
    server.edit("app.py", &HELD.replace("/blocked", "/other").replace("def blocked", "def other"));
    server.api("wait").await;
    held.open().await;
    let reply = sending.await.expect("no panic");
    assert_eq!((reply.status, reply.text()), (200, "swordfish-2"));

    let text = shown(&server, &reply).await;
    assert!(!text.contains("swordfish"), "{text}");
}

#[tokio::test]
async fn no_capture_applies_to_requests_whose_client_disconnected_after_a_save() {
    let server = Project::new().gate().file("app.py", HELD).dev().await;
    let mut console = server.console().await;
    let request = server.request(Method::POST, "/blocked?a=swordfish-1").body("swordfish-2");
    let client = tokio::spawn(send(request));
    let _held = server.arrival().await;
    server.edit("app.py", &HELD.replace("@no_capture\n", ""));
    server.api("wait").await;
    client.abort();

    let text = console.next_of_type("request.end").await["request"].take();
    assert_eq!(text["status"], 499);
    let detail = server.api(&format!("requests/{}", text["id"].as_str().expect("an id"))).await;
    assert!(!detail.to_string().contains("swordfish"), "{detail}");
}
