//! A message of an assistant, as far as the way to the server depends on it, and the errors that
//! the way itself has (JSON-RPC 2.0).

use axum::http::HeaderValue;
use axum::http::request::Builder;
use serde_json::{Value, json};

use crate::cli::render::color;

/// Bytes of a message that the server takes.
const MAX_MESSAGE: usize = 64 * 1024;
/// Tools that only look: to ask twice does no harm.
const READING: [&str; 7] =
    ["routes", "errors", "requests", "reloads", "logs", "workers", "await_reload"];
/// Codes of errors: what is no JSON, no message, and did not reach the server.
const NO_JSON: i32 = -32700;
pub(super) const INVALID: i32 = -32600;
const LOST: i32 = -32000;

/// A request, or a notification, which has no id.
pub(super) struct Message {
    pub(super) id: Option<Value>,
    pub(super) method: String,
    text: String,
    params: Value,
}

/// What the assistant is told in place of an answer.
pub(super) struct Problem {
    pub(super) id: Option<Value>,
    pub(super) code: i32,
    pub(super) text: String,
}

impl Message {
    /// Reads a line; `None` if nothing is to be done with it.
    pub(super) fn read(line: &[u8]) -> Result<Option<Self>, Problem> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let refused = |id, code, text| Problem { id, code, text };
        let text = std::str::from_utf8(line)
            .map_err(|_| refused(None, NO_JSON, "the line is not UTF-8".to_owned()))?;
        let value: Value = serde_json::from_str(text)
            .map_err(|error| refused(None, NO_JSON, format!("the line is no JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            let text = "the line is no object; send each message by itself".to_owned();
            return Err(refused(None, INVALID, text));
        };
        let id = fields.remove("id").filter(|id| !id.is_null());
        let Some(method) = fields.get("method") else {
            // An answer: nothing was asked.
            return Ok(None);
        };
        let Some(method) = method.as_str().map(ToOwned::to_owned) else {
            return Err(refused(id, INVALID, "`method` is no text".to_owned()));
        };
        if text.len() > MAX_MESSAGE {
            let text = format!("a message has at most {MAX_MESSAGE} bytes, not {}", text.len());
            return Err(refused(id, INVALID, text));
        }
        let params = fields.remove("params").unwrap_or_default();
        Ok(Some(Self { id, method, text: text.to_owned(), params }))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// By which it is found when it is cancelled.
    pub(super) fn key(&self) -> Option<String> {
        self.id.as_ref().map(Value::to_string)
    }

    /// The [`key`](Self::key) of the message that nobody wants answered any more.
    pub(super) fn cancels(&self) -> Option<String> {
        let is_it = self.method == "notifications/cancelled";
        is_it.then(|| self.params["requestId"].to_string())
    }

    /// Whether it changes nothing, so that it may be sent again when nobody knows what became of it.
    pub(super) fn only_looks(&self) -> bool {
        let tool = self.params["name"].as_str().unwrap_or_default();
        self.method != "tools/call" || READING.contains(&tool)
    }

    /// Says in the head of an HTTP request what the message says, where the protocol wants that;
    /// `agreed` is the version that `initialize` has led to.
    pub(super) fn head(&self, mut request: Builder, agreed: Option<&str>) -> Builder {
        let asked = self.params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        let version = asked.or(agreed).filter(|_| self.method != "initialize");
        let name = self.params["name"].as_str().filter(|_| self.method == "tools/call");
        let said = [
            ("mcp-protocol-version", version),
            ("mcp-method", Some(&*self.method)),
            ("mcp-name", name),
        ];
        for (header, value) in said {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request = request.header(header, value);
            }
        }
        request
    }

    /// Says that it was not answered.
    pub(super) fn problem(&self, text: String) -> Problem {
        Problem { id: self.id.clone(), code: LOST, text }
    }

    /// Whether this is what it waits for, and no message on the way there.
    pub(super) fn is_answered_by(&self, text: &str) -> bool {
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        said.get("method").is_none() && said.get("id") == self.id.as_ref()
    }

    /// The answer as a line, with the version that it agrees to.
    pub(super) fn answer(&self, text: &str) -> Option<(String, Option<String>)> {
        let mut answer: Value = serde_json::from_str(text).ok()?;
        answer.as_object().filter(|fields| fields.get("jsonrpc").is_some())?;
        let version = answer["result"]["protocolVersion"].as_str().map(ToOwned::to_owned);
        if answer["id"].is_null()
            && let Some(id) = &self.id
        {
            // What the server could not read it cannot name; who sent it waits for its id.
            answer["id"] = id.clone();
            return Some((answer.to_string(), version));
        }
        Some((in_one_line(text), version))
    }
}

impl Problem {
    pub(super) fn line(&self) -> String {
        let error = json!({ "code": self.code, "message": color::plain(&self.text) });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error }).to_string()
    }
}

