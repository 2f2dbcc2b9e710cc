//! CORS, compression and headers for HTTPS, around handlers and static files.

use std::io::Read;

use flate2::read::GzDecoder;
use futures_util::StreamExt;
use reqwest::Method;

use crate::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
import _gate
from pathlib import Path
from snaxum import Response, route, send_file, static

static("/assets", "assets")

@route("/", methods=["GET", "POST"])
def home(request): return "text " * 100

@route("/file")
def file(request): return send_file(Path(__file__).parent.parent / "assets/large.txt")

@route("/short")
def short(request): return "short"

@route("/png")
def png(request): return Response(b"x" * 1000, content_type="image/png")

@route("/tagged")
def tagged(request): return Response("x" * 1000, headers={"etag": '"one"', "x-frame-options": "DENY"})

@route("/stream")
def stream(request):
    def lines():
        yield "first\n" * 100
        _gate.wait("stream")
        yield "second\n"
    return Response(lines(), content_type=request.query_params["type"])
"#;

const OPTIONS: &str = r#"
[tool.snaxum]
compression = true
https-headers = true

[tool.snaxum.cors]
allow-origins = ["https://a.example"]
allow-credentials = true
expose-headers = ["x-total"]
max-age = "10m"
"#;

fn project() -> Project {
    Project::new()
        .gate()
        .file("app.py", APP)
        .top_file("assets/a.txt", &"text ".repeat(100))
        .top_file("assets/a.png", &"x".repeat(1000))
}

