//! Two documents side by side, and the changes between them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use Effect::{Breaking, Compatible, Warning};

/// A document with these paths, and these models.
fn document(paths: Value, models: Value) -> Document {
    let json = json!({"openapi": "3.1.0", "paths": paths, "components": {"schemas": models}});
    Document::from_json(json).expect("a document")
}

/// A document with one operation, `GET /items`.
fn operation(operation: Value) -> Document {
    document(json!({"/items": {"get": operation}}), json!({}))
}

fn with_parameter(parameter: Value) -> Document {
    operation(json!({"parameters": [parameter]}))
}

fn query(schema: Value) -> Document {
    with_parameter(json!({"name": "q", "in": "query", "schema": schema}))
}

fn body(schema: Value) -> Document {
    operation(json!({"requestBody": {"content": {"application/json": {"schema": schema}}}}))
}

fn response(schema: Value) -> Document {
    operation(json!({"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}))
}

fn compare(before: &Document, now: &Document) -> Vec<Change> {
    super::compare(before, now).changes
}

/// The changes as `effect place text`.
fn changes(before: &Document, now: &Document) -> Vec<String> {
    let line = |change: &Change| format!("{:?} {} | {}", change.effect, change.place, change.text);
    compare(before, now).iter().map(line).collect()
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

#[test]
fn a_lost_operation_breaks_clients_and_a_new_one_does_not() {
    let path = |methods: &[&str]| {
        methods.iter().map(|method| ((*method).to_owned(), json!({}))).collect::<Value>()
    };
    let before = json!({"/a": path(&["get", "delete"]), "/b": path(&["get"])});
    let now = json!({"/a": path(&["get", "put"]), "/c": path(&["post"])});
    let found = compare(&document(before, json!({})), &document(now, json!({})));
    let found: Vec<_> = found.iter().map(|it| (it.effect, &*it.operation, &*it.text)).collect();
    assert_eq!(
        found,
        [
            (Breaking, "DELETE /a", "the path no longer allows DELETE"),
            (Breaking, "GET /b", "the path no longer exists"),
            (Compatible, "PUT /a", "the path also allows PUT now"),
            (Compatible, "POST /c", "the path is new"),
        ]
    );
}

#[test]
fn the_name_of_a_path_parameter_is_not_part_of_the_path() {
    let path = |path: &str, name: &str, kind: &str| {
        let parameter =
            json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}});
        document(json!({path: {"get": {"parameters": [parameter]}}}), json!({}))
    };
    let before = path("/users/{id}", "id", "integer");
    assert_eq!(changes(&before, &path("/users/{user}", "user", "integer")), [""; 0]);
    let found = compare(&path("/users/{user}", "user", "string"), &before);
    assert_eq!(found[0].operation, "GET /users/{id}");
    assert_eq!(found[0].text, "path parameter `id` is `integer` now; it was `string`");
}

#[test]
fn parameters() {
    let parameter = |required: bool| json!({"name": "q", "in": "query", "required": required});
    let none = operation(json!({}));
    let (optional, required) = (with_parameter(parameter(false)), with_parameter(parameter(true)));
    for (before, now, line) in [
        (&none, &optional, "Compatible query.q | query parameter `q` is new"),
        (&none, &required, "Breaking query.q | query parameter `q` is new and required"),
        (&optional, &required, "Breaking query.q | query parameter `q` is required now"),
        (&required, &optional, "Compatible query.q | query parameter `q` is optional now"),
        (&required, &none, "Warning query.q | query parameter `q` is no longer read"),
    ] {
        assert_eq!(changes(before, now), [line]);
    }
    let header = |name: &str| with_parameter(json!({"name": name, "in": "header"}));
    assert_eq!(changes(&header("X-Key"), &header("x-key")), [""; 0]);
    assert_eq!(changes(&none, &header("Accept")), [""; 0]);
}

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
fn bodies_and_content_types() {
    let none = operation(json!({}));
    let with = |required: bool, types: &[&str]| {
        let content: Value =
            types.iter().map(|name| ((*name).to_owned(), json!({"schema": true}))).collect();
        operation(json!({"requestBody": {"required": required, "content": content}}))
    };
    let json = "application/json";
    for (before, now, line) in [
        (&none, &with(true, &[json]), "Breaking body | the body is new and required"),
        (&none, &with(false, &[json]), "Compatible body | the body is new"),
        (&with(true, &[json]), &none, "Breaking body | the body is no longer read"),
        (&with(false, &[json]), &with(true, &[json]), "Breaking body | the body is required now"),
        (
            &with(true, &[json, "text/csv"]),
            &with(true, &[json]),
            "Breaking body | the body can no longer be `text/csv`",
        ),
        (
            &with(true, &[json]),
            &with(true, &[json, "text/csv"]),
            "Compatible body | the body can also be `text/csv` now",
        ),
    ] {
        assert_eq!(changes(before, now), [line]);
    }
    // Two content types with one schema: one change.
    let both = |schema: Value| {
        let media = json!({"schema": schema});
        let content = json!({json: media, "application/x-msgpack": media});
        operation(json!({"requestBody": {"content": content}}))
    };
    let (was, is) = (both(json!({"type": "string"})), both(json!({"type": "boolean"})));
    assert_eq!(changes(&was, &is).len(), 1);
}

#[test]
fn responses_and_their_headers() {
    let with = |responses: Value| operation(json!({"responses": responses}));
    let ok = with(json!({"200": {}}));
    for (now, lines) in [
        (json!({"200": {}, "404": {}}), vec!["Compatible response.404 | response 404 is new"]),
        (json!({"200": {}, "202": {}}), vec!["Warning response.202 | response 202 is new"]),
        (
            json!({"201": {}}),
            vec![
                "Breaking response.200 | response 200 no longer exists",
                "Warning response.201 | response 201 is new",
            ],
        ),
        (
            json!({"200": {"headers": {"ETag": {}}}}),
            vec!["Compatible response.200.header.ETag | header `ETag` of response 200 is new"],
        ),
    ] {
        assert_eq!(changes(&ok, &with(now)), lines);
    }
    let more = with(json!({"200": {"headers": {"ETag": {}}}, "404": {}}));
    assert_eq!(
        changes(&more, &ok),
        [
            "Breaking response.200.header.ETag | header `ETag` of response 200 no longer exists",
            "Compatible response.404 | response 404 no longer exists",
        ]
    );
}

#[test]
fn credentials() {
    let with = |security: Value| operation(json!({"security": security}));
    let (open, key) = (with(json!([])), with(json!([{"key": []}])));
    let either = with(json!([{"key": []}, {"login": ["read"]}]));
    let effects = |before: &Document, now: &Document| -> Vec<(ChangeKind, Effect)> {
        compare(before, now).iter().map(|change| (change.kind, change.effect)).collect()
    };
    let tightened = (ChangeKind::SecurityTightened, Breaking);
    let loosened = (ChangeKind::SecurityLoosened, Compatible);
    assert_eq!(effects(&open, &key), [tightened]);
    assert_eq!(effects(&key, &open), [loosened]);
    assert_eq!(effects(&key, &either), [loosened]);
    assert_eq!(effects(&either, &key), [tightened]);
    let login = with(json!([{"login": ["read"]}]));
    assert_eq!(effects(&key, &login), [(ChangeKind::SecurityChanged, Breaking)]);
    assert_eq!(compare(&key, &login)[0].text, "needs `login` (read) now; it needed `key`");
    assert_eq!(
        compare(&key, &either)[0].text,
        "accepts `key` or `login` (read) now; it needed `key`"
    );
    let scopes = with(json!([{"login": ["read", "write"]}]));
    assert_eq!(effects(&with(json!([{"login": ["read"]}])), &scopes), [tightened]);
    assert_eq!(effects(&open, &operation(json!({}))), []);
    // An operation without its own has the document's.
    let shared = |security: Value| {
        let json =
            json!({"openapi": "3.1.0", "security": security, "paths": {"/items": {"get": {}}}});
        Document::from_json(json).expect("a document")
    };
    assert_eq!(effects(&shared(json!([{"key": []}])), &key), []);
    assert_eq!(compare(&open, &key)[0].text, "needs `key` now; it needed nothing");
}

#[test]
fn a_deprecation_is_a_change() {
    let plain = operation(json!({}));
    let old = operation(json!({"deprecated": true}));
    assert_eq!(changes(&plain, &old), ["Compatible  | is deprecated now"]);
    assert_eq!(changes(&old, &plain), ["Compatible  | is no longer deprecated"]);
}

#[test]
fn a_recursive_model_is_compared_once() {
    let tree = |label: &str| {
        let node = json!({"$ref": "#/components/schemas/Node"});
        let properties = json!({
            "label": {"type": label}, "children": {"type": "array", "items": node},
            "parent": {"anyOf": [node, {"type": "null"}]},
        });
        let content = json!({"application/json": {"schema": node}});
        let operation = json!({"get": {"responses": {"200": {"content": content}}}});
        document(json!({"/tree": operation}), json!({"Node": object(properties, &["label"])}))
    };
    assert_eq!(changes(&tree("string"), &tree("string")), [""; 0]);
    assert_eq!(
        changes(&tree("string"), &tree("integer")),
        ["Breaking response.200.label | field `label` of response 200 is `integer` now; \
             it was `string`"]
    );
}

/// A document whose paths have a response each, with a model.
fn responses_with(paths: &[(&str, &str)], models: Value) -> Document {
    let entry = |&(path, model): &(&str, &str)| {
        let schema = json!({"$ref": format!("#/components/schemas/{model}")});
        let content = json!({"application/json": {"schema": schema}});
        (path.to_owned(), json!({"get": {"responses": {"200": {"content": content}}}}))
    };
    document(paths.iter().map(entry).collect(), models)
}

#[test]
fn a_change_of_a_model_with_many_uses_of_itself_is_one_line() {
    let node = |label: &str, more: Value| {
        let own = json!({"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]});
        let names = ["first", "last", "next", "owner", "parent", "previous", "root"];
        let mut properties: Value =
            names.iter().map(|name| ((*name).to_owned(), own.clone())).collect();
        properties["label"] = json!({"type": label});
        properties["more"] = more;
        responses_with(&[("/tree", "Node")], json!({"Node": object(properties, &[])}))
    };
    let before = node("string", object(json!({"x": {}}), &[]));
    let now = node("integer", object(json!({}), &[]));
    let lines = changes(&before, &now);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("Breaking response.200.label"), "{lines:?}");
    assert!(lines[1].starts_with("Breaking response.200.more.x"), "{lines:?}");
}

#[test]
fn each_route_of_a_recursive_model_reports_its_change() {
    let models = |x: &str| {
        let a = object(json!({"b": {"$ref": "#/components/schemas/B"}, "x": {"type": x}}), &[]);
        let items = json!({"type": "array", "items": {"$ref": "#/components/schemas/A"}});
        let paths = [("/a", "A"), ("/b", "B"), ("/c", "B")];
        responses_with(&paths, json!({"A": a, "B": object(json!({"items": items}), &[])}))
    };
    let found = compare(&models("integer"), &models("string"));
    let found: Vec<_> = found.iter().map(|it| (&*it.operation, &*it.place)).collect();
    assert_eq!(
        found,
        [
            ("GET /a", "response.200.x"),
            ("GET /b", "response.200.items[].x"),
            ("GET /c", "response.200.items[].x"),
        ]
    );
}

#[test]
fn breaking_changes_are_found_behind_any_number_of_others() {
    let fields = |count: usize| {
        let properties: Value = (0..count).map(|n| (format!("f{n}"), json!({}))).collect();
        json!({"post": {"requestBody": {"content": {"application/json": {"schema":
            object(properties, &[])}}}}})
    };
    let before = document(json!({"/a": fields(0), "/b": {"get": {}}}), json!({}));
    let now = document(json!({"/a": fields(1100)}), json!({}));
    let found = super::compare(&before, &now);
    assert_eq!((found.changes.len(), found.left_out), (1001, 100));
    assert_eq!(found.changes[0].text, "the path no longer exists");
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

#[test]
fn schemas_without_an_end_are_compared() {
    // A list of itself, in a parameter.
    let nested = |other: &str| {
        let own = json!({"type": "array", "items": {"$ref": "#/components/schemas/Nested"}});
        let any = json!({"anyOf": [own, {"type": "array", "items": {"type": other}}]});
        let parameter =
            json!({"name": "q", "in": "query", "schema": {"$ref": "#/components/schemas/Nested"}});
        let operation = json!({"get": {"parameters": [parameter]}});
        document(json!({"/items": operation}), json!({"Nested": any}))
    };
    assert_eq!(changes(&nested("string"), &nested("string")), [""; 0]);
    assert_eq!(compare(&nested("string"), &nested("integer"))[0].effect, Breaking);
    // More combinations than anything can list.
    let union = json!({"anyOf": [{"type": "string", "format": "a"}, {"type": "integer"}]});
    let all = query(json!({"allOf": vec![union; 30]}));
    assert_eq!(changes(&all, &all.clone()), [""; 0]);
}

#[test]
fn content_types_of_responses() {
    let with = |status: &str, types: &[&str]| {
        let content: Value =
            types.iter().map(|name| ((*name).to_owned(), json!({"schema": true}))).collect();
        operation(json!({"responses": {status: {"content": content}}}))
    };
    let (json, html) = ("application/json", "text/html");
    let one = |before: &Document, now: &Document| {
        let found = compare(before, now);
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].kind, found[0].effect)
    };
    use ChangeKind::{MediaTypeAdded, MediaTypeRemoved};
    let (both, only) = (with("200", &[json, html]), with("200", &[json]));
    assert_eq!(one(&only, &both), (MediaTypeAdded, Warning));
    assert_eq!(one(&both, &only), (MediaTypeRemoved, Breaking));
    assert_eq!(one(&with("200", &[]), &only), (MediaTypeAdded, Compatible));
    // Clients rely less on the content of a failure.
    for status in ["404", "default"] {
        let (none, described) = (with(status, &[]), with(status, &[json]));
        assert_eq!(one(&described, &none), (MediaTypeRemoved, Warning));
        assert_eq!(one(&none, &described), (MediaTypeAdded, Compatible));
    }
    let problem = |fields: Value| {
        let content = json!({"application/json": {"schema": object(fields, &[])}});
        operation(json!({"responses": {"default": {"content": content}}}))
    };
    let (before, now) = (problem(json!({"detail": {"type": "string"}})), problem(json!({})));
    assert_eq!(one(&before, &now), (ChangeKind::FieldRemoved, Warning));
}

#[test]
fn the_items_of_a_stream_are_compared() {
    let stream = |items: Value| {
        let content =
            json!({"text/event-stream": {"schema": {"type": "string"}, "x-item-schema": items}});
        operation(json!({"responses": {"200": {"content": content}}}))
    };
    assert_eq!(
        changes(&stream(json!({"type": "integer"})), &stream(json!({"type": "string"}))),
        ["Breaking response.200[] | item `[]` of response 200 is `string` now; it was `integer`"]
    );
}

#[test]
fn websockets_are_compared() {
    let sockets = |sockets: Value| {
        let json =
            json!({"openapi": "3.1.0", "paths": {"/a": {"get": {}}}, "x-websockets": sockets});
        Document::from_json(json).expect("a document")
    };
    let with = |subprotocols: Value, required: bool| {
        let parameter = json!({"name": "q", "in": "query", "required": required});
        json!({"parameters": [parameter], "subprotocols": subprotocols})
    };
    let before = sockets(json!({"/a": with(json!(["v1", "v2"]), false), "/b": {}}));
    let now = sockets(json!({"/a": with(json!(["v2", "v3"]), true), "/c": {}}));
    let found = super::compare(&before, &now).changes;
    let found: Vec<_> = found.iter().map(|it| (it.effect, &*it.operation, &*it.text)).collect();
    assert_eq!(
        found,
        [
            (Breaking, "WS /a", "query parameter `q` is required now"),
            (Breaking, "WS /a", "no longer has the subprotocol `v1`"),
            (Breaking, "WS /b", "the path no longer exists"),
            (Compatible, "WS /a", "also has the subprotocol `v3` now"),
            (Compatible, "WS /c", "the path is new"),
        ]
    );
    let found = super::compare(&sockets(json!({"/a": {}})), &sockets(json!({}))).changes;
    assert_eq!(found[0].text, "the path no longer allows WebSockets");
}

#[test]
fn it_does_not_matter_how_a_schema_is_written() {
    let user =
        object(json!({"id": {"type": ["integer", "null"]}, "kind": {"const": "u"}}), &["id"]);
    let id = json!({"anyOf": [{"type": "null"}, {"type": "integer"}], "title": "Id"});
    let part = object(json!({"id": {"$ref": "#/components/schemas/Id"}}), &["id"]);
    let kind = object(json!({"kind": {"enum": ["u"], "type": "string"}}), &[]);
    let all = json!({"allOf": [part, {"oneOf": [kind]}], "description": "A user"});
    let media = |schema: Value| {
        let content = json!({"application/json": {"schema": schema}});
        json!({"/me": {"get": {"responses": {"200": {"content": content}}}}})
    };
    let inline = document(media(user), json!({}));
    let model = json!({"$ref": "#/components/schemas/User"});
    let referenced = document(media(model), json!({"User": all, "Id": id}));
    assert_eq!(changes(&inline, &referenced), [""; 0]);
    assert_eq!(changes(&referenced, &inline), [""; 0]);
}

#[test]
fn models_of_a_union_are_compared_with_their_own_version() {
    let pets = |cat: Value, models: &[&str]| {
        let tagged = |tag: &str, more: Value| {
            let mut properties = json!({"type": {"const": tag}});
            properties
                .as_object_mut()
                .expect("it is")
                .extend(more.as_object().expect("it is").clone());
            object(properties, &["type"])
        };
        let all = json!({
            "Cat": tagged("cat", cat), "Dog": tagged("dog", json!({"size": {"type": "integer"}})),
            "Fish": tagged("fish", json!({})),
        });
        let of: Vec<Value> = models
            .iter()
            .map(|name| json!({"$ref": format!("#/components/schemas/{name}")}))
            .collect();
        let content = json!({"application/json": {"schema": {"oneOf": of}}});
        document(json!({"/pet": {"get": {"responses": {"200": {"content": content}}}}}), all)
    };
    let before = pets(json!({"lives": {"type": "integer"}}), &["Cat", "Dog"]);
    let changed = pets(json!({"lives": {"type": "string"}}), &["Dog", "Cat"]);
    assert_eq!(
        changes(&before, &changed),
        [
            "Breaking response.200.lives | field `lives` of response 200 is `string` now; it was `integer`"
        ]
    );
    let more = pets(json!({"lives": {"type": "integer"}}), &["Cat", "Dog", "Fish"]);
    assert_eq!(
        changes(&before, &more),
        ["Breaking response.200 | response 200 is `Cat | Dog | Fish` now; it was `Cat | Dog`"]
    );
}

#[test]
fn the_version_3_0_is_read_too() {
    let old =
        body(json!({"type": "integer", "nullable": true, "minimum": 0, "exclusiveMinimum": true}));
    let new = body(json!({"type": ["integer", "null"], "exclusiveMinimum": 0}));
    assert_eq!(changes(&old, &new), [""; 0]);
}

/// The kind of the change in the other direction.
fn opposite(kind: ChangeKind) -> ChangeKind {
    use ChangeKind::*;
    let pairs = [
        (OperationAdded, OperationRemoved),
        (ParameterAdded, ParameterRemoved),
        (BodyAdded, BodyRemoved),
        (MediaTypeAdded, MediaTypeRemoved),
        (StatusAdded, StatusRemoved),
        (HeaderAdded, HeaderRemoved),
        (FieldAdded, FieldRemoved),
        (BecameRequired, BecameOptional),
        (TypeNarrowed, TypeWidened),
        (ValuesAdded, ValuesRemoved),
        (LimitTightened, LimitLoosened),
        (OtherFieldsAllowed, OtherFieldsForbidden),
        (SecurityTightened, SecurityLoosened),
        (SubprotocolAdded, SubprotocolRemoved),
        (Deprecated, Undeprecated),
    ];
    let found = pairs.iter().find_map(|&(one, other)| match kind {
        it if it == one => Some(other),
        it if it == other => Some(one),
        _ => None,
    });
    found.unwrap_or(kind)
}

fn schemas() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": "boolean"})),
        (0..3_u8).prop_map(|n| json!({"type": "integer", "minimum": n})),
        (1..3_u8).prop_map(|n| json!({"type": "number", "multipleOf": n})),
        (0..3_u8).prop_map(|n| json!({"type": "string", "maxLength": n})),
        Just(json!({"type": ["string", "null"], "format": "date"})),
        prop::collection::vec("[a-c]", 1..3).prop_map(|all| json!({"enum": all})),
        "[A-C]".prop_map(|name| json!({"$ref": format!("#/components/schemas/{name}")})),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        let field = ("[x-z]", inner.clone(), any::<bool>(), any::<bool>());
        prop_oneof![
            inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"anyOf": all})),
            inner.prop_map(|one| json!({"type": "object", "additionalProperties": one})),
            (prop::collection::vec(field, 0..3), any::<bool>()).prop_map(|(fields, is_open)| {
                let required: Vec<&String> =
                    fields.iter().filter(|field| field.2).map(|field| &field.0).collect();
                let properties: serde_json::Map<String, Value> = fields
                    .iter()
                    .map(|(name, schema, _, is_read_only)| {
                        let schema = json!({"allOf": [schema], "readOnly": is_read_only});
                        (name.clone(), schema)
                    })
                    .collect();
                json!({"type": "object", "properties": properties, "required": required,
                "additionalProperties": is_open})
            }),
        ]
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let parameter = ("[pq]", prop_oneof![Just("query"), Just("header")], any::<bool>(), schemas());
    let content = || {
        let name =
            prop_oneof![Just("application/json"), Just("text/csv"), Just("multipart/form-data")];
        let media = schemas().prop_map(|schema| json!({"schema": schema}));
        prop::collection::btree_map(name, media, 0..3)
    };
    let parameters = prop::collection::vec(parameter, 0..3);
    let body = prop::option::of((any::<bool>(), content()));
    let responses =
        prop::collection::btree_map(prop_oneof![Just("200"), Just("404")], content(), 0..3);
    (parameters, body, responses, any::<bool>(), "[a-b]?").prop_map(
        |(parameters, body, responses, is_deprecated, scheme)| {
            let parameters: Value = parameters
            .iter()
            .map(|(name, location, required, schema)| {
                json!({"name": name, "in": location, "required": required, "schema": schema})
            })
            .collect();
            let responses: serde_json::Map<String, Value> = responses
                .into_iter()
                .map(|(status, content)| (status.to_owned(), json!({"content": content})))
                .collect();
            let mut operation = json!({
                "parameters": parameters, "responses": responses, "deprecated": is_deprecated,
                "security": if scheme.is_empty() { json!([]) } else { json!([{scheme: []}]) },
            });
            if let Some((required, content)) = body {
                operation["requestBody"] = json!({"required": required, "content": content});
            }
            operation
        },
    )
}

