//! The requests that are in flight: they came in, and have not ended.
//!
//! Filled in dev mode only. A request's [`InFlightGuard`] removes it from the list, and records
//! which threads it used meanwhile ([`ThreadUsage`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::crash_record::CrashRecord;
use crate::message::{BlockingRequest, Head};
use crate::sync::Mutex;

use super::profile_demand::{MAX_SLOW, ProfileDemand, ProfileRound, SLOW};
use super::thread_usage::{MIN_REPORTED_WAIT, ThreadSlot, ThreadUsage};

/// The requests that are in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: Mutex<HashMap<u64, (Head, Instant)>>,
    pub(super) usage: ThreadUsage,
    pub(crate) profile: ProfileDemand,
    /// The thread of the asyncio loop.
    event_loop: OnceLock<Arc<ThreadSlot>>,
    /// Records them for the process that reports a crash of this one.
    crash_record: Option<Arc<CrashRecord>>,
}

/// Removes a request from the list when it is dropped.
#[derive(Debug)]
pub(crate) struct InFlightGuard {
    list: Arc<InFlight>,
    id: u64,
    /// Its place in the crash record.
    slot: Option<usize>,
}

impl InFlight {
    /// A list without requests.
    pub(crate) fn new(crash_record: Option<Arc<CrashRecord>>) -> Self {
        Self { crash_record, ..Self::default() }
    }

    /// Adds a request that came in at `since`.
    pub(crate) fn add(self: &Arc<Self>, id: u64, head: Head, since: Instant) -> InFlightGuard {
        let record = self.crash_record.as_ref();
        let slot = record.and_then(|record| match head.is_function_call() {
            true => record.add(id, head.method(), &head.path()),
            false => record.add(id, head.method(), head.raw_path()),
        });
        // In this order: the profiler finds a request that asks for it.
        let asks = head.asks_for_profile();
        self.requests.lock().insert(id, (head, since));
        if asks {
            self.profile.demand(id);
        }
        self.profile.wake();
        InFlightGuard { list: Arc::clone(self), id, slot }
    }

    /// The request with this id, and when it came in.
    pub(crate) fn find(&self, id: u64) -> Option<(Head, Instant)> {
        self.requests.lock().get(&id).cloned()
    }

    pub(super) fn has(&self, id: u64) -> bool {
        self.requests.lock().contains_key(&id)
    }

    /// The requests that came in before `time`, oldest first, but for WebSockets.
    pub(crate) fn since_before(&self, time: Instant) -> Vec<(u64, Head, Instant)> {
        let old = |(id, (head, since)): (&u64, &(Head, Instant))| {
            (*since < time && !head.is_websocket()).then(|| (*id, head.clone(), *since))
        };
        let mut old: Vec<_> = self.requests.lock().iter().filter_map(old).collect();
        old.sort_by_key(|(id, _, since)| (*since, *id));
        old
    }

    /// The ids of the open WebSockets, oldest first.
    pub(crate) fn websockets(&self) -> Vec<u64> {
        let requests = self.requests.lock();
        let open = requests.iter().filter(|(_, (head, _))| head.is_websocket());
        let mut ids: Vec<_> = open.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Waits, at most for `limit`, until there is a request to profile, or a `known` one has ended.
    pub(super) fn wait_for_profiled(&self, limit: Option<Duration>, known: &[u64]) -> ProfileRound {
        // Thousands of open streams may be known, and each check has the lock of all requests.
        let known: HashSet<u64> = known.iter().copied().collect();
        let check = |now, asked: &[u64]| self.profile_round(now, asked, &known);
        let is_idle = || self.requests.lock().is_empty();
        self.profile.wait(limit, !known.is_empty(), is_idle, check)
    }

    fn profile_round(&self, now: Instant, asked: &[u64], known: &HashSet<u64>) -> ProfileRound {
        let requests = self.requests.lock();
        let age = |since: Instant| now.saturating_duration_since(since);
        let find = |id: &u64| requests.get(id).map(|(_, since)| (*id, age(*since)));
        let mut slow: Vec<_> = requests
            .iter()
            .filter(|(id, (head, since))| {
                age(*since) >= SLOW && !head.is_websocket() && !known.contains(id)
            })
            .map(|(id, (_, since))| (*id, age(*since)))
            .collect();
        let ended = known.iter().filter(|id| !requests.contains_key(id)).copied().collect();
        // A request that has ended has no stack, but its profile reports that.
        let demanded = asked.iter().map(|id| find(id).unwrap_or((*id, Duration::ZERO))).collect();
        drop(requests);
        // The oldest first: others may wait for a thread.
        slow.sort_unstable_by_key(|(id, age)| (std::cmp::Reverse(*age), *id));
        slow.truncate(MAX_SLOW);
        ProfileRound { demanded, slow, ended }
    }

    fn event_loop(&self) -> &ThreadSlot {
        self.event_loop.get_or_init(|| self.usage.slot())
    }
}

impl InFlightGuard {
    /// The requests that occupied the threads while this one waited; empty for a short wait.
    pub(super) fn blockers(&self, from: Instant, to: Instant) -> Vec<BlockingRequest> {
        if to.saturating_duration_since(from) < MIN_REPORTED_WAIT {
            return Vec::new();
        }
        let find = |id| self.list.find(id).map(|(head, _)| head);
        self.list.usage.blockers(self.id, from, to, find)
    }