async fn with(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(method, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn pages_of_the_named_origins_may_call() {
    let server = project().top_file("pyproject.toml", OPTIONS).serve().await;
    let origin = ("origin", "https://a.example");
    for path in ["/", "/assets/a.txt", "/nothing"] {
        let own = with(&server, Method::GET, path, &[origin]).await;
        assert_eq!(own.header("access-control-allow-origin"), "https://a.example", "{path}");
        assert_eq!(own.header("access-control-allow-credentials"), "true");
        assert_eq!(own.header("access-control-expose-headers"), "x-total");
        let other = with(&server, Method::GET, path, &[("origin", "https://b.example")]).await;
        assert_eq!(other.header("access-control-allow-origin"), "", "{path}");
        assert!(
            other.header("vary").contains("origin")
                || other.headers.get_all("vary").iter().count() > 1
        );
    }
    let headers = [
        origin,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-a"),
    ];
    let preflight = with(&server, Method::OPTIONS, "/", &headers).await;
    assert_eq!((preflight.status, preflight.text()), (200, ""));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET,HEAD,POST,PUT,PATCH,DELETE");
    assert_eq!(preflight.header("access-control-allow-headers"), "x-a");
    assert_eq!(preflight.header("access-control-max-age"), "600");
    let options = with(&server, Method::OPTIONS, "/", &[]).await;
    assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS, POST", "it is not a preflight");
}

#[tokio::test]
async fn text_is_compressed_and_streams_are_not_delayed() {
    let server = project().top_file("pyproject.toml", OPTIONS).serve().await;
    let gzip = [("accept-encoding", "gzip")];
    for path in ["/", "/assets/a.txt", "/tagged"] {
        let reply = with(&server, Method::GET, path, &gzip).await;
        assert_eq!(reply.header("content-encoding"), "gzip", "{path}");
        assert!(reply.body.starts_with(&[0x1f, 0x8b]) && reply.body.len() < 200, "{path}");
        assert!(reply.header("vary").contains("accept-encoding"), "{path}");
        let plain = server.get(path).await;
        assert_eq!(
            (plain.header("content-encoding"), plain.body.len() > 400),
            ("", true),
            "{path}"
        );
    }
    let tagged = with(&server, Method::GET, "/tagged", &gzip).await;
    assert_eq!(tagged.header("etag"), "W/\"one\"", "the bytes are others");
    let file = with(&server, Method::GET, "/assets/a.txt", &gzip).await;
    let again = [gzip[0], ("if-none-match", file.header("etag"))];
    let same = with(&server, Method::GET, "/assets/a.txt", &again).await;
    assert_eq!((same.status, same.header("etag")), (304, file.header("etag")));
    assert!(same.headers.get_all("vary").iter().any(|value| value == "accept-encoding"));
    // A 304 varies as the response that it stands for.
    for path in ["/assets/a.txt", "/assets/a.png"] {
        let whole = with(&server, Method::GET, path, &[]).await;
        let again = [("if-none-match", whole.header("etag"))];
        let same = with(&server, Method::GET, path, &again).await;
        let varies = |reply: &Reply| {
            reply.headers.get_all("vary").iter().any(|value| value == "accept-encoding")
        };
        assert_eq!((same.status, same.header("content-type")), (304, ""), "{path}");
        assert_eq!(varies(&same), varies(&whole), "{path}");
    }
    let part = [gzip[0], ("range", "bytes=0-299")];
    let part = with(&server, Method::GET, "/assets/a.txt", &part).await;
    assert_eq!((part.status, part.header("content-encoding"), part.body.len()), (206, "", 300));
    for path in ["/short", "/png"] {
        let reply = with(&server, Method::GET, path, &gzip).await;
        assert_eq!(reply.header("content-encoding"), "", "{path}");
    }
    for kind in ["text/plain", "text/event-stream", "application/x-ndjson"] {
        let request = server.request(Method::GET, &format!("/stream?type={kind}"));
        let request = request.header("accept-encoding", "gzip, br");
        let mut chunks = request.send().await.expect("a response").bytes_stream();
        let held = server.arrival().await;
        let first = in_time("the first chunk", chunks.next()).await.expect("one").expect("whole");
        assert!(first.starts_with(b"first\n"), "{kind}");
        held.open().await;
        while let Some(chunk) = in_time("the rest", chunks.next()).await {
            chunk.expect("whole");
        }
    }
}

#[tokio::test]
async fn a_large_file_is_compressed_to_its_end() {
    let content: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    let project = project().top_file("pyproject.toml", OPTIONS);
    let server = project.top_file("assets/large.txt", &content).serve().await;
    for path in ["/file", "/assets/large.txt"] {
        let reply = with(&server, Method::GET, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(reply.header("content-encoding"), "gzip", "{path}");
        let mut text = String::new();
        GzDecoder::new(&*reply.body).read_to_string(&mut text).expect("the whole file");
        assert!(text == content, "{path}: {} of {} bytes", text.len(), content.len());
    }
}

#[tokio::test]
async fn headers_for_https_are_added_where_a_handler_sets_none() {
    let server = project().top_file("pyproject.toml", OPTIONS).dev().await;
    for path in ["/", "/assets/a.txt", "/nothing"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("strict-transport-security"), "max-age=31536000", "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
    assert_eq!(server.get("/tagged").await.header("x-frame-options"), "DENY");
    let page =
        with(&server, Method::GET, "/", &[("accept-encoding", "gzip"), ("accept", "text/html")]);
    assert_eq!(page.await.header("content-encoding"), "gzip");
    let console = [("origin", "https://a.example")];
    let console = with(&server, Method::GET, "/__snaxum/api/status", &console).await;
    assert!((400..500).contains(&console.status), "the console stays guarded");
    assert_eq!(console.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn without_the_options_no_header_is_added() {
    let server = project().serve().await;
    let headers = [("origin", "https://a.example"), ("accept-encoding", "gzip, br")];
    let reply = with(&server, Method::GET, "/", &headers).await;
    for name in ["access-control-allow-origin", "content-encoding", "vary", "x-frame-options"] {
        assert_eq!(reply.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn combinations_that_browsers_refuse_are_errors_at_the_start() {
    for (table, problem) in [
        (
            "allow-origins = [\"*\"]\nallow-credentials = true\n",
            "pyproject.toml:3: `cors-allow-credentials` is true, and `cors-allow-origins` is `*`",
        ),
        ("allow-origins = [\"*\", \"https://a.example\"]\n", "`*` and other values"),
        (
            "allow-origins = [\"a.example\"]\n",
            "pyproject.toml:2: `cors-allow-origins` is `a.example`",
        ),
        ("allow-methods = [\"GET\"]\n", "is set without `cors-allow-origins`"),
        ("origins = [\"*\"]\n", "pyproject.toml:2: unknown key `tool.snaxum.cors.origins`"),
    ] {
        let project = project().top_file("pyproject.toml", &format!("[tool.snaxum.cors]\n{table}"));
        let refused = project.snaxum(&["serve", "--port", "0"]).await;
        assert!(matches!(refused.code, Some(1 | 2)), "{}", refused.stderr);
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
}
