//! The same with the real library: keep-alive clients, the console's API, and Python beside Rust.
//!
//! A build may wait for the lock of another test that compiles in the same directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use super::{save, text_of};
use crate::quick_start;
use crate::support::{Project, Server, in_time, send};

/// A server of one's own, whose Rust endpoint responds `one`.
const SERVER: &str = r#"
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use snaxum::prelude::*;
use snaxum::server::{self, CancellationToken, DRAIN_TIMEOUT, StopSignals};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = StopSignals::register()?;
    let config = SnaxumConfig::builder().python_dir("./python").pool_workers(1).build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);
    let app = Router::new()
        .route("/", get(async || "one"))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(Arc::clone(&runtime))
        .merge(snaxum::dev::router(&runtime)?);
    let listener = server::bind(([127, 0, 0, 1], 0).into()).await?;
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            signals.next().await;
            stop.cancel();
        }
    });
    server::serve(listener, app, stop, DRAIN_TIMEOUT).await;
    runtime.shutdown(DRAIN_TIMEOUT).await;
    Ok(())
}
"#;

fn responding(text: &str) -> String {
    SERVER.replace("\"one\"", &format!("{text:?}"))
}

fn module(text: &str) -> String {
    format!(
        "from snaxum import route\n\n@route('/python/text')\ndef text():\n    return {text:?}\n"
    )
}

fn project(name: &str, main: &str) -> Project {
    let (lock, manifest) = quick_start::manifest(name, &[]);
    Project::new()
        .top_file("Cargo.lock", &lock)
        .top_file("Cargo.toml", &manifest)
        .top_file("src/main.rs", main)
        .file("app.py", &module("one"))
        .env("CARGO_TARGET_DIR", &quick_start::target().display().to_string())
        .env("RUST_BACKTRACE", "0")
}

async fn serving(name: &str) -> Server {
    started(project(name, SERVER)).await
}

async fn started(project: Project) -> Server {
    let server = project.spawn("dev");
    // The first test compiles the library with the features of these packages.
    server.out.wait_at_leisure("/__snaxum/?t=").await;
    server.announced()
}

/// Sends requests on a connection of its own until `is_over`; returns all responses.
fn load(server: &Server, is_over: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<(u16, String)>> {
    let (url, is_over) = (server.url.clone(), Arc::clone(is_over));
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut responses = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let reply = client.get(&url).send().await.expect("no request is lost");
            let status = reply.status().as_u16();
            responses.push((status, reply.text().await.expect("no response is lost")));
        }
        responses
    })
}

