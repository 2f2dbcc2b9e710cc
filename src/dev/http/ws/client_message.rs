//! Parses a client's message: a ping or a subscription, and an error for every other.
//!
//! Each concerns only the client's own stream; none is a command to the server.

use serde_json::{Map, Value};

use crate::dev::protocol::EventBody;
use crate::dev::protocol::event_types::EventTypes;

const KNOWN_TYPES: [&str; 2] = ["ping", "subscribe"];
/// Bytes of a ping's id.
const MAX_ID: usize = 64;
/// Event types that one `subscribe` may name.
const MAX_TYPES: usize = 64;
/// Unknown names in an error, and characters of each.
const MAX_UNKNOWN: (usize, usize) = (8, 40);

#[derive(Debug, PartialEq)]
pub(super) enum ClientMessage {
    /// Requests a pong with the same `id`.
    Ping(Value),
    /// Replaces the event types that the client receives.
    Subscribe(EventTypes),
}

/// The reason why a message had no effect.
#[derive(Debug, Default, PartialEq)]
pub(super) struct MessageError {
    about: Option<&'static str>,
    detail: String,
    unknown: Vec<String>,
    known: &'static [&'static str],
}

impl ClientMessage {
    /// Parses a message that is JSON.
    pub(super) fn parse(text: &str) -> Result<Self, MessageError> {
        let error = |about, detail: &str| MessageError {
            about,
            detail: detail.into(),
            ..MessageError::default()
        };
        let fields = serde_json::from_str::<Map<String, Value>>(text);
        let fields = fields
            .map_err(|_| error(None, "not a message: send a JSON object with little nesting"))?;
        match fields.get("type").and_then(Value::as_str) {
            Some("ping") => match fields.get("id").unwrap_or(&Value::Null) {
                id @ (Value::Null | Value::Number(_)) => Ok(Self::Ping(id.clone())),
                Value::String(id) if id.len() <= MAX_ID => Ok(Self::Ping(id.as_str().into())),
                _ => {
                    Err(error(Some("ping"), "`id` must be a number, or a text of at most 64 bytes"))
                }
            },
            Some("subscribe") => {
                let names = fields.get("types").and_then(Value::as_array);
                let names = names.filter(|names| names.len() <= MAX_TYPES);
                let names = names.and_then(|names| names.iter().map(Value::as_str).collect());
                let names: Vec<&str> = names.ok_or_else(|| {
                    error(Some("subscribe"), "`types` must be a list of at most 64 names")
                })?;
                EventTypes::parse(names).map(Self::Subscribe).map_err(MessageError::unknown_types)
            }
            Some("ack") => {
                let detail = "`ack` was removed in version 2; send nothing instead: a client that \
                    reads too slowly receives `dropped` with the number of lost events";
                Err(MessageError { known: &KNOWN_TYPES, ..error(Some("ack"), detail) })
            }
            Some(other) => Err(MessageError {
                detail: "unknown message type; use a POST request to change the server".into(),
                unknown: vec![truncate(other)],
                known: &KNOWN_TYPES,
                ..MessageError::default()
            }),
            None => Err(MessageError {
                known: &KNOWN_TYPES,
                ..error(None, "the message has no `type`")
            }),
        }
    }
}

impl MessageError {
    pub(super) fn unknown_types(names: Vec<String>) -> Self {
        Self {
            about: Some("subscribe"),
            detail: "unknown event types; the subscription is unchanged".into(),
            unknown: names.iter().take(MAX_UNKNOWN.0).map(|name| truncate(name)).collect(),
            known: EventTypes::names(),
        }
    }

    /// Returns the `problem` event that reports it.
    pub(super) fn body(&self) -> EventBody<'_> {
        let Self { about, detail, unknown, known } = self;
        EventBody::Problem { about: *about, detail, unknown, known }
    }
}

