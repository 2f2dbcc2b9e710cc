//! Explains which route in Rust handles a request, with the matcher of axum. Handles none.

use matchit::Router;
use serde_json::{Value, json};

use crate::message::{ANY_METHOD, RouteInfo};

/// The lookup of `method` and the decoded `path` among the routes in Rust, in the form of that in
/// Python; `None` if no route in Rust has the path.
pub(crate) fn explain(routes: &[RouteInfo], method: &str, path: &str) -> Option<Value> {
    let mut router = Router::<Vec<&RouteInfo>>::new();
    for route in routes.iter().filter(|route| route.is_rust()) {
        match router.at_mut(&route.path) {
            // A path that is written in the same way.
            Ok(found) if found.value[0].path == route.path => found.value.push(route),
            _ => {
                let _ = router.insert(route.path.clone(), vec![route]); // axum has accepted it
            }
        }
    }
    let found = router.at(path).ok()?;
    let accepts = |route: &&&RouteInfo| {
        let accepted = [method, ANY_METHOD, if method == "HEAD" { "GET" } else { method }];
        accepted.iter().any(|method| route.methods.iter().any(|each| each == method))
    };
    let route = found.value.iter().find(accepts);
    let mut allow: Vec<&str> =
        found.value.iter().flat_map(|route| &route.methods).map(String::as_str).collect();
    allow.sort_unstable();
    let matched = route.map(|route| {
        let kind = |name: &str| {
            let param = route.params.iter().find(|param| param.name == name);
            param.map_or("string", |param| &*param.kind)
        };
        let params = found.params.iter();
        let params: Vec<Value> = params
            .map(|(name, value)| json!({ "name": name, "type": kind(name), "value": format!("{value:?}") }))
            .collect();
        json!({
            "methods": route.methods, "path": route.path, "handler": route.handler, "mode": route.mode,
            "via": route.via, "params": params,
        })
    });
    Some(json!({
        "v": 2,
        "method": method,
        "path": path,
        "status": if matched.is_some() { 200 } else { 405 },
        "allow": if matched.is_some() { vec![] } else { allow },
        "route": matched,
        "near_misses": [],
    }))
}

/// Whether the match is of a route for everything below a prefix: a Python route may be narrower.
pub(crate) fn is_catch_all(lookup: &Value) -> bool {
    lookup["route"]["path"].as_str().is_some_and(|path| path.contains("{*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> RouteInfo {
        serde_json::from_value(json!({
            "v": 1, "id": format!("rust:{method}:{path}"), "methods": [method], "path": path,
            "pattern": path, "params": [{"name": "id", "type": "string"}], "handler": "a::b", "module": "a",
            "file": "src/main.rs", "line": 1, "end_line": 1, "doc": null, "pool": false, "async": true,
            "mode": "rust", "language": "rust", "warnings": [], "generation": 1,
        }))
        .expect("the fields of a route")
    }

    #[test]
    fn the_route_of_a_request_has_its_parameters() {
        let routes = [route("GET", "/a/{id}"), route("POST", "/a/{id}"), route("GET", "/a/b")];
        let found = explain(&routes, "POST", "/a/7").expect("a route");
        assert_eq!(found["route"]["path"], "/a/{id}");
        assert_eq!(found["route"]["methods"], json!(["POST"]));
        let params = json!([{ "name": "id", "type": "string", "value": "\"7\"" }]);
        assert_eq!(found["route"]["params"], params);
        let found = explain(&routes, "HEAD", "/a/b").expect("a route");
        assert_eq!((&found["route"]["path"], &found["status"]), (&json!("/a/b"), &json!(200)));
    }

    #[test]
    fn another_method_is_not_accepted_and_another_path_is_not_found() {
        let routes = [route("GET", "/a"), route("POST", "/a")];
        let found = explain(&routes, "PUT", "/a").expect("the path is there");
        assert_eq!((&found["status"], &found["route"]), (&json!(405), &Value::Null));
        assert_eq!(found["allow"], json!(["GET", "POST"]));
        assert!(explain(&routes, "GET", "/b").is_none());
    }

    #[test]
    fn a_route_of_python_is_not_one_of_rust() {
        let mut python = route("GET", "/a");
        python.language = "python".to_owned();
        assert!(explain(&[python], "GET", "/a").is_none());
    }
}
