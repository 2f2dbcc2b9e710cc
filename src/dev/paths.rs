//! The URL paths of dev mode, for the parts that serve them and the parts that only name them.

/// The URL prefix of everything that dev mode adds.
pub const PREFIX: &str = "/__snaxum/";
/// The script that dev mode adds to the user's HTML pages.
pub(super) const LIVE_SCRIPT: &str = "/__snaxum/live.js";
/// The modules that show an error in a page of the app.
pub(super) const LIVE_ASSETS: &str = "/__snaxum/live/";
/// The same as the path of a route.
pub(super) const LIVE_ASSET: &str = "/__snaxum/live/{*path}";
/// The WebSocket that this script opens.
pub(super) const LIVE_SOCKET: &str = "/__snaxum/live";
/// The MCP endpoint.
pub(super) const MCP: &str = "/__snaxum/mcp";

/// Reports whether `path` is the prefix or below it.
pub(super) fn is_below_prefix(path: &str) -> bool {
    path.strip_prefix(PREFIX.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
