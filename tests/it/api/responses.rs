//! The responses that handlers make: redirects, errors, cookies, files, streams of values.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;

use crate::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
from pathlib import Path
from snaxum import Response, abort, errorhandler, redirect, route, send_file

DATA = Path(__file__).parent.parent / "data"

@route("/old")
def old(request): return redirect("/new?q=é")

@route("/moved", methods=["POST"])
def moved(): return redirect("https://example.org/", 308)

@route("/abort")
async def refuse():
    abort(403, "not yours")
    return "unreachable"

@route("/gone")
def gone(): abort(410, "moved to the archive", {"x-archive": "7"})

@errorhandler(410)
def explain(request, error):
    return {"gone": error.detail, "headers": dict(error.headers)}, 410

@route("/login")
def login():
    response = Response({"ok": True})
    response.set_cookie("session", "a b", max_age=60, httponly=True, partitioned=True)
    response.delete_cookie("old")
    return response

@route("/text")
def text(): return DATA / "text.txt"

@route("/large")
async def large(): return send_file(DATA / "large.bin")

@route("/page")
def page(): return send_file(str(DATA / "page.html"))

@route("/save")
def save(): return send_file(DATA / "text.txt", "Ünïcode.txt", max_age=60)

@route("/tagged")
def tagged(): return send_file(DATA / "text.txt", headers={"etag": '"v1"'})

@route("/error-page")
def error_page(): return DATA / "text.txt", 404

@route("/missing")
def missing(): return send_file(DATA / "gone.txt")

@route("/directory")
def directory(): return DATA

@route("/pipe")
def pipe(): return DATA / "pipe"

@route("/proc")
def proc(): return Path("/proc/self/status")

@route("/upload", methods=["POST"])
def upload(): return DATA / "text.txt"
"#;

const LARGE: usize = 3_000_000;

fn large() -> Vec<u8> {
    (0..LARGE).map(|n| (n / 7) as u8).collect()
}

fn project() -> Project {
    let project = Project::new()
        .file("app.py", APP)
        .top_file("data/text.txt", "0123456789")
        .top_file("data/page.html", "<!doctype html><title>Page</title><p>Hello");
    std::fs::write(project.path().join("data/large.bin"), large()).expect("room");
    make_pipe(&project);
    project
}

fn make_pipe(project: &Project) {
    let path = project.path().join("data/pipe");
    let path = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
    // SAFETY: the path is a C string that lives to the end of the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::GET, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn redirects_errors_and_cookies_are_sent_as_the_handler_made_them() {
    let server = project().serve().await;

    let reply = server.get("/old").await;
    assert_eq!((reply.status, reply.header("location")), (302, "/new?q=%C3%A9"));
    let reply = send(server.request(Method::POST, "/moved")).await;
    assert_eq!((reply.status, reply.header("location")), (308, "https://example.org/"));

    let reply = server.get("/abort").await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.json()["detail"], "not yours");

    let reply = server.get("/gone").await;
    let expected = json!({"gone": "moved to the archive", "headers": {"x-archive": "7"}});
    assert_eq!((reply.status, reply.json()), (410, expected));

    let reply = server.get("/login").await;
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(
        cookies,
        [
            "session=\"a b\"; Max-Age=60; Path=/; Secure; HttpOnly; Partitioned",
            "old=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
        ]
    );
}

