//! The types of messages that a client may choose from, and what it has chosen.

/// Every type that may be chosen, each at the place of its bit.
const NAMES: [&str; 13] = [
    "request.start",
    "request.end",
    "log",
    "error",
    "reload.start",
    "reload.ok",
    "reload.fail",
    "status",
    "routes",
    "route.diff",
    "pins",
    "worker",
    "metrics",
];
/// What every client is told, whatever it chooses.
const ALWAYS: [&str; 6] = ["hello", "snapshot", "dropped", "bye", "pong", "problem"];

/// A set of types of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev) struct Types(u16);

impl Types {
    pub(in crate::dev) const NONE: Self = Self(0);
    pub(in crate::dev) const REQUEST_START: Self = Self::named("request.start");
    pub(in crate::dev) const REQUEST_END: Self = Self::named("request.end");
    pub(in crate::dev) const LOG: Self = Self::named("log");
    pub(in crate::dev) const ERROR: Self = Self::named("error");
    pub(in crate::dev) const RELOAD_START: Self = Self::named("reload.start");
    pub(in crate::dev) const RELOAD_OK: Self = Self::named("reload.ok");
    pub(in crate::dev) const RELOAD_FAIL: Self = Self::named("reload.fail");
    pub(in crate::dev) const STATUS: Self = Self::named("status");
    pub(in crate::dev) const ROUTES: Self = Self::named("routes");
    pub(in crate::dev) const ROUTE_DIFF: Self = Self::named("route.diff");
    pub(in crate::dev) const PINS: Self = Self::named("pins");
    pub(in crate::dev) const WORKER: Self = Self::named("worker");
    pub(in crate::dev) const METRICS: Self = Self::named("metrics");
    pub(in crate::dev) const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// What a client is told that has chosen nothing: what it needs to know everything, once.
    pub(in crate::dev) const USUAL: Self = {
        let left_out = Self::REQUEST_START.or(Self::ERROR).or(Self::ROUTE_DIFF).or(Self::METRICS);
        Self(Self::ALL.0 & !left_out.0)
    };

    const fn named(name: &str) -> Self {
        let mut place = 0;
        while !is_same(NAMES[place], name) {
            place += 1; // a name that is not there does not compile
        }
        Self(1 << place)
    }

    /// Both together.
    pub(in crate::dev) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `other` is in here.
    pub(in crate::dev) fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What these names mean together: exact ones, `group.*`, or `*`.
    ///
    /// # Errors
    ///
    /// The names that mean nothing.
    pub(in crate::dev) fn read<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut chosen, mut unknown) = (Self::NONE, Vec::new());
        for name in names {
            let meant = Self::matching(name);
            if meant == Self::NONE && !ALWAYS.contains(&name) {
                unknown.push(name.to_owned());
            }
            chosen = chosen.or(meant);
        }
        if unknown.is_empty() { Ok(chosen) } else { Err(unknown) }
    }

    fn matching(pattern: &str) -> Self {
        let is_meant = |name: &str| match pattern.strip_suffix('*') {
            Some("") => true,
            Some(group) => group.ends_with('.') && name.starts_with(group),
            None => name == pattern,
        };
        let places = (0..NAMES.len()).filter(|&place| is_meant(NAMES[place]));
        places.fold(Self::NONE, |types, place| types.or(Self(1 << place)))
    }

    /// The names that may be chosen.
    pub(in crate::dev) fn names() -> &'static [&'static str] {
        &NAMES
    }
}

/// Whether two texts are the same, while the program is compiled.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_type_of_the_schema_can_be_chosen_or_always_comes() {
        let schema = include_str!("../../../docs/events.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let kinds = schema["oneOf"].as_array().expect("the messages").iter();
        let types: BTreeSet<&str> =
            kinds.filter_map(|kind| kind["properties"]["type"]["const"].as_str()).collect();
        assert_eq!(types, NAMES.into_iter().chain(ALWAYS).collect());
    }

    #[test]
    fn names_are_exact_or_of_a_group_or_all() {
        let read = |names: &[&str]| Types::read(names.iter().copied());
        assert_eq!(read(&[]), Ok(Types::NONE));
        assert_eq!(read(&["*"]), Ok(Types::ALL));
        assert_eq!(
            read(&["reload.*", "log"]),
            Ok([Types::RELOAD_START, Types::RELOAD_OK, Types::RELOAD_FAIL, Types::LOG]
                .into_iter()
                .fold(Types::NONE, Types::or))
        );
        assert_eq!(read(&["route.*"]), Ok(Types::ROUTE_DIFF), "and not `routes`");
        assert_eq!(read(&["error", "hello", "snapshot"]), Ok(Types::ERROR));
    }

    #[test]
    fn a_name_that_means_nothing_is_told() {
        let unknown = |names: &[&str]| Types::read(names.iter().copied()).expect_err("unknown");
        assert_eq!(unknown(&["log", "r*", "reload", "Log"]), ["r*", "reload", "Log"]);
        assert_eq!(unknown(&["", ".*", "log.*", "**"]), ["", ".*", "log.*", "**"]);
    }
}
