//! A route, as the console, the API and `snaxum routes --format json` show it.
//!
//! Plain data; Python computes it.

use serde::{Deserialize, Serialize};

/// The language of handlers that the program has registered by a `RustRoutes`.
pub const RUST: &str = "rust";

/// A route, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteInfo {
    /// The version of this object's shape.
    pub v: u32,
    /// Stable for a method and path across generations.
    pub id: String,
    /// As declared, sorted; `ANY` for an application.
    pub methods: Vec<String>,
    /// As written: `/users/<int:id>`.
    pub path: String,
    /// As axum writes it: `/users/{id}`.
    pub pattern: String,
    /// The path's parameters, in order.
    pub params: Vec<Param>,
    /// `module.function`.
    pub handler: String,
    /// The handler's module.
    pub module: String,
    /// Relative to the project.
    pub file: String,
    /// 1-based, of the first decorator.
    pub line: u32,
    /// 1-based.
    pub end_line: u32,
    /// The handler's docstring.
    pub doc: Option<String>,
    /// Whether it uses the process pool.
    pub pool: bool,
    /// Whether it is an `async def`.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// `in-thread`, `async`, `process pool`, `workers` of its own, `websocket`, `static` for a directory of
    /// files, `asgi` or `wsgi` for an application, or `rust`.
    pub mode: String,
    /// The language of the handler: `python` or `rust`.
    #[serde(default = "python")]
    pub language: String,
    /// The batches that its handler takes, if it takes some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<RouteBatch>,
    /// The number of worker processes of its own, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// The hooks that its requests meet, in their order: `before_request module.function`.
    #[serde(default)]
    pub via: Vec<String>,
    /// Whether its requests and responses are neither recorded nor shown.
    #[serde(default)]
    pub no_capture: bool,
    /// Problems of its declaration.
    pub warnings: Vec<String>,
    /// The generation that serves it.
    pub generation: u64,
}

fn python() -> String {
    "python".to_owned()
}

/// How requests become one call of a handler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteBatch {
    /// The most requests in one call.
    pub max_size: u32,
    /// The longest wait of the first request for others.
    pub max_wait_ms: f64,
}

impl RouteInfo {
    /// Whether its handler is in Rust.
    pub fn is_rust(&self) -> bool {
        self.language == RUST
    }

    /// Where the handler runs, and how: `workers: 2, batch of 32`.
    pub fn execution(&self) -> String {
        let mut text = self.mode.clone();
        if let Some(workers) = self.workers {
            text += &format!(": {workers}");
        }
        if let Some(batch) = &self.batch {
            text += &format!(", batch of {}", batch.max_size);
        }
        text
    }
}

/// The method of an application, which gets the requests of all methods.
pub const ANY_METHOD: &str = "ANY";

/// A route whose handler starts before the body has arrived.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StreamedRoute {
    /// As declared.
    pub methods: Vec<String>,
    /// The text at the start of each path of the route.
    pub prefix: String,
}

impl StreamedRoute {
    /// Whether a request may be for this route; only Python's route table decides.
    pub(crate) fn may_match(&self, method: &str, path: &str) -> bool {
        let text = |path: &str| path.trim_start_matches('/').to_owned();
        self.methods.iter().any(|each| each == method || each == ANY_METHOD)
            && text(path).starts_with(&text(&self.prefix))
    }
}

/// A parameter of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Param {
    /// The key in `request.path_params`.
    pub name: String,
    /// The converter.
    #[serde(rename = "type")]
    pub kind: String,
}
