//! `/__snaxum/mcp`: the state of the server as tools for an assistant (Model Context Protocol).
//!
//! Owns the endpoint, which is a 404 until `Dev::open_mcp`. It has no sessions: each request has
//! the token, and gets its response alone. The list of tools is in `catalog.rs`, their arguments in
//! `arguments.rs`, their results in `tools.rs` and `app_request.rs`, rendered by `text.rs`;
//! `guard/mcp.rs` admits the requests.

mod app_request;
mod arguments;
mod catalog;
mod text;
mod tools;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::catch_panic::catch_panic;
use super::not_found::not_found;
use crate::dev::engine::Dev;

/// Bytes of a message from a client: the name of a tool and a few arguments.
const MAX_MESSAGE: usize = 64 * 1024;
const INSTRUCTIONS: &str = "A developer's own server and the Python code that it reloads on each \
    save. After an edit call `await_reload`: it returns once the files on disk are live or \
    rejected, with the errors. `errors` has the tracebacks of failed requests and reloads, \
    `requests` with an `id` every detail of one request. Times are milliseconds since 1970 (UTC), \
    durations milliseconds, paths of files relative to the project. Secrets are masked.";

/// Handles one message of a client.
pub(super) async fn handle(State(dev): State<Dev>, mut request: Request) -> Response {
    let Some(mcp) = dev.inner.mcp.get() else { return not_found().await };
    // The guard has checked it, and no log line of the request may show it.
    request.headers_mut().remove(AUTHORIZATION);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // The guard has checked `Host`, with the names of `--allow-host`.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(MAX_MESSAGE);
    let (may_write, stop) = (mcp.may_write, mcp.stop.clone());
    let tools = McpTools { dev: dev.clone(), may_write, stop };
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(tools.clone()), sessions, config);
    service.handle(request).await.map(Body::new)
}

/// The MCP server of one message.
#[derive(Clone)]
struct McpTools {
    dev: Dev,
    may_write: bool,
    stop: CancellationToken,
}

impl ServerHandler for McpTools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("snaxum", env!("CARGO_PKG_VERSION")))
            .with_instructions(format!("{INSTRUCTIONS} {}", text::UNTRUSTED))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(catalog::list(self.may_write)))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        catalog::list(self.may_write).into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&call.name).is_none() {
            return Err(ErrorData::invalid_params(
                "unknown tool; `tools/list` names the tools",
                None,
            ));
        }
        let arguments = Value::Object(call.arguments.unwrap_or_default());
        let tool = tools::call(&self.dev, &self.stop, &call.name, arguments);
        let result = tokio::select! {
            // A panic would otherwise leave the client without a response.
            result = catch_panic("an MCP tool", tool) => {
                result.unwrap_or_else(|| Err("the tool failed: it panicked; see the log".to_owned()))
            }
            // This task outlives the connection.
            () = context.ct.cancelled() => Err("the request was cancelled".to_owned()),
        };
        let result = match result {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(text::error(&error))]),
        };
        Ok(result.into())
    }
}
