//! Requests of an ASGI application: scope, bodies in both directions, errors, hooks.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Server, in_time, send};

const APP: &str = r#"
import _gate, asyncio, json
from snaxum import mount, route

@route("/app/special")
def special(request):
    return "a route"

@route("/app/items/<int:id>")
def item(request):
    return "item"

HOP = [(b"Connection", b"close, x-hop"), (b"Keep-Alive", b"timeout=1"), (b"Upgrade", b"h2c"),
       (b"Proxy-Connection", b"close"), (b"Transfer-Encoding", b"gzip, chunked"), (b"x-end", b"yes")]

async def read(receive):
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client has left")
        parts.append(message["body"])
        if not message["more_body"]:
            return parts

async def respond(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})

async def app(scope, receive, send):
    assert scope["type"] == "http"
    path = scope["path"][len(scope["root_path"]):]
    if path == "/size":
        await respond(send, b"%d" % sum(map(len, await read(receive))))
    elif path == "/echo":
        await send({"type": "http.response.start", "status": 200})
        while True:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})
            if not more:
                break
    elif path == "/slow":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await _gate.wait_async("slow")
        await send({"type": "http.response.body", "body": b"second"})
    elif path == "/leaves":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await read(receive)
        print("then", (await receive())["type"], flush=True)
        try:
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
        except OSError as error:
            print("send raises", error, flush=True)
    elif path == "/waits":
        await read(receive)
        print("waited for", (await receive())["type"], flush=True)
    elif path == "/flood":
        sent = 0
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
                sent += 1
                _gate.notify("sent")
        except OSError:
            print("flood ends", sent < 1000, flush=True)
    elif path == "/raises":
        number = 41
        raise ValueError("it went wrong")
    elif path == "/breaks":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("in the middle")
    elif path == "/handled":
        await respond(send, b"sorry", 500)
        raise KeyError("a framework raises it again")
    elif path == "/excepts":
        try:
            {}["key"]
        except KeyError:
            await respond(send, b"sorry", 500)
    elif path == "/excepts/asked":
        class HTTPException(Exception):
            status_code = 503
        try:
            raise HTTPException
        except HTTPException:
            await respond(send, b"sorry", 503)
    elif path == "/excepts/parts":
        try:
            {}["key"]
        except KeyError:
            await send({"type": "http.response.start", "status": 503})
            for part in (b"sor", b"ry"):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
    elif path == "/trailers":
        await send({"type": "http.response.start", "status": 200, "trailers": True,
                    "headers": [(b"trailer", b"x-sum, x-end")]})
        await send({"type": "http.response.body", "body": b"body"})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"7")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"x-end", b"yes")]})
    elif path == "/sized":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"5")]})
        for body in (b"ab", b"cde"):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})
    elif path == "/calls":
        # A call may become a task, and takes nothing before it runs.
        asyncio.create_task(receive()).cancel()
        await asyncio.sleep(0)
        first = await asyncio.create_task(receive())
        rest = await asyncio.wait_for(receive(), 60) if first["more_body"] else {"body": b""}
        ends = [asyncio.create_task(receive()), asyncio.ensure_future(receive())]
        ends[0].cancel()
        await asyncio.wait({ends[0]})
        await respond(send, first["body"] + rest["body"])
        print("cancelled", ends[0].cancelled(), "then", (await ends[1])["type"], flush=True)
    elif path == "/twice":
        await respond(send, b"once")
        await respond(send, b"twice")
    elif path == "/nothing":
        pass
    elif path == "/informational":
        await respond(send, b"", 101)
    elif path == "/wrong":
        await send({"type": "http.response.body", "body": b""})
    elif path == "/file":
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/x-test")]})
        await send({"type": "http.response.pathsend", "path": __file__})
    elif path == "/hop":
        await respond(send, b"body", 200, HOP)
    elif path == "/required":
        await respond(send, b"", 426, [(b"upgrade", b"websocket")])
    elif path == "/cookies":
        await respond(send, b"", 204, [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-n", b"\xe9")])
    else:
        text = {key: value for key, value in scope.items() if key not in ("headers", "extensions")}
        text["headers"] = [[n.decode(), v.decode("latin-1")] for n, v in scope["headers"]]
        await respond(send, json.dumps(text, default=repr).encode())

mount("/app", app)
mount("/app/inner", app)
"#;

/// Both applications beside routes, and without any: then Rust finds them, and passes requests right to
/// the loop.
pub(super) fn projects() -> [Project; 2] {
    let routes = APP.find("@route").expect("it has some")..APP.find("HOP =").expect("it follows");
    let alone = APP.replacen(&APP[routes], "", 1);
    assert!(!alone.contains("@route"));
    [APP, &alone].map(|app| Project::new().gate().file("app.py", app))
}

#[tokio::test]
async fn an_application_gets_every_path_below_its_prefix_that_no_route_has() {
    let server = Project::new().gate().file("app.py", APP).serve().await;

    let reply = server.get("/app/a%20b/?q=%20&q=2").await;
    let scope = reply.json();
    assert_eq!(reply.status, 200);
    for (key, value) in [
        ("type", json!("http")),
        ("method", json!("GET")),
        ("scheme", json!("http")),
        ("http_version", json!("1.1")),
        ("path", json!("/app/a b/")),
        ("raw_path", json!("b'/app/a%20b/'")),
        ("query_string", json!("b'q=%20&q=2'")),
        ("root_path", json!("/app")),
        ("state", json!({})),
    ] {
        assert_eq!(scope[key], value, "{key}");
    }
    assert_eq!(scope["asgi"]["version"], "3.0");
    assert_eq!(scope["client"][0], "127.0.0.1");
    let authority = format!("127.0.0.1:{}", scope["server"][1]);
    assert_eq!(authority, server.authority());
    assert!(scope["headers"].as_array().expect("a list").contains(&json!(["host", authority])));

    for (path, seen) in [("/app", "/app"), ("/app/", "/app/"), ("//app/x", "/app/x")] {
        assert_eq!(server.get(path).await.json()["path"], seen);
    }
    assert_eq!(server.get("/app/inner/x").await.json()["root_path"], "/app/inner");
    assert_eq!(server.get("/app/special").await.text(), "a route");
    assert_eq!(server.get("/app/items/1").await.text(), "item");
    for path in ["/app/items/x", "/app/items/1/x", "/app/special/"] {
        assert_eq!(server.get(path).await.json()["root_path"], "/app", "{path}");
    }
    for (method, path) in [("DELETE", "/app/special"), ("PROPFIND", "/app"), ("OPTIONS", "/app/x")]
    {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let reply = send(server.request(method.clone(), path)).await;
        assert_eq!(reply.json()["method"], method.as_str());
    }
    assert_eq!(server.get("/application").await.status, 404);
    assert_eq!(send(server.request(Method::HEAD, "/app/x")).await.status, 200);

    let reply = server.get("/app/cookies").await;
    assert_eq!(reply.status, 204);
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(reply.headers["x-n"].as_bytes(), b"\xe9");
    let reply = server.get("/app/file").await;
    assert_eq!((reply.text(), reply.header("content-type")), (APP, "text/x-test"));
}

#[tokio::test]
async fn bodies_are_streamed_in_both_directions() {
    for project in projects() {
        check_bodies(project.serve().await).await;
    }
}

async fn check_bodies(server: Server) {
    for path in ["/app/size", "/app/inner/size"] {
        let request = server.request(Method::POST, path).body(vec![7; 3_000_000]);
        assert_eq!(send(request).await.text(), "3000000");
    }
    let form = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nb\r\n--b--\r\n";
    let request = server.request(Method::POST, "/app/size").body(form);
    let reply = send(request.header("content-type", "multipart/form-data; boundary=b")).await;
    assert_eq!(reply.text(), form.len().to_string(), "the form is not parsed");
    // More than the buffers of both directions: the application sends while it receives.
    let large = "0123456789abcdef".repeat(200_000);
    let request = server.request(Method::POST, "/app/echo").body(large.clone());
    assert_eq!(send(request).await.text(), large);

    let reply = server.get("/app/sized").await;
    assert_eq!((reply.header("content-length"), reply.text()), ("5", "abcde"));

    let head = "GET /app/trailers HTTP/1.1\r\nhost: x\r\nte: trailers\r\nconnection: close\r\n\r\n";
    let reply = server.raw(head).await;
    assert!(reply.contains("\r\n0\r\nx-sum: 7\r\nx-end: yes\r\n\r\n"), "{reply}");
    assert_eq!(server.get("/app/trailers").await.text(), "body");

    let mut response = server.request(Method::GET, "/app/slow").send().await.expect("it responds");
    let held = server.arrival().await;
    let first = in_time("a chunk", response.chunk()).await.expect("it is sent");
    assert_eq!(first.expect("a chunk"), "first ");
    held.open().await;
    assert_eq!(in_time("the rest", response.text()).await.expect("a text"), "second");
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_whatever_the_application_responds() {
    let wsgi = "
def wsgi(environ, start_response):
    try:
        environ['wsgi.input'].read()
    except OSError as error:
        print('read raises', error, flush=True)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'fine']

mount('/wsgi', wsgi)
";
    let project = Project::new().gate().file("app.py", &format!("{APP}{wsgi}"));
    let server = project.args(&["--max-upload-size", "1000"]).serve().await;
    for path in ["/app/size", "/wsgi/"] {
        let reply = send(server.request(Method::POST, path).body(vec![7; 5000])).await;
        assert_eq!(reply.status, 413, "{path}");
    }
    server.out.wait_for("read raises").await;
    assert_eq!(send(server.request(Method::POST, "/app/size").body("1234")).await.text(), "4");
}

#[tokio::test]
async fn an_application_gets_a_message_once_its_client_has_left() {
    for project in projects() {
        check_clients_that_leave(project.serve().await).await;
    }
}

async fn check_clients_that_leave(server: Server) {
    let mut response =
        server.request(Method::GET, "/app/leaves").send().await.expect("it responds");
    assert_eq!(response.chunk().await.expect("a chunk").expect("one"), "begun");
    drop(response);
    server.out.wait_for("then http.disconnect").await;
    server.out.wait_for("send raises the client has left").await;

    drop(server.socket(b"GET /app/waits HTTP/1.1\r\nhost: x\r\n\r\n").await);
    server.out.wait_for("waited for http.disconnect").await;

    // A client that does not read stops the application, until it leaves.
    let response = server.request(Method::GET, "/app/flood").send().await.expect("it responds");
    for _ in 0..20 {
        server.arrival().await;
    }
    drop(response.bytes_stream().next().await);
    server.out.wait_for("flood ends True").await;
}

#[tokio::test]
async fn a_fault_of_an_application_is_a_500_with_its_traceback() {
    let server = Project::new().gate().file("app.py", APP).dev().await;
    let newest = async || {
        let list = server.api("requests").await;
        let id = list[0]["id"].as_str().expect("an id").to_owned();
        server.api(&format!("requests/{id}")).await
    };

    assert_eq!(server.get("/app/raises").await.status, 500);
    let detail = newest().await;
    let frame =
        detail["traceback"]["frames"].as_array().expect("frames").last().expect("one").clone();
    assert_eq!((&frame["file"], &frame["function"]), (&json!("python/app.py"), &json!("app")));
    assert!(frame["locals"].to_string().contains("number"), "{frame}");

    // A framework responds itself, and raises the exception again for the server.
    let reply = server.get("/app/handled").await;
    assert_eq!((reply.status, reply.text()), (500, "sorry"));
    let message = &newest().await["traceback"]["message"];
    assert!(message.as_str().is_some_and(|it| it.contains("raises it again")), "{message}");

    // Or it responds from its `except` block, and raises nothing; an exception that asks for this
    // status is not a fault.
    for (path, status, error) in [
        ("/app/excepts", 500, json!("KeyError")),
        ("/app/excepts/parts", 503, json!("KeyError")),
        ("/app/excepts/asked", 503, Value::Null),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.text()), (status, "sorry"), "{path}");
        assert_eq!(newest().await["traceback"]["type"], error, "{path}");
    }

    let reply = server.get("/app/nothing").await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("returned without a response"), "{}", reply.text());
    let reply = server.get("/app/wrong").await;
    assert!(reply.text().contains("expects `http.response.start`"), "{}", reply.text());
    let reply = server.get("/app/informational").await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("sent the status 101"), "{}", reply.text());

    let broken = async { server.request(Method::GET, "/app/breaks").send().await?.text().await };
    in_time("the end", broken).await.expect_err("the response breaks off");
    server.err.wait_for("in the middle").await;

    let rows = server.api("routes").await;
    let row = rows.as_array().expect("a list").iter().find(|row| row["path"] == "/app/<path:path>");
    let row: &Value = row.expect("the mount is listed");
    assert_eq!(row["methods"], json!(["ANY"]));
    assert_eq!((&row["handler"], &row["mode"]), (&json!("app.app"), &json!("asgi")));
    let line = APP.lines().position(|line| line.starts_with("mount(")).expect("a line") + 1;
    assert_eq!((&row["file"], &row["line"]), (&json!("python/app.py"), &json!(line)));
}