#[tokio::test]
async fn a_file_is_sent_once_and_then_only_if_it_has_changed() {
    let server = project().serve().await;

    for path in ["/text", "/large", "/page"] {
        let whole = server.get(path).await;
        assert_eq!(whole.status, 200, "{path}");
        assert_eq!(whole.header("content-length"), whole.body.len().to_string(), "{path}");
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("cache-control"), "no-cache");
        let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
        assert!(etag.starts_with('"') && modified.ends_with(" GMT"), "{path}: {etag} {modified}");

        for condition in [
            ("if-none-match", etag),
            ("if-none-match", &*format!("\"x\", W/{etag}")),
            ("if-none-match", "*"),
            ("if-modified-since", modified),
            ("if-modified-since", "Sat, 01 Jan 2050 00:00:00 GMT"),
        ] {
            let reply = get(&server, path, &[condition]).await;
            assert_eq!((reply.status, reply.body.len()), (304, 0), "{path} {condition:?}");
            assert_eq!((reply.header("etag"), reply.header("content-type")), (etag, ""));
        }
        for conditions in [
            &[("if-none-match", "\"x\"")][..],
            // The tag counts, and not the date.
            &[("if-none-match", "\"x\""), ("if-modified-since", modified)],
            &[("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT")],
            &[("if-match", etag)],
        ] {
            let reply = get(&server, path, conditions).await;
            assert_eq!((reply.status, &reply.body), (200, &whole.body), "{path} {conditions:?}");
        }
        let reply = get(&server, path, &[("if-match", "\"x\"")]).await;
        assert_eq!(reply.status, 412, "{path}");

        let head = send(server.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-length"), whole.header("content-length"), "{path}");
        assert_eq!(head.header("etag"), etag, "{path}");
    }

    let before = server.get("/text").await;
    std::fs::write(server.project.path().join("data/text.txt"), "changed").expect("room");
    let reply = get(&server, "/text", &[("if-none-match", before.header("etag"))]).await;
    assert_eq!((reply.status, reply.text()), (200, "changed"));
}

#[tokio::test]
async fn a_range_of_a_file_is_sent_alone() {
    let server = project().serve().await;
    let large = large();

    for (range, expected, content_range) in [
        ("bytes=0-9", &large[..10], "bytes 0-9/3000000"),
        ("bytes=1000000-2999998", &large[1_000_000..2_999_999], "bytes 1000000-2999998/3000000"),
        ("bytes=-5", &large[LARGE - 5..], "bytes 2999995-2999999/3000000"),
        ("bytes=2999990-9999999", &large[2_999_990..], "bytes 2999990-2999999/3000000"),
    ] {
        let reply = get(&server, "/large", &[("range", range)]).await;
        assert_eq!((reply.status, reply.header("content-range")), (206, content_range), "{range}");
        assert_eq!(reply.header("content-length"), expected.len().to_string(), "{range}");
        assert!(reply.body == expected, "{range}");
    }
    let reply = get(&server, "/text", &[("range", "bytes=2-3")]).await;
    assert_eq!((reply.status, reply.text()), (206, "23"));

    let reply = get(&server, "/large", &[("range", "bytes=3000000-")]).await;
    assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */3000000"));
    assert_eq!(reply.header("content-type"), "application/problem+json");

    // A header that is not valid, or a method without ranges: the whole file.
    for range in ["bytes=3-1", "chapters=1-2", "bytes=a"] {
        let reply = get(&server, "/text", &[("range", range)]).await;
        assert_eq!((reply.status, reply.text()), (200, "0123456789"), "{range}");
    }
    let head = send(server.request(Method::HEAD, "/text").header("range", "bytes=0-1")).await;
    assert_eq!((head.status, head.header("content-length")), (200, "10"));
    let post = send(server.request(Method::POST, "/upload").header("range", "bytes=0-1")).await;
    assert_eq!((post.status, post.text()), (200, "0123456789"));

    let whole = server.get("/text").await;
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    let old = "Sat, 01 Jan 2000 00:00:00 GMT";
    for (if_range, status) in
        [(etag, 206), (modified, 206), ("\"x\"", 200), (old, 200), (&*format!("W/{etag}"), 200)]
    {
        let headers = [("range", "bytes=0-0"), ("if-range", if_range)];
        assert_eq!(get(&server, "/text", &headers).await.status, status, "{if_range}");
    }
}

