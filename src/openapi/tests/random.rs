//! Properties of random documents.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

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
