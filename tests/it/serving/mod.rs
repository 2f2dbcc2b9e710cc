//! `snaxum serve` as its operators use it: its sockets, its protocols, and the proxies before it.

mod batch_limits;
mod batches;
mod deployment;
mod deploys;
mod exposition;
mod handler_workers;
mod health;
mod http2;
mod http2_websockets;
mod keep_alive;
mod logs;
mod metrics;
mod model_reloads;
mod preloading;
mod processes;
mod proxies;
mod sockets;
mod spans;
mod stops;
mod tls;
mod upgraded_program;
mod upgrades;
mod versions;

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Project, Server, in_time, snaxum};

/// Where a request comes from, as Python sees it.
const APP: &str = r#"
from snaxum import mount, route


@route("/where")
def where(request):
    client = request.client
    port = client.port if client is not None else None
    return {"client": client, "port": port, "scheme": request.scheme, "host": request.host}


def wsgi(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PROTOCOL")
    return [" ".join(environ.get(name, "-") for name in names).encode()]


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    client = scope["client"][0] if scope["client"] else "-"
    host = dict(scope["headers"])[b"host"].decode()
    body = f"{client} {scope['scheme']} {host} HTTP/{scope['http_version']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


mount("/wsgi", wsgi)
mount("/asgi", asgi)
"#;

fn project() -> Project {
    Project::new().file("app.py", APP)
}

/// Starts `snaxum serve` with these arguments only; returns when it listens.
async fn serve(project: Project, args: &[&str]) -> Server {
    let mut command = project.command(&snaxum());
    command.arg("serve").args(args).args(project.arguments());
    let server = project.spawn_process(command);
    server.out.wait_for("listening on ").await;
    server
}

/// The address that a server has printed.
fn url(server: &Server) -> String {
    let text = server.out.text();
    let line = text.lines().find_map(|line| line.split("listening on ").nth(1));
    line.expect("it listens").trim().to_owned()
}

/// Runs a program to its end.
async fn run(program: &str, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    let output = command.args(args).current_dir(dir).stdin(Stdio::null()).output();
    in_time(program, output).await.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Runs curl, which must succeed; returns what it prints.
async fn curl(dir: &Path, args: &[&str]) -> String {
    let args = [&["--silent", "--show-error", "--noproxy", "*", "--max-time", "50"], args].concat();
    let output = run("curl", dir, &args).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "curl {args:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same for a response in JSON.
async fn curl_json(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&curl(dir, args).await).expect("JSON")
}

/// Runs `snaxum serve` with arguments that it rejects; returns its only line of error.
async fn rejected(project: &Project, args: &[&str]) -> String {
    let finished = project.snaxum(&[&["serve"], args].concat()).await;
    assert!(matches!(finished.code, Some(1 | 2)), "{finished:?}");
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{args:?}: {}", finished.stderr);
    lines[0].to_owned()
}
