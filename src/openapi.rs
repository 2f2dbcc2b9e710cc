//! Compares two OpenAPI documents, and lists what changed for clients.
//!
//! Pure: reads two JSON values, and knows neither Python nor files. Text for people (descriptions,
//! tags, examples, ids of operations) is not a change.

mod alternative_diff;
mod breadth_first;
mod change;
mod direction;
mod document;
mod field_diff;
mod inclusion;
mod limits;
mod operation;
mod operation_place;
mod schema;
mod schema_diff;
mod security;

pub use change::{Change, ChangeKind, Comparison, Effect};
pub use document::{Document, DocumentError};

/// Lists the changes from `before` to `now`.
pub fn compare(before: &Document, now: &Document) -> Comparison {
    operation::compare(before, now)
}

#[cfg(test)]
mod tests;
