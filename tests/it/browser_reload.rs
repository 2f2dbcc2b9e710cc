//! The script in the user's own pages: the responses that get it, and the updates on its socket.

use std::fs;

use reqwest::Method;
use serde_json::json;

use super::support::{Console, Project, Reply, Server, send};

const APP: &str = r#"
import gzip
from snaxum import Request, Response, route

PAGE = "<!doctype html><html><body><h1>h\u00e9llo</h1></body></html>"
HTML = "text/html; charset=utf-8"


def respond(body=PAGE, status=200, kind=HTML, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status=status, headers={"content-type": kind, **named})


@route("/page", methods=["GET", "HEAD", "POST"])
def page(request: Request):
    return respond()

@route("/json")
def data(request: Request):
    return {"page": PAGE}

@route("/text")
def text(request: Request):
    return respond(kind="text/plain")

@route("/fragment")
def fragment(request: Request):
    return respond("<p>one</p>")

@route("/gzip")
def packed(request: Request):
    return respond(gzip.compress(PAGE.encode(), mtime=0), content_encoding="gzip")

@route("/stream")
def stream(request: Request):
    return respond(piece for piece in [PAGE])

@route("/large")
def large(request: Request):
    return respond("x" * (4 << 20) + PAGE)

@route("/strong")
def strong(request: Request):
    return respond(etag='"one"')

@route("/weak")
def weak(request: Request):
    return respond(etag='W/"one"')

@route("/download")
def download(request: Request):
    return respond(content_disposition="attachment; filename=page.html")

@route("/part")
def part(request: Request):
    return respond(status=206, content_range="bytes 0-9/10")

@route("/csp")
def csp(request: Request):
    return respond(content_security_policy=request.query_params["policy"])

@route("/boom")
def boom(request: Request):
    raise ValueError("oops")
"#;
const PAGE: &str = "<!doctype html><html><body><h1>h\u{e9}llo</h1></body></html>";
const SCRIPT: &str = "<script src=\"/__snaxum/live.js\"";

async fn dev(args: &[&str]) -> Server {
    Project::new().file("app.py", APP).args(args).dev().await
}

async fn get_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::GET, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The page without the tag that was put in, and the tag.
fn parts(reply: &Reply) -> (String, String) {
    let text = reply.text();
    let start = text.find(SCRIPT).unwrap_or_else(|| panic!("no script in {text}"));
    let end = start + text[start..].find("</script>").expect("its end") + "</script>".len();
    (format!("{}{}", &text[..start], &text[end..]), text[start..end].to_owned())
}

/// A page with an open socket, and its first message.
async fn listen(server: &Server) -> (Console, serde_json::Value) {
    let mut page = server.connect_to("/__snaxum/live", &[("origin", &server.url)]).await;
    let first = page.as_mut().expect("it is let in").next().await;
    (page.expect("it is let in"), first)
}

#[tokio::test]
async fn a_page_gets_the_script_before_the_end_of_its_body() {
    let server = dev(&[]).await;
    let document = ("sec-fetch-dest", "document");
    for headers in [&[][..], &[document]] {
        let reply = get_with(&server, "/page", headers).await;
        let (page, tag) = parts(&reply);
        assert_eq!(page, PAGE);
        assert!(reply.text().contains(&format!("{tag}</body>")), "{}", reply.text());
        assert!(tag.contains(" data-g=\"1\"") && !tag.contains("nonce"), "{tag}");
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    }
    let posted = send(server.request(Method::POST, "/page")).await;
    assert_eq!(parts(&posted).0, PAGE);
}

