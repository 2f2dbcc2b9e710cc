//! The quick start of contract.md, word for word, in a crate of its own that depends on this one.
//!
//! Built once, with the program of `function_calls.rs` and the Rust template of `snaxum new`, in the
//! target directory of this crate: most dependencies are there.

mod layers;
mod template;
mod websocket;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::json;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::support::{Project, Server, in_time};

/// contract.md, section 1.
const QUICK_START: &str = r#"use axum::{routing::any, Router};
use snaxum::prelude::*;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pyo3::Python::initialize();            // optional: the runtime does it if the caller did not

    let config = SnaxumConfig::builder()
        .python_dir("./python")
        .module("endpoints")
        .module("pool_handlers")
        .pool_workers(4)
        .dispatch_workers(4)
        .build()?;

    let runtime = Arc::new(PythonRuntime::with_config(config)?);

    let app = Router::new()
        .route("/python/{*path}", any(handle_python_request))
        .with_state(runtime);

    let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
"#;

/// The one line that a test cannot use, and its replacement.
const BIND: &str = r#"let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;"#;
const BIND_HERE: &str = r#"let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);"#;

/// Dev mode in a server of the user's own: one builder call, one merge.
const WITH_DEV: &str = r#"use axum::{routing::{any, get}, Router};
use snaxum::prelude::*;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).init();
    let config = SnaxumConfig::builder().python_dir("./python").dispatch_workers(2).dev(true).build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);

    let app = Router::new()
        .route("/python/{*path}", any(handle_python_request))
        .route("/rust/hello", get(async || "hello from Rust"))
        .with_state(runtime.clone())
        .merge(snaxum::dev::router(&runtime)?);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
"#;

const ENDPOINTS: &str = r#"
import sys
from snaxum import route, Request

@route('/python/users/<int:user_id>', methods=['GET'])
def get_user(request: Request) -> dict:
    return {"user_id": request.path_params['user_id']}

@route('/python/interpreter')
def interpreter(request: Request) -> dict:
    return {"executable": sys.executable, "encoding": open(__file__).encoding}
"#;

const POOL_HANDLERS: &str = r#"
from concurrent.futures import ProcessPoolExecutor
from pool_workers import compute_squares
from snaxum import route, Request

@route('/python/pool/compute', methods=['POST'], use_process_pool=True)
def pool_compute(request: Request, pool: ProcessPoolExecutor) -> dict:
    return {"squares": pool.submit(compute_squares, request.body["numbers"]).result()}
"#;

const POOL_WORKERS: &str = "def compute_squares(numbers):\n    return [n * n for n in numbers]\n";

/// Compiles the programs, the first time that one is asked for.
async fn built() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_init(build).await
}

/// The directory of the builds that the tests share.
pub(crate) fn target() -> PathBuf {
    let command = Path::new(env!("CARGO_BIN_EXE_snaxum"));
    command.ancestors().nth(2).expect("target/debug/snaxum").to_owned()
}

/// A `Cargo.lock` with our versions, and the manifest of a package with these members of its workspace. All such
/// packages share the compiled dependencies.
pub(crate) fn manifest(name: &str, members: &[&str]) -> (String, String) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = fs::read_to_string(repository.join("Cargo.lock")).expect("our Cargo.lock");
    let workspace = fs::read_to_string(repository.join("Cargo.toml")).expect("our Cargo.toml");
    // With the same profile, cargo compiles the dependencies that both have once.
    let (_, profiles) = workspace.split_once("[profile.dev]").expect("it has profiles");
    let (profiles, _) = profiles.split_once("[profile.release]").expect("it follows");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\nmembers = {members:?}\n\n\
         [patch.crates-io]\nsnaxum = {{ path = {repository:?} }}\n\n\
         [dependencies]\nsnaxum = {{ path = {repository:?} }}\naxum = \"={axum}\"\npyo3 = \"={pyo3}\"\n\
         tokio = {{ version = \"={tokio}\", features = [\"full\"] }}\ntracing-subscriber = \"={subscriber}\"\n\
         serde_json = \"={json}\"\n\n[profile.dev]{profiles}",
        axum = locked(&lock, "axum"),
        pyo3 = locked(&lock, "pyo3"),
        tokio = locked(&lock, "tokio"),
        subscriber = locked(&lock, "tracing-subscriber"),
        json = locked(&lock, "serde_json"),
    );
    (lock, manifest)
}

async fn build() -> PathBuf {
    let root = target().join("quick-start");
    let (lock, manifest) = manifest("quick-start", &[template::NAME]);
    assert!(QUICK_START.contains(BIND));
    let put = |name: &str, text: &str| {
        let path = root.join("crate").join(name);
        fs::create_dir_all(path.parent().expect("it is below the crate")).expect("directories");
        // Unchanged crates are not compiled again.
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(&path, text).expect("a file");
        }
    };
    put("Cargo.toml", &manifest);
    put("Cargo.lock", &lock);
    put("src/main.rs", &QUICK_START.replace(BIND, BIND_HERE));
    put("src/bin/with-dev.rs", WITH_DEV);
    put("src/bin/graceful.rs", websocket::GRACEFUL);
    put("src/bin/rust-and-python.rs", include_str!("../embedding/program.rs"));
    put("src/bin/taken-over.rs", include_str!("../embedding/taken_over.rs"));
    for (path, text) in template::files().await {
        put(&path, &text);
    }
    let offline = cargo(&root, &["build", "--workspace", "--offline"]).await;
    if !offline.0.success() {
        let (status, output) = cargo(&root, &["build", "--workspace"]).await;
        assert!(status.success(), "the quick start does not compile:\n{output}");
    }
    root
}

fn locked(lock: &str, package: &str) -> String {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry).expect("it is locked");
    rest.split('"').next().expect("a version").to_owned()
}

