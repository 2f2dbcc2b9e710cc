//! `/__snaxum/mcp`: what happens here, as tools for an assistant (Model Context Protocol).
//!
//! Owns the endpoint, which is not there until somebody opens it. It keeps no sessions: each
//! request brings the token, and is answered by itself. Which tools there are is in `offers.rs`, what
//! they are given in `arguments.rs`, what they tell in `tools.rs` and `calling.rs`, how that becomes
//! text in `text.rs`; who gets this far, in `guard/assistant.rs`.

mod app_request;
mod arguments;
mod catalog;
mod text;
mod tools;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use futures_util::FutureExt;
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

use crate::dev::engine::Dev;
use crate::dev::http;

/// Bytes of a message from an assistant: a name and a few arguments.
const MAX_MESSAGE: usize = 64 * 1024;
const INSTRUCTIONS: &str = "A developer's own server and the Python code that it reloads on each \
    save. After an edit call `await_reload`: it returns once the files on disk are live or \
    rejected, and says what is wrong. `errors` has the tracebacks of what failed, `requests` with \
    an `id` all that is known of one request. Times are milliseconds since 1970 (UTC), durations \
    milliseconds, paths of files relative to the project. Secrets are masked.";

/// Answers one message.
pub(in crate::dev) async fn answer(State(dev): State<Dev>, mut request: Request) -> Response {
    let Some(mcp) = dev.inner.mcp.get() else { return http::nothing().await };
    // The guard has seen it, and what logs the rest of a request has no use for it.
    request.headers_mut().remove(AUTHORIZATION);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // The guard has checked `Host`, and knows what `--allow-host` allows.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(MAX_MESSAGE);
    let (may_write, stop) = (mcp.may_write, mcp.stop.clone());
    let assistant = Assistant { dev: dev.clone(), may_write, stop };
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(assistant.clone()), sessions, config);
    service.handle(request).await.map(Body::new)
}

/// What an assistant talks to.
#[derive(Clone)]
struct Assistant {
    dev: Dev,
    may_write: bool,
    stop: CancellationToken,
}

impl ServerHandler for Assistant {
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
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&asked.name).is_none() {
            return Err(ErrorData::invalid_params("no such tool; `tools/list` names them", None));
        }
        let arguments = Value::Object(asked.arguments.unwrap_or_default());
        let answer = unharmed(tools::call(&self.dev, &self.stop, &asked.name, arguments));
        let answer = tokio::select! {
            answer = answer => answer,
            // This is a task of its own, which outlives the connection.
            () = context.ct.cancelled() => Err("nobody waits for it any more".to_owned()),
        };
        let result = match answer {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(problem) => {
                CallToolResult::error(vec![ContentBlock::text(text::problem(&problem))])
            }
        };
        Ok(result.into())
    }
}

/// Answers also where a tool panics: nothing else would, and whoever asked would wait for ever.
async fn unharmed(answer: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a tool for assistants panicked; the app goes on");
        Err("the tool could not answer".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_that_panics_has_an_answer() {
        let answer = unharmed(async { panic!("on purpose") }).await;
        assert_eq!(answer, Err("the tool could not answer".to_owned()));
        assert_eq!(unharmed(async { Ok("fine".to_owned()) }).await.as_deref(), Ok("fine"));
    }
}
