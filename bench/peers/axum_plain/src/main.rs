//! The three endpoints in plain axum: `axum-plain PORT`. The first is there once more under the path
//! that `axum-mounted` has for it. Files of `assets` are served below `/assets`.
//!
//! Written as an axum user would on the first day, with nothing tuned.

use axum::extract::Path;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::Value;
use tower_http::services::ServeDir;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

#[derive(Serialize)]
struct User {
    user_id: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: axum-plain PORT")?.parse()?;
    let app = Router::new()
        .route("/python/hello", get(hello))
        .route("/rust/hello", get(hello))
        .route("/python/users/{user_id}", get(user))
        .route("/python/echo", post(echo))
        .nest_service("/assets", ServeDir::new("assets"));
    // Without this a file waits for the client's delayed ACK: head and body are two writes.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        stream.set_nodelay(true).expect("a TCP socket has the option");
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn hello() -> Json<Greeting> {
    Json(Greeting { message: "hello" })
}

async fn user(Path(user_id): Path<u64>) -> Json<User> {
    Json(User { user_id })
}

async fn echo(Json(document): Json<Value>) -> Json<Value> {
    Json(document)
}
