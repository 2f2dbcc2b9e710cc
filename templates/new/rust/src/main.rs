//! An axum server with an endpoint in Rust, and endpoints in Python in `python/`.
//!
//! `snaxum dev` in the directory of the project builds and runs it: a save is live with the next request, and
//! the console is at the printed address. `cargo run` serves it without; ADDRESS is the address to listen on.

use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use snaxum::dev::Dev;
use snaxum::prelude::*;
use snaxum::project::Project;
use snaxum::server::{self, CancellationToken, DRAIN_TIMEOUT, StopSignals};
use snaxum::venv;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let dev = env::args().any(|argument| argument == "--dev");
    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    // Before Python starts: it would install its own handler of Ctrl-C.
    let mut signals = StopSignals::register()?;

    let runtime = start_python(dev)?;
    let mut app = app(&runtime);
    // Under `snaxum dev` it is the socket of the command.
    let listener = server::bind(address.parse()?).await?;
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
            runtime.begin_shutdown();
            stop.cancel();
            std::process::exit(signals.next().await.exit_code()); // the second signal does not wait
        }
    });
    server::serve(listener, app, stop, DRAIN_TIMEOUT).await;
    runtime.shutdown(DRAIN_TIMEOUT).await;
    Ok(())
}

/// Starts Python with the modules in `python/` and the packages of `.venv`, which it creates.
fn start_python(dev: bool) -> Result<Arc<PythonRuntime>, Box<dyn Error>> {
    let project = Project::read(Path::new("."))?;
    venv::ensure(&project, &|line| println!("{line}"))?;
    let config = SnaxumConfig::builder()
        .project_dir(&project.root)
        .python_dir(project.root.join("python"))
        .dev(dev)
        .build()?;
    Ok(Arc::new(PythonRuntime::with_config(config)?))
}

/// The routes: everything below `/python` is in Python.
fn app(runtime: &Arc<PythonRuntime>) -> Router {
    Router::new()
        .merge(RustRoutes::new().get("/rust/hello", hello).router(runtime))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(Arc::clone(runtime))
}

async fn hello() -> &'static str {
    "Hello from Rust"
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn text(app: &Router, path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).expect("a path");
        let response = app.clone().oneshot(request).await.expect("it never fails");
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn both_languages_respond() {
        let runtime = start_python(false).expect("Python starts");
        let app = app(&runtime);

        assert_eq!(text(&app, "/rust/hello").await, "Hello from Rust");
        assert!(text(&app, "/python/sales").await.contains(r#"{"city":"Wien","sales":585}"#));
        runtime.shutdown(DRAIN_TIMEOUT).await;
    }
}
