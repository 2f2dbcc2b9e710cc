//! Types, fields, values and limits.

use serde_json::json;

use super::*;
use Effect::{Breaking, Compatible, Warning};

#[test]
fn a_parameter_is_text_so_a_string_includes_a_number() {
    let kind = |kind: &str| query(json!({"type": kind}));
    let line = |effect: &str, now: &str, was: &str| {
        format!("{effect} query.q | query parameter `q` is `{now}` now; it was `{was}`")
    };
    let (integer, string) = (kind("integer"), kind("string"));
    assert_eq!(changes(&integer, &string), [line("Compatible", "string", "integer")]);
    assert_eq!(changes(&string, &integer), [line("Breaking", "integer", "string")]);
    let list = query(json!({"type": "array", "items": {"type": "integer"}}));
    assert_eq!(changes(&integer, &list), [line("Compatible", "array", "integer")]);
    assert_eq!(changes(&list, &integer), [line("Breaking", "integer", "array")]);
    let (integer, string) = (body(json!({"type": "integer"})), body(json!({"type": "string"})));
    assert_eq!(compare(&integer, &string)[0].kind, ChangeKind::TypeChanged);
}

#[test]
fn inputs_and_outputs_have_opposite_directions() {
    let narrow = object(json!({"n": {"type": "integer"}}), &["n"]);
    let wide = object(json!({"n": {"type": ["number", "null"]}}), &["n"]);
    let text = |effect: &str, place: &str, subject: &str, now: &str, was: &str| {
        [format!("{effect} {place}.n | field `n` of {subject} is `{now}` now; it was `{was}`")]
    };
    let (one, two) = ("integer", "null | number");
    let input = (body(narrow.clone()), body(wide.clone()));
    assert_eq!(changes(&input.0, &input.1), text("Compatible", "body", "the body", two, one));
    assert_eq!(changes(&input.1, &input.0), text("Breaking", "body", "the body", one, two));
    let output = (response(narrow), response(wide));
    let at = ("response.200", "response 200");
    assert_eq!(changes(&output.0, &output.1), text("Breaking", at.0, at.1, two, one));
    assert_eq!(changes(&output.1, &output.0), text("Compatible", at.0, at.1, one, two));
}

#[test]
fn fields_of_a_body() {
    let one = json!({"a": {"type": "string"}});
    let two = json!({"a": {"type": "string"}, "b": {"type": "string"}});
    let none = body(object(one, &["a"]));
    let optional = body(object(two.clone(), &["a"]));
    let required = body(object(two, &["a", "b"]));
    for (before, now, line) in [
        (&none, &optional, "Compatible body.b | field `b` of the body is new"),
        (&none, &required, "Breaking body.b | field `b` of the body is new and required"),
        (&optional, &required, "Breaking body.b | field `b` of the body is required now"),
        (&required, &optional, "Compatible body.b | field `b` of the body is optional now"),
        (&optional, &none, "Warning body.b | field `b` of the body was removed"),
    ] {
        assert_eq!(changes(before, now), [line]);
    }
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}},
    "required": ["a"], "additionalProperties": false});
    assert_eq!(
        changes(&optional, &body(closed)),
        [
            "Breaking body.b | field `b` of the body was removed",
            "Breaking body | the body may not have fields of other names now",
        ]
    );
}

#[test]
fn fields_of_a_response() {
    let one = json!({"a": {"type": "string"}});
    let two = json!({"a": {"type": "string"}, "b": {"type": "string"}});
    let none = response(object(one, &["a"]));
    let optional = response(object(two.clone(), &["a"]));
    let required = response(object(two, &["a", "b"]));
    for (before, now, line) in [
        (&none, &required, "Compatible response.200.b | field `b` of response 200 is new"),
        (&required, &none, "Breaking response.200.b | field `b` of response 200 was removed"),
        (&optional, &none, "Breaking response.200.b | field `b` of response 200 was removed"),
        (
            &required,
            &optional,
            "Breaking response.200.b | field `b` of response 200 may be missing now",
        ),
        (
            &optional,
            &required,
            "Compatible response.200.b | field `b` of response 200 is always there now",
        ),
    ] {
        assert_eq!(changes(before, now), [line]);
    }
}

#[test]
fn a_field_that_is_only_sent_in_the_other_direction_does_not_count() {
    let with = |flag: &str| object(json!({"a": {"type": "string", flag: true}}), &["a"]);
    let without = object(json!({}), &[]);
    let same = [""; 0];
    assert_eq!(changes(&body(with("readOnly")), &body(without.clone())), same);
    assert_eq!(changes(&response(with("writeOnly")), &response(without.clone())), same);
    assert_ne!(changes(&response(with("readOnly")), &response(without)), same);
}

#[test]
fn the_values_of_a_list() {
    let list = |values: &[&str]| json!({"type": "string", "enum": values});
    let (few, more, any) = (list(&["a"]), list(&["a", "b"]), json!({"type": "string"}));
    for (before, now, input, output) in [
        (&few, &more, Compatible, Warning),
        (&more, &few, Breaking, Compatible),
        (&any, &few, Breaking, Compatible),
        (&few, &any, Compatible, Warning),
    ] {
        let effects = |before, now| -> Vec<Effect> {
            compare(&before, &now).iter().map(|change| change.effect).collect()
        };
        assert_eq!(effects(body(before.clone()), body(now.clone())), [input], "{before} {now}");
        let (before, now) = (response(before.clone()), response(now.clone()));
        assert_eq!(effects(before, now), [output]);
    }
    let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(|n| &**n).collect();
    assert_eq!(
        changes(&body(list(&many)), &body(list(&["0", "x"]))),
        [
            r#"Breaking body | the body can no longer be `"1"`, `"2"`, `"3"`, `"4"`, `"5"` and 3 more"#,
            r#"Compatible body | the body can also be `"x"` now"#,
        ]
    );
    // Limits that the whole list fulfils exclude nothing.
    for (limit, effect) in [(1, Compatible), (0, Breaking)] {
        let limited = json!({"type": "string", "maxLength": limit});
        assert_eq!(compare(&body(more.clone()), &body(limited))[0].effect, effect);
    }
    let constant = |value| json!({"const": value});
    assert_eq!(changes(&body(constant("a")), &body(list(&["a"]))), [""; 0]);
}

