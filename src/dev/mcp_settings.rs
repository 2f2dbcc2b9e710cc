//! Access to MCP: the endpoint's own token, and whether its tools may change something.
//!
//! Knows no HTTP; the endpoint itself is in `http/mcp.rs`.

use tokio_util::sync::CancellationToken;

use super::token;

/// The settings of the MCP endpoint, once it is open.
pub(super) struct McpSettings {
    pub(super) token: String,
    pub(super) may_write: bool,
    /// Cancelled when the server begins to stop, so that no tool waits any longer.
    pub(super) stop: CancellationToken,
}

impl McpSettings {
    pub(super) fn new(may_write: bool, token: Option<String>) -> Self {
        let token = token.unwrap_or_else(|| token::random_text(32));
        Self { token, may_write, stop: CancellationToken::new() }
    }
}
