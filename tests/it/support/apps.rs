//! Sources of applications that several files of tests use.

/// An app whose path `/` returns `text`.
pub(crate) fn app_returning(text: &str) -> String {
    format!("from snaxum import route\n\n@route('/')\ndef index(request):\n    return {text:?}\n")
}
