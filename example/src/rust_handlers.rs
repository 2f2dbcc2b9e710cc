//! Endpoints in Rust: ordinary axum handlers. Only [`squares`] waits for Python.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use snaxum::prelude::*;

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

/// Adds up the squares of the numbers in the body, with a function in Python.
pub(crate) async fn squares(
    State(runtime): State<Arc<PythonRuntime>>,
    Json(numbers): Json<Vec<f64>>,
) -> Result<Json<f64>, FunctionError> {
    Ok(Json(runtime.call_function("pool_workers:sum_of_squares", (numbers,)).await?))
}
