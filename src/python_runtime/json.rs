//! Reads JSON that the framework wrote.
//!
//! Never calls Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::de::DeserializeOwned;

/// Parses JSON, given as `bytes`.
pub(super) fn parse<T: DeserializeOwned>(json: &Bound<'_, PyAny>) -> PyResult<T> {
    let bytes: &[u8] = json.extract()?;
    serde_json::from_slice(bytes)
        .map_err(|error| PyValueError::new_err(format!("the bridge sent invalid JSON: {error}")))
}
