//! The place of `boot.rs` in an extension module, which a running Python has imported.

use std::path::Path;

use crate::error::Error;

/// Starts nothing.
pub(super) fn start(_: Option<&Path>) -> Result<(), Error> {
    Err(Error::Interpreter("an extension module runs in the Python that imports it".to_owned()))
}
