//! Which request occupied which Python thread, and when: names the requests that blocked another.
//!
//! Only dev mode reads it. A short run costs two stores; a longer one is also stored after its end,
//! because the request that waited finds out only when its wait is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::message::{BlockingRequest, Head};
use crate::sync::Mutex;

/// The shortest wait whose blockers are reported.
pub(super) const MIN_REPORTED_WAIT: Duration = Duration::from_millis(5);
/// The shortest run that is stored.
const MIN_RUN: Duration = Duration::from_millis(1);
/// The maximum number of stored runs.
const MAX_ENDED: usize = 256;
/// The maximum number of blockers reported per request.
const MAX_BLOCKERS: usize = 3;

/// The current and the newest earlier runs on all threads that handlers share.
#[derive(Debug)]
pub(super) struct ThreadUsage {
    began: Instant,
    slots: Mutex<Vec<Arc<ThreadSlot>>>,
    ended: Mutex<VecDeque<ThreadRun>>,
}

/// The request that one thread runs.
#[derive(Debug, Default)]
pub(super) struct ThreadSlot {
    /// Its id; 0 while the thread runs none.
    request: AtomicU64,
    /// When it began, in nanoseconds since [`ThreadUsage::began`].
    since: AtomicU64,
}

/// The time in which one request occupied a thread.
#[derive(Clone, Debug)]
struct ThreadRun {
    id: u64,
    // A head would retain the whole request. Shared, because every waiting request clones it.
    method: Arc<str>,
    path: Arc<str>,
    from: Instant,
    to: Instant,
}

impl ThreadRun {
    fn new(id: u64, head: &Head, from: Instant, to: Instant) -> Self {
        let (method, path) = (head.method().into(), head.path().into());
        Self { id, method, path, from, to }
    }

    /// How long it ran between the two times.
    fn within(&self, from: Instant, to: Instant) -> Duration {
        self.to.min(to).saturating_duration_since(self.from.max(from))
    }
}

impl Default for ThreadUsage {
    fn default() -> Self {
        Self { began: Instant::now(), slots: Mutex::default(), ended: Mutex::default() }
    }
}

impl ThreadSlot {
    /// The id of the request that runs.
    pub(super) fn request(&self) -> Option<u64> {
        let id = self.request.load(Ordering::Acquire);
        (id != 0).then_some(id)
    }

    /// Records that no request runs.
    pub(super) fn clear(&self) {
        self.request.store(0, Ordering::Release);
    }
}

impl ThreadUsage {
    /// Adds a thread.
    pub(super) fn slot(&self) -> Arc<ThreadSlot> {
        let slot = Arc::<ThreadSlot>::default();
        let mut slots = self.slots.lock();
        // The slot of a thread that has ended has no other owner.
        slots.retain(|slot| Arc::strong_count(slot) > 1);
        slots.push(Arc::clone(&slot));
        slot
    }

    /// Records that the request `id` runs on the thread of `slot` from `now` on.
    pub(super) fn begin(&self, slot: &ThreadSlot, id: u64, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_nanos();
        slot.since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        slot.request.store(id, Ordering::Release);
    }

    /// When the current or last run on the thread of `slot` began.
    pub(super) fn since(&self, slot: &ThreadSlot) -> Instant {
        self.began + Duration::from_nanos(slot.since.load(Ordering::Acquire))
    }

    /// Stores a run of the request `id` that has ended.
    pub(super) fn record(&self, id: u64, head: &Head, from: Instant, to: Instant) {
        if to.saturating_duration_since(from) < MIN_RUN {
            return;
        }
        let mut ended = self.ended.lock();
        if ended.len() == MAX_ENDED {
            ended.pop_front();
        }
        ended.push_back(ThreadRun::new(id, head, from, to));
    }

