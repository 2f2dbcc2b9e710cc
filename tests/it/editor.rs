//! Places in the code open in an editor: by links, or by a program that the server starts on request.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver};

use super::support::{Project, Reply, Server, in_time, send};

const APP: &str = r#"
from snaxum import route

@route("/fail")
def fail(request):
    try:
        deeper()
    except ValueError as error:
        raise KeyError("outer") from error

def deeper():
    raise ValueError("inner")

@route("/elsewhere")
def elsewhere(request):
    exec(compile("\n\n1 / 0", request.query_params["file"], "exec"))
"#;

const ARGUMENTS: &str = "#!/bin/sh\nprintf '%s|' \"$#\" \"$@\" > opened\necho > opened\n";

/// The arguments of each start of `code`, one line each.
struct Opened(BufReader<Receiver>);

/// A project whose `code` writes its arguments into a pipe.
fn project() -> (Project, Opened) {
    let project = Project::new().file("app.py", APP).top_file("bin/code", ARGUMENTS);
    let program = project.path().join("bin/code");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let bin = program.parent().expect("a directory").to_str().expect("UTF-8").to_owned();
    let path = std::env::var("PATH").expect("there is one");
    let fifo = project.path().join("opened");
    let name = std::ffi::CString::new(fifo.to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the name outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "a pipe");
    // Opened for reading and writing, so that no side blocks.
    let pipe = OpenOptions::new().read_write(true).open_receiver(&fifo).expect("a pipe");
    (project.env("PATH", &format!("{bin}:{path}")), Opened(BufReader::new(pipe)))
}

impl Opened {
    async fn next(&mut self) -> String {
        let mut line = String::new();
        in_time("the editor", self.0.read_line(&mut line)).await.expect("text");
        line.trim_end().to_owned()
    }
}

async fn open(server: &Server, place: &Value) -> Reply {
    let request = server.request(Method::POST, "/__snaxum/api/open").bearer_auth(&server.token);
    send(request.header("x-snaxum", "1").json(place)).await
}

fn expected(server: &Server, place: &str) -> String {
    let root = server.project.path().canonicalize().expect("it is there");
    format!("2|--goto|{}/{place}|", root.display())
}

async fn id_of(server: &Server, path: &str) -> String {
    server.get(path).await.header("x-request-id").to_owned()
}

#[tokio::test]
async fn the_server_opens_what_a_route_or_a_frame_stands_for() {
    let (project, mut opened) = project();
    let server = project.args(&["--editor", "code"]).dev().await;
    assert_eq!(server.api("status").await["opens_editor"], true);
    let routes = server.api("routes").await;
    let route = routes.as_array().and_then(|all| all.iter().find(|r| r["path"] == "/fail"));
    let request = id_of(&server, "/fail").await;
    server.edit("app.py", "def oops(:\n");
    server.api("wait").await;
    let reload = server.api("reloads").await[0]["id"].clone();
    for (place, line) in [
        (json!({"route": route.expect("it serves")["id"]}), 4),
        (json!({"request": request}), 9),
        (json!({"request": request, "frame": 0}), 9),
        // The frame of the cause.
        (json!({"request": request, "frame": 2}), 12),
        (json!({"reload": reload, "frame": 0}), 1),
    ] {
        let reply = open(&server, &place).await;
        assert_eq!(reply.status, 200, "{place}: {}", reply.text());
        assert_eq!(reply.json(), json!({"file": "python/app.py", "line": line}));
        assert_eq!(opened.next().await, expected(&server, &format!("python/app.py:{line}")));
    }
}

