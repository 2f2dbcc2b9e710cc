//! The HTTP application of FastMCP, by a client of its protocol.

use reqwest::Method;
use serde_json::{Value, json};

use super::{edit, route, world};
use crate::scenarios::world::World;
use crate::support::{Reply, send};

const FASTMCP: &str = r#"
from fastmcp import FastMCP

from tools import double

server = FastMCP("demo")
server.tool(double)

@server.resource("notes://today")
def notes() -> str:
    return "a note"

app = server.http_app()
"#;

const TOOLS: &str = r#"
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2
"#;

/// A client of an MCP server over HTTP.
struct Mcp {
    session: String,
    next: u32,
}

impl Mcp {
    async fn open(world: &World) -> Self {
        let mut mcp = Self { session: String::new(), next: 0 };
        let client = json!({"name": "test", "version": "1"});
        let version =
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let opened = mcp.call(world, "initialize", version).await;
        assert_eq!(opened["result"]["serverInfo"]["name"], "demo", "{opened}");
        let text = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(mcp.post(world, &text).await.status, 202);
        mcp
    }

    async fn post(&mut self, world: &World, message: &Value) -> Reply {
        let mut request = world.server.request(Method::POST, "/mcp").json(message);
        request = request.header("accept", "application/json, text/event-stream");
        if !self.session.is_empty() {
            request = request.header("mcp-session-id", &self.session);
        }
        let reply = send(request).await;
        let session = reply.header("mcp-session-id");
        if !session.is_empty() {
            session.clone_into(&mut self.session);
        }
        reply
    }

    /// Calls a method; gives the message of its stream.
    async fn call(&mut self, world: &World, method: &str, params: Value) -> Value {
        self.next += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        let reply = self.post(world, &message).await;
        assert_eq!(reply.status, 200, "{method}: {}", reply.text());
        let data = reply.text().lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
        let data = data.unwrap_or_else(|| reply.text());
        serde_json::from_str(data).unwrap_or_else(|_| panic!("no JSON: {data}"))
    }

    async fn double(&mut self, world: &World) -> Value {
        let params = json!({"name": "double", "arguments": {"number": 4}});
        self.call(world, "tools/call", params).await["result"]["content"][0]["text"].take()
    }
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn the_http_application_of_fastmcp() {
    let mut world = world(&[("main.py", FASTMCP), ("tools.py", TOOLS)], "main:app").await;
    let mut mcp = Mcp::open(&world).await;
    assert_eq!(mcp.double(&world).await, "8");
    let row = route(&world, "/mcp").await;
    assert_eq!(row["module"], "fastmcp.server.http");

    // Its sessions belong to its application: a client begins another one.
    assert_eq!(edit(&mut world, "tools.py", "* 2", "* 3").await.ran(), ["tools", "main"]);
    let mut mcp = Mcp::open(&world).await;
    assert_eq!(mcp.double(&world).await, "12");
    assert!(edit(&mut world, "tools.py", "* 3", "* ").await.failure().contains("SyntaxError"));
    assert_eq!(mcp.double(&world).await, "12", "the last good code has the session");
}
