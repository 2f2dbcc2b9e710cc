//! The Rust endpoint of `axum-plain`, with Snaxum mounted beside it: `axum-mounted PORT`, in a
//! directory that has `python/`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::{any, get};
use axum::{Json, Router};
use serde::Serialize;
use snaxum::prelude::*;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: axum-mounted PORT")?.parse()?;
    let config = SnaxumConfig::builder().python_dir("./python").build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config)?);
    let app = Router::new()
        .route("/rust/hello", get(hello))
        .route("/python/{*path}", any(handle_python_request))
        .with_state(runtime);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn hello() -> Json<Greeting> {
    Json(Greeting { message: "hello" })
}