#[test]
fn limits_formats_and_defaults() {
    let integer = |limits: Value| {
        let mut schema = json!({"type": "integer"});
        schema.as_object_mut().expect("it is").extend(limits.as_object().expect("it is").clone());
        schema
    };
    let (free, limited) = (integer(json!({"default": 1})), integer(json!({"maximum": 9})));
    let line = |effect: &str, place: &str, subject: &str, words: &str| {
        format!("{effect} {place} | {subject} {words}")
    };
    let tight = "has the maximum 9 now; it had none";
    let loose = "has no maximum now; it was 9";
    let (was, is) = (query(free.clone()), query(limited.clone()));
    let subject = "query parameter `q`";
    assert_eq!(changes(&was, &is), [line("Breaking", "query.q", subject, tight)]);
    assert_eq!(changes(&is, &was), [line("Compatible", "query.q", subject, loose)]);
    let (was, is) = (response(free.clone()), response(limited));
    let at = "response.200";
    assert_eq!(changes(&was, &is), [line("Compatible", at, "response 200", tight)]);
    assert_eq!(changes(&is, &was), [line("Warning", at, "response 200", loose)]);
    let (was, is) = (query(free), query(integer(json!({"default": 2}))));
    let words = "has the default `2` now; it was `1`";
    assert_eq!(changes(&was, &is), [line("Compatible", "query.q", subject, words)]);

    let text = |format: &str| response(json!({"type": "string", "format": format}));
    let plain = response(json!({"type": "string"}));
    assert_eq!(
        changes(&text("date"), &plain),
        ["Breaking response.200 | response 200 is `string` now; it was `string (date)`"]
    );
    assert_eq!(compare(&plain, &text("date"))[0].effect, Compatible);
    assert_eq!(compare(&text("uuid"), &text("date"))[0].kind, ChangeKind::TypeChanged);
}

#[test]
fn a_wider_type_with_limits_of_its_own_is_narrower_too() {
    let list = |items: Value, more: Value| {
        let mut schema = json!({"type": "array", "items": items});
        schema.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        schema
    };
    let (integer, string) = (json!({"type": "integer"}), json!({"type": "string"}));
    for (before, now, words) in [
        (&integer, json!({"type": "number", "minimum": 100}), "has the minimum 100 now"),
        (&string, list(json!({"const": "a"}), json!({})), "can only be `\"a\"` now"),
        (&string, list(string.clone(), json!({"minItems": 2})), "has the minimum number of items"),
        (&integer, json!({"type": "string", "pattern": "^a"}), "has the pattern `^a` now"),
        (&integer, json!({"enum": ["a"], "type": "string"}), "is `string` now"),
    ] {
        let found = compare(&query(before.clone()), &query(now.clone()));
        let breaking = found.iter().filter(|change| change.effect == Breaking);
        let texts: Vec<&str> = breaking.map(|change| &*change.text).collect();
        assert!(matches!(&*texts, [text] if text.contains(words)), "{now}: {found:#?}");
    }
    let one = json!({"type": "integer", "enum": [1, 2]});
    for now in [
        json!({"type": "number", "minimum": 1}),
        list(integer.clone(), json!({"minItems": 1, "maxItems": 5})),
        json!({"type": "string", "minLength": 1}),
        json!({"type": "number"}),
        json!({"enum": ["1", "2", "auto"]}),
    ] {
        let found = compare(&query(one.clone()), &query(now.clone()));
        assert!(matches!(&*found, [only] if only.effect == Compatible), "{now}: {found:#?}");
    }
}

#[test]
fn a_union_of_one_type_is_part_of_that_type() {
    let text = |format: &str| json!({"type": "string", "format": format});
    let union = json!({"anyOf": [text("date"), text("uuid")]});
    let string = json!({"type": "string"});
    let lists = |one: Value, two: Value| {
        let [one, two] = [one, two].map(|items| json!({"type": "array", "items": items}));
        json!({"anyOf": [one, two]})
    };
    let numbers = lists(json!({"type": "integer"}), json!({"type": "boolean"}));
    let scalars = json!({"type": "array", "items": {"type": ["integer", "boolean", "null"]}});
    for (narrow, wide) in [(&union, &string), (&numbers, &scalars)] {
        for (before, now, effect) in [
            (query(narrow.clone()), query(wide.clone()), Compatible),
            (query(wide.clone()), query(narrow.clone()), Breaking),
            (body(narrow.clone()), body(wide.clone()), Compatible),
            (response(narrow.clone()), response(wide.clone()), Breaking),
            (response(wide.clone()), response(narrow.clone()), Compatible),
        ] {
            let found = compare(&before, &now);
            assert!(matches!(&*found, [only] if only.effect == effect), "{found:#?}");
        }
    }
    let limited = json!({"type": "string", "maxLength": 3});
    let found = changes(&query(union), &query(limited));
    assert!(
        found[0].starts_with("Breaking query.q | query parameter `q` has the maximum length 3")
    );
}
