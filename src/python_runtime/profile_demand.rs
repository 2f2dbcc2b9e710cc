//! Decides which requests are profiled: requests that ask for it, that are to a route whose switch is on,
//! or that run for [`SLOW`].
//!
//! The profiler of Python (`_debug/profiler.py`) waits here, without the interpreter. A request that is
//! not profiled costs a check of its query and headers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::sync::Mutex;

/// The age at which a request is profiled by itself.
pub(super) const SLOW: Duration = Duration::from_millis(50);
/// The time between two checks of the requests in flight.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// The same for requests that are profiled: how late their end is noticed.
const END_AFTER: Duration = Duration::from_millis(25);
/// The time without a request after which the profiler sleeps until the next one.
const SLEEP_AFTER: Duration = Duration::from_secs(2);
/// Wakes the profiler; no request has this id.
const WAKE: u64 = 0;
/// The most slow requests that one check returns.
pub(super) const MAX_SLOW: usize = 64;
/// The most requests that may wait for the profiler; more are not profiled from their start.
const MAX_DEMANDS: usize = 64;
/// The most routes whose switch is on.
const MAX_ROUTES: usize = 100;

/// The requests that ask for a profile, and the routes whose switch is on.
#[derive(Debug)]
pub(crate) struct ProfileDemand {
    sender: Sender<u64>,
    receiver: Receiver<u64>,
    routes: Mutex<HashSet<String>>,
    has_routes: AtomicBool,
    /// Without a profiler, no request is stored.
    has_profiler: AtomicBool,
    /// Whether the next request is to wake the profiler.
    is_asleep: AtomicBool,
}

/// The requests that the profiler is to begin with, with their ages, and the ended requests.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ProfileRound {
    pub(crate) demanded: Vec<(u64, Duration)>,
    pub(crate) slow: Vec<(u64, Duration)>,
    pub(crate) ended: Vec<u64>,
}

impl Default for ProfileDemand {
    fn default() -> Self {
        let (sender, receiver) = bounded(MAX_DEMANDS);
        let [has_routes, has_profiler, is_asleep] = [false; 3].map(AtomicBool::new);
        Self { sender, receiver, routes: Mutex::default(), has_routes, has_profiler, is_asleep }
    }
}

impl ProfileDemand {
    /// Profiles a request whose route is known now, if the switch of the route is on.
    pub(super) fn on_route(&self, id: u64, route: &str) {
        if self.has_routes.load(Ordering::Relaxed) && self.routes.lock().contains(route) {
            self.demand(id);
        }
    }

    /// Profiles a request.
    pub(super) fn demand(&self, id: u64) {
        if self.has_profiler.load(Ordering::Acquire) {
            let _ = self.sender.try_send(id); // full: it is profiled once it is slow
        }
    }

    /// Wakes the profiler if it sleeps: a request has come in.
    pub(super) fn wake(&self) {
        // After the request was added: either this sees that it sleeps, or it sees the request.
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            let _ = self.sender.try_send(WAKE); // full: it is awake
        }
    }

    /// Turns the switch of a route on or off; false if too many are on.
    pub(crate) fn switch(&self, route: &str, is_on: bool) -> bool {
        let mut routes = self.routes.lock();
        if is_on && routes.len() >= MAX_ROUTES && !routes.contains(route) {
            return false;
        }
        match is_on {
            true => drop(routes.insert(route.to_owned())),
            false => drop(routes.remove(route)),
        }
        self.has_routes.store(!routes.is_empty(), Ordering::Relaxed);
        true
    }

    /// The routes whose switch is on, sorted.
    pub(crate) fn switched(&self) -> Vec<String> {
        let mut routes: Vec<_> = self.routes.lock().iter().cloned().collect();
        routes.sort_unstable();
        routes
    }

    /// Waits until `check` finds something, at most for `limit`. It gets the time and the requests that have
    /// asked for a profile. With `has_known`, the end of a request is to be
    /// noticed soon; while it `is_idle`, no request is in flight.
    pub(super) fn wait(
        &self,
        limit: Option<Duration>,
        has_known: bool,
        is_idle: impl Fn() -> bool,
        check: impl Fn(Instant, &[u64]) -> ProfileRound,
    ) -> ProfileRound {
        self.has_profiler.store(true, Ordering::Release);
        let until = limit.map(|limit| Instant::now() + limit);
        let mut busy_at = Instant::now();
        loop {
            if until.is_some() || has_known || !is_idle() {
                busy_at = Instant::now();
            }
            let pause = if has_known { END_AFTER } else { CHECK_EVERY };
            let pause = match until {
                Some(until) => pause.min(until.saturating_duration_since(Instant::now())),
                None => pause,
            };
            let first = match busy_at.elapsed() >= SLEEP_AFTER {
                true => self.sleep(&is_idle),
                false => self.receiver.recv_timeout(pause).ok(),
            };
            let asked = first.into_iter().chain(self.receiver.try_iter());
            let asked: Vec<u64> = asked.filter(|id| *id != WAKE).collect();
            let now = Instant::now();
            let round = check(now, &asked);
            let is_over = until.is_some_and(|until| now >= until);
            if is_over || round != ProfileRound::default() {
                return round;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.is_asleep.load(Ordering::SeqCst)
    }

    /// Sleeps until a request comes in.
    fn sleep(&self, is_idle: impl Fn() -> bool) -> Option<u64> {
        self.is_asleep.store(true, Ordering::SeqCst);
        let first = if is_idle() { self.receiver.recv().ok() } else { None };
        self.is_asleep.store(false, Ordering::SeqCst);
        first
    }
}
