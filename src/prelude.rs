//! The imports of an embedding server: `use snaxum::prelude::*;`.

pub use crate::config::SnaxumConfig;
pub use crate::dispatcher::handle_python_request;
pub use crate::error::Error as SnaxumError;
pub use crate::function_calls::{CallArguments, FunctionError};
pub use crate::message::PythonState;
pub use crate::python_runtime::PythonRuntime;
pub use crate::rust_routes::RustRoutes;
