//! Layout shared by lines of several kinds.

use console::{Alignment, pad_str};
use snaxum::message::Reload;

use super::color::escape;

/// The minimum columns of the cause.
const CAUSE_WIDTH: usize = 21;

/// Returns the cause of a reload: the files, or the trigger without files.
pub(super) fn cause(reload: &Reload) -> String {
    let cause = match (&reload.files[..], &*reload.cause) {
        ([], "manual") => "manual".to_owned(),
        ([], "start") => "start".to_owned(),
        ([], _) => return String::new(),
        ([file], _) => escape(file),
        ([file, more @ ..], _) => format!("{} +{} more", escape(file), more.len()),
    };
    padded(&cause)
}

/// Pads a cause to its column.
pub(super) fn padded(cause: &str) -> String {
    pad_str(cause, CAUSE_WIDTH, Alignment::Left, None).into_owned()
}

/// Formats `1 route`, `12 routes`.
pub(crate) fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Joins the parts that are not empty.
pub(super) fn join(parts: &[String]) -> String {
    let parts: Vec<&str> =
        parts.iter().map(|part| &**part).filter(|part| !part.is_empty()).collect();
    parts.join("   ")
}