#[tokio::test]
async fn hooks_run_around_an_application() {
    let app = format!(
        "{APP}
from snaxum import after_request, before_request

@before_request
def check(request):
    if 'x-key' not in request.headers:
        return 'no key', 401

@after_request
def mark(request, response):
    response.headers['x-mark'] = 'seen'
    return response
"
    );
    let server = Project::new().gate().file("app.py", &app).serve().await;

    assert_eq!(server.get("/app/size").await.status, 401);
    let with_key = |method: Method, path: &str| server.request(method, path).header("x-key", "1");
    let large = "0123456789abcdef".repeat(200_000);
    let reply = send(with_key(Method::POST, "/app/echo").body(large.clone())).await;
    assert_eq!((reply.text(), reply.header("x-mark")), (&*large, "seen"));
    let reply = send(with_key(Method::POST, "/app/size").body("1234")).await;
    assert_eq!((reply.text(), reply.header("x-mark")), ("4", "seen"));
    let reply = send(with_key(Method::GET, "/app/raises")).await;
    assert_eq!((reply.status, reply.header("x-mark")), (500, "seen"));

    let mut response = with_key(Method::GET, "/app/leaves").send().await.expect("it responds");
    assert_eq!(response.chunk().await.expect("a chunk").expect("one"), "begun");
    drop(response);
    server.out.wait_for("then http.disconnect").await;
}