#[tokio::test]
async fn other_responses_are_unchanged() {
    let server = dev(&[]).await;
    let served = Project::new().file("app.py", APP).serve().await;
    for path in [
        "/json",
        "/text",
        "/fragment",
        "/gzip",
        "/stream",
        "/large",
        "/download",
        "/part",
        "/nothing",
    ] {
        let (reply, expected) = (server.get(path).await, served.get(path).await);
        assert_eq!(reply.status, expected.status, "{path}");
        if path != "/nothing" {
            assert!(reply.body == expected.body, "{path}");
        }
        assert!(!String::from_utf8_lossy(&reply.body).contains("live.js"), "{path}");
    }
    for destination in ["iframe", "empty", "script"] {
        let reply = get_with(&server, "/page", &[("sec-fetch-dest", destination)]).await;
        assert_eq!(reply.text(), PAGE, "{destination}");
    }
    let head = send(server.request(Method::HEAD, "/page")).await;
    assert_eq!(head.header("content-length"), PAGE.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_strong_tag_of_the_content_goes_and_a_weak_one_stays() {
    let server = dev(&[]).await;
    assert_eq!(server.get("/strong").await.header("etag"), "");
    assert_eq!(server.get("/weak").await.header("etag"), "W/\"one\"");
    let fetched = get_with(&server, "/strong", &[("sec-fetch-dest", "empty")]).await;
    assert_eq!(fetched.header("etag"), "\"one\"");
}

#[tokio::test]
async fn the_script_gets_through_the_policy_of_the_page() {
    let server = dev(&[]).await;
    let with = async |policy: &str| {
        let query: String = form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        server.get(&format!("/csp?policy={query}")).await
    };
    const HEADER: &str = "content-security-policy";

    let own = with("default-src 'self'").await;
    assert_eq!(own.header(HEADER), "default-src 'self'");
    assert!(!parts(&own).1.contains("nonce"));

    let mut nonces = Vec::new();
    for _ in 0..2 {
        let other = with("script-src 'nonce-abc'; connect-src 'none'").await;
        let (page, tag) = parts(&other);
        let nonce = tag.split("nonce=\"").nth(1).expect("a nonce").split('"').next();
        let nonce = nonce.expect("its end").to_owned();
        assert_eq!(page, PAGE);
        assert_eq!(
            other.header(HEADER),
            format!("script-src 'nonce-abc' 'nonce-{nonce}'; connect-src 'self'")
        );
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);

    for policy in ["default-src 'none'", "sandbox"] {
        let none = with(policy).await;
        assert_eq!((none.text(), none.header(HEADER)), (PAGE, policy));
    }
    server.err.wait_for("Content-Security-Policy").await;
    let log = server.err.text();
    assert_eq!(log.matches("Content-Security-Policy").count(), 1, "{log}");
}

#[tokio::test]
async fn an_error_page_gets_the_script_and_shows_its_error_itself() {
    let server = dev(&[]).await;
    let failed = get_with(&server, "/boom", &[("accept", "text/html")]).await;
    assert_eq!(failed.status, 500);
    assert!(!parts(&failed).1.contains(" data-failed"), "the mark is for pages of the app");
    assert!(failed.text().contains(" id=\"snaxum-error\">{\""), "{}", failed.text());
    let problem = get_with(&server, "/boom", &[("accept", "application/json")]).await;
    assert!(!problem.text().contains("live.js"));

    let plain = dev(&["--no-overlay"]).await;
    let failed = get_with(&plain, "/boom", &[("accept", "text/html")]).await;
    let tag = parts(&failed).1;
    assert!(!tag.contains("data-failed") && tag.contains(" data-quiet"), "{tag}");
}

#[tokio::test]
async fn nothing_is_injected_with_no_inject() {
    let server = dev(&["--no-inject"]).await;
    assert_eq!(server.get("/page").await.text(), PAGE);
    let server = Project::new().file("app.py", APP).env("SNAXUM_NO_INJECT", "1").dev().await;
    assert_eq!(server.get("/page").await.text(), PAGE);
    let vague = Project::new().file("app.py", APP).env("SNAXUM_NO_OVERLAY", "maybe");
    let refused = vague.snaxum(&["dev", "--port", "0"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("`no-overlay` is `maybe`; it must be true or false"),
        "{}",
        refused.stderr
    );
    let served = Project::new().file("app.py", APP).serve().await;
    assert_eq!(served.get("/page").await.text(), PAGE);
    assert_eq!(served.get("/__snaxum/live.js").await.status, 404);
    assert_eq!(served.get("/__snaxum/live").await.status, 404);
}

#[tokio::test]
async fn a_page_receives_the_outcome_of_each_save() {
    let server = dev(&[]).await;
    let run = server.api("status").await["run_id"].clone();
    let (mut page, first) = listen(&server).await;
    assert_eq!(first, json!({ "g": 1, "kind": "ok", "run": run }));

    server.edit("app.py", &format!("{APP}\nX = 1\n"));
    assert_eq!(page.next().await, json!({ "g": 2, "kind": "reload", "run": run }));

    server.edit("app.py", &format!("{APP}\nX = \n"));
    assert_eq!(page.next().await, json!({ "g": 2, "kind": "error", "run": run }));
    assert_eq!(listen(&server).await.1, json!({ "g": 2, "kind": "error", "run": run }));
    assert!(parts(&server.get("/page").await).1.contains(" data-g=\"2\""));

    server.edit("app.py", &format!("{APP}\nX = 1\n"));
    assert_eq!(page.next().await["kind"], "ok");
    server.edit("app.py", &format!("{APP}\nX = 2\n"));
    assert_eq!(page.next().await["kind"], "reload");
}

#[tokio::test]
async fn a_page_of_old_code_shows_that_it_is_old() {
    const SLOW: &str = "import _gate\nfrom snaxum import Request, Response, route\n\n@route('/')\ndef slow(request: Request):\n    _gate.wait('page')\n    return Response('<body></body>', content_type='text/html')\n";
    let server = Project::new().gate().file("app.py", SLOW).dev().await;
    let (mut page, _) = listen(&server).await;
    let response = server.begin("/");
    let held = server.arrival().await;
    server.edit("app.py", &format!("{SLOW}\nX = 1\n"));
    assert_eq!(page.next().await["g"], 2);
    held.open().await;
    let tag = parts(&response.await.expect("a response")).1;
    assert!(tag.contains(" data-g=\"1\""), "{tag}");
}

#[tokio::test]
async fn a_style_sheet_is_news_of_its_own_unless_a_module_read_it() {
    const READS: &str =
        "import pathlib\nREAD = pathlib.Path(__file__).with_name('read.css').read_text()\n";
    let server = Project::new()
        .file("app.py", READS)
        .file("read.css", "")
        .file("static/page.css", "")
        .dev()
        .await;
    let (mut page, _) = listen(&server).await;

    server.edit("static/page.css", "p { color: red }");
    let update = page.next().await;
    assert_eq!((&update["kind"], &update["g"]), (&json!("css"), &json!(1)));
    fs::write(server.project.path().join("beside.css"), "").expect("written");
    assert_eq!(page.next().await["kind"], "css");

    server.edit("read.css", "p { color: red }");
    let update = page.next().await;
    assert_eq!((&update["kind"], &update["g"]), (&json!("reload"), &json!(2)));
}

#[tokio::test]
async fn the_channel_is_for_pages_of_this_server() {
    let server = dev(&[]).await;
    let own = ("origin", &*server.url);
    let refused = [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[own, ("sec-fetch-site", "cross-site")],
        &[own, ("sec-fetch-site", "same-site")],
        &[own, ("host", "evil.example")],
        &[own, ("host", "localhost")],
    ];
    for headers in refused {
        let result = server.connect_to("/__snaxum/live", headers).await;
        assert_eq!(result.err().map(|status| status.as_u16()), Some(403), "{headers:?}");
    }
    assert!(
        server
            .connect_to("/__snaxum/live", &[own, ("sec-fetch-site", "same-origin")])
            .await
            .is_ok()
    );
    let no_token = server.connect(&[own]).await;
    assert_eq!(no_token.err().map(|status| status.as_u16()), Some(401));
    for path in ["/__snaxum/live.js/", "/__snaxum/assets/live.js"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    assert_eq!(server.get("/__snaxum/live/").await.status, 404);
}

#[tokio::test]
async fn the_script_is_served_without_the_token_and_only_to_pages_of_this_server() {
    let server = dev(&[]).await;
    let script = server.get("/__snaxum/live.js").await;
    assert_eq!(script.status, 200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    assert_eq!(script.header("cache-control"), "no-store");
    assert!(!script.text().contains(&server.token) && !script.text().contains("://"));
    let elsewhere = [("sec-fetch-site", "cross-site")];
    assert_eq!(get_with(&server, "/__snaxum/live.js", &elsewhere).await.status, 403);
    let posted = server.post("/__snaxum/live.js", &json!({})).await;
    assert_eq!(posted.status, 401);
    assert!(!server.get("/page").await.text().contains(&server.token));
}

#[tokio::test]
async fn sixty_four_pages_listen_and_one_that_goes_makes_room() {
    let server = dev(&[]).await;
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(listen(&server).await.0);
    }
    let own = [("origin", &*server.url)];
    let result = server.connect_to("/__snaxum/live", &own).await;
    assert_eq!(result.err().map(|status| status.as_u16()), Some(503));

    pages.pop();
    // The server notices the end a moment later.
    while server.connect_to("/__snaxum/live", &own).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_its_pages() {
    let mut server = dev(&[]).await;
    let (page, _) = listen(&server).await;
    assert!(server.stop().await.success());
    assert!(page.rest().await.is_empty());
}