fn cargo_in(root: &Path, mut command: Command) -> Command {
    for key in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        command.env_remove(key); // the program must not see the variables that cargo sets for this test
    }
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" || name.starts_with("DEP_") {
            command.env_remove(&key);
        }
    }
    command.env("CARGO_TARGET_DIR", root.parent().expect("it is below the target directory"));
    command
}

async fn cargo(root: &Path, args: &[&str]) -> (ExitStatus, String) {
    let mut command = cargo_in(root, Command::new(env!("CARGO")));
    command.args(args).current_dir(root.join("crate"));
    let output = command.output().await.expect("cargo starts");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Starts one of the programs as its author would, with `cargo run`.
pub(crate) async fn run(program: &str, project: Project) -> Server {
    let root = built().await;
    let mut command = cargo_in(root, project.command(env!("CARGO")));
    command.args(["run", "--offline", "--quiet", "--bin", program, "--manifest-path"]);
    command.arg(root.join("crate/Cargo.toml")).arg("--").args(project.arguments());
    project.spawn_process(command).listening().await
}

/// The command of one of the programs itself, without cargo.
pub(crate) async fn command(program: &str, project: &Project) -> Command {
    let root = built().await;
    let target = root.parent().expect("it is below the target directory");
    let mut command =
        cargo_in(root, project.command(&format!("{}/debug/{program}", target.display())));
    // As `cargo run` does.
    let query = "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))";
    let python = Command::new(snaxum::build_info::BUILD_PYTHON).args(["-c", query]).output().await;
    let libpython = String::from_utf8(python.expect("Python starts").stdout).expect("UTF-8");
    for variable in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        command.env(variable, libpython.trim());
    }
    command
}

fn project() -> Project {
    Project::new()
        .gate()
        .file("endpoints.py", ENDPOINTS)
        .file("pool_handlers.py", POOL_HANDLERS)
        .file("pool_workers.py", POOL_WORKERS)
}

#[tokio::test]
async fn the_quick_start_serves_python_and_the_pool_and_ends_with_ctrl_c() {
    let mut server = run("quick-start", project()).await;

    let user = server.get("/python/users/42").await;
    let squares = server.post("/python/pool/compute", &json!({"numbers": [1, 2, 3]})).await;
    assert_eq!((user.status, user.json()), (200, json!({"user_id": 42})));
    assert_eq!((squares.status, squares.json()), (200, json!({"squares": [1, 4, 9]})));
    assert_eq!(server.get("/python/users/nobody").await.status, 404);
    assert_eq!(server.get("/elsewhere").await.header("content-type"), ""); // axum's own 404
    let children = server.children();
    assert!(!children.is_empty());

    server.signal(libc::SIGINT);

    let status = server.ended().await;
    assert!(!status.success(), "without a handler the signal ends the process: {status}");
    for child in children {
        child.is_gone().await;
    }
    let log = server.err.whole().await;
    assert!(!log.contains("panicked") && !log.contains("Traceback"), "{log}");
}

#[tokio::test]
async fn an_interpreter_that_the_caller_initialized_is_configured_afterwards() {
    let server = run("quick-start", project()).await;

    let found = server.get("/python/interpreter").await.json();

    let executable = found["executable"].as_str().expect("a path");
    let name = Path::new(executable).file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("python"), "{executable}");
    assert_eq!(found["encoding"].as_str().map(str::to_ascii_lowercase).as_deref(), Some("utf-8"));
}

#[tokio::test]
async fn dev_mode_is_one_builder_call_and_one_merge_in_a_server_of_ones_own() {
    let mut server = run("with-dev", project()).await;
    assert_eq!(server.get("/python/users/1").await.header("x-snaxum-gen"), "1");
    assert_eq!(server.get("/__snaxum/api/status").await.status, 401);
    let line = server.out.wait_for("/__snaxum/?t=").await;
    let token = line.split("?t=").nth(1).and_then(|rest| rest.split_whitespace().next());
    server.token = token.expect("a token").to_owned();
    let mut console = server.console().await;

    server.edit("endpoints.py", &ENDPOINTS.replace("user_id\":", "user\":"));
    console.next_of_type("reload.ok").await;

    let user = server.get("/python/users/7").await;
    assert_eq!((user.header("x-snaxum-gen"), user.json()), ("2", json!({"user": 7})));
    assert_eq!(server.api("status").await["state"], "ok");
    assert!(!server.api("requests").await.as_array().expect("a list").is_empty());
    assert_eq!(server.get("/rust/hello").await.header("x-snaxum-gen"), "");
}

#[tokio::test]
async fn a_rust_endpoint_responds_while_every_python_worker_computes() {
    let computing = r#"
import pathlib
import _gate
from snaxum import route

DONE = pathlib.Path(__file__).parent.parent / "done"

@route("/python/compute")
def compute(request):
    _gate.notify("computing")
    rounds = 0
    while not DONE.exists():
        rounds += sum(range(100_000)) > 0
    return {"rounds": rounds}
"#;
    let server = run("with-dev", project().file("computing.py", computing)).await;
    let busy = [server.begin("/python/compute"), server.begin("/python/compute")];
    server.arrival().await;
    server.arrival().await;
    let waiting = server.begin("/python/users/1"); // no worker is left for this one

    for _ in 0..20 {
        let reply = in_time("a response from Rust", server.get("/rust/hello")).await;
        assert_eq!(reply.text(), "hello from Rust");
    }
    assert!(busy.iter().all(|task| !task.is_finished()) && !waiting.is_finished());

    fs::write(server.project.path().join("done"), "").expect("a file");
    for reply in busy {
        assert_eq!(reply.await.expect("a response").status, 200);
    }
    assert_eq!(waiting.await.expect("a response").status, 200);
}
