//! No change that breaks clients is called compatible: verdicts beside the values that schemas accept.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Change, Document, Effect, compare};

/// Whether a schema of this file accepts a JSON value.
fn accepts(schema: &Value, value: &Value) -> bool {
    if let Some(all) = schema["anyOf"].as_array() {
        return all.iter().any(|each| accepts(each, value));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return false;
    }
    let limits = |size: f64, least: &str, most: &str| {
        schema[least].as_f64().is_none_or(|least| size >= least)
            && schema[most].as_f64().is_none_or(|most| size <= most)
    };
    let number = |value: &Value| {
        value.as_f64().is_some_and(|number| {
            limits(number, "minimum", "maximum")
                && schema["exclusiveMinimum"].as_f64().is_none_or(|least| number > least)
        })
    };
    match schema["type"].as_str() {
        Some("integer") => value.is_i64() && number(value),
        Some("number") => number(value),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("string") => value.as_str().is_some_and(|text| {
            let is_date = text.contains('-');
            limits(text.len() as f64, "minLength", "maxLength")
                && (schema["format"].is_null() || is_date)
        }),
        Some("array") => value.as_array().is_some_and(|items| {
            limits(items.len() as f64, "minItems", "maxItems")
                && items.iter().all(|item| accepts(&schema["items"], item))
        }),
        _ => schema == &json!(true) || schema["enum"].is_array(),
    }
}

/// Whether a parameter with this schema accepts the texts that a client sends for it.
fn accepts_texts(schema: &Value, texts: &[&str]) -> bool {
    if let Some(all) = schema["anyOf"].as_array() {
        return all.iter().any(|each| accepts_texts(each, texts));
    }
    if schema["type"] == "array" {
        let count = json!({"type": "array", "items": true, "minItems": schema["minItems"],
            "maxItems": schema["maxItems"]});
        return accepts(&count, &json!(texts))
            && texts.iter().all(|text| accepts_texts(&schema["items"], &[text]));
    }
    if schema == &json!(true) {
        return true;
    }
    let [text] = texts else { return false };
    // A text is also the value that it stands for.
    let value = serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string());
    accepts(schema, &json!(text)) || value.is_some_and(|value| accepts(schema, &value))
}

fn values() -> Vec<Value> {
    let scalars =
        json!([null, true, false, -1, 0, 1, 2, 3, 0.5, 2.5, "", "a", "b", "ab", "2-1", "1"]);
    let scalars = scalars.as_array().expect("a list").clone();
    let pairs = scalars.iter().flat_map(|one| scalars.iter().map(move |two| json!([one, two])));
    let lists = scalars.iter().map(|one| json!([one])).chain(pairs).chain([json!([])]);
    let nested = lists.clone().map(|list| json!([list]));
    scalars.iter().cloned().chain(lists).chain(nested).collect()
}

fn schemas() -> impl Strategy<Value = Value> {
    let limits = |kind: &'static str, names: [&'static str; 2]| {
        let limit = || prop::option::of(0..3_u8);
        (limit(), limit()).prop_map(move |(least, most)| {
            let mut schema = json!({"type": kind});
            for (name, limit) in names.into_iter().zip([least, most]) {
                if let Some(limit) = limit {
                    schema[name] = json!(limit);
                }
            }
            schema
        })
    };
    let scalar = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "null"})),
        Just(json!({"type": "string", "format": "date"})),
        limits("integer", ["minimum", "maximum"]),
        limits("number", ["minimum", "maximum"]),
        limits("number", ["exclusiveMinimum", "maximum"]),
        limits("integer", ["exclusiveMinimum", "maximum"]),
        limits("string", ["minLength", "maxLength"]),
        prop::sample::subsequence(vec!["a", "b", "1"], 1..3)
            .prop_map(|all| json!({"type": "string", "enum": all})),
        prop::sample::subsequence(vec![1, 2, 3], 1..3).prop_map(|all| json!({"enum": all})),
    ];
    scalar.prop_recursive(2, 6, 2, move |inner| {
        let list = (limits("array", ["minItems", "maxItems"]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 1..4).prop_map(|all| json!({"anyOf": all})),
            list.prop_map(|(mut list, items)| {
                list["items"] = items;
                list
            }),
        ]
    })
}

fn changes(before: &Value, now: &Value, operation: impl Fn(&Value) -> Value) -> Vec<Change> {
    let document = |schema: &Value| {
        let json = json!({"openapi": "3.1.0", "paths": {"/items": {"get": operation(schema)}}});
        Document::from_json(json).expect("a document")
    };
    compare(&document(before), &document(now))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_body_that_was_accepted_is_accepted_after_compatible_changes(
        before in schemas(), now in schemas(),
    ) {
        let found = changes(&before, &now, |schema| {
            json!({"requestBody": {"content": {"application/json": {"schema": schema}}}})
        });
        if found.iter().all(|change| change.effect != Effect::Breaking) {
            for value in values() {
                prop_assert!(!accepts(&before, &value) || accepts(&now, &value), "{value} {found:?}");
            }
        }
    }

    #[test]
    fn a_parameter_that_was_accepted_is_accepted_after_compatible_changes(
        before in schemas(), now in schemas(),
    ) {
        let found = changes(&before, &now, |schema| {
            json!({"parameters": [{"name": "q", "in": "query", "schema": schema}]})
        });
        if found.iter().all(|change| change.effect != Effect::Breaking) {
            let texts = ["true", "0", "1", "2", "3", "0.5", "a", "b", "ab", "2-1"];
            let pairs = texts.iter().flat_map(|one| texts.iter().map(move |two| vec![*one, *two]));
            for texts in texts.iter().map(|text| vec![*text]).chain(pairs) {
                let was_accepted = accepts_texts(&before, &texts);
                prop_assert!(
                    !was_accepted || accepts_texts(&now, &texts), "{texts:?} {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_response_after_compatible_changes_is_one_that_clients_know(
        before in schemas(), now in schemas(),
    ) {
        let found = changes(&before, &now, |schema| {
            json!({"responses": {"200": {"content": {"application/json": {"schema": schema}}}}})
        });
        if found.iter().all(|change| change.effect == Effect::Compatible) {
            for value in values() {
                prop_assert!(!accepts(&now, &value) || accepts(&before, &value), "{value} {found:?}");
            }
        }
    }
}