#[tokio::test]
async fn several_ranges_are_parts_of_one_body() {
    let server = project().serve().await;
    let large = large();

    for (path, range, content_type, parts) in [
        (
            "/text",
            "bytes=0-1, -2",
            "text/plain; charset=utf-8",
            [("0-1/10", &b"01"[..]), ("8-9/10", &b"89"[..])],
        ),
        (
            "/large",
            "bytes=5-6,1000000-1999999",
            "application/octet-stream",
            [
                ("5-6/3000000", &large[5..7]),
                ("1000000-1999999/3000000", &large[1_000_000..2_000_000]),
            ],
        ),
    ] {
        let reply = get(&server, path, &[("range", range)]).await;
        assert_eq!(reply.status, 206, "{path}");
        let boundary = reply.header("content-type").strip_prefix("multipart/byteranges; boundary=");
        let boundary = boundary.unwrap_or_else(|| panic!("{:?}", reply.headers));
        let mut expected = Vec::new();
        for (index, (place, content)) in parts.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\r\n" };
            let head = format!(
                "{line_break}--{boundary}\r\ncontent-type: {content_type}\r\ncontent-range: bytes {place}\r\n\r\n"
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(content);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(reply.header("content-length"), expected.len().to_string(), "{path}");
        assert!(reply.body == expected, "{path}");
    }
    // A client that asks for the file many times over gets it once.
    let reply = get(&server, "/text", &[("range", "bytes=0-9,0-9,0-9")]).await;
    assert_eq!((reply.status, reply.text()), (200, "0123456789"));
}

#[tokio::test]
async fn a_file_has_the_headers_of_its_handler_and_failures_are_explained() {
    let server = project().dev().await;

    let reply = server.get("/save").await;
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"_n_code.txt\"; filename*=UTF-8''%C3%9Cn%C3%AFcode.txt"
    );
    assert_eq!(reply.header("cache-control"), "max-age=60");
    let reply = get(&server, "/tagged", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((reply.status, reply.header("etag")), (304, "\"v1\""));
    let reply = get(&server, "/error-page", &[("range", "bytes=0-0")]).await;
    assert_eq!((reply.status, reply.text()), (404, "0123456789"));
    assert!(server.get("/proc").await.text().contains("Name:"));

    let reply = server.get("/missing").await;
    assert_eq!(
        (reply.status, reply.json()["detail"].clone()),
        (404, json!("the file `gone.txt` does not exist"))
    );
    for (path, reason) in [
        ("/directory", "is a directory; return the path of a file"),
        ("/pipe", "is not a regular file"),
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(reply.text().contains(reason), "{path}: {}", reply.text());
    }

    // A page gets the script of dev mode, and then no copy of it is valid.
    let page =
        get(&server, "/page", &[("accept", "text/html"), ("sec-fetch-dest", "document")]).await;
    assert!(page.text().contains("<p>Hello<script src="), "{}", page.text());
    assert_eq!((page.header("etag"), page.header("last-modified")), ("", ""));
}

#[tokio::test]
async fn a_large_file_is_never_in_memory() {
    let project = project();
    let size: u64 = 300 << 20;
    let file = std::fs::File::create(project.path().join("data/large.bin")).expect("a file");
    file.set_len(size).expect("a sparse file");
    let server = project.serve().await;
    server.get("/text").await;
    let before = server.memory();

    let response = server.request(Method::GET, "/large").send().await.expect("headers");
    let mut pieces = response.bytes_stream();
    let (mut received, mut most) = (0, 0);
    while let Some(piece) = in_time("a piece", pieces.next()).await {
        received += piece.expect("bytes").len() as u64;
        most = most.max(server.memory());
    }

    assert_eq!(received, size);
    assert!(most < before + (30 << 20), "{before} to {most} bytes");
}

#[tokio::test]
async fn an_error_of_a_handler_is_not_replaced_by_a_page() {
    const APP: &str = r#"
from snaxum import abort, route, static

static("/", "web", spa=True)

@route("/users/<int:user_id>")
def user(user_id: int):
    abort(404, "no such user")
"#;
    let project = || Project::new().file("app.py", APP).top_file("web/index.html", "the app");
    for server in [project().serve().await, project().dev().await] {
        let page = get(&server, "/settings", &[("accept", "text/html")]).await;
        assert!(page.text().contains("the app"), "{}", page.text());
        let error = get(&server, "/users/7", &[("accept", "text/html")]).await;
        assert_eq!(error.status, 404);
        assert!(error.text().contains("no such user"), "{}", error.text());
    }
}
