//! Static files: which file a path gets, with which headers, in dev mode and in production.

use std::fs;
use std::os::unix::fs::symlink;

use reqwest::Method;
use serde_json::json;

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
from snaxum import route, static

static("/assets", "assets")
static("/assets/deep", "other", index=False, max_age=3600)

@route("/assets/route")
def below(request): return "from Python"

@route("/assets/a.css")
def shadowed(request): return "from Python"

@route("/assets/put", methods=["PUT"])
def put(request): return "put"
"#;

fn project() -> Project {
    Project::new()
        .file("app.py", APP)
        .top_file("assets/a.css", "p { color: red }")
        .top_file("assets/index.html", "<body>index</body>")
        .top_file("assets/docs/index.html", "<body>docs</body>")
        .top_file("assets/empty/only.txt", "only")
        .top_file("assets/deep/hidden.txt", "behind the longer prefix")
        .top_file("assets/.env", "SECRET=1")
        .top_file("assets/.well-known/security.txt", "contact")
        .top_file("assets/a b/é.txt", "é")
        .top_file("other/page.html", "<body>other</body>")
        .top_file("other/data.bin", "0123456789")
        .top_file("secret.txt", "secret")
}

async fn with(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(method, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn a_file_is_served_and_every_other_path_is_for_python() {
    let server = project().serve().await;
    let file = server.get("/assets/a.css").await;
    assert_eq!((file.status, file.text()), (200, "p { color: red }"), "a file is before a route");
    assert_eq!(file.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(file.header("cache-control"), "no-cache");

    assert_eq!(server.get("/assets/route").await.text(), "from Python");
    assert_eq!(server.get("/assets/a%20b/%C3%A9.txt").await.text(), "é");
    assert_eq!(server.get("/assets/.well-known/security.txt").await.text(), "contact");
    assert_eq!(server.get("/assets/").await.text(), "<body>index</body>");
    assert_eq!(server.get("/assets/docs/").await.text(), "<body>docs</body>");
    let moved = server.get("/assets/docs?a=1&b=2").await;
    assert_eq!((moved.status, moved.header("location")), (307, "/assets/docs/?a=1&b=2"));
    assert_eq!(server.get("/assets").await.header("location"), "/assets/");

    assert_eq!(server.get("/assets/deep/data.bin").await.text(), "0123456789");
    for path in [
        "/assets/nothing",
        "/assets/empty/",
        "/assets/empty",
        "/assets/deep/",
        "/assets/deep/hidden.txt",
        "/assets/a.css/",
        "/assetsa.css",
        "/a.css",
    ] {
        let missing = server.get(path).await;
        assert_eq!(missing.status, 404, "{path}");
        assert_eq!(missing.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn files_are_for_get_and_head() {
    let server = project().serve().await;
    let head = with(&server, Method::HEAD, "/assets/a.css", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.text()), (200, "16", ""));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let refused = with(&server, method, "/assets/a.css", &[]).await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
    }
    let options = with(&server, Method::OPTIONS, "/assets/a.css", &[]).await;
    assert_eq!((options.status, options.header("allow")), (200, "GET, HEAD, OPTIONS"));
    assert_eq!(with(&server, Method::PUT, "/assets/put", &[]).await.text(), "put");
    assert_eq!(with(&server, Method::POST, "/assets/nothing", &[]).await.status, 404);
}

#[tokio::test]
async fn a_client_gets_the_parts_that_it_does_not_have() {
    let server = project().serve().await;
    let path = "/assets/deep/data.bin";
    let whole = server.get(path).await;
    assert_eq!(whole.header("cache-control"), "public, max-age=3600");
    let page = server.get("/assets/deep/page.html").await;
    assert_eq!(page.header("cache-control"), "no-cache", "a page names the newest files");
    let (tag, date) = (whole.header("etag"), whole.header("last-modified"));
    assert!(tag.starts_with('"') && !date.is_empty(), "a strong tag and a date");

    for condition in [("if-none-match", tag), ("if-modified-since", date)] {
        let same = with(&server, Method::GET, path, &[condition]).await;
        assert_eq!((same.status, same.text()), (304, ""), "{condition:?}");
        assert_eq!(same.header("etag"), tag);
    }
    let other = with(&server, Method::GET, path, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(other.status, 200);

    let part = with(&server, Method::GET, path, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text()), (206, "234"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let end = with(&server, Method::GET, path, &[("range", "bytes=-3")]).await;
    assert_eq!(end.text(), "789");
    let beyond = with(&server, Method::GET, path, &[("range", "bytes=20-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));
    let range = ("range", "bytes=2-4");
    let current = with(&server, Method::GET, path, &[range, ("if-range", tag)]).await;
    assert_eq!((current.status, current.text()), (206, "234"));
    let older = with(&server, Method::GET, path, &[range, ("if-range", "\"older\"")]).await;
    assert_eq!((older.status, older.text()), (200, "0123456789"));
}

#[tokio::test]
async fn ranges_count_by_the_rules_of_rfc_9110() {
    let server = project().top_file("other/empty.txt", "").serve().await;
    let get = async |path: &str, range: &str| {
        let path = format!("/assets/deep/{path}");
        with(&server, Method::GET, &path, &[("range", range)]).await
    };
    let long = get("data.bin", "bytes=-99").await;
    assert_eq!((long.status, long.header("content-range")), (206, "bytes 0-9/10"));
    let two = get("data.bin", "bytes=0-1,8-").await;
    assert_eq!(two.status, 206);
    assert!(two.header("content-type").starts_with("multipart/byteranges; boundary="));
    assert!(two.text().contains("content-range: bytes 8-9/10\r\n\r\n89\r\n"), "{}", two.text());
    // They are ignored: their unit is unknown, or they are not valid.
    for ignored in ["lines=0-1", "bytes=5-2", "bytes=a-b", "bytes=0-18446744073709551616"] {
        let whole = get("data.bin", ignored).await;
        assert_eq!((whole.status, whole.text()), (200, "0123456789"), "{ignored}");
    }
    for none in ["bytes=-0", "bytes=10-"] {
        assert_eq!(get("data.bin", none).await.status, 416, "{none}");
    }
    let empty = get("empty.txt", "bytes=0-").await;
    assert_eq!((empty.status, empty.header("content-range")), (416, "bytes */0"));
    let head = [("range", "bytes=0-3")];
    let head = with(&server, Method::HEAD, "/assets/deep/data.bin", &head).await;
    assert_eq!((head.status, head.header("content-length")), (200, "10"), "a range is for GET");
}

#[tokio::test]
async fn another_method_on_a_file_is_for_the_route_of_its_path() {
    const FORM: &str = r#"
from snaxum import route, static

static("/", "assets")

@route("/", methods=["POST"])
def sent(request): return "sent"

@route("/a.css", methods=["OPTIONS"])
def options(request): return "from Python"
"#;
    let server = project().file("app.py", FORM).serve().await;
    assert_eq!(server.get("/").await.text(), "<body>index</body>");
    assert_eq!(with(&server, Method::POST, "/", &[]).await.text(), "sent");
    assert_eq!(with(&server, Method::OPTIONS, "/a.css", &[]).await.text(), "from Python");
    let refused = with(&server, Method::POST, "/docs/", &[]).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(with(&server, Method::POST, "/nothing", &[]).await.status, 404);
}

#[tokio::test]
async fn no_spelling_and_no_link_leaves_the_directory() {
    let project = project();
    let assets = project.path().join("assets");
    symlink("../secret.txt", assets.join("out.txt")).expect("a link");
    symlink("..", assets.join("up")).expect("a link");
    symlink("/", assets.join("root")).expect("a link");
    symlink(".env", assets.join("env.txt")).expect("a link");
    symlink("a.css", assets.join("inside.css")).expect("a link");
    let server = project.serve().await;
    assert_eq!(server.get("/assets/inside.css").await.status, 200);
    for tail in [
        "../secret.txt",
        "docs/../../secret.txt",
        "%2e%2e/secret.txt",
        "%2E%2E/secret.txt",
        ".%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%2fsecret.txt",
        "docs%2f..%2f..%2fsecret.txt",
        "docs%2findex.html",
        "..\\secret.txt",
        "..%5csecret.txt",
        "%5c..%5csecret.txt",
        "%252e%252e/secret.txt",
        "%252e%252e%252fsecret.txt",
        "%c0%ae%c0%ae/secret.txt",
        "./a.css",
        "%2e/a.css",
        "a.css%00",
        "a.css%00.txt",
        "/a.css",
        "/etc/passwd",
        "%2fetc/passwd",
        "//etc/passwd",
        ".env",
        "%2eenv",
        "out.txt",
        "up/secret.txt",
        "root/etc/passwd",
        "env.txt",
    ] {
        // A client library would tidy the path.
        let request =
            format!("GET /assets/{tail} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let response = server.raw(&request).await;
        let status = response.split(' ').nth(1).expect("a status");
        assert!(["404", "400"].contains(&status), "{tail}: {response}");
        for text in ["secret\n", "SECRET", "root:", "color: red"] {
            assert!(!response.contains(text), "{tail}: {response}");
        }
    }
}

#[tokio::test]
async fn files_are_served_while_every_handler_is_busy() {
    const BUSY: &str = r#"
import _gate
from snaxum import route, static

static("/assets", "assets")

@route("/wait")
def wait(request):
    _gate.wait("wait")
    return "waited"
"#;
    let server = Project::new()
        .gate()
        .file("app.py", BUSY)
        .top_file("assets/a.txt", "a")
        .args(&["--dispatch-workers", "1", "--max-queue", "1"])
        .serve()
        .await;
    let waiting = [server.begin("/wait")];
    let held = server.arrival().await;
    let queued = server.begin("/wait");
    for _ in 0..10 {
        assert_eq!(server.get("/assets/a.txt").await.text(), "a");
    }
    held.open().await;
    server.arrival().await.open().await;
    for request in waiting.into_iter().chain([queued]) {
        assert_eq!(request.await.expect("a response").text(), "waited");
    }
}

#[tokio::test]
async fn a_single_page_app_gets_its_index_for_paths_without_a_route() {
    const SPA: &str = r#"
from snaxum import HTTPError, route, static

static("/", "dist", spa=True)

@route("/api/<int:n>")
def api(n: int): return {"n": n}

@route("/gone")
def gone(request): raise HTTPError(404, "gone")
"#;
    let server = Project::new()
        .file("app.py", SPA)
        .top_file("dist/index.html", "<body>app</body>")
        .top_file("dist/app.js", "let app")
        .serve()
        .await;
    let page = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    for path in ["/", "/users/7", "/missing.js"] {
        let reply = with(&server, Method::GET, path, &[page]).await;
        assert_eq!((reply.status, reply.text()), (200, "<body>app</body>"), "{path}");
    }
    assert_eq!(
        server.get("/app.js").await.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(with(&server, Method::GET, "/api/1", &[page]).await.json(), json!({"n": 1}));
    assert_eq!(with(&server, Method::GET, "/gone", &[page]).await.status, 404);
    assert_eq!(server.get("/users/7").await.status, 404, "a program gets no page");
    assert_eq!(with(&server, Method::POST, "/users/7", &[page]).await.status, 404);
    assert_eq!(with(&server, Method::GET, "/..%2fx", &[page]).await.status, 404);
}

#[tokio::test]
async fn a_mount_comes_and_goes_with_its_module() {
    let server = project().dev().await;
    assert_eq!(server.get("/assets/a.css").await.status, 200);

    server.edit("app.py", "from snaxum import static\nstatic('/files', 'assets')\n");
    assert_eq!(server.get("/files/a.css").await.status, 200);
    assert_eq!(server.get("/assets/a.css").await.status, 404);
    let reload = &server.api("reloads").await[0];
    assert_eq!(reload["diff"]["added"][0]["path"], "/files/<path:file>");

    server.edit("app.py", "from snaxum import static\nstatic('files', 'assets')\n");
    assert_eq!(server.get("/files/a.css").await.status, 200, "the last good code is serving");
    assert_eq!(server.api("status").await["state"], "failing");
    server.edit("app.py", "from snaxum import route\n");
    assert_eq!(server.get("/files/a.css").await.status, 404);
}

#[tokio::test]
async fn an_impossible_mount_is_an_error_with_its_place_and_the_remedy() {
    for (second, problem) in [
        ("static('assets', 'assets')", "the prefix must begin with a slash"),
        ("static('/b', 'nothing')", "nothing` does not exist; create it or correct the path"),
        ("static('/assets/', 'other')", "two static directories at `/assets`: assets at "),
    ] {
        let project = project()
            .file("app.py", "from snaxum import static\nstatic('/assets', 'assets')\n")
            .file("b.py", &format!("from snaxum import static\n\n{second}\n"));
        let checked = project.snaxum(&["check"]).await;
        let output = format!("{}{}", checked.stdout, checked.stderr);
        assert_eq!(checked.code, Some(1), "{output}");
        assert!(output.contains(problem) && output.contains("b.py:3"), "{output}");
    }
}

#[tokio::test]
async fn the_route_table_lists_mounts() {
    let project = project();
    let listed = project.snaxum(&["routes", "--format", "json"]).await;
    let routes: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let mounts: Vec<_> = routes
        .as_array()
        .expect("a list")
        .iter()
        .filter(|route| route["mode"] == "static")
        .map(|route| (route["path"].clone(), route["handler"].clone(), route["line"].clone()))
        .collect();
    let expected = [
        (json!("/assets/<path:file>"), json!("assets/"), json!(4)),
        (json!("/assets/deep/<path:file>"), json!("other/"), json!(5)),
    ];
    assert_eq!(mounts, expected);
    let found = project.snaxum(&["routes", "--match", "/assets/docs/"]).await;
    assert!(found.stdout.contains("assets/ (static)"), "{}", found.stdout);
    assert!(found.stdout.contains("file = 'docs/index.html'"), "{}", found.stdout);
    let none = project.snaxum(&["routes", "--match", "/assets/.env"]).await;
    assert_eq!(none.code, Some(1), "{}", none.stdout);
}

#[tokio::test]
async fn in_dev_mode_a_page_gets_the_script_and_nothing_is_stored() {
    let server = project().dev().await;
    for _ in 0..2 {
        let headers =
            [("accept", "text/html"), ("if-modified-since", "Sun, 01 Jan 2040 00:00:00 GMT")];
        let page = with(&server, Method::GET, "/assets/", &headers).await;
        assert_eq!(page.status, 200, "a stored page would have the script of an older server");
        assert!(page.text().contains("/__snaxum/live.js"), "{}", page.text());
        assert_eq!(page.header("content-length"), page.body.len().to_string());
        assert_eq!((page.header("etag"), page.header("cache-control")), ("", "no-cache"));
        assert_eq!(page.header("accept-ranges"), "");
    }
    let file = server.get("/assets/deep/data.bin").await;
    assert_eq!(file.header("cache-control"), "no-cache");
    let missing = server.get("/assets/docs/nothing.js").await.json();
    let detail = missing["detail"].as_str().expect("a text");
    assert!(
        detail.contains("no file `docs/nothing.js` in the static directory `assets`"),
        "{detail}"
    );
    assert_eq!(server.get("/assets/deep/data.bin").await.status, 200);
    let requests = server.api("requests").await;
    assert_eq!(requests[0]["path"], "/assets/deep/data.bin");
    assert_eq!(
        (&requests[0]["handler"], &requests[0]["mode"]),
        (&json!("other/"), &json!("static"))
    );
    assert_eq!(server.get("/__snaxum/api/status").await.status, 401, "the console stays guarded");
}

#[tokio::test]
async fn in_dev_mode_a_saved_file_refreshes_pages_and_a_style_sheet_is_swapped() {
    const WRITES: &str = r#"
import pathlib
from snaxum import route, static

static("/assets", "assets")

@route("/plot")
def plot(request):
    pathlib.Path(__file__).parent.parent.joinpath("assets/plot.svg").write_text("<svg/>")
    return "drawn"
"#;
    let server = project().file("app.py", WRITES).dev().await;
    let own = ("origin", &*server.url);
    let mut page = server.connect_to("/__snaxum/live", &[own]).await.expect("it is let in");
    assert_eq!(page.next().await["kind"], "ok");
    let path = |name: &str| server.project.path().join(name);

    assert_eq!(server.get("/plot").await.text(), "drawn");
    fs::write(path("assets/a.css"), "p { color: blue }").expect("written");
    assert_eq!(page.next().await["kind"], "css", "a file that a handler writes is not a save");
    fs::write(path("assets/docs/index.html"), "new").expect("written");
    assert_eq!(page.next().await["kind"], "refresh");
    fs::create_dir(path("templates")).expect("a directory");
    assert_eq!(server.get("/plot").await.text(), "drawn", "it has read the events so far");
    fs::write(path("templates/page.html"), "new").expect("written");
    assert_eq!(page.next().await["kind"], "refresh");
    fs::create_dir(path("assets/new")).expect("a directory");
    fs::write(path("assets/new/a.js"), "let a").expect("written");
    assert_eq!(page.next().await["kind"], "refresh");
    assert_eq!(server.api("status").await["generation"], 1, "no module ran");
}
