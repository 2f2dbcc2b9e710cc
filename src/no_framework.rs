//! The place of `framework.rs` in an extension module: the framework's files are installed beside it.

/// No compiled code.
pub(crate) fn compiled() -> &'static [u8] {
    &[]
}

/// No names.
pub(crate) fn files() -> impl Iterator<Item = String> {
    std::iter::empty()
}

/// No text.
pub(crate) fn source(_: &str) -> Option<String> {
    None
}

/// No files.
pub(crate) fn sources() -> impl Iterator<Item = (String, String)> {
    std::iter::empty()
}