    /// The requests that ran while the request `id` waited, longest first; `find` returns the head
    /// of a request in flight.
    pub(super) fn blockers(
        &self,
        id: u64,
        from: Instant,
        to: Instant,
        find: impl Fn(u64) -> Option<Head>,
    ) -> Vec<BlockingRequest> {
        let mut runs = Vec::new();
        for slot in &*self.slots.lock() {
            let Some(running) = slot.request() else { continue };
            let from = self.since(slot);
            if running != id
                && to.saturating_duration_since(from) >= MIN_RUN
                && let Some(head) = find(running)
            {
                runs.push(ThreadRun::new(running, &head, from, to));
            }
        }
        // Read after the current runs: a run that ends meanwhile may be in both, but is not missed.
        let running = runs.len();
        for run in &*self.ended.lock() {
            if run.id == id || run.within(from, to) < MIN_RUN {
                continue;
            }
            let is_same = |known: &ThreadRun| (known.id, known.from) == (run.id, run.from);
            if !runs[..running].iter().any(is_same) {
                runs.push(run.clone());
            }
        }
        let mut blockers: Vec<(ThreadRun, Duration)> = Vec::new();
        // If two have the same time, the later one is the more likely cause.
        runs.sort_by_key(|run| std::cmp::Reverse(run.from));
        for run in runs {
            let time = run.within(from, to);
            // On the loop a request runs in many steps.
            match blockers.iter_mut().find(|(blocker, _)| blocker.id == run.id) {
                Some((_, total)) => *total += time,
                None => blockers.push((run, time)),
            }
        }
        blockers.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        blockers.truncate(MAX_BLOCKERS);
        let blocker = |(run, time): (ThreadRun, Duration)| BlockingRequest {
            id: run.id,
            method: run.method.to_string(),
            path: run.path.to_string(),
            time,
        };
        blockers.into_iter().map(blocker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn head(path: &str) -> Head {
        Head::new(Request::get(path).body(()).expect("a request").into_parts().0)
    }

    fn times(blockers: &[BlockingRequest]) -> Vec<(u64, u128)> {
        blockers.iter().map(|blocker| (blocker.id, blocker.time.as_millis())).collect()
    }

    #[test]
    fn a_wait_is_attributed_to_the_requests_that_ran_longest_meanwhile() {
        let usage = ThreadUsage::default();
        let at = |ms| usage.began + Duration::from_millis(ms);
        usage.record(1, &head("/before"), at(0), at(10));
        usage.record(2, &head("/short"), at(15), at(20));
        usage.record(3, &head("/long"), at(5), at(90));
        let slot = usage.slot();
        usage.begin(&slot, 4, at(60));

        let blockers = usage.blockers(9, at(10), at(100), |id| (id == 4).then(|| head("/running")));

        assert_eq!(times(&blockers), [(3, 80), (4, 40), (2, 5)]);
        assert_eq!(blockers[1].path, "/running");
    }

    #[test]
    fn steps_of_one_request_count_together_and_its_own_do_not_count() {
        let usage = ThreadUsage::default();
        let at = |ms| usage.began + Duration::from_millis(ms);
        for from in [0, 20, 40] {
            usage.record(1, &head("/steps"), at(from), at(from + 10));
            usage.record(9, &head("/itself"), at(from), at(from + 15));
        }

        assert_eq!(times(&usage.blockers(9, at(5), at(100), |_| None)), [(1, 25)]);
    }

    #[test]
    fn only_the_newest_runs_are_stored_and_a_thread_that_ended_is_removed() {
        let usage = ThreadUsage::default();
        let at = |ms| usage.began + Duration::from_millis(ms);
        for (number, id) in (0..1000).zip(1..) {
            usage.record(id, &head("/"), at(number * 2), at(number * 2 + 2));
        }
        assert_eq!(usage.ended.lock().len(), MAX_ENDED);

        drop(usage.slot());
        let _slot = usage.slot();
        assert_eq!(usage.slots.lock().len(), 1);
    }
}
