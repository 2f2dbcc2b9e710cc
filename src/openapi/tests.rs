//! Two documents side by side, and the changes between them.

mod models;
mod operations;
mod random;
mod schemas;
mod soundness;

use serde_json::{Value, json};

use super::{Change, ChangeKind, Document, Effect};

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
