//! A program as `snaxum dev` runs it, for `tests/it/takeover.rs`: a handler in Rust, handlers in Python, and
//! `server::serve`.
//!
//! VERSION takes the place of a change of the code. `panic` fails before the program serves.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use snaxum::prelude::*;
use snaxum::server::{self, CancellationToken, StopSignals};

/// Names this build of the program.
async fn version() -> String {
    std::env::var("VERSION").unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).init();
    let mut signals = StopSignals::register()?;
    assert!(version().await != "panic", "this version does not start");
    let config = SnaxumConfig::builder().python_dir("./python").dispatch_workers(2).build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);
    let mut rust = RustRoutes::new().get("/rust/version", version);
    if version().await != "1" {
        rust = rust.get("/rust/second", version);
    }
    let app = Router::new()
        .merge(rust.router(&runtime))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(runtime.clone())
        .merge(snaxum::dev::router(&runtime)?);

    let listener = server::bind("127.0.0.1:0".parse()?).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    tokio::spawn({
        let (runtime, stop) = (runtime.clone(), stop.clone());
        async move {
            signals.next().await;
            runtime.begin_shutdown();
            stop.cancel();
        }
    });
    server::serve(listener, app, stop, Duration::from_secs(60)).await;
    runtime.shutdown(Duration::from_secs(60)).await;
    Ok(())
}
