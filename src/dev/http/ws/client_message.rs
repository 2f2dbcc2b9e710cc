//! The three messages of a client that are understood, and what is wrong with every other.
//!
//! All are about what the client itself is told; none is a command to the server.

use serde_json::{Map, Value};

use crate::dev::protocol::Body;
use crate::dev::protocol::event_types::Types;

/// The messages that are understood.
const KINDS: [&str; 3] = ["ping", "subscribe", "ack"];
/// Bytes of a ping's id.
const MAX_ID: usize = 64;
/// Types that one `subscribe` may name.
const MAX_TYPES: usize = 64;
/// Unknown names that are told of, and characters of each.
const MAX_UNKNOWN: (usize, usize) = (8, 40);

/// What a client says.
#[derive(Debug, PartialEq)]
pub(in crate::dev) enum Said {
    /// It is there, and wants to hear that the server is. What it gave as `id` is given back.
    Ping(Value),
    /// From now on it wants these.
    Subscribe(Types),
    /// It has dealt with everything up to this number.
    Ack(u64),
}

/// Why a message is not understood; nothing has changed.
#[derive(Debug, Default, PartialEq)]
pub(in crate::dev) struct Problem {
    about: Option<&'static str>,
    detail: String,
    unknown: Vec<String>,
    known: &'static [&'static str],
}

impl Said {
    /// Reads a message that is JSON.
    pub(in crate::dev) fn read(text: &str) -> Result<Self, Problem> {
        let of =
            |about, detail: &str| Problem { about, detail: detail.into(), ..Problem::default() };
        let fields = serde_json::from_str::<Map<String, Value>>(text);
        let fields = fields.map_err(|_| of(None, "a message is an object, and not a deep one"))?;
        match fields.get("type").and_then(Value::as_str) {
            Some("ping") => match fields.get("id").unwrap_or(&Value::Null) {
                id @ (Value::Null | Value::Number(_)) => Ok(Self::Ping(id.clone())),
                Value::String(id) if id.len() <= MAX_ID => Ok(Self::Ping(id.as_str().into())),
                _ => Err(of(Some("ping"), "`id` is a number, or a text of at most 64 bytes")),
            },
            Some("subscribe") => {
                let names = fields.get("types").and_then(Value::as_array);
                let names = names.filter(|names| names.len() <= MAX_TYPES);
                let names = names.and_then(|names| names.iter().map(Value::as_str).collect());
                let names: Vec<&str> = names.ok_or_else(|| {
                    of(Some("subscribe"), "`types` is a list of at most 64 names")
                })?;
                Types::read(names).map(Self::Subscribe).map_err(Problem::unknown_types)
            }
            Some("ack") => match fields.get("seq").and_then(Value::as_u64) {
                Some(seq) => Ok(Self::Ack(seq)),
                None => Err(of(Some("ack"), "`seq` is the number of a message")),
            },
            Some(other) => Err(Problem {
                detail: "no such message; what changes the server is a POST".into(),
                unknown: vec![cut(other)],
                known: &KINDS,
                ..Problem::default()
            }),
            None => Err(Problem { known: &KINDS, ..of(None, "a message has a `type`") }),
        }
    }
}

impl Problem {
    /// These names are no types of messages.
    pub(in crate::dev) fn unknown_types(names: Vec<String>) -> Self {
        Self {
            about: Some("subscribe"),
            detail: "no such types; what was chosen before stays".into(),
            unknown: names.iter().take(MAX_UNKNOWN.0).map(|name| cut(name)).collect(),
            known: Types::names(),
        }
    }

    /// Nobody has been told of an event of that number.
    pub(in crate::dev) fn untold(newest: u64) -> Self {
        let detail = format!("nothing after {newest} has been told");
        Self { about: Some("ack"), detail, ..Self::default() }
    }

    /// As it is told.
    pub(in crate::dev) fn body(&self) -> Body<'_> {
        let Self { about, detail, unknown, known } = self;
        Body::Problem { about: *about, detail, unknown, known }
    }
}

fn cut(name: &str) -> String {
    let mut cut: String = name.chars().take(MAX_UNKNOWN.1).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problem(text: &str) -> Problem {
        Said::read(text).expect_err("it is not understood")
    }

    #[test]
    fn a_ping_may_have_a_short_id() {
        assert_eq!(Said::read(r#"{"type":"ping"}"#), Ok(Said::Ping(Value::Null)));
        assert_eq!(Said::read(r#"{"type":"ping","id":7}"#), Ok(Said::Ping(json!(7))));
        assert_eq!(Said::read(r#"{"v":1,"id":"a","type":"ping"}"#), Ok(Said::Ping(json!("a"))));
        let long = json!({"type": "ping", "id": "x".repeat(65)}).to_string();
        for text in [&*long, r#"{"type":"ping","id":[]}"#, r#"{"type":"ping","id":true}"#] {
            assert_eq!(problem(text).about, Some("ping"));
        }
    }

    #[test]
    fn a_choice_is_a_list_of_names() {
        let types = Types::ERROR.or(Types::LOG);
        let text = r#"{"type":"subscribe","types":["log","error"]}"#;
        assert_eq!(Said::read(text), Ok(Said::Subscribe(types)));
        let many = json!({"type": "subscribe", "types": vec!["log"; 65]}).to_string();
        for text in [
            &*many,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","types":"log"}"#,
            r#"{"type":"subscribe","types":[1]}"#,
        ] {
            assert_eq!(problem(text).about, Some("subscribe"), "{text}");
        }
    }

    #[test]
    fn names_that_mean_nothing_are_given_back_cut_with_those_that_there_are() {
        let names: Vec<String> = (0..20).map(|number| format!("{number:050}")).collect();
        let text = json!({"type": "subscribe", "types": names}).to_string();
        let problem = problem(&text);
        assert_eq!(problem.unknown.len(), 8);
        assert_eq!(problem.unknown[0], format!("{}…", "0".repeat(40)));
        assert!(problem.known.contains(&"request.start"));
    }

    #[test]
    fn an_acknowledgement_has_a_number() {
        assert_eq!(Said::read(r#"{"type":"ack","seq":3}"#), Ok(Said::Ack(3)));
        for seq in ["-1", "1.5", "null", "\"3\""] {
            let text = format!(r#"{{"type":"ack","seq":{seq}}}"#);
            assert_eq!(problem(&text).about, Some("ack"), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let deep = format!(r#"{{"type":"ping","id":{deep}}}"#);
        for text in ["1", "null", "[1]", r#"["ping",1,2,3]"#, r#""ping""#, &*deep] {
            assert_eq!(problem(text).known.len(), 0, "{text}");
        }
        for text in ["{}", r#"{"type":1}"#, r#"{"type":"reload"}"#, r#"{"type":"Ping"}"#] {
            assert_eq!(problem(text).known, KINDS, "{text}");
        }
    }
}