fn truncate(name: &str) -> String {
    let mut short: String = name.chars().take(MAX_UNKNOWN.1).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// Checks a message: it has a short reply of a known type, or is a subscription.
#[cfg(any(test, fuzzing))]
pub fn fuzz_client_message(text: &str) {
    let reply = match ClientMessage::parse(text) {
        Ok(ClientMessage::Ping(id)) => {
            assert!(id.is_null() || id.is_number() || id.is_string(), "{id}");
            crate::dev::protocol::encode(1, EventBody::Pong { id: &id })
        }
        Ok(ClientMessage::Subscribe(_)) => return,
        Err(error) => crate::dev::protocol::encode(1, error.body()),
    };
    let reply: Value = serde_json::from_str(&reply).expect("JSON");
    assert!(reply["type"] == "pong" || reply["type"] == "problem", "{reply}");
    // A client cannot make the server send much.
    assert!(reply.to_string().len() < 4096, "{reply}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fuzz_client_message() {
        const WORDS: [&str; 20] = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"type\"",
            "\"ping\"",
            "\"subscribe\"",
            "\"types\"",
            "\"id\"",
            "\"request.*\"",
            "\"metrics\"",
            "\"*\"",
            "null",
            "1e999",
            "\"\\ud800\"",
            "\"é\"",
            "-0",
            "{\"type\": \"subscribe\", \"types\": [",
        ];
        crate::fuzz::check("client-message", &WORDS, super::fuzz_client_message);
    }

    fn error(text: &str) -> MessageError {
        ClientMessage::parse(text).expect_err("the message is invalid")
    }

    #[test]
    fn a_ping_may_have_a_short_id() {
        assert_eq!(
            ClientMessage::parse(r#"{"type":"ping"}"#),
            Ok(ClientMessage::Ping(Value::Null))
        );
        assert_eq!(
            ClientMessage::parse(r#"{"type":"ping","id":7}"#),
            Ok(ClientMessage::Ping(json!(7)))
        );
        assert_eq!(
            ClientMessage::parse(r#"{"v":1,"id":"a","type":"ping"}"#),
            Ok(ClientMessage::Ping(json!("a")))
        );
        let long = json!({"type": "ping", "id": "x".repeat(65)}).to_string();
        for text in [&*long, r#"{"type":"ping","id":[]}"#, r#"{"type":"ping","id":true}"#] {
            assert_eq!(error(text).about, Some("ping"));
        }
    }

    #[test]
    fn a_subscription_is_a_list_of_names() {
        let types = EventTypes::ERROR.or(EventTypes::LOG);
        let text = r#"{"type":"subscribe","types":["log","error"]}"#;
        assert_eq!(ClientMessage::parse(text), Ok(ClientMessage::Subscribe(types)));
        let many = json!({"type": "subscribe", "types": vec!["log"; 65]}).to_string();
        for text in [
            &*many,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","types":"log"}"#,
            r#"{"type":"subscribe","types":[1]}"#,
        ] {
            assert_eq!(error(text).about, Some("subscribe"), "{text}");
        }
    }

    #[test]
    fn an_error_has_the_unknown_names_truncated_and_the_known_ones() {
        let names: Vec<String> = (0..20).map(|number| format!("{number:050}")).collect();
        let text = json!({"type": "subscribe", "types": names}).to_string();
        let error = error(&text);
        assert_eq!(error.unknown.len(), 8);
        assert_eq!(error.unknown[0], format!("{}…", "0".repeat(40)));
        assert!(error.known.contains(&"request.start"));
    }

    #[test]
    fn an_ack_gets_an_error_that_names_its_replacement() {
        let error = error(r#"{"type":"ack","seq":3}"#);
        assert_eq!((error.about, error.known), (Some("ack"), &KNOWN_TYPES[..]));
        assert!(
            error.detail.contains("removed") && error.detail.contains("`dropped`"),
            "{error:?}"
        );
    }

    #[test]
    fn every_other_message_is_an_error() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let deep = format!(r#"{{"type":"ping","id":{deep}}}"#);
        for text in ["1", "null", "[1]", r#"["ping",1,2,3]"#, r#""ping""#, &*deep] {
            assert_eq!(error(text).known.len(), 0, "{text}");
        }
        for text in ["{}", r#"{"type":1}"#, r#"{"type":"reload"}"#, r#"{"type":"Ping"}"#] {
            assert_eq!(error(text).known, KNOWN_TYPES, "{text}");
        }
    }
}