    /// Profiles the request if the switch of its route is on.
    pub(super) fn on_route(&self, route: &str) {
        self.list.profile.on_route(self.id, route);
    }

    /// Records that this thread runs the request from now on, or no longer.
    pub(super) fn set_running(&self, is_running: bool) {
        if let (Some(record), Some(slot)) = (&self.list.crash_record, self.slot) {
            record.set_running(slot, is_running);
        }
    }

    /// Records that the request occupied a thread.
    pub(super) fn record_run(&self, head: &Head, from: Instant, to: Instant) {
        self.list.usage.record(self.id, head, from, to);
    }

    /// Records that the request occupies the asyncio loop from now on.
    pub(super) fn enter_loop(&self, now: Instant) {
        self.list.usage.begin(self.list.event_loop(), self.id, now);
        self.set_running(true);
    }

    /// Records that the request has released the loop.
    pub(super) fn leave_loop(&self, head: &Head, now: Instant) {
        let (usage, slot) = (&self.list.usage, self.list.event_loop());
        let from = usage.since(slot);
        slot.clear();
        self.set_running(false);
        usage.record(self.id, head, from, now);
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.list.requests.lock().remove(&self.id);
        if let (Some(record), Some(slot)) = (&self.list.crash_record, self.slot) {
            record.remove(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn a_request_is_listed_until_its_guard_is_dropped() {
        let list = Arc::<InFlight>::default();
        let head = Head::new(Request::get("/a").body(()).expect("a request").into_parts().0);
        let now = Instant::now();
        let guard = list.add(7, head, now);
        let (head, since) = list.find(7).expect("it is in flight");
        assert_eq!((&*head.path(), since), ("/a", now));
        assert_eq!(list.since_before(now).len(), 0);
        assert_eq!(list.since_before(now + std::time::Duration::from_nanos(1)).len(), 1);
        drop(guard);
        assert!(list.find(7).is_none());
    }

    #[test]
    fn a_profiler_that_sleeps_is_woken_by_the_next_request() {
        let list = Arc::<InFlight>::default();
        let sleeper = Arc::clone(&list);
        let waiting = std::thread::spawn(move || sleeper.wait_for_profiled(None, &[]));
        while !list.profile.is_asleep() {
            std::thread::yield_now();
        }
        let _guard = list.add(5, head("/a?profile"), Instant::now());
        let round = waiting.join().expect("no panic");
        assert_eq!(round.demanded.first().map(|(id, _)| *id), Some(5));
    }

    fn head(uri: &str) -> Head {
        Head::new(Request::get(uri).body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_request_is_profiled_if_it_asks_for_it_or_its_route_is_switched_on() {
        let list = Arc::<InFlight>::default();
        let none = Some(Duration::ZERO);
        let round = |known: &[u64]| list.wait_for_profiled(none, known);
        let now = Instant::now();
        let _before = list.add(1, head("/a?profile"), now);
        assert_eq!(round(&[]).demanded, [], "there was no profiler");

        let _guards = [
            list.add(2, head("/a?x=1&profile"), now),
            list.add(3, head("/a?profile=1"), now),
            list.add(4, head("/profile?profiles"), now),
        ];
        let asked: Vec<u64> = round(&[]).demanded.into_iter().map(|(id, _)| id).collect();
        assert_eq!(asked, [2]);

        list.profile.on_route(3, "GET /a");
        assert!(list.profile.switch("GET /a", true));
        list.profile.on_route(4, "GET /a");
        assert_eq!(list.profile.switched(), ["GET /a"]);
        assert!(list.profile.switch("GET /a", false));
        list.profile.on_route(2, "GET /a");
        let asked: Vec<u64> = round(&[]).demanded.into_iter().map(|(id, _)| id).collect();
        assert_eq!(asked, [4]);
    }

    #[test]
    fn slow_requests_are_returned_oldest_first_until_they_are_known_and_then_their_ends() {
        let list = Arc::<InFlight>::default();
        let now = Instant::now();
        let old = now - 2 * SLOW;
        let guard = list.add(1, head("/a"), now - SLOW);
        let _guards = [list.add(2, head("/a"), old), list.add(3, head("/a"), now + SLOW)];
        let slow = list.wait_for_profiled(None, &[]).slow;
        assert_eq!(slow.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 1]);
        assert!(slow[0].1 >= 2 * SLOW);

        drop(guard);
        let round = list.wait_for_profiled(None, &[1, 2]);
        assert_eq!((round.slow, round.ended), (vec![], vec![1]));
    }
}
