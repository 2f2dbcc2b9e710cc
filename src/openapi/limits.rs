//! Compares the limits of two schemas of one type: bounds, lengths, patterns.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The keywords of a schema.
pub(super) type Keywords<'a> = BTreeMap<&'a str, &'a Value>;

/// How a set of possible values has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Narrower,
    Wider,
    Other,
}

/// The names of two bounds, and how people call them.
const LENGTHS: [(&str, &str, &str); 3] = [
    ("minLength", "maxLength", "length"),
    ("minItems", "maxItems", "number of items"),
    ("minProperties", "maxProperties", "number of fields"),
];

/// A bound of a number.
#[derive(Clone, Copy, PartialEq)]
struct Bound {
    value: f64,
    is_exclusive: bool,
}

impl Bound {
    /// Compares with a bound of the same side: the larger one excludes more.
    fn strictness(self, is_upper: bool) -> (f64, bool) {
        (if is_upper { -self.value } else { self.value }, self.is_exclusive)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exclusive = if self.is_exclusive { " (exclusive)" } else { "" };
        write!(f, "{}{exclusive}", self.value)
    }
}

/// Lists the limits that differ, each with the words that describe it.
pub(super) fn compare(
    before: &Keywords<'_>,
    now: &Keywords<'_>,
    is_integer: bool,
) -> Vec<(Shift, String)> {
    let mut found = Vec::new();
    let minimum = |keywords| number_bound(keywords, false, is_integer);
    let maximum = |keywords| number_bound(keywords, true, is_integer);
    found.extend(bound("minimum", minimum(before), minimum(now), false));
    found.extend(bound("maximum", maximum(before), maximum(now), true));
    for (least, most, name) in LENGTHS {
        let least = |keywords| length(keywords, least).filter(|bound| bound.value > 0.0);
        let most = |keywords| length(keywords, most);
        found.extend(bound(&format!("minimum {name}"), least(before), least(now), false));
        found.extend(bound(&format!("maximum {name}"), most(before), most(now), true));
    }
    found.extend(step(before, now));
    found.extend(pattern(before, now));
    let is_unique =
        |keywords: &Keywords<'_>| keywords.get("uniqueItems") == Some(&&Value::Bool(true));
    match (is_unique(before), is_unique(now)) {
        (false, true) => found.push((Shift::Narrower, "has no repeated items now".to_owned())),
        (true, false) => found.push((Shift::Wider, "may have repeated items now".to_owned())),
        _ => {}
    }
    found
}

/// Whether a limit may exclude a value.
pub(super) fn may_exclude(keywords: &Keywords<'_>, limit: &str, value: &Value) -> bool {
    let Some(bound) = keywords.get(limit).and_then(|bound| bound.as_f64()) else { return true };
    let size = match limit {
        "minLength" | "maxLength" => value.as_str().map(|text| text.chars().count() as f64),
        _ => value.as_f64(),
    };
    let is_flagged = |name: &str| keywords.get(name) == Some(&&Value::Bool(true));
    match (limit, size) {
        ("minimum", Some(size)) => size < bound || size == bound && is_flagged("exclusiveMinimum"),
        ("maximum", Some(size)) => size > bound || size == bound && is_flagged("exclusiveMaximum"),
        ("exclusiveMinimum", Some(size)) => size <= bound,
        ("exclusiveMaximum", Some(size)) => size >= bound,
        ("minLength", Some(size)) => size < bound,
        ("maxLength", Some(size)) => size > bound,
        _ => true,
    }
}

/// The stricter of two keywords; a bound of whole numbers is made inclusive.
fn number_bound(keywords: &Keywords<'_>, is_upper: bool, is_integer: bool) -> Option<Bound> {
    let (inclusive, exclusive) = match is_upper {
        true => ("maximum", "exclusiveMaximum"),
        false => ("minimum", "exclusiveMinimum"),
    };
    let number = |name| keywords.get(name).and_then(|value| value.as_f64());
    // In OpenAPI 3.0 the exclusive bound is a flag beside the other.
    let is_flag = keywords.get(exclusive) == Some(&&Value::Bool(true));
    let plain = number(inclusive).map(|value| Bound { value, is_exclusive: is_flag });
    let other = number(exclusive).map(|value| Bound { value, is_exclusive: true });
    let strict = match (plain, other) {
        (Some(one), Some(two)) if one.strictness(is_upper) > two.strictness(is_upper) => one,
        (one, two) => two.or(one)?,
    };
    Some(match strict {
        Bound { value, is_exclusive: true } if is_integer && value.fract() == 0.0 => {
            let value = if is_upper { value - 1.0 } else { value + 1.0 };
            Bound { value, is_exclusive: false }
        }
        other => other,
    })
}

fn length(keywords: &Keywords<'_>, name: &str) -> Option<Bound> {
    let value = keywords.get(name).and_then(|value| value.as_f64())?;
    Some(Bound { value, is_exclusive: false })
}

fn bound(
    name: &str,
    before: Option<Bound>,
    now: Option<Bound>,
    is_upper: bool,
) -> Option<(Shift, String)> {
    let shift = match (before, now) {
        (None, None) => return None,
        (None, Some(_)) => Shift::Narrower,
        (Some(_), None) => Shift::Wider,
        (Some(was), Some(is)) if was == is => return None,
        (Some(was), Some(is)) if is.strictness(is_upper) > was.strictness(is_upper) => {
            Shift::Narrower
        }
        _ => Shift::Wider,
    };
    Some((shift, words(name, before, now)))
}

