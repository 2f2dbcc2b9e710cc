//! Renders an error that ends a command.

use snaxum::error::Error;

use super::color::{escape, escape_lines};

/// The text of an error, which cannot control the terminal.
pub(crate) fn error_text(error: &Error) -> String {
    let escape = match error {
        // Code, a list, a traceback.
        Error::LibpythonRelease { .. } | Error::NothingLoads(_) | Error::RuntimeLost(_) => {
            escape_lines
        }
        _ => escape,
    };
    escape(&error.to_string())
}
