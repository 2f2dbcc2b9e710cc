//! An axum server with an endpoint in Rust, and endpoints in Python in `python/`.
//!
//! Run it in the directory of the project. With `--dev` a save of a Python file is live with the
//! next request, and the console is at the printed address. ADDRESS is the address to listen on.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use snaxum::dev::Dev;
use snaxum::prelude::*;
use snaxum::project::Project;
use snaxum::server::DRAIN_TIMEOUT;
use snaxum::venv;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let dev = env::args().any(|argument| argument == "--dev");
    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    // Before Python starts: it would install its own handler of Ctrl-C.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let runtime = start_python(dev)?;
    let mut app = app(&runtime);
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    if dev {
        let dev = Dev::start(&runtime)?;
        app = app.merge(dev.router());
        println!("console at {}", dev.console_url(address));
    }

    let stopping = Arc::clone(&runtime);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopping.begin_shutdown();
            tokio::spawn(async move {
                interrupt.recv().await; // a second Ctrl-C does not wait
                std::process::exit(130);
            });
        })
        .await?;
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
        .route("/rust/hello", get(hello))
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
