//! The types of messages that a client may subscribe to, and sets of them.

/// Every type that a client may choose, in the order of their bits.
const NAMES: [&str; 19] = [
    "request.start",
    "request.end",
    "stream.end",
    "log",
    "error",
    "error.state",
    "reload.start",
    "reload.ok",
    "reload.fail",
    "status",
    "routes",
    "route.diff",
    "contract.diff",
    "pins",
    "worker",
    "profile",
    "websocket.message",
    "websocket.close",
    "metrics",
];
/// The types that every client is sent.
const ALWAYS: [&str; 6] = ["hello", "snapshot", "dropped", "bye", "pong", "problem"];

/// A set of types of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev) struct EventTypes(u32);

impl EventTypes {
    pub(in crate::dev) const NONE: Self = Self(0);
    pub(in crate::dev) const REQUEST_START: Self = Self::named("request.start");
    pub(in crate::dev) const REQUEST_END: Self = Self::named("request.end");
    pub(in crate::dev) const STREAM_END: Self = Self::named("stream.end");
    pub(in crate::dev) const LOG: Self = Self::named("log");
    pub(in crate::dev) const ERROR: Self = Self::named("error");
    pub(in crate::dev) const ERROR_STATE: Self = Self::named("error.state");
    pub(in crate::dev) const RELOAD_START: Self = Self::named("reload.start");
    pub(in crate::dev) const RELOAD_OK: Self = Self::named("reload.ok");
    pub(in crate::dev) const RELOAD_FAIL: Self = Self::named("reload.fail");
    pub(in crate::dev) const STATUS: Self = Self::named("status");
    pub(in crate::dev) const ROUTES: Self = Self::named("routes");
    pub(in crate::dev) const ROUTE_DIFF: Self = Self::named("route.diff");
    pub(in crate::dev) const CONTRACT_DIFF: Self = Self::named("contract.diff");
    pub(in crate::dev) const PINS: Self = Self::named("pins");
    pub(in crate::dev) const WORKER: Self = Self::named("worker");
    pub(in crate::dev) const PROFILE: Self = Self::named("profile");
    pub(in crate::dev) const WEBSOCKET_MESSAGE: Self = Self::named("websocket.message");
    pub(in crate::dev) const WEBSOCKET_CLOSE: Self = Self::named("websocket.close");
    pub(in crate::dev) const METRICS: Self = Self::named("metrics");
    pub(in crate::dev) const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// The types for a client that has not chosen: everything once, without repetitions.
    pub(in crate::dev) const DEFAULT: Self = {
        let on_demand = Self::REQUEST_START
            .or(Self::ERROR)
            .or(Self::ERROR_STATE)
            .or(Self::ROUTE_DIFF)
            .or(Self::PROFILE)
            .or(Self::METRICS);
        Self(Self::ALL.0 & !on_demand.0)
    };

    const fn named(name: &str) -> Self {
        let mut bit = 0;
        while !is_same(NAMES[bit], name) {
            bit += 1; // an unknown name does not compile
        }
        Self(1 << bit)
    }

    /// Returns the union.
    pub(in crate::dev) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether both sets share a type.
    pub(in crate::dev) fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Parses names: exact ones, `group.*`, or `*`.
    ///
    /// # Errors
    ///
    /// The unknown names.
    pub(in crate::dev) fn parse<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut chosen, mut unknown) = (Self::NONE, Vec::new());
        for name in names {
            let found = Self::matching(name);
            if found == Self::NONE && !ALWAYS.contains(&name) {
                unknown.push(name.to_owned());
            }
            chosen = chosen.or(found);
        }
        if unknown.is_empty() { Ok(chosen) } else { Err(unknown) }
    }

    fn matching(pattern: &str) -> Self {
        let matches = |name: &str| match pattern.strip_suffix('*') {
            Some("") => true,
            Some(group) => group.ends_with('.') && name.starts_with(group),
            None => name == pattern,
        };
        let bits = (0..NAMES.len()).filter(|&bit| matches(NAMES[bit]));
        bits.fold(Self::NONE, |types, bit| types.or(Self(1 << bit)))
    }

    /// The names that a client may choose.
    pub(in crate::dev) fn names() -> &'static [&'static str] {
        &NAMES
    }
}

/// Compares two texts at compile time.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_type_of_the_schema_can_be_chosen_or_is_always_sent() {
        let schema = include_str!("../../../docs/events.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let kinds = schema["oneOf"].as_array().expect("the messages").iter();
        let types: BTreeSet<&str> =
            kinds.filter_map(|kind| kind["properties"]["type"]["const"].as_str()).collect();
        assert_eq!(types, NAMES.into_iter().chain(ALWAYS).collect());
    }

    #[test]
    fn a_name_is_exact_or_a_group_or_all() {
        let parse = |names: &[&str]| EventTypes::parse(names.iter().copied());
        assert_eq!(parse(&[]), Ok(EventTypes::NONE));
        assert_eq!(parse(&["*"]), Ok(EventTypes::ALL));
        assert_eq!(
            parse(&["reload.*", "log"]),
            Ok([
                EventTypes::RELOAD_START,
                EventTypes::RELOAD_OK,
                EventTypes::RELOAD_FAIL,
                EventTypes::LOG
            ]
            .into_iter()
            .fold(EventTypes::NONE, EventTypes::or))
        );
        assert_eq!(parse(&["route.*"]), Ok(EventTypes::ROUTE_DIFF), "and not `routes`");
        assert_eq!(parse(&["error", "hello", "snapshot"]), Ok(EventTypes::ERROR));
    }

    #[test]
    fn unknown_names_are_returned() {
        let unknown =
            |names: &[&str]| EventTypes::parse(names.iter().copied()).expect_err("unknown");
        assert_eq!(unknown(&["log", "r*", "reload", "Log"]), ["r*", "reload", "Log"]);
        assert_eq!(unknown(&["", ".*", "log.*", "**"]), ["", ".*", "log.*", "**"]);
    }
}
