//! A JSON-RPC 2.0 message of an MCP client, and the errors of the relay itself.
//!
//! Parses only the parts that the relay uses; the text is sent unchanged.

use axum::http::HeaderValue;
use axum::http::request::Builder;
use serde_json::{Value, json};

use crate::cli::render::color;

/// The maximum bytes of a message that the server accepts.
const MAX_MESSAGE: usize = 64 * 1024;
/// JSON-RPC error codes: not JSON, not a message, no response of the server.
const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID: i32 = -32600;
const SERVER_ERROR: i32 = -32000;

/// A request, or a notification, which has no id.
pub(super) struct Message {
    pub(super) id: Option<Value>,
    pub(super) method: String,
    text: String,
    params: Value,
}

/// The error that replaces a response.
pub(super) struct RelayError {
    pub(super) id: Option<Value>,
    pub(super) code: i32,
    pub(super) text: String,
}

impl Message {
    /// Parses a line; `None` for an empty line or a response.
    pub(super) fn parse(line: &[u8]) -> Result<Option<Self>, RelayError> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let error = |id, code, text| RelayError { id, code, text };
        let text = std::str::from_utf8(line)
            .map_err(|_| error(None, PARSE_ERROR, "the line is not UTF-8".to_owned()))?;
        let value: Value = serde_json::from_str(text).map_err(|problem| {
            error(None, PARSE_ERROR, format!("the line is not JSON: {problem}"))
        })?;
        let Value::Object(mut fields) = value else {
            let text = "the line is not a JSON object; send one message per line".to_owned();
            return Err(error(None, INVALID, text));
        };
        let id = fields.remove("id").filter(|id| !id.is_null());
        let Some(method) = fields.get("method") else {
            // A response: the relay sends no requests of its own.
            return Ok(None);
        };
        let Some(method) = method.as_str().map(ToOwned::to_owned) else {
            return Err(error(id, INVALID, "`method` is not a string".to_owned()));
        };
        if text.len() > MAX_MESSAGE {
            let text = format!(
                "the message has {} bytes: the limit is {MAX_MESSAGE}; send less",
                text.len()
            );
            return Err(error(id, INVALID, text));
        }
        let params = fields.remove("params").unwrap_or_default();
        Ok(Some(Self { id, method, text: text.to_owned(), params }))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the key that identifies a pending message.
    pub(super) fn key(&self) -> Option<String> {
        self.id.as_ref().map(Value::to_string)
    }

    /// Returns the [`key`](Self::key) of the message that this one cancels.
    pub(super) fn cancelled_key(&self) -> Option<String> {
        let is_cancellation = self.method == "notifications/cancelled";
        is_cancellation.then(|| self.params["requestId"].to_string())
    }

    /// Returns the tool that it calls, which may change something. Other methods are read-only.
    pub(super) fn called_tool(&self) -> Option<&str> {
        let is_call = self.method == "tools/call";
        is_call.then(|| self.params["name"].as_str().unwrap_or_default())
    }

    /// Adds the HTTP headers that the protocol derives from a message; `negotiated` is the version
    /// that `initialize` returned.
    pub(super) fn add_headers(&self, mut request: Builder, negotiated: Option<&str>) -> Builder {
        let requested = self.params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        let version = requested.or(negotiated).filter(|_| self.method != "initialize");
        let name = self.params["name"].as_str().filter(|_| self.method == "tools/call");
        let headers = [
            ("mcp-protocol-version", version),
            ("mcp-method", Some(&*self.method)),
            ("mcp-name", name),
        ];
        for (header, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request = request.header(header, value);
            }
        }
        request
    }

    /// Returns the error for a message without a response.
    pub(super) fn error(&self, text: String) -> RelayError {
        RelayError { id: self.id.clone(), code: SERVER_ERROR, text }
    }

    /// Whether `text` is the response, not a notification or request before it.
    pub(super) fn is_response(&self, text: &str) -> bool {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        value.get("method").is_none() && value.get("id") == self.id.as_ref()
    }

    /// Parses the response.
    pub(super) fn response(&self, text: &str) -> Option<RpcResponse> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        value.as_object().filter(|fields| fields.get("jsonrpc").is_some())?;
        let version = value["result"]["protocolVersion"].as_str().map(ToOwned::to_owned);
        let tools = value["result"]["tools"].as_array();
        let is_read_only = |tool: &&Value| tool["annotations"]["readOnlyHint"] == true;
        let read_only = tools.into_iter().flatten().filter(is_read_only);
        let read_only = read_only.filter_map(|tool| Some(tool["name"].as_str()?.to_owned()));
        let read_only = read_only.collect();
        let line = match &self.id {
            // The server could not read the id of an invalid message; the client waits for it.
            Some(id) if value["id"].is_null() => {
                value["id"] = id.clone();
                value.to_string()
            }
            _ => in_one_line(text),
        };
        Some(RpcResponse { line, version, read_only })
    }
}

/// A response, and the facts in it that the relay uses.
pub(super) struct RpcResponse {
    pub(super) line: String,
    /// The protocol version that `initialize` returned.
    pub(super) version: Option<String>,
    /// The tools that change nothing, of `tools/list`.
    pub(super) read_only: Vec<String>,
}

