//! The state of a request that Rust passes on to Python, where it is `request.state`.
//!
//! JSON, encoded once for each value and shared by all requests that get a clone. Python decodes it
//! when a handler first uses it.

use axum::http::Extensions;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::conversion::{ConversionError, from_json, to_json};

/// A value that Python handlers read as `request.state`, if it is among the extensions of a request.
///
/// The members of a struct or map are its attributes and items: `request.state.user` and
/// `request.state["user"]`. Any other value, such as a list, is `request.state` itself.
///
/// One value for all requests is an [`Extension`](axum::Extension) layer:
///
/// ```no_run
/// use axum::{Extension, Router, routing::any};
/// use serde::Serialize;
/// use snaxum::prelude::*;
/// use std::sync::Arc;
///
/// #[derive(Serialize)]
/// struct Settings {
///     region: &'static str,
/// }
///
/// # fn app(runtime: Arc<PythonRuntime>) -> Result<Router, Box<dyn std::error::Error>> {
/// let app = Router::new()
///     .route("/python/{*path}", any(handle_python_request))
///     .layer(Extension(PythonState::new(Settings { region: "eu" })?))
///     .with_state(runtime);
/// # Ok(app)
/// # }
/// ```
///
/// A value of each request comes from a middleware, which adds to what other layers have set:
///
/// ```no_run
/// use axum::{extract::Request, http::StatusCode, middleware::Next, response::Response};
/// use snaxum::prelude::*;
///
/// async fn authenticate(mut request: Request, next: Next) -> Result<Response, StatusCode> {
///     let user = serde_json::json!({ "user": { "name": "ada", "roles": ["admin"] } });
///     PythonState::add(request.extensions_mut(), user)
///         .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
///     Ok(next.run(request).await)
/// }
/// ```
#[derive(Clone)]
pub struct PythonState {
    json: Bytes,
}

impl PythonState {
    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// A value without a JSON form, such as a map whose keys are lists.
    pub fn new(value: impl Serialize) -> Result<Self, ConversionError> {
        Ok(Self { json: to_json(value)?.into() })
    }

    /// Adds the members of `value` to the state that is among these extensions; a member of the same
    /// name is replaced. Without a state there, `value` becomes it.
    ///
    /// # Errors
    ///
    /// `value` has no JSON form; or one of the two has no members, such as a list.
    pub fn add(extensions: &mut Extensions, value: impl Serialize) -> Result<(), ConversionError> {
        let mut state = Self::new(value)?;
        if let Some(before) = extensions.get::<Self>() {
            state = before.merged(&state)?;
        }
        extensions.insert(state);
        Ok(())
    }

    fn merged(&self, newer: &Self) -> Result<Self, ConversionError> {
        let mut members = self.members()?;
        members.extend(newer.members()?);
        Self::new(members)
    }

    fn members(&self) -> Result<Map<String, Value>, ConversionError> {
        let other = match from_json(&self.json)? {
            Value::Object(members) => return Ok(members),
            Value::Array(_) => "a list",
            Value::String(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::Null => "null",
        };
        let reason = format!("{other} has no members to merge; use a struct or a map");
        Err(ConversionError::new(".", reason))
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }
}

// Without its content, which may be secret.
impl std::fmt::Debug for PythonState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonState").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_layers_add_members_and_replace_members_of_the_same_name() {
        let mut extensions = Extensions::new();
        PythonState::add(&mut extensions, json!({"a": 1, "b": 1})).expect("the first");
        PythonState::add(&mut extensions, json!({"b": 2, "c": [3]})).expect("the second");
        let state = extensions.get::<PythonState>().expect("it is there");
        let value: Value = from_json(state.json()).expect("JSON");
        assert_eq!(value, json!({"a": 1, "b": 2, "c": [3]}));
    }

    #[test]
    fn a_value_without_members_is_the_state_and_cannot_be_merged() {
        for (value, kind) in [
            (json!([1, 2]), "a list"),
            (json!("a"), "a text"),
            (json!(1), "a number"),
            (json!(true), "a boolean"),
            (json!(null), "null"),
        ] {
            let mut extensions = Extensions::new();
            PythonState::add(&mut extensions, &value).expect("the first");
            let state = extensions.get::<PythonState>().expect("it is there");
            assert_eq!(state.json(), value.to_string().as_bytes());
            let error = PythonState::add(&mut extensions, json!({"a": 1})).expect_err("no members");
            assert!(error.reason().starts_with(&format!("{kind} has no members")), "{error}");
        }
    }

    #[test]
    fn its_content_is_not_in_the_output_for_debugging() {
        let state = PythonState::new(json!({"password": "hunter2"})).expect("JSON");
        assert_eq!(format!("{state:?}"), "PythonState { .. }");
    }
}
