//! WSGI applications (PEP 3333) on the dispatch workers.

use reqwest::Method;
use serde_json::json;

use crate::support::{Project, in_time, send};

const APP: &str = r#"
import _gate, contextvars, io, json, sys, wsgiref.validate
from snaxum import after_request, mount

VARIABLE = contextvars.ContextVar("variable")

class Closing:
    def __init__(self, parts):
        self.parts = iter(parts)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.parts)
    def close(self):
        print("closed", flush=True)

class Application:
    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"]
        plain = [("Content-Type", "text/plain")]
        if path == "/size":
            size = 0
            while chunk := body.read(1000):
                size += len(chunk)
            start_response("200 OK", plain)
            return [b"%d" % size]
        if path == "/lines":
            start_response("200 OK", plain)
            return Closing([line.upper() for line in body])
        if path == "/write":
            write = start_response("202 Accepted", plain)
            write(b"one ")
            _gate.wait("write")
            write(b"two ")
            return Closing([b"three"])
        if path in ("/write/raises", "/write/text"):
            start_response("200 OK", plain)(b"one ")
            if path == "/write/text":
                return ["two"]
            raise RuntimeError("it broke off")
        if path == "/stream":
            start_response("200 OK", plain)
            def parts():
                yield b"first "
                _gate.wait("stream")
                yield b"second"
            return Closing(parts())
        if path in ("/again", "/replaced/late"):
            start_response("200 OK", plain)
            def parts():
                if path == "/replaced/late":
                    start_response("202 Accepted", plain, (ValueError, ValueError("early"), None))
                yield b"first "
                error = (ValueError, ValueError("too late"), None)
                start_response("500 Late", plain, *([error] if path == "/replaced/late" else []))
                yield b"second"
            return parts()
        if path == "/context":
            start_response("200 OK", plain)
            def parts():
                token = VARIABLE.set("inner")
                yield b"first "
                yield VARIABLE.get().encode()
                VARIABLE.reset(token)
            return parts()
        if path == "/late":
            def parts():
                start_response("203 Late", plain)
                yield b"late"
            return parts()
        if path == "/file":
            start_response("200 OK", plain)
            return environ["wsgi.file_wrapper"](open(__file__, "rb"), 100)
        if path == "/replaced":
            start_response("200 OK", plain)
            try:
                1 / 0
            except ZeroDivisionError:
                start_response("418 Teapot", plain, sys.exc_info())
            return [b"short and stout"]
        if path == "/raises":
            number = 41
            raise ValueError("it went wrong")
        if path == "/none":
            return [b"no head"]
        if path == "/informational":
            start_response("101 Switching Protocols", plain)
            return []
        if path == "/nothing":
            start_response("200 OK", plain)
            return [None]
        if path == "/endless":
            start_response("200 OK", plain)
            def parts():
                try:
                    while True:
                        yield b"x" * 1000
                finally:
                    print("the endless body was closed", flush=True)
            return parts()
        if path == "/text":
            start_response("200 OK", plain)
            return ["a str"]
        text = {key: value for key, value in environ.items() if isinstance(value, (str, int, bool))}
        data = json.dumps(text).encode()
        start_response("200 OK", [*plain, ("Content-Length", str(len(data))), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [data]

def simple(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"read ", environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]

mount("/old/", Application())
# Raises an AssertionError if either side does not conform to PEP 3333.
mount("/valid", wsgiref.validate.validator(simple), interface="wsgi")
"#;

#[tokio::test]
async fn an_application_gets_its_environ_and_its_input() {
    let server = Project::new().gate().file("app.py", APP).serve().await;

    let request = server
        .request(Method::POST, "/old/caf%C3%A9%20x?q=%20")
        .header("x-name", "a")
        .header("x-name", "b")
        .header("x_evil", "c")
        .header("content-type", "text/x")
        .body("1234");
    let reply = send(request).await;
    let environ = reply.json();
    for (key, value) in [
        ("REQUEST_METHOD", json!("POST")),
        ("SCRIPT_NAME", json!("/old")),
        ("PATH_INFO", json!("/caf\u{c3}\u{a9} x")),
        ("QUERY_STRING", json!("q=%20")),
        ("CONTENT_TYPE", json!("text/x")),
        ("CONTENT_LENGTH", json!("4")),
        ("HTTP_X_NAME", json!("a,b")),
        ("SERVER_NAME", json!("127.0.0.1")),
        ("SERVER_PROTOCOL", json!("HTTP/1.1")),
        ("REMOTE_ADDR", json!("127.0.0.1")),
        ("wsgi.url_scheme", json!("http")),
        ("wsgi.multithread", json!(true)),
        ("wsgi.multiprocess", json!(false)),
    ] {
        assert_eq!(environ[key], value, "{key}");
    }
    assert!(environ.get("HTTP_X_EVIL").is_none());
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(server.get("/old").await.json()["PATH_INFO"], "");
    assert_eq!(server.get("/older").await.status, 404);

    let request = server.request(Method::POST, "/old/size").body(vec![7; 3_000_000]);
    assert_eq!(send(request).await.text(), "3000000");
    let request = server.request(Method::POST, "/old/lines").body("a\nb\n");
    assert_eq!(send(request).await.text(), "A\nB\n");
    server.out.wait_for("closed").await;
}

#[tokio::test]
async fn an_application_knows_that_it_has_several_processes() {
    let project = Project::new().gate().file("app.py", APP);
    let server = project.args(&["--processes", "2"]).serve().await;
    assert_eq!(server.get("/old/x").await.json()["wsgi.multiprocess"], true);
}

#[tokio::test]
async fn the_server_conforms_to_the_validator_of_the_standard_library() {
    let mut server = Project::new().gate().file("app.py", APP).serve().await;
    for path in ["/valid", "/valid/", "/valid/x%20y?q=1"] {
        assert_eq!(server.get(path).await.text(), "read ", "{path}");
        let reply = send(server.request(Method::POST, path).body("1234")).await;
        assert_eq!(reply.text(), "read 1234", "{path}");
    }
    server.stop().await;
    let output = server.err.whole().await;
    assert!(!output.contains("Iterator garbage collected"), "{output}");
}

#[tokio::test]
async fn a_response_is_sent_as_it_is_made() {
    // A time limit that passes would wake a client that waits.
    let project = Project::new().gate().file("app.py", APP);
    let server = project.args(&["--request-timeout", "0"]).serve().await;

    for (path, status, first, rest) in
        [("/old/write", 202, "one ", "two three"), ("/old/stream", 200, "first ", "second")]
    {
        let sent = in_time("the head", server.request(Method::GET, path).send()).await;
        let mut response = sent.expect("it responds");
        let held = server.arrival().await;
        assert_eq!(response.status().as_u16(), status);
        let chunk = in_time("a chunk", response.chunk()).await.expect("it is sent");
        assert_eq!(chunk.expect("a chunk"), first);
        held.open().await;
        assert_eq!(in_time("the rest", response.text()).await.expect("a text"), rest);
        server.out.wait_for("closed").await;
    }
    assert_eq!(server.get("/old/context").await.text(), "first inner");
    let reply = server.get("/old/late").await;
    assert_eq!((reply.status, reply.text()), (203, "late"));
    assert_eq!(server.get("/old/file").await.text(), APP);
    let reply = server.get("/old/replaced").await;
    assert_eq!((reply.status, reply.text()), (418, "short and stout"));
    let reply = send(server.request(Method::HEAD, "/old/x")).await;
    assert_eq!((reply.status, reply.text()), (200, ""));
    let size: usize = reply.header("content-length").parse().expect("a number");
    assert!(size > 100, "the size of the response to GET: {size}");
    // HEAD reads no more than GET would have to.
    let reply = in_time("HEAD", send(server.request(Method::HEAD, "/old/endless"))).await;
    assert_eq!((reply.status, reply.text()), (200, ""));
    server.out.wait_for("the endless body was closed").await;
}

#[tokio::test]
async fn a_fault_after_the_first_part_is_logged_and_breaks_the_response_off() {
    let server = Project::new().gate().file("app.py", APP).serve().await;
    for (path, problem) in [
        ("/old/write/raises", "it broke off"),
        ("/old/write/text", "a part is bytes"),
        ("/old/again", "`start_response` was called before"),
        ("/old/replaced/late", "too late"),
    ] {
        let request = server.request(Method::GET, path);
        let body = async { request.send().await?.text().await };
        in_time("the end", body).await.expect_err("it is incomplete");
        server.err.wait_for(problem).await;
    }
}

#[tokio::test]
async fn a_fault_is_a_500_with_its_traceback() {
    let server = Project::new().gate().file("app.py", APP).dev().await;

    for (path, problem) in [
        ("/old/raises", "it went wrong"),
        ("/old/none", "without calling `start_response`"),
        ("/old/text", "a part is bytes"),
        ("/old/nothing", "a part is bytes"),
        ("/old/informational", "write one such as '200 OK'"),
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(reply.text().contains(problem), "{path}: {}", reply.text());
    }
    let list = server.api("requests").await;
    let raised = list.as_array().expect("a list").iter().find(|each| each["path"] == "/old/raises");
    let id = raised.expect("it is listed")["id"].as_str().expect("an id");
    let detail = server.api(&format!("requests/{id}")).await;
    let frame =
        detail["traceback"]["frames"].as_array().expect("frames").last().expect("one").clone();
    // Python 3.10 names no class.
    assert!(frame["function"].as_str().is_some_and(|name| name.ends_with("__call__")), "{frame}");
    assert!(frame["locals"].to_string().contains("number"), "{frame}");
    // The WebSocket of a path without one is an ordinary request.
    let refused = server.connect_to("/old/x", &[]).await.err().expect("no upgrade");
    assert_eq!(refused.as_u16(), 200);
}