impl RelayError {
    pub(super) fn line(&self) -> String {
        let error = json!({ "code": self.code, "message": color::escape(&self.text) });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error }).to_string()
    }
}

/// Joins the lines: JSON has line breaks only between tokens.
pub(super) fn in_one_line(json: &str) -> String {
    json.trim().replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parse(line: &str) -> Message {
        let message = Message::parse(line.as_bytes()).map_err(|problem| problem.text);
        message.expect("it is a message").expect("it is for the server")
    }

    fn rejection(line: &[u8]) -> Value {
        let problem = Message::parse(line).err().expect("it is rejected");
        serde_json::from_str(&problem.line()).expect("JSON")
    }

    fn headers(message: &Message, version: Option<&str>) -> Vec<(String, String)> {
        let request = message.add_headers(Request::post("/"), version).body(()).expect("a request");
        let text = |value: &HeaderValue| value.to_str().expect("ASCII").to_owned();
        request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn an_invalid_message_is_rejected_with_its_id() {
        assert_eq!(rejection(b"{")["error"]["code"], PARSE_ERROR);
        assert_eq!(rejection(b"\xff")["error"]["code"], PARSE_ERROR);
        assert_eq!(rejection(b"[]")["error"]["code"], INVALID);
        let numbered = rejection(br#"{"id": 7, "method": 1}"#);
        assert_eq!((&numbered["id"], &numbered["error"]["code"]), (&json!(7), &json!(INVALID)));
        let long =
            format!(r#"{{"id":"a","method":"x","params":{{"a":"{}"}}}}"#, "x".repeat(70_000));
        let long = rejection(long.as_bytes());
        assert_eq!(long["id"], "a");
        assert!(long["error"]["message"].as_str().is_some_and(|text| text.contains("65536")));
    }

    #[test]
    fn empty_lines_and_responses_are_ignored() {
        for line in ["", "\r\n", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
            assert!(
                Message::parse(line.as_bytes()).is_ok_and(|message| message.is_none()),
                "{line}"
            );
        }
    }

    #[test]
    fn the_headers_repeat_the_fields_of_the_message() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let first = parse(r#"{"id":1,"method":"initialize","params":{"protocolVersion":"a"}}"#);
        assert_eq!(headers(&first, Some("b")), [pair("mcp-method", "initialize")]);
        let call = parse(r#"{"id":2,"method":"tools/call","params":{"name":"logs"}}"#);
        assert_eq!(
            headers(&call, Some("b")),
            [
                pair("mcp-protocol-version", "b"),
                pair("mcp-method", "tools/call"),
                pair("mcp-name", "logs")
            ]
        );
        let stateless = parse(
            r#"{"id":3,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"c"}}}"#,
        );
        assert_eq!(headers(&stateless, Some("b"))[0], pair("mcp-protocol-version", "c"));
        assert!(headers(&parse(r#"{"id":4,"method":"a\nb"}"#), None).is_empty());
    }

    #[test]
    fn only_a_tool_call_may_change_something() {
        let call = parse(r#"{"id":1,"method":"tools/call","params":{"name":"replay"}}"#);
        assert_eq!(call.called_tool(), Some("replay"));
        assert_eq!(parse(r#"{"id":1,"method":"tools/list"}"#).called_tool(), None);
    }

    #[test]
    fn the_list_of_tools_shows_which_are_read_only() {
        let message = parse(r#"{"id":1,"method":"tools/list"}"#);
        let tool = |name: &str, hint: bool| json!({ "name": name, "annotations": { "readOnlyHint": hint } });
        let tools = [tool("logs", true), tool("reload", false), json!({ "name": "new" })];
        let text = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools } });
        let response = message.response(&text.to_string()).expect("a response");
        assert_eq!(response.read_only, ["logs"]);
    }

    #[test]
    fn a_response_is_one_line_with_the_id_of_its_request() {
        let message = parse(r#"{"id":1,"method":"initialize"}"#);
        let text =
            "{\"jsonrpc\":\"2.0\",\n \"id\":1,\r\n \"result\":{\"protocolVersion\":\"v\"}}\n";
        let response = message.response(text).expect("a response");
        assert!(!response.line.contains(['\n', '\r']), "{}", response.line);
        assert_eq!(response.version.as_deref(), Some("v"));
        let response =
            message.response(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#).expect("a response");
        assert_eq!(serde_json::from_str::<Value>(&response.line).expect("JSON")["id"], 1);
        assert!(message.response("Nothing here.\n").is_none());
        assert!(message.response("[]").is_none());
    }

    #[test]
    fn a_cancelled_message_is_found_by_its_id() {
        for id in ["7", "\"7\""] {
            let pending = parse(&format!(r#"{{"id":{id},"method":"tools/list"}}"#));
            let line =
                format!(r#"{{"method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
            assert_eq!(parse(&line).cancelled_key(), pending.key());
            assert!(pending.cancelled_key().is_none());
        }
    }
}
