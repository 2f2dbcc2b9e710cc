//! Deduplicates repeated requests: the first has a line, the repeats share one.
//!
//! The lines are in the order of their newest request: repeats appear above the next line of another kind.

use std::time::{Duration, Instant};

use super::request::RequestView;

/// The time in which repeats are counted.
const WINDOW: Duration = Duration::from_secs(2);
/// The maximum number of open groups; a new one closes the oldest.
const MAX_OPEN: usize = 32;

/// The open groups, oldest first.
#[derive(Default)]
pub(super) struct Dedup(Vec<RepeatGroup>);

struct RepeatGroup {
    shown: RequestView,
    repeats: Option<RequestView>,
    until: Instant,
}

impl Dedup {
    /// Adds a request; returns the requests to show now.
    pub(super) fn add(&mut self, request: RequestView, now: Instant) -> Vec<RequestView> {
        let mut shown = self.due(now);
        if let Some(group) = self.0.iter_mut().find(|group| group.shown.is_similar(&request)) {
            match &mut group.repeats {
                Some(repeats) => repeats.add(request),
                None => group.repeats = Some(request),
            }
            return shown;
        }
        // In a line of their own after this one, they would be out of order.
        shown.extend(self.pending(now));
        if self.0.len() == MAX_OPEN {
            self.0.remove(0);
        }
        shown.push(request.clone());
        self.0.push(RepeatGroup { shown: request, repeats: None, until: now + WINDOW });
        shown
    }

    /// Closes the groups whose time is over; returns their repeats.
    pub(super) fn due(&mut self, now: Instant) -> Vec<RequestView> {
        let (over, open) =
            std::mem::take(&mut self.0).into_iter().partition(|f: &RepeatGroup| f.until <= now);
        self.0 = open;
        if over.iter().all(|group| group.repeats.is_none()) {
            return Vec::new();
        }
        // With a line of this group, the repeats of the others are in order only above the next one.
        self.0.extend(over.into_iter().filter(|group| group.repeats.is_some()));
        self.pending(now)
    }

    /// Returns the repeats so far. Their groups stay open: further repeats share the next line.
    fn pending(&mut self, now: Instant) -> Vec<RequestView> {
        let mut shown = Vec::new();
        for group in &mut self.0 {
            if let Some(repeats) = group.repeats.take() {
                group.shown = repeats.clone();
                group.until = now + WINDOW;
                shown.push(repeats);
            }
        }
        in_order(shown)
    }

    /// Closes all groups; returns their repeats.
    pub(super) fn take(&mut self) -> Vec<RequestView> {
        in_order(
            std::mem::take(&mut self.0).into_iter().filter_map(|group| group.repeats).collect(),
        )
    }

    /// Returns the time when the next repeats are due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|group| group.repeats.is_some()).map(|group| group.until).min()
    }
}

fn in_order(mut lines: Vec<RequestView>) -> Vec<RequestView> {
    lines.sort_by_key(|line| line.time_ms);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::request::tests::request;

    fn times(shown: &[RequestView]) -> Vec<(&str, usize)> {
        let count =
            |request: &RequestView| request.repeats.as_ref().map_or(1, |repeats| repeats.count);
        shown.iter().map(|request| (&*request.path, count(request))).collect()
    }

    #[test]
    fn repeats_share_a_line_after_two_seconds() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        assert_eq!(times(&dedup.add(request("/a", 200), start)), [("/a", 1)]);
        for _ in 0..14 {
            assert_eq!(times(&dedup.add(request("/a", 200), start)), []);
        }
        assert_eq!(dedup.next_deadline(), Some(start + WINDOW));
        assert_eq!(times(&dedup.due(start + WINDOW)), [("/a", 14)]);
        assert_eq!(dedup.next_deadline(), None);
    }

    #[test]
    fn after_the_window_a_request_has_a_line_again() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        dedup.add(request("/a", 200), start);
        assert_eq!(times(&dedup.add(request("/a", 200), start + WINDOW)), [("/a", 1)]);
    }

    #[test]
    fn repeats_are_above_a_later_line_of_another_kind_and_in_order() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        let at = |path, time_ms| RequestView { time_ms, ..request(path, 200) };
        for (path, time_ms) in [("/a", 1), ("/b", 2), ("/a", 3), ("/b", 4), ("/a", 5)] {
            dedup.add(at(path, time_ms), start);
        }
        assert_eq!(times(&dedup.add(at("/c", 6), start)), [("/b", 1), ("/a", 2), ("/c", 1)]);
        dedup.add(at("/b", 7), start);
        dedup.add(at("/a", 8), start);
        assert_eq!(times(&dedup.due(start + WINDOW)), [("/b", 1), ("/a", 1)]);
    }

    #[test]
    fn the_number_of_groups_is_bounded_and_no_request_is_lost() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        for n in 0..MAX_OPEN {
            dedup.add(request(&format!("/{n}"), 200), start);
        }
        dedup.add(request("/0", 200), start);
        assert_eq!(times(&dedup.add(request("/last", 200), start)), [("/0", 1), ("/last", 1)]);
        assert_eq!(dedup.0.len(), MAX_OPEN);
    }
}