/// JSON has line breaks between its parts only.
pub(super) fn in_one_line(json: &str) -> String {
    json.trim().replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn read(line: &str) -> Message {
        let message = Message::read(line.as_bytes()).map_err(|problem| problem.text);
        message.expect("it is a message").expect("it is for the server")
    }

    fn refusal(line: &[u8]) -> Value {
        let problem = Message::read(line).err().expect("it is refused");
        serde_json::from_str(&problem.line()).expect("JSON")
    }

    fn head(message: &Message, agreed: Option<&str>) -> Vec<(String, String)> {
        let request = message.head(Request::post("/"), agreed).body(()).expect("a request");
        let text = |value: &HeaderValue| value.to_str().expect("ASCII").to_owned();
        request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_id_where_it_has_one() {
        assert_eq!(refusal(b"{")["error"]["code"], NO_JSON);
        assert_eq!(refusal(b"\xff")["error"]["code"], NO_JSON);
        assert_eq!(refusal(b"[]")["error"]["code"], INVALID);
        let numbered = refusal(br#"{"id": 7, "method": 1}"#);
        assert_eq!((&numbered["id"], &numbered["error"]["code"]), (&json!(7), &json!(INVALID)));
        let long =
            format!(r#"{{"id":"a","method":"x","params":{{"a":"{}"}}}}"#, "x".repeat(70_000));
        let long = refusal(long.as_bytes());
        assert_eq!(long["id"], "a");
        assert!(long["error"]["message"].as_str().is_some_and(|text| text.contains("65536")));
    }

    #[test]
    fn blank_lines_and_answers_go_nowhere() {
        for line in ["", "\r\n", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
            assert!(
                Message::read(line.as_bytes()).is_ok_and(|message| message.is_none()),
                "{line}"
            );
        }
    }

    #[test]
    fn the_head_says_what_the_message_says() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let first = read(r#"{"id":1,"method":"initialize","params":{"protocolVersion":"a"}}"#);
        assert_eq!(head(&first, Some("b")), [pair("mcp-method", "initialize")]);
        let call = read(r#"{"id":2,"method":"tools/call","params":{"name":"logs"}}"#);
        assert_eq!(
            head(&call, Some("b")),
            [
                pair("mcp-protocol-version", "b"),
                pair("mcp-method", "tools/call"),
                pair("mcp-name", "logs")
            ]
        );
        let stateless = read(
            r#"{"id":3,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"c"}}}"#,
        );
        assert_eq!(head(&stateless, Some("b"))[0], pair("mcp-protocol-version", "c"));
        assert!(head(&read(r#"{"id":4,"method":"a\nb"}"#), None).is_empty());
    }

    #[test]
    fn only_what_looks_is_sent_again() {
        let calls = |tool: &str| {
            let line = json!({ "id": 1, "method": "tools/call", "params": { "name": tool } });
            read(&line.to_string()).only_looks()
        };
        assert!(calls("logs") && read(r#"{"id":1,"method":"tools/list"}"#).only_looks());
        assert!(!calls("call_route") && !calls("replay") && !calls("reload") && !calls("new"));
    }

    #[test]
    fn an_answer_is_one_line_and_has_the_id_of_its_question() {
        let message = read(r#"{"id":1,"method":"initialize"}"#);
        let text =
            "{\"jsonrpc\":\"2.0\",\n \"id\":1,\r\n \"result\":{\"protocolVersion\":\"v\"}}\n";
        let (line, version) = message.answer(text).expect("an answer");
        assert!(!line.contains(['\n', '\r']), "{line}");
        assert_eq!(version.as_deref(), Some("v"));
        let (line, _) = message.answer(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#).expect("one");
        assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON")["id"], 1);
        assert!(message.answer("Nothing here.\n").is_none() && message.answer("[]").is_none());
    }

    #[test]
    fn a_cancelled_message_is_found_by_its_id() {
        for id in ["7", "\"7\""] {
            let asked = read(&format!(r#"{{"id":{id},"method":"tools/list"}}"#));
            let line =
                format!(r#"{{"method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
            assert_eq!(read(&line).cancels(), asked.key());
            assert!(asked.cancels().is_none());
        }
    }
}
