//! Deduplicates repeated requests: the first has a line, the repeats share one.

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
        if self.0.len() == MAX_OPEN {
            shown.extend(self.0.remove(0).repeats);
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
        let mut shown = Vec::new();
        for group in over {
            if let Some(repeats) = group.repeats {
                shown.push(repeats.clone());
                // The group stays open: further repeats share the next line.
                self.0.push(RepeatGroup { shown: repeats, repeats: None, until: now + WINDOW });
            }
        }
        shown
    }

    /// Closes all groups; returns their repeats.
    pub(super) fn take(&mut self) -> Vec<RequestView> {
        std::mem::take(&mut self.0).into_iter().filter_map(|group| group.repeats).collect()
    }

    /// Returns the time when the next repeats are due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|group| group.repeats.is_some()).map(|group| group.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::request::tests::request;

    fn times(shown: &[RequestView]) -> Vec<(&str, usize)> {
        shown.iter().map(|request| (&*request.path, request.others + 1)).collect()
    }

    #[test]
    fn repeats_share_a_line_after_two_seconds() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        assert_eq!(times(&dedup.add(request("/a", 200), start)), [("/a", 1)]);
        for _ in 0..14 {
            assert_eq!(times(&dedup.add(request("/a", 200), start)), []);
        }
        assert_eq!(dedup.next_deadline(), Some(start + WINDOW));
        assert_eq!(times(&dedup.add(request("/b", 200), start)), [("/b", 1)]);
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
    fn the_number_of_groups_is_bounded_and_no_request_is_lost() {
        let (mut dedup, start) = (Dedup::default(), Instant::now());
        dedup.add(request("/0", 200), start);
        dedup.add(request("/0", 200), start);
        for n in 1..MAX_OPEN {
            dedup.add(request(&format!("/{n}"), 200), start);
        }
        assert_eq!(times(&dedup.add(request("/last", 200), start)), [("/0", 1), ("/last", 1)]);
        assert_eq!(dedup.0.len(), MAX_OPEN);
    }
}
