//! Which request held which Python thread, and when: to tell who kept another one waiting.
//!
//! Only dev mode looks. A short run costs two stores; a longer one is kept for a while after its
//! end, because who waited finds out only when it is over.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::message::{BlockingRequest, Head};

/// A wait that is shorter has no cause worth a name.
pub(super) const WORTH_A_NAME: Duration = Duration::from_millis(5);
/// A run that is shorter is not kept.
const SHORTEST: Duration = Duration::from_millis(1);
/// Ended runs that are kept.
const MAX_ENDED: usize = 256;
/// Requests that a wait is put down to.
const MAX_HOLDERS: usize = 3;

/// What runs now and what ran just before, on all threads that handlers share.
#[derive(Debug)]
pub(super) struct Runs {
    began: Instant,
    seats: Mutex<Vec<Arc<Seat>>>,
    ended: Mutex<VecDeque<Run>>,
}

/// What one thread runs: one request at a time.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Its id; 0 while there is none.
    request: AtomicU64,
    /// When it began, in nanoseconds since [`Runs::began`].
    since: AtomicU64,
}

/// A run that has ended.
#[derive(Clone, Debug)]
struct Run {
    id: u64,
    // Not the head: it holds on to all that came in with it. Shared: each that waits looks at all.
    method: Arc<str>,
    path: Arc<str>,
    from: Instant,
    to: Instant,
}

impl Run {
    fn new(id: u64, head: &Head, from: Instant, to: Instant) -> Self {
        let (method, path) = (head.method().into(), head.path().into());
        Self { id, method, path, from, to }
    }

    /// For how long it ran between the two.
    fn within(&self, from: Instant, to: Instant) -> Duration {
        self.to.min(to).saturating_duration_since(self.from.max(from))
    }
}

impl Default for Runs {
    fn default() -> Self {
        Self { began: Instant::now(), seats: Mutex::default(), ended: Mutex::default() }
    }
}

impl Seat {
    /// The id of the request that runs.
    pub(super) fn request(&self) -> Option<u64> {
        let id = self.request.load(Ordering::Acquire);
        (id != 0).then_some(id)
    }

    /// Nothing runs any more.
    pub(super) fn leave(&self) {
        self.request.store(0, Ordering::Release);
    }
}

impl Runs {
    /// A place for one more thread.
    pub(super) fn seat(&self) -> Arc<Seat> {
        let seat = Arc::<Seat>::default();
        let mut seats = lock(&self.seats);
        // The runs keep one, the thread the other.
        seats.retain(|seat| Arc::strong_count(seat) > 1);
        seats.push(Arc::clone(&seat));
        seat
    }

    /// From `now` on the request `id` runs on the thread of `seat`.
    pub(super) fn enter(&self, seat: &Seat, id: u64, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_nanos();
        seat.since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        seat.request.store(id, Ordering::Release);
    }

    /// When the run began that is, or was last, on the thread of `seat`.
    pub(super) fn since(&self, seat: &Seat) -> Instant {
        self.began + Duration::from_nanos(seat.since.load(Ordering::Acquire))
    }

    /// A run of the request `id` has ended.
    pub(super) fn keep(&self, id: u64, head: &Head, from: Instant, to: Instant) {
        if to.saturating_duration_since(from) < SHORTEST {
            return;
        }
        let mut ended = lock(&self.ended);
        if ended.len() == MAX_ENDED {
            ended.pop_front();
        }
        ended.push_back(Run::new(id, head, from, to));
    }

    /// Which requests ran while the request `id` waited, the longest first; `find` knows those that
    /// run still.
    pub(super) fn during(
        &self,
        id: u64,
        from: Instant,
        to: Instant,
        find: impl Fn(u64) -> Option<Head>,
    ) -> Vec<BlockingRequest> {
        let mut runs = Vec::new();
        for seat in &*lock(&self.seats) {
            let Some(running) = seat.request() else { continue };
            let from = self.since(seat);
            if running != id
                && to.saturating_duration_since(from) >= SHORTEST
                && let Some(head) = find(running)
            {
                runs.push(Run::new(running, &head, from, to));
            }
        }
        // Read after those that run: none is missed that ends just now, but it may be in both.
        let running = runs.len();
        for run in &*lock(&self.ended) {
            if run.id == id || run.within(from, to) < SHORTEST {
                continue;
            }
            let is_same = |known: &Run| (known.id, known.from) == (run.id, run.from);
            if !runs[..running].iter().any(is_same) {
                runs.push(run.clone());
            }
        }
        let mut blockers: Vec<(Run, Duration)> = Vec::new();
        // Of two that held on as long, the one that came later is the more likely cause.
        runs.sort_by_key(|run| std::cmp::Reverse(run.from));
        for run in runs {
            let time = run.within(from, to);
            // On the loop a request runs in many steps.
            match blockers.iter_mut().find(|(holder, _)| holder.id == run.id) {
                Some((_, whole)) => *whole += time,
                None => blockers.push((run, time)),
            }
        }
        blockers.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        blockers.truncate(MAX_HOLDERS);
        let holder = |(run, time): (Run, Duration)| BlockingRequest {
            id: run.id,
            method: run.method.to_string(),
            path: run.path.to_string(),
            time,
        };
        blockers.into_iter().map(holder).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn head(path: &str) -> Head {
        Head::new(Request::get(path).body(()).expect("a request").into_parts().0)
    }

    fn told(blockers: &[BlockingRequest]) -> Vec<(u64, u128)> {
        blockers.iter().map(|holder| (holder.id, holder.time.as_millis())).collect()
    }

    #[test]
    fn a_wait_is_put_down_to_those_that_ran_longest_meanwhile() {
        let runs = Runs::default();
        let at = |ms| runs.began + Duration::from_millis(ms);
        runs.keep(1, &head("/before"), at(0), at(10));
        runs.keep(2, &head("/short"), at(15), at(20));
        runs.keep(3, &head("/long"), at(5), at(90));
        let seat = runs.seat();
        runs.enter(&seat, 4, at(60));

        let blockers = runs.during(9, at(10), at(100), |id| (id == 4).then(|| head("/running")));

        assert_eq!(told(&blockers), [(3, 80), (4, 40), (2, 5)]);
        assert_eq!(blockers[1].path, "/running");
    }

    #[test]
    fn steps_of_one_request_count_together_and_its_own_do_not_count() {
        let runs = Runs::default();
        let at = |ms| runs.began + Duration::from_millis(ms);
        for from in [0, 20, 40] {
            runs.keep(1, &head("/steps"), at(from), at(from + 10));
            runs.keep(9, &head("/itself"), at(from), at(from + 15));
        }

        assert_eq!(told(&runs.during(9, at(5), at(100), |_| None)), [(1, 25)]);
    }

    #[test]
    fn of_many_runs_the_newest_are_kept_and_a_thread_that_ended_is_forgotten() {
        let runs = Runs::default();
        let at = |ms| runs.began + Duration::from_millis(ms);
        for (number, id) in (0..1000).zip(1..) {
            runs.keep(id, &head("/"), at(number * 2), at(number * 2 + 2));
        }
        assert_eq!(lock(&runs.ended).len(), MAX_ENDED);

        drop(runs.seat());
        let _seat = runs.seat();
        assert_eq!(lock(&runs.seats).len(), 1);
    }
}
