//! Requests that come again and again: the first has its line, the others share one.

use std::time::{Duration, Instant};

use super::request::Request;

/// How long what repeats a line is gathered.
const WINDOW: Duration = Duration::from_secs(2);
/// Lines that are watched for repeats; of more at once the oldest is let go.
const MAX_OPEN: usize = 32;

/// The lines whose repeats are gathered, oldest first.
#[derive(Default)]
pub(super) struct Folds(Vec<Fold>);

struct Fold {
    shown: Request,
    repeats: Option<Request>,
    until: Instant,
}

impl Folds {
    /// Takes a request; gives what is to be shown now.
    pub(super) fn add(&mut self, request: Request, now: Instant) -> Vec<Request> {
        let mut shown = self.due(now);
        if let Some(fold) = self.0.iter_mut().find(|fold| fold.shown.is_like(&request)) {
            match &mut fold.repeats {
                Some(repeats) => repeats.add(request),
                None => fold.repeats = Some(request),
            }
            return shown;
        }
        if self.0.len() == MAX_OPEN {
            shown.extend(self.0.remove(0).repeats);
        }
        shown.push(request.clone());
        self.0.push(Fold { shown: request, repeats: None, until: now + WINDOW });
        shown
    }

    /// What has been gathered for long enough.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Request> {
        let (over, open) =
            std::mem::take(&mut self.0).into_iter().partition(|f: &Fold| f.until <= now);
        self.0 = open;
        let mut shown = Vec::new();
        for fold in over {
            if let Some(repeats) = fold.repeats {
                shown.push(repeats.clone());
                // It goes on: what comes next shares the next line.
                self.0.push(Fold { shown: repeats, repeats: None, until: now + WINDOW });
            }
        }
        shown
    }

    /// All that has been gathered.
    pub(super) fn take(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.0).into_iter().filter_map(|fold| fold.repeats).collect()
    }

    /// When something will be due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().filter(|fold| fold.repeats.is_some()).map(|fold| fold.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::request::tests::request;

    fn times(shown: &[Request]) -> Vec<(&str, usize)> {
        shown.iter().map(|request| (&*request.path, request.others + 1)).collect()
    }

    #[test]
    fn repeats_share_a_line_after_two_seconds() {
        let (mut folds, start) = (Folds::default(), Instant::now());
        assert_eq!(times(&folds.add(request("/a", 200), start)), [("/a", 1)]);
        for _ in 0..14 {
            assert_eq!(times(&folds.add(request("/a", 200), start)), []);
        }
        assert_eq!(folds.next(), Some(start + WINDOW));
        assert_eq!(times(&folds.add(request("/b", 200), start)), [("/b", 1)]);
        assert_eq!(times(&folds.due(start + WINDOW)), [("/a", 14)]);
        assert_eq!(folds.next(), None);
    }

    #[test]
    fn after_a_pause_a_request_has_its_line_again() {
        let (mut folds, start) = (Folds::default(), Instant::now());
        folds.add(request("/a", 200), start);
        assert_eq!(times(&folds.add(request("/a", 200), start + WINDOW)), [("/a", 1)]);
    }

    #[test]
    fn the_number_of_watched_lines_is_bounded_and_nothing_is_lost() {
        let (mut folds, start) = (Folds::default(), Instant::now());
        folds.add(request("/0", 200), start);
        folds.add(request("/0", 200), start);
        for n in 1..MAX_OPEN {
            folds.add(request(&format!("/{n}"), 200), start);
        }
        assert_eq!(times(&folds.add(request("/last", 200), start)), [("/0", 1), ("/last", 1)]);
        assert_eq!(folds.0.len(), MAX_OPEN);
    }
}
