//! Compares the values and limits of two alternatives of a schema.
//!
//! Pure: the direction does not matter here. The contents of lists and objects are compared elsewhere.

use serde_json::Value;

use super::change::ChangeKind;
use super::limits::{self, Keywords, Shift};
use super::schema::{Alternative, JsonType};

/// The most values of a list that a sentence names.
const MAX_NAMED: usize = 5;

/// A difference of values or limits.
pub(super) struct Detail {
    pub(super) kind: ChangeKind,
    pub(super) shift: Shift,
    pub(super) words: String,
}

/// Lists the differences of two alternatives. One of them may have another type that includes the
/// other's: a number an integer, a text a number, a list its item.
pub(super) fn compare(
    before: &Alternative<'_>,
    now: &Alternative<'_>,
    is_text: bool,
) -> Vec<Detail> {
    let mut found = Vec::new();
    // The values of a list are not values of its item.
    if (before.kind == JsonType::Array) == (now.kind == JsonType::Array) {
        compare_values(before, now, is_text, &mut found);
    }
    let is_integer = before.kind == JsonType::Integer || now.kind == JsonType::Integer;
    let limits = (limits_against(before, now), limits_against(now, before));
    let limits = limits::compare(&limits.0, &limits.1, is_integer).into_iter();
    found.extend(limits.map(|(shift, words)| {
        let kind = match shift {
            Shift::Narrower => ChangeKind::LimitTightened,
            Shift::Wider => ChangeKind::LimitLoosened,
            Shift::Other => ChangeKind::LimitChanged,
        };
        Detail { kind, shift, words }
    }));
    found
}

/// The limits of an alternative that may exclude values of another one.
fn limits_against<'a>(one: &Alternative<'a>, other: &Alternative<'a>) -> Keywords<'a> {
    let mut keywords = one.keywords.clone();
    let excludes_one = |name: &str, value: &Value| match (name, value.as_f64()) {
        ("minItems" | "minLength", Some(least)) => least > 1.0,
        ("maxItems", Some(most)) => most < 1.0,
        _ => false,
    };
    match one.kind {
        kind if kind == other.kind || kind.is_number() && other.kind.is_number() => {}
        // One value is a list of one.
        JsonType::Array => keywords.retain(|name, value| excludes_one(name, value)),
        JsonType::String if other.kind != JsonType::Array => keywords.retain(|name, value| {
            matches!(*name, "maxLength" | "pattern") || excludes_one(name, value)
        }),
        _ => keywords.clear(),
    }
    match (&one.values, &other.values) {
        (Some(_), None) => keywords.clear(), // the list is the limit
        (None, Some(values)) => {
            let limits = keywords.clone();
            let excludes =
                |name: &str| values.iter().any(|value| limits::may_exclude(&limits, name, value));
            keywords.retain(|name, _| excludes(name));
        }
        _ => {}
    }
    keywords
}

fn compare_values(
    before: &Alternative<'_>,
    now: &Alternative<'_>,
    is_text: bool,
    found: &mut Vec<Detail>,
) {
    let mut add = |kind, shift, words| found.push(Detail { kind, shift, words });
    let (gone, new) = match (&before.values, &now.values) {
        (None, None) => return,
        (None, Some(values)) => {
            let words = format!("can only be {} now", listed(values));
            return add(ChangeKind::ValuesRemoved, Shift::Narrower, words);
        }
        (Some(values), None) => {
            let words = format!("can be any {} now, not only {}", now.name(), listed(values));
            return add(ChangeKind::ValuesAdded, Shift::Wider, words);
        }
        (Some(was), Some(is)) => (without(was, is, is_text), without(is, was, is_text)),
    };
    if !gone.is_empty() {
        let words = format!("can no longer be {}", listed(&gone));
        add(ChangeKind::ValuesRemoved, Shift::Narrower, words);
    }
    if !new.is_empty() {
        let words = format!("can also be {} now", listed(&new));
        add(ChangeKind::ValuesAdded, Shift::Wider, words);
    }
}

/// The values that are not in `others`.
fn without<'a>(values: &[&'a Value], others: &[&Value], is_text: bool) -> Vec<&'a Value> {
    let is_same = |one: &Value, other: &Value| match is_text {
        true => is_equal(one, other) || text(one) == text(other),
        false => is_equal(one, other),
    };
    let is_gone = |value: &&&'a Value| !others.iter().any(|other| is_same(value, other));
    values.iter().filter(is_gone).copied().collect()
}

/// Whether two JSON values are the same; `1` and `1.0` are.
pub(super) fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

/// A value as it is in a query.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn listed(values: &[&Value]) -> String {
    let named = values.iter().take(MAX_NAMED).map(|value| format!("`{value}`"));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if values.len() > MAX_NAMED {
        text += &format!(" and {} more", values.len() - MAX_NAMED);
    }
    text
}