fn step(before: &Keywords<'_>, now: &Keywords<'_>) -> Option<(Shift, String)> {
    let factor = |keywords: &Keywords<'_>| keywords.get("multipleOf").and_then(|it| it.as_f64());
    let (before, now) = (factor(before), factor(now));
    // Decimal fractions are not exact: 0.3 / 0.1 is not quite 3.
    let divides = |small: f64, large: f64| {
        let times = large / small;
        (times - times.round()).abs() <= 1e-9 * times.abs()
    };
    let shift = match (before, now) {
        (None, None) => return None,
        (None, Some(_)) => Shift::Narrower,
        (Some(_), None) => Shift::Wider,
        (Some(was), Some(is)) if was == is => return None,
        (Some(was), Some(is)) if divides(was, is) => Shift::Narrower,
        (Some(was), Some(is)) if divides(is, was) => Shift::Wider,
        _ => Shift::Other,
    };
    Some((shift, words("step", before, now)))
}

fn pattern(before: &Keywords<'_>, now: &Keywords<'_>) -> Option<(Shift, String)> {
    let text = |keywords: &Keywords<'_>| {
        keywords.get("pattern").and_then(|it| it.as_str()).map(|text| format!("`{text}`"))
    };
    let (before, now) = (text(before), text(now));
    let shift = match (&before, &now) {
        (None, None) => return None,
        (None, Some(_)) => Shift::Narrower,
        (Some(_), None) => Shift::Wider,
        (Some(was), Some(is)) if was == is => return None,
        _ => Shift::Other,
    };
    Some((shift, words("pattern", before, now)))
}

fn words(name: &str, before: Option<impl fmt::Display>, now: Option<impl fmt::Display>) -> String {
    match (before, now) {
        (Some(was), Some(is)) => format!("has the {name} {is} now; it was {was}"),
        (None, Some(is)) => format!("has the {name} {is} now; it had none"),
        (Some(was), None) => format!("has no {name} now; it was {was}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shifts(before: &Value, now: &Value, is_integer: bool) -> Vec<(Shift, String)> {
        fn keywords(value: &Value) -> Keywords<'_> {
            value.as_object().expect("an object").iter().map(|(name, it)| (&**name, it)).collect()
        }
        compare(&keywords(before), &keywords(now), is_integer)
    }

    #[test]
    fn a_bound_is_tighter_or_looser() {
        use Shift::{Narrower, Other, Wider};
        for (before, now, shift) in [
            (json!({}), json!({"minimum": 0}), Narrower),
            (json!({"minimum": 0}), json!({"minimum": 1}), Narrower),
            (json!({"minimum": 0}), json!({"exclusiveMinimum": 0}), Narrower),
            (json!({"maximum": 9}), json!({"exclusiveMaximum": 9}), Narrower),
            (json!({"maximum": 9}), json!({"maximum": 8.5}), Narrower),
            (json!({}), json!({"minLength": 1}), Narrower),
            (json!({"maxItems": 9}), json!({"maxItems": 3}), Narrower),
            (json!({"multipleOf": 2}), json!({"multipleOf": 4}), Narrower),
            (json!({"multipleOf": 0.1}), json!({"multipleOf": 0.3}), Narrower),
            (json!({}), json!({"pattern": "a"}), Narrower),
            (json!({}), json!({"uniqueItems": true}), Narrower),
            (json!({"pattern": "a"}), json!({"pattern": "b"}), Other),
            (json!({"multipleOf": 2}), json!({"multipleOf": 3}), Other),
        ] {
            let found = shifts(&before, &now, false);
            assert_eq!(found.iter().map(|(shift, _)| *shift).collect::<Vec<_>>(), [shift], "{now}");
            let back = if shift == Narrower { Wider } else { shift };
            let found = shifts(&now, &before, false);
            assert_eq!(found.iter().map(|(shift, _)| *shift).collect::<Vec<_>>(), [back], "{now}");
        }
    }

    #[test]
    fn two_ways_to_write_a_limit_are_the_same() {
        for (before, now) in [
            (json!({"minimum": 1}), json!({"exclusiveMinimum": 0})),
            (json!({"maximum": 9}), json!({"exclusiveMaximum": 10})),
            (json!({"minimum": 0, "exclusiveMinimum": true}), json!({"exclusiveMinimum": 0})),
            (json!({"minLength": 0, "uniqueItems": false}), json!({})),
            (json!({"minimum": 1.0}), json!({"minimum": 1})),
        ] {
            assert_eq!(shifts(&before, &now, true), [], "{before} {now}");
        }
    }

    #[test]
    fn the_words_name_both_values() {
        let text = |before, now| shifts(&before, &now, false)[0].1.clone();
        assert_eq!(
            text(json!({"maximum": 100}), json!({"maximum": 50})),
            "has the maximum 50 now; it was 100"
        );
        assert_eq!(
            text(json!({}), json!({"exclusiveMinimum": 0.5})),
            "has the minimum 0.5 (exclusive) now; it had none"
        );
        assert_eq!(text(json!({"maxLength": 3}), json!({})), "has no maximum length now; it was 3");
    }
}
