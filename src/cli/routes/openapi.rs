//! Writes the routes as an OpenAPI 3.1 document, for generators of clients and documentation.
//!
//! Contains the data of the route table: paths, typed parameters, docstrings. Never describes bodies.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use snaxum::message::{Param, RouteInfo};

/// The methods of a path item.
const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/// Creates the document; also returns the routes that OpenAPI cannot express.
pub(super) fn document(title: &str, routes: &[RouteInfo]) -> (Value, Vec<String>) {
    let (mut paths, mut omitted) = (Map::new(), Vec::new());
    let mut ids = BTreeSet::new();
    for route in routes {
        let path = template(&route.path);
        for method in &route.methods {
            let item = paths.entry(path.as_str()).or_insert_with(|| json!({}));
            let key = method.to_lowercase();
            if !METHODS.contains(&&**method) {
                omitted.push(format!("OpenAPI has no method {method}: {}", route.path));
            } else if item.get(&key).is_some() {
                let (path, handler) = (&route.path, &route.handler);
                omitted.push(format!("another route already has {method} {path}: {handler}"));
            } else {
                let id = match &*route.methods {
                    [_] => route.handler.clone(),
                    _ => format!("{}.{key}", route.handler),
                };
                item[key] = operation(route, unique(id, &mut ids));
            }
        }
    }
    paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    let info = json!({ "title": title, "version": "0.0.0" });
    (json!({ "openapi": "3.1.0", "info": info, "paths": paths }), omitted)
}

fn operation(route: &RouteInfo, id: String) -> Value {
    let mut operation = json!({
        "operationId": id,
        "tags": [route.module],
        "parameters": route.params.iter().map(parameter).collect::<Value>(),
        "responses": { "default": { "description": "Response of the handler" } },
    });
    let doc = route.doc.as_deref().unwrap_or_default().trim();
    let (summary, description) = doc.split_once('\n').unwrap_or((doc, ""));
    for (name, text) in [("summary", summary), ("description", description)] {
        if !text.trim().is_empty() {
            operation[name] = text.trim().into();
        }
    }
    operation
}

fn parameter(param: &Param) -> Value {
    let schema = match &*param.kind {
        "int" => json!({ "type": "integer", "minimum": 0 }),
        "float" => json!({ "type": "number", "minimum": 0 }),
        "uuid" => json!({ "type": "string", "format": "uuid" }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "name": param.name, "in": "path", "required": true, "schema": schema })
}

/// `/users/<int:id>` as `/users/{id}`.
fn template(path: &str) -> String {
    let (mut out, mut rest) = (String::new(), path);
    while let Some((text, after)) = rest.split_once('<') {
        let Some((inner, tail)) = after.split_once('>') else { break };
        let name = inner.rsplit(':').next().unwrap_or(inner);
        out += &format!("{text}{{{name}}}");
        rest = tail;
    }
    out + rest
}

/// Makes the id unique: a handler may have several routes.
fn unique(id: String, used: &mut BTreeSet<String>) -> String {
    let mut names = (2..).map(|count| format!("{id}.{count}"));
    let mut name = id.clone();
    while !used.insert(name.clone()) {
        name = names.next().expect("there is always another number");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_template_wherever_its_parameters_are() {
        assert_eq!(template("/"), "/");
        assert_eq!(template("/a/<int:id>/b-<name>.<uuid:x>"), "/a/{id}/b-{name}.{x}");
        assert_eq!(template("/files/<path:rest>"), "/files/{rest}");
    }

    #[test]
    fn each_operation_id_is_unique() {
        let mut used = BTreeSet::new();
        let names = ["a", "a", "b", "a"].map(|id| unique(id.to_owned(), &mut used));
        assert_eq!(names, ["a", "a.2", "b", "a.3"]);
    }
}
