//! Snaxum: an axum server whose endpoints are written in Rust or in Python.
//!
//! [`PythonRuntime`](python_runtime::PythonRuntime) runs the user's `@route` functions in this
//! process; [`handle_python_request`](dispatcher::handle_python_request) is the axum handler that
//! takes requests there. See `ARCHITECTURE.md` for how the parts fit.
//!
//! ```no_run
//! use axum::{routing::any, Router};
//! use snaxum::prelude::*;
//! use std::sync::Arc;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = SnaxumConfig::builder().python_dir("./python").build()?;
//! let runtime = Arc::new(PythonRuntime::with_config(config)?);
//! let app: Router = Router::new()
//!     .route("/python/{*path}", any(handle_python_request))
//!     .with_state(runtime);
//! # Ok(())
//! # }
//! ```

pub mod build_info;
pub mod config;
pub mod crash_record;
#[cfg(feature = "dev")]
pub mod dev;
pub mod dispatcher;
mod docs_page;
pub mod error;
pub mod escape;
pub mod event;
mod file_response;
#[cfg_attr(feature = "extension-module", path = "no_framework.rs")]
pub(crate) mod framework;
pub mod function_calls;
#[cfg(test)]
pub(crate) mod fuzz;
pub(crate) mod http_layers;
pub mod message;
pub mod openapi;
pub mod prelude;
mod problem;
pub mod project;
#[cfg(feature = "cli")]
pub mod project_templates;
pub mod python_runtime;
// Its lookup and most orders of a builder are for dev mode.
#[cfg_attr(not(feature = "dev"), allow(dead_code, unused_imports))]
pub mod rust_routes;
pub mod server;
pub mod shared_mapping;
pub mod state_dir;
pub(crate) mod static_files;
#[cfg_attr(not(feature = "dev"), allow(dead_code))]
pub mod supervision;
pub mod sync;
pub mod telemetry;
mod templates;
pub mod venv;

// For the targets of tests/fuzz.
#[cfg(any(test, fuzzing))]
pub use {
    file_response::fuzz_range, problem::fuzz_accept, server::fuzz_host, static_files::fuzz_path,
};

/// Compiles the Rust blocks of the README and the book as doc tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/embed.md")]
    mod embed {}
    #[doc = include_str!("../docs/rust-and-python.md")]
    mod rust_and_python {}
}
