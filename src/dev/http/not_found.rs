//! The 404 of every address below the prefix that has no resource.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not found.\n").into_response()
}
