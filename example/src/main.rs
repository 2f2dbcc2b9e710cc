//! An axum application that has Rust endpoints and Python endpoints in one router.
//!
//! `cargo run -p snaxum-example` serves it; with `-- --dev` Python is reloaded on save and the
//! console is at the address that is printed. `-- --port 8080` takes another port.

mod rust_handlers;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use snaxum::dev::Dev;
use snaxum::prelude::*;
use snaxum::project::Project;
use snaxum::venv;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let options = Options::from_args()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    // Before Python starts: Python installs its own handler of Ctrl-C if there is none.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    // `pyproject.toml` names polars; the first start installs it into `.venv`.
    let project = Project::read(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    venv::ensure(&project, &|line| println!("{line}"))?;

    let config = SnaxumConfig::builder()
        .project_dir(&project.root)
        .python_dir(project.root.join("python"))
        .module("endpoints")
        .module("confidence")
        .module("pool_handlers")
        .pool_workers(2)
        .dispatch_workers(4)
        .dev(options.dev)
        .build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);

    let mut app = Router::new()
        .route("/rust/hello", get(rust_handlers::hello))
        .route("/rust/echo", post(rust_handlers::echo))
        .route("/rust/squares", post(rust_handlers::squares))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(Arc::clone(&runtime));

    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    if options.dev {
        let dev = Dev::start(&runtime)?;
        app = app.merge(dev.router());
        println!("console at {}", dev.console_url(address));
    }

    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let stopping = Arc::clone(&runtime);
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopping.begin_shutdown(); // an open event stream would delay the end without a limit
            tokio::spawn(async move {
                interrupt.recv().await; // a second Ctrl-C does not wait
                std::process::exit(130);
            });
        })
        .await?;
    runtime.shutdown(snaxum::server::DRAIN_TIMEOUT).await;
    Ok(())
}

/// Options of the command line.
struct Options {
    dev: bool,
    port: u16,
}

impl Options {
    fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut options = Self { dev: false, port: 3000 };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--dev" => options.dev = true,
                "--port" => {
                    let port = args.next().ok_or("--port needs a number")?;
                    options.port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
                }
                _ => {
                    return Err(
                        format!("unknown argument `{arg}`; known are --dev and --port N").into()
                    );
                }
            }
        }
        Ok(options)
    }
}