#[tokio::test]
async fn saves_lose_no_request_and_the_console_has_the_errors_of_the_compiler() {
    let server = serving("live-under-load").await;
    let first = server.python_pid();
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = [load(&server, &is_over), load(&server, &is_over)];

    save(&server, &responding("two"));
    server.out.wait_at_leisure("↻ v2").await;
    assert_eq!(text_of(&server).await, "two");
    assert_ne!(server.python_pid(), first);

    save(&server, &responding("three").replace("let app =", "let app: u32 ="));
    server.out.wait_at_leisure("version 2 is still serving").await;
    assert_eq!(text_of(&server).await, "two");
    // The builder prints the outcome, and the program gets it.
    let failing = async {
        while server.api("status").await["state"] != "failing" {
            tokio::task::yield_now().await;
        }
    };
    in_time("the state", failing).await;
    assert_eq!(server.api("status").await["generation"], 2);
    let newest = &server.api("reloads").await[0];
    assert_eq!((&newest["outcome"], &newest["strategy"]), (&json!("failed"), &json!("build")));
    assert_eq!(newest["traceback"]["type"], "error[E0308]");
    assert_eq!(newest["traceback"]["frames"][0]["file"], "src/main.rs");

    save(&server, &responding("four"));
    server.out.wait_at_leisure("↻ v3").await;
    is_over.store(true, Ordering::Relaxed);

    assert_eq!(text_of(&server).await, "four");
    let builds = async {
        loop {
            let reloads = server.api("reloads").await;
            let reloads = reloads.as_array().expect("a list");
            let builds = reloads.iter().filter(|reload| reload["strategy"] == "build");
            let outcomes: Vec<String> =
                builds.filter_map(|build| Some(build["outcome"].as_str()?.to_owned())).collect();
            if outcomes.starts_with(&["ok", "failed", "ok"].map(String::from)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time("the list of builds", builds).await;
    let status = server.api("status").await;
    assert_eq!((&status["state"], &status["generation"]), (&json!("ok"), &json!(3)));
    for client in clients {
        let responses = in_time("the clients", client).await.expect("no request is lost");
        assert!(responses.iter().all(|(status, _)| *status == 200), "{responses:?}");
        let mut texts: Vec<&str> = responses.iter().map(|(_, text)| &**text).collect();
        texts.dedup();
        assert_eq!(texts, ["one", "two", "four"]);
    }
    // The terminal has the requests of the newest program.
    assert_eq!(server.get("/python/text").await.text(), "one");
    server.out.wait_at_leisure("GET    /python/text").await;
}

#[tokio::test]
async fn rust_and_python_that_are_saved_together_are_live_together() {
    let server = serving("live-together").await;
    let python = async || server.get("/python/text").await.text().to_owned();
    let process = server.python_pid();

    server.edit("app.py", &module("two"));
    assert_eq!(python().await, "two");
    assert_eq!(server.python_pid(), process, "Python alone is reloaded in place");

    save(&server, &responding("three"));
    server.edit("app.py", &module("three"));
    server.out.wait_at_leisure("src/main.rs").await;
    assert_eq!((&*text_of(&server).await, &*python().await), ("three", "three"));
    assert_ne!(server.python_pid(), process);

    save(&server, &responding("four").replace("let app =", "let app: u32 ="));
    server.edit("app.py", &module("four"));
    server.out.wait_at_leisure("is still serving").await;
    assert_eq!((&*text_of(&server).await, &*python().await), ("three", "three"));

    save(&server, &responding("five"));
    server.out.wait_at_leisure("fixed after").await;
    assert_eq!((&*text_of(&server).await, &*python().await), ("five", "four"));
}

#[tokio::test]
async fn a_program_that_was_rejected_for_its_python_is_tried_again_once_that_is_mended() {
    let server = serving("live-mended").await;
    save(&server, &responding("two"));
    server.edit("app.py", "def text(:\n");
    server.out.wait_at_leisure("is still serving").await;
    assert_eq!(text_of(&server).await, "one");

    server.edit("app.py", &module("two"));
    server.out.wait_at_leisure("fixed after").await;
    let python = server.get("/python/text").await.text().to_owned();
    assert_eq!((&*text_of(&server).await, &*python), ("two", "two"));
}

#[tokio::test]
async fn the_error_of_a_program_that_listens_by_itself_names_the_call() {
    let own = SERVER.replace(
        "server::bind(([127, 0, 0, 1], 0).into())",
        "tokio::net::TcpListener::bind(\"127.0.0.1:0\")",
    );
    let limit = ["--cargo-start-timeout", "10s"];
    let server = started(project("live-socket", SERVER).args(&limit)).await;

    save(&server, &own);

    server
        .out
        .wait_at_leisure("the program does not take the socket of `snaxum dev` within 10 s")
        .await;
    server
        .out
        .wait_for("`snaxum::server::bind(address).await` in place of `TcpListener::bind`")
        .await;
    assert_eq!(text_of(&server).await, "one");
    let newest: Value = server.api("reloads").await[0].clone();
    assert_eq!(newest["outcome"], "failed");
    let reply = send(server.request(Method::GET, "/__snaxum/").bearer_auth(&server.token)).await;
    assert_eq!(reply.status, 200);
}
