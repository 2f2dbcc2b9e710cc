//! Operations, their parameters, bodies, responses and credentials.

use serde_json::{Value, json};

use super::*;
use Effect::{Breaking, Compatible, Warning};

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
    let found = compare(&before, &now);
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
    let found = compare(&sockets(json!({"/a": {}})), &sockets(json!({})));
    assert_eq!(found[0].text, "the path no longer allows WebSockets");
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
fn breaking_changes_are_found_behind_any_number_of_others() {
    let fields = |count: usize| {
        let properties: Value = (0..count).map(|n| (format!("f{n}"), json!({}))).collect();
        json!({"post": {"requestBody": {"content": {"application/json": {"schema":
            object(properties, &[])}}}}})
    };
    let before = document(json!({"/a": fields(0), "/b": {"get": {}}}), json!({}));
    let now = document(json!({"/a": fields(1100)}), json!({}));
    let found = crate::openapi::compare(&before, &now);
    assert_eq!((found.changes.len(), found.left_out), (1001, 100));
    assert_eq!(found.changes[0].text, "the path no longer exists");
}
