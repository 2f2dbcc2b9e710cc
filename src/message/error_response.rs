//! A response that is an error, before it has a form that the client accepts.
//!
//! Plain data: `problem.rs` writes it.

use super::traceback::Traceback;

/// A response that is an error (RFC 9457).
#[derive(Debug, Default)]
pub struct ErrorResponse {
    /// 400 to 599.
    pub status: u16,
    /// One sentence for the client; empty for an exception, whose text is not public.
    pub detail: String,
    /// Headers in addition to the content type.
    pub headers: Vec<(String, String)>,
    /// The exception of the handler.
    pub traceback: Option<Box<Traceback>>,
    /// Further members of the problem document, such as `errors`.
    pub extensions: serde_json::Map<String, serde_json::Value>,
}
