//! Names the Python that the program was built for; `build.rs` finds it.
//!
//! Never searches for an interpreter at run time.

/// The interpreter that the program was built against.
pub const BUILD_PYTHON: &str = env!("SNAXUM_BUILD_PYTHON");
/// The version of Python that the program was built for.
pub const BUILD_VERSION: &str = env!("SNAXUM_BUILD_PYTHON_VERSION");
