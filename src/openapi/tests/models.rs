//! Models: recursive ones, unions of several, and other ways to write the same.

use serde_json::{Value, json};

use super::*;
use Effect::Breaking;

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
