//! The failures of `snaxum serve` as its clients see them: nothing of the project is in them.

use reqwest::Method;

use crate::support::{Project, Reply, send};

const FAILS: &str = r#"
import asyncio
from snaxum import HTTPError, Response, route


class Ledger:
    def __init__(self):
        self.owner = "swordfish"


@route("/raise")
def fail(request):
    raise KeyError("swordfish")


@route("/later")
async def later(request):
    raise LookupError("swordfish")


@route("/pool", use_process_pool=True)
def pooled(request, pool):
    return pool.submit(int, "swordfish").result()


@route("/import")
def imports(request):
    import swordfish


@route("/object")
def unknown(request):
    return {"rows": [Ledger()]}


@route("/nothing")
def nothing(request):
    return Ledger


@route("/name")
def name(request):
    return Response("", headers={"x swordfish": "1"})


@route("/value")
def value(request):
    return Response("", headers={"x-ledger": "swordfish\n"})


@route("/letters")
def letters(request):
    return Response("", headers={"x-ledger": "swordfish \u20ac"})


@route("/status")
def status(request):
    return Response("swordfish", status=5000)


@route("/json", methods=["POST"])
def body(request):
    return request.body["swordfish"]


@route("/hang")
async def hang(request):
    await asyncio.Event().wait()


@route("/closed")
def closed(request):
    raise HTTPError(503, "closed until five")
"#;

/// Words that only developers of the project may read.
const PRIVATE: [&str; 20] = [
    "swordfish",
    "billing",
    "ledger",
    "Ledger",
    "fails",
    "half",
    ".py",
    "python",
    "Python",
    "KeyError",
    "LookupError",
    "TypeError",
    "ValueError",
    "SyntaxError",
    "NotFoundError",
    "module",
    "import",
    "Traceback",
    " frames",
    "\"frames",
];

#[tokio::test]
async fn a_client_of_serve_learns_nothing_of_the_code_that_fails() {
    let server = Project::new()
        .file("fails.py", FAILS)
        .file("billing_secret.py", BROKEN)
        .file("half.py", "def swordfish(:\n")
        .args(&["--request-timeout", "2s", "--pool-workers", "1"])
        .serve()
        .await;
    let requests = [
        (Method::GET, "/raise", 500),
        (Method::GET, "/later", 500),
        (Method::GET, "/pool", 500),
        (Method::GET, "/import", 500),
        (Method::GET, "/object", 500),
        (Method::GET, "/nothing", 500),
        (Method::GET, "/name", 500),
        (Method::GET, "/value", 500),
        (Method::GET, "/letters", 500),
        (Method::GET, "/status", 500),
        (Method::GET, "/bill", 500),
        (Method::GET, "/elsewhere", 503),
        (Method::DELETE, "/raise", 405),
        (Method::GET, "/closed", 503),
    ];
    for accept in ["text/html", "application/json", "*/*"] {
        for (method, path, status) in &requests {
            let request = server.request(method.clone(), path).header("accept", accept);
            let reply = send(request).await;
            assert_eq!(reply.status, *status, "{path}: {}", reply.text());
            assert_discreet(path, &reply);
        }
        for body in ["{", "swordfish", "[]", ""] {
            let request = server.request(Method::POST, "/json").header("accept", accept);
            let request = request.header("content-type", "application/json").body(body);
            let reply = send(request).await;
            assert!(reply.status >= 400, "{body}");
            assert_discreet("/json", &reply);
        }
    }
    let late = server.get("/hang").await;
    assert_eq!(late.status, 504);
    assert_discreet("/hang", &late);
    // The log has the reasons.
    for logged in ["`billing_secret`", "KeyError", "x-ledger", "half.py"] {
        assert!(server.err.text().contains(logged), "{logged}: {}", server.err.text());
    }
    let closed = server.get("/closed").await;
    assert_eq!(closed.json()["detail"], "closed until five", "the handler's own words are sent");
}

fn assert_discreet(path: &str, reply: &Reply) {
    let shown = format!("{:?}\n{}", reply.headers, reply.text());
    for private in PRIVATE {
        assert!(!shown.contains(private), "{path} shows {private}: {shown}");
    }
}

const BROKEN: &str = r#"
import os
from snaxum import route

@route("/bill")
def bill(request):
    return "ledger"

os.environ["swordfish"]
"#;
