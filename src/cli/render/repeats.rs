//! The facts of the requests that share a line: their number, first id and slowest time.
//!
//! Never decides which requests share a line: `RequestView::is_similar` does.

/// The requests of a line that describes the newest of them.
#[derive(Clone)]
pub(crate) struct Repeats {
    pub(crate) count: usize,
    pub(crate) first_id: String,
    pub(crate) slowest_ms: f64,
    /// Whether all have the same path; else the line shows their route.
    pub(crate) is_one_path: bool,
}

impl Repeats {
    /// Begins with one request.
    pub(super) fn of(id: &str, total_ms: f64) -> Self {
        Self { count: 1, first_id: id.to_owned(), slowest_ms: total_ms, is_one_path: true }
    }

    /// Adds newer requests, with the same path or another one.
    pub(super) fn and(self, newer: &Self, is_same_path: bool) -> Self {
        Self {
            count: self.count + newer.count,
            first_id: self.first_id,
            slowest_ms: self.slowest_ms.max(newer.slowest_ms),
            is_one_path: self.is_one_path && newer.is_one_path && is_same_path,
        }
    }
}
