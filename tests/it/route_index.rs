//! Routes that Rust finds without Python: the same ones, with the same values.
//!
//! `snaxum dev` asks Python for each route, so it is the oracle.

use reqwest::Method;
use serde_json::json;

use super::support::{Project, in_time};

/// Each pattern has a handler of every kind, for methods of its own.
const COMPETING: &str = r#"
from snaxum import route

PATTERNS = [
    "/", "/a", "/a/", "/a/<x>", "/a/<int:x>", "/a/1", "/a/b/<x>", "/a/b/<path:x>", "/b/<int:x>",
    "/b/<x>", "/c/<uuid:x>", "/c/<int:x>", "/d/<float:x>", "/d/<x>", "/e/<x>-<y>", "/e/<int:x>",
    "/f/<x>/g", "/f/<int:x>", "/<x>", "/g/<path:x>", "/h/<int:x>/", "/i/é", "/i/<x>",
]

def add(pattern, methods, is_async):
    kind = "async" if is_async else "def"

    def respond(request):
        values = {name: repr(value) for name, value in request.path_params.items()}
        return {"pattern": pattern, "methods": methods, "kind": kind, "values": values}

    async def respond_async(request):
        return respond(request)

    route(pattern, methods=methods)(respond_async if is_async else respond)

for number, pattern in enumerate(PATTERNS):
    add(pattern, ["GET"], is_async=number % 5 == 4)
    if number % 2 == 0:
        add(pattern, ["POST"], is_async=number % 3 == 1)
    if number % 4 == 3:
        add(pattern, ["HEAD", "PUT"], is_async=False)
"#;

const SEGMENTS: [&str; 24] = [
    "",
    "a",
    "b",
    "1",
    "0",
    "007",
    "-1",
    "+1",
    "1_0",
    "1.5",
    "1e3",
    "é",
    "%C3%A9",
    "%D9%A3",
    "%C2%B2",
    "%2F",
    "%00",
    "a-b",
    "1-2",
    "999999999999999999",
    "9999999999999999999999",
    "12345678-1234-5678-1234-567812345678",
    "%FF",
    "x%20y",
];

#[tokio::test]
async fn it_finds_the_routes_and_values_that_python_finds() {
    let serve = Project::new().file("app.py", COMPETING).serve().await;
    let dev = Project::new().file("app.py", COMPETING).dev().await;
    let mut paths: Vec<String> = SEGMENTS.iter().map(|last| format!("/{last}")).collect();
    for start in ["a", "a/b", "b", "c", "d", "e", "f", "f/1", "g", "h", "i", "none"] {
        paths.extend(SEGMENTS.iter().map(|last| format!("/{start}/{last}")));
    }
    paths.extend(["/f/1/g", "/h/1/", "/a/1/", "//a", "//a/1", "/g/x/1"].map(str::to_owned));

    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::HEAD, Method::OPTIONS] {
            let ask = async |server: &super::support::Server| {
                let sent = server.request(method.clone(), &path).send();
                let response = in_time("response", sent).await.expect("a response");
                let (status, allow) = (response.status(), response.headers().get("allow").cloned());
                let text = response.text().await.expect("a body");
                // The problem documents of dev mode have more.
                (status, allow, if status == 200 { text } else { String::new() })
            };
            assert_eq!(ask(&serve).await, ask(&dev).await, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn hooks_contexts_and_errors_work_as_for_every_request() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
import contextvars
from snaxum import HTTPError, after_request, errorhandler, route

seen = contextvars.ContextVar("seen", default=0)

@after_request
def mark(request, response):
    response.headers["x-marked"] = request.path
    return response

@errorhandler(KeyError)
def on_key_error(request, error):
    return {"key": str(error)}, 418

@route("/count/<int:number>")
def count(request, number: int):
    before = seen.get()
    seen.set(number)
    return {"before": before}

@route("/key/<name>")
def key(request, name):
    raise KeyError(name)

@route("/refused")
def refused(request):
    raise HTTPError(409, "it is refused")

@route("/broken")
def broken(request):
    return {"a": {1, object()}}

@route("/keys")
def keys(request):
    return {1: [None, 1e-7, float("nan")], "é": (True,)}
"#,
        )
        .serve()
        .await;

    for _ in 0..2 {
        let reply = server.get("/count/3").await;
        assert_eq!((reply.json(), reply.header("x-marked")), (json!({"before": 0}), "/count/3"));
    }
    let reply = server.get("/key/x").await;
    assert_eq!((reply.status, reply.json()), (418, json!({"key": "'x'"})));
    assert_eq!(server.get("/refused").await.json()["detail"], "it is refused");
    let reply = server.get("/broken").await;
    assert!(reply.status == 500, "{reply:?}");
    assert_eq!(server.get("/keys").await.text(), r#"{"1":[null,1e-07,null],"é":[true]}"#);
}

const BLOCKS: &str = r#"
import _gate
from snaxum import route


@route("/block/<int:number>")
def block(number: int):
    _gate.wait("block")
    return {"number": number}
"#;

#[tokio::test]
async fn a_client_that_leaves_while_its_request_waits_for_a_thread_has_left_a_route() {
    let project = Project::new().gate().file("app.py", BLOCKS);
    let mut server = project.args(&["--access-log", "--dispatch-workers", "1"]).serve().await;
    let blocking = server.begin("/block/1");
    let held = server.arrival().await;

    drop(server.socket(b"GET /block/2 HTTP/1.1\r\nhost: a\r\n\r\n").await);

    server.out.wait_for(" GET /block/2 /block/<int:number> 499 ").await;
    held.open().await;
    assert_eq!(blocking.await.expect("a response").json(), json!({"number": 1}));
    assert_eq!(server.stop().await.code(), Some(0));
}
