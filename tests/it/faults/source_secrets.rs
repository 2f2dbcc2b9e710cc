//! Secrets in source text, and how their owner gets what is masked.

use reqwest::Method;
use serde_json::{Value, json};

use crate::dev_api::get_with;
use crate::support::{Project, send};

const APP: &str = r#"
import traceback

from snaxum import no_capture, route

API_KEY = "swordfish-1"
OPTIONS = {"password": "swordfish-2", "plain": "shown-1"}


@route("/raise", methods=["GET", "POST"])
def fail(request, token="swordfish-3"):
    """Shown."""
    try:
        connect("hunter2", secret=b"swordfish-4", name=None)
    except TypeError:
        traceback.print_exc()
    connect("hunter2", secret=b"swordfish-4", name="shown-2"); raise ValueError("at the end")


def connect(text, secret, name):
    # password = "swordfish-5"
    client_secret = (
        "swordfish-6"
        "swordfish-7"
    )
    len(name)


@route("/chain")
def chain(request):
    try:
        connect("swordfish-0!", secret="swordfish-4", name="")
        {"password": "swordfish-2"}["x"]
    except KeyError as error:
        raise RuntimeError("outer") from error


def task():
    token = "swordfish-9"; raise ValueError("in the pool")


@route("/pool", use_process_pool=True)
def pooled(request, pool):
    return pool.submit(task).result()


@no_capture
@route("/private", methods=["POST"])
def private(request):
    return "ok"
"#;
const ENV: &str = "DB_PASSWORD=hunter2\nSHOP_SECRET=\"swordfish-0!\"\n";
const HTML: [(&str, &str); 1] = [("accept", "text/html")];

fn assert_masked(place: &str, text: &str) {
    for secret in ["swordfish", "hunter2"] {
        assert!(!text.contains(secret), "{place} shows {secret}: {text}");
    }
}

#[tokio::test]
async fn secrets_in_source_lines_are_masked_wherever_source_is_shown() {
    let project = Project::new().file("app.py", APP).top_file(".env", ENV).args(&[
        "--mcp",
        "--pool-workers",
        "1",
    ]);
    let server = project.dev().await;
    for path in ["/raise", "/chain", "/pool"] {
        let page = get_with(&server, path, &HTML).await;
        assert_masked("the page", page.text());
        assert!(page.text().contains("••••"), "{}", page.text());
        let problem = server.get(path).await;
        assert_masked("the problem", problem.text());
        let detail = server.api(&format!("requests/{}", page.header("x-request-id"))).await;
        assert_masked("the console", &detail.to_string());
    }
    let problem = server.get("/raise").await.json();
    let frame = &problem["traceback"]["frames"][0];
    // The mark is where the failing statement is in the masked line.
    let mut lines = frame["source"].as_array().expect("lines").iter();
    let line = lines.find(|line| line["line"] == frame["line"]).expect("the line");
    let text = line["text"].as_str().expect("a text");
    assert!(text.contains("secret=••••, name=\"shown-2\""), "{text}");
    if let Some(column) = frame["column"].as_u64() {
        let column = usize::try_from(column).expect("small");
        let marked: String = text.chars().skip(column).collect();
        assert!(marked.starts_with("raise ValueError"), "{marked} in {text}");
    }
    for route in server.api("routes").await.as_array().expect("a list") {
        let id = route["id"].as_str().expect("an id");
        let source = server.api(&format!("routes/{id}/source")).await;
        assert_masked("the source of a route", &source.to_string());
    }
    let errors = mcp_errors(&server).await;
    assert_masked("the report for assistants", &errors);
    assert!(errors.contains("ValueError"), "{errors}");

    let logs = server.api("logs").await.to_string();
    assert!(logs.contains("secret=••••, name=None"), "{logs}");
    assert!(!logs.contains("swordfish"), "{logs}");

    let mut console = server.console().await;
    server.edit("app.py", &format!("{APP}\nadmin_password = 'swordfish-8' + 1\n"));
    let failed = console.next_of_type("reload.fail").await;
    assert_masked("a failed reload", &failed.to_string());
    server.edit("app.py", &format!("{APP}\nadmin_password = 'swordfish-8' + \n"));
    let failed = console.next_of_type("reload.fail").await;
    assert_masked("a syntax error", &failed.to_string());
    assert!(failed.to_string().contains("admin_password = ••••"), "{failed}");
    server.out.wait_for("SyntaxError").await;
    assert_masked("the terminal", &server.out.text());
    // The handler itself has printed the other secrets on stderr.
    assert!(!server.err.text().contains("swordfish-8"), "{}", server.err.text());

    let checked = server.project.snaxum(&["check"]).await;
    assert_masked("check", &format!("{}{}", checked.stdout, checked.stderr));
}

async fn mcp_errors(server: &crate::support::Server) -> String {
    let token = server.announcement().expect("it runs")["mcp"]["token"].clone();
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "errors", "arguments": {} },
    });
    let request = server.request(Method::POST, "/__snaxum/mcp").json(&call);
    let request = request.bearer_auth(token.as_str().expect("a token"));
    let request = request.header("accept", "application/json, text/event-stream");
    send(request.header("mcp-protocol-version", "2025-06-18")).await.text().to_owned()
}

#[tokio::test]
async fn the_values_of_a_request_are_revealed_to_the_user_of_the_console_alone() {
    let server = Project::new().file("app.py", APP).dev().await;
    let post = |path: &str| {
        let request = server.request(Method::POST, path);
        let request = request.header("authorization", "Bearer swordfish-2");
        send(request.body(r#"{"password": "swordfish-3"}"#))
    };
    let id = post("/raise?token=swordfish-1&a=%20").await.header("x-request-id").to_owned();
    let private = post("/private").await.header("x-request-id").to_owned();
    let path = format!("/__snaxum/api/requests/{id}/reveal");
    let reveal =
        |path: &str| server.request(Method::POST, path).bearer_auth(&server.token).json(&json!({}));

    let revealed = send(reveal(&path).header("x-snaxum", "1")).await;
    assert_eq!((revealed.status, revealed.header("cache-control")), (200, "no-store"));
    let revealed: Value = revealed.json();
    assert_eq!(revealed["target"], "/raise?token=swordfish-1&a=%20");
    assert_eq!(revealed["body"], r#"{"password": "swordfish-3"}"#);
    let headers = revealed["headers"].to_string();
    assert!(headers.contains(r#"["authorization","Bearer swordfish-2"]"#), "{headers}");

    assert_eq!(send(reveal(&path)).await.status, 403, "a form can send it");
    let untrusted = server.request(Method::POST, &path).header("x-snaxum", "1").json(&json!({}));
    assert_eq!(send(untrusted).await.status, 401);
    let gone = reveal("/__snaxum/api/requests/999/reveal").header("x-snaxum", "1");
    assert_eq!(send(gone).await.status, 404);
    let private = reveal(&format!("/__snaxum/api/requests/{private}/reveal"));
    assert_eq!(send(private.header("x-snaxum", "1")).await.status, 400);
}