fn documents() -> impl Strategy<Value = Document> {
    let item =
        prop::collection::btree_map(prop_oneof![Just("get"), Just("post")], operations(), 1..3);
    let paths = prop::collection::btree_map(prop_oneof![Just("/a"), Just("/b")], item, 0..3);
    let models = (schemas(), schemas(), schemas());
    (paths, models)
        .prop_map(|(paths, (a, b, c))| document(json!(paths), json!({"A": a, "B": b, "C": c})))
}

proptest! {
    #[test]
    fn a_document_compared_with_itself_has_no_change(document in documents()) {
        prop_assert_eq!(compare(&document, &document), []);
        prop_assert_eq!(compare(&document, &document.clone()), []);
    }

    #[test]
    fn the_other_direction_has_the_opposite_changes(one in documents(), two in documents()) {
        // A model with several uses has its changes at one of them, which may be another one.
        let key = |change: &Change, kind| {
            let parts = if change.place.starts_with("body") { 1 } else { 2 };
            let root = change.place.split(['.', '[']).take(parts).collect::<Vec<_>>().join(".");
            (kind, change.operation.clone(), root)
        };
        let there: BTreeSet<_> =
            compare(&one, &two).iter().map(|it| key(it, opposite(it.kind))).collect();
        let back: BTreeSet<_> = compare(&two, &one).iter().map(|it| key(it, it.kind)).collect();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn a_removed_operation_is_the_only_change(document in documents(), removed in any::<prop::sample::Index>()) {
        let mut json = document.as_json().clone();
        let paths = json["paths"].as_object_mut().expect("an object");
        prop_assume!(!paths.is_empty());
        let path = paths.keys().nth(removed.index(paths.len())).expect("one of them").clone();
        let count = paths.remove(&path).and_then(|item| item.as_object().map(|it| it.len()));
        let smaller = Document::from_json(json).expect("a document");
        let lost = compare(&document, &smaller);
        prop_assert_eq!(Some(lost.len()), count);
        prop_assert!(lost.iter().all(|it| it.effect == Effect::Breaking));
        let gained = compare(&smaller, &document);
        prop_assert!(gained.iter().all(|it| it.kind == ChangeKind::OperationAdded));
        prop_assert_eq!(Some(gained.len()), count);
    }
}
