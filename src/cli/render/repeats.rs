//! The facts of the requests that share a line: their number, first id and slowest time.
//!
//! Never decides which requests share a line: `RequestView::is_similar` does.

use super::request::RequestView;

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
    fn of(request: &RequestView) -> Self {
        Self {
            count: 1,
            first_id: request.id.clone(),
            slowest_ms: request.total_ms,
            is_one_path: true,
        }
    }
}

impl RequestView {
    /// Merges a newer request, or several, which the line describes from now on.
    pub(super) fn add(&mut self, mut newer: Self) {
        let before = self.repeats.take().unwrap_or_else(|| Repeats::of(self));
        let after = newer.repeats.take().unwrap_or_else(|| Repeats::of(&newer));
        let repeats = Repeats {
            count: before.count + after.count,
            first_id: before.first_id,
            slowest_ms: before.slowest_ms.max(after.slowest_ms),
            is_one_path: before.is_one_path && after.is_one_path && self.path == newer.path,
        };
        *self = Self { repeats: Some(repeats), ..newer };
    }

    /// Counts a newer request that gets no line of its own; `has_path` is called until a path differs.
    pub(crate) fn count_one(
        &mut self,
        id: u64,
        time_ms: u64,
        total_ms: f64,
        has_path: impl FnOnce(&str) -> bool,
    ) {
        let mut repeats = self.repeats.take().unwrap_or_else(|| Repeats::of(self));
        repeats.count += 1;
        repeats.slowest_ms = repeats.slowest_ms.max(total_ms);
        repeats.is_one_path = repeats.is_one_path && has_path(&self.path);
        (self.id, self.time_ms) = (id.to_string(), time_ms);
        self.total_ms = total_ms;
        self.repeats = Some(repeats);
    }
}