#[tokio::test]
async fn only_places_in_the_project_are_opened() {
    let outside = tempfile::tempdir().expect("a directory");
    let secret = outside.path().join("secret.py");
    fs::write(&secret, "").expect("a file");
    let (project, mut opened) = project();
    let project = project.args(&["--editor", "code"]);
    symlink(&secret, project.path().join("python/_out.py")).expect("a link");
    let server = project.dev().await;
    let out = server.python("_out.py").display().to_string();
    let mut refused = Vec::new();
    for file in ["/etc/passwd", "../../etc/passwd", "nothing.py", "python", "<string>", &out] {
        let id = id_of(&server, &format!("/elsewhere?file={file}")).await;
        let detail = server.api(&format!("requests/{id}")).await;
        assert_eq!(detail["traceback"]["frames"][1]["line"], 3, "{detail}");
        refused.push((json!({"request": id, "frame": 1}), 404));
    }
    let request = id_of(&server, "/fail").await;
    refused.extend([
        (json!({"route": "r_00000000"}), 404),
        (json!({"route": "../../etc/passwd"}), 404),
        (json!({"request": "999999"}), 404),
        (json!({"request": "/etc/passwd"}), 404),
        (json!({"request": request, "frame": 9}), 404),
        (json!({"reload": 999, "frame": 0}), 404),
        (json!({}), 400),
        (json!({"frame": 0}), 400),
        (json!({"route": "r_00000000", "request": request}), 400),
        (json!({"request": request, "frame": -1}), 422),
        (json!({"file": "python/app.py"}), 422),
        (json!({"request": request, "editor": "sh"}), 422),
    ]);
    for (place, status) in refused {
        let reply = open(&server, &place).await;
        assert_eq!(reply.status, status, "{place}: {}", reply.text());
    }
    let place = json!({"request": request});
    for header in ["x-snaxum", "authorization"] {
        let bearer = format!("Bearer {}", server.token);
        let with = [("x-snaxum", "1"), ("authorization", &bearer)];
        let with = with.iter().filter(|(name, _)| *name != header);
        let post = server.request(Method::POST, "/__snaxum/api/open").json(&place);
        let reply = send(with.fold(post, |post, (name, value)| post.header(*name, *value))).await;
        assert!((401..=403).contains(&reply.status), "without {header}: {}", reply.status);
    }
    // Whatever was started would have written before this.
    assert_eq!(open(&server, &place).await.status, 200);
    assert_eq!(opened.next().await, expected(&server, "python/app.py:9"));
}

#[tokio::test]
async fn without_a_program_there_are_links_and_the_server_starts_nothing() {
    let root = |server: &Server| server.project.path().canonicalize().expect("it is there");
    let server = project().0.dev().await;
    let status = server.api("status").await;
    let link = format!("vscode://file{}/{{file}}:{{line}}", root(&server).display());
    assert_eq!((&status["editor"], &status["opens_editor"]), (&json!(link), &json!(false)));
    let reply = open(&server, &json!({"request": id_of(&server, "/fail").await})).await;
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("`snaxum dev --editor code`"), "{}", reply.text());

    // A personal setting causes no warning, and a new process uses it too.
    let server = project().0.env("SNAXUM_EDITOR", "idea://").dev().await;
    let link = format!("idea://open?file={}/{{file}}&line={{line}}", root(&server).display());
    assert_eq!(server.api("status").await["editor"], link);
    assert!(!server.err.text().contains("SNAXUM_EDITOR"), "{}", server.err.text());

    let server = project().0.args(&["--editor", "cursor://"]).dev().await;
    assert!(server.api("status").await["editor"].as_str().is_some_and(|e| e.starts_with("cursor")));
    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
}

#[tokio::test]
async fn an_editor_that_does_not_start_is_an_error_with_the_reason() {
    let server = project().0.args(&["--editor", "/nowhere/code"]).dev().await;
    let reply = open(&server, &json!({"request": id_of(&server, "/fail").await})).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().starts_with("`/nowhere/code` does not start: "), "{}", reply.text());

    let refused = project().0.snaxum(&["dev", "--editor", "nvim"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("it needs a terminal"), "{}", refused.stderr);
}

#[tokio::test]
async fn an_editor_of_the_environment_may_be_empty_and_is_named_where_it_cannot_be_used() {
    let server = project().0.env("SNAXUM_EDITOR", "").dev().await;
    let status = server.api("status").await;
    assert!(status["editor"].as_str().is_some_and(|link| link.starts_with("vscode://")));

    let project = project().0.env("SNAXUM_EDITOR", "nvim");
    let refused = project.snaxum(&["dev"]).await;
    assert_eq!(refused.code, Some(2));
    let named = "SNAXUM_EDITOR: `editor` is `nvim`: it needs a terminal";
    assert!(refused.stderr.contains(named), "{}", refused.stderr);
    let server = project.args(&["--editor", "zed://"]).dev().await;
    assert!(server.api("status").await["editor"].as_str().is_some_and(|e| e.starts_with("zed")));
}