#[tokio::test]
async fn only_the_server_sets_headers_of_the_connection() {
    let wsgi = "
def wsgi(environ, start_response):
    start_response('200 OK', [(name.decode(), value.decode()) for name, value in HOP])
    return [b'bo', b'dy']

mount('/wsgi', wsgi)
";
    let server = Project::new().gate().file("app.py", &format!("{APP}{wsgi}")).serve().await;
    for path in ["/app/hop", "/wsgi/"] {
        // Two on one connection: none of the headers has a meaning.
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n");
        let both = format!("{request}\r\n{request}connection: close\r\n\r\n");
        let reply = server.raw(&both).await.to_ascii_lowercase();
        assert_eq!(reply.matches("x-end: yes").count(), 2, "{reply}");
        assert_eq!(reply.matches("\r\nconnection: close").count(), 1, "{reply}");
        for name in ["keep-alive", "upgrade", "proxy-connection", "transfer-encoding", "x-hop"] {
            assert!(!reply.contains(name), "{path}: {reply}");
        }
    }
    let reply = server.get("/app/required").await;
    assert_eq!((reply.header("upgrade"), reply.header("connection")), ("websocket", "upgrade"));
}

#[tokio::test]
async fn a_call_of_receive_is_a_coroutine_that_takes_nothing_before_it_runs() {
    for project in projects() {
        let server = project.serve().await;
        let request = server.request(Method::POST, "/app/calls").body("a body");
        assert_eq!(send(request).await.text(), "a body");
        server.out.wait_for("cancelled True then http.disconnect").await;
    }
}

#[tokio::test]
async fn a_fault_in_production_is_a_500_whose_reason_is_in_the_log() {
    for project in projects() {
        // A time limit that passes would wake a client that waits.
        let server = project.args(&["--request-timeout", "0"]).serve().await;
        for (path, reason) in [
            ("/app/raises", "ValueError: it went wrong"),
            ("/app/nothing", "the application returned without a response"),
            ("/app/wrong", "`http.response.body` where the server expects `http.response.start`"),
            ("/app/informational", "the application sent the status 101"),
        ] {
            let reply = server.get(path).await;
            assert_eq!(reply.status, 500, "{path}");
            assert!(!reply.text().contains(reason), "{path}: {}", reply.text());
            server.err.wait_for(reason).await;
        }
        let reply = server.get("/app/twice").await;
        assert_eq!((reply.status, reply.text()), (200, "once"));
        server.err.wait_for("sent `http.response.start` after the end of its response").await;
        let broken =
            async { server.request(Method::GET, "/app/breaks").send().await?.text().await };
        in_time("the end", broken).await.expect_err("the response breaks off");
        server.err.wait_for("in the middle").await;
        assert_eq!(server.get("/app/handled").await.text(), "sorry");
    }
}
