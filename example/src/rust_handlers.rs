//! Endpoints in Rust: ordinary axum handlers, which never wait for Python.

use axum::Json;
use serde::Serialize;
use serde_json::Value;

/// The response of [`hello`].
#[derive(Serialize)]
pub(crate) struct Hello {
    message: &'static str,
}

/// Greets.
pub(crate) async fn hello() -> Json<Hello> {
    Json(Hello { message: "Hello from Rust" })
}

/// Sends back what it gets.
pub(crate) async fn echo(Json(body): Json<Value>) -> Json<Value> {
    Json(body)
}
