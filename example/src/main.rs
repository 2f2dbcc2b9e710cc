//! An axum application that has Rust endpoints and Python endpoints in one router.
//!
//! `snaxum dev example` builds and serves it: a save of Rust or Python is live, and the console is at the
//! address that is printed. `cargo run -p snaxum-example` serves it without; with `-- --dev` only Python is
//! reloaded. `-- --port 8080` takes another port.

mod rust_handlers;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use snaxum::dev::Dev;
use snaxum::prelude::*;
use snaxum::project::Project;
use snaxum::server::{self, CancellationToken, DRAIN_TIMEOUT, StopSignals};
use snaxum::venv;

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let options = Options::from_args()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    // Before Python starts: Python installs its own handler of Ctrl-C if there is none.
    let mut signals = StopSignals::register()?;

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

    let rust = RustRoutes::new()
        .get("/rust/hello", rust_handlers::hello)
        .post("/rust/echo", rust_handlers::echo)
        .post("/rust/squares", rust_handlers::squares);
    let mut app = Router::new()
        .merge(rust.router(&runtime))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(Arc::clone(&runtime));

    // Under `snaxum dev` it is the socket of the command.
    let listener = server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    if runtime.config().dev {
        let dev = Dev::start(&runtime)?;
        app = app.merge(dev.router());
        println!("console at {}", dev.console_url(address));
    }

    let stop = CancellationToken::new();
    tokio::spawn({
        let (runtime, stop) = (Arc::clone(&runtime), stop.clone());
        async move {
            signals.next().await;
            runtime.begin_shutdown(); // an open event stream has no end of its own
            stop.cancel();
            std::process::exit(signals.next().await.exit_code()); // the second signal does not wait
        }
    });
    server::serve(listener, app, stop, DRAIN_TIMEOUT).await;
    runtime.shutdown(DRAIN_TIMEOUT).await;
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
