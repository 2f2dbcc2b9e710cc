//! Which requests are on their way through Python, for whoever looks.
//!
//! Only dev mode keeps the list: a request gets a [`Ticket`] there, which takes it off again and
//! notes what it did meanwhile. What held the threads is in `runs.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::message::{BlockingRequest, Head};

use super::thread_usage::{Runs, Seat, WORTH_A_NAME};

/// The requests that have come in and have not ended.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: Mutex<HashMap<u64, (Head, Instant)>>,
    /// What they hold.
    pub(super) runs: Runs,
    /// The asyncio loop's.
    on_loop: OnceLock<Arc<Seat>>,
}

/// A request's place in the list; dropping it takes the request off.
#[derive(Debug)]
pub(crate) struct Ticket {
    list: Arc<InFlight>,
    id: u64,
}

impl InFlight {
    /// Puts a request on the list that came in at `since`.
    pub(crate) fn add(self: &Arc<Self>, id: u64, head: Head, since: Instant) -> Ticket {
        self.lock().insert(id, (head, since));
        Ticket { list: Arc::clone(self), id }
    }

    /// The request of that id, and when it came in.
    pub(crate) fn find(&self, id: u64) -> Option<(Head, Instant)> {
        self.lock().get(&id).cloned()
    }

    /// Those that came in before `time`, the oldest first: ids with what [`Self::find`] gives.
    pub(crate) fn since_before(&self, time: Instant) -> Vec<(u64, Head, Instant)> {
        let old = |(id, (head, since)): (&u64, &(Head, Instant))| {
            (*since < time).then(|| (*id, head.clone(), *since))
        };
        let mut old: Vec<_> = self.lock().iter().filter_map(old).collect();
        old.sort_by_key(|(id, _, since)| (*since, *id));
        old
    }

    fn on_loop(&self) -> &Seat {
        self.on_loop.get_or_init(|| self.runs.seat())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Head, Instant)>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Who held the threads while this request waited; nobody if it did not wait for long.
    pub(super) fn blockers(&self, from: Instant, to: Instant) -> Vec<BlockingRequest> {
        if to.saturating_duration_since(from) < WORTH_A_NAME {
            return Vec::new();
        }
        let find = |id| self.list.find(id).map(|(head, _)| head);
        self.list.runs.during(self.id, from, to, find)
    }

    /// It has held a thread.
    pub(super) fn held(&self, head: &Head, from: Instant, to: Instant) {
        self.list.runs.keep(self.id, head, from, to);
    }

    /// It holds the asyncio loop from now on.
    pub(super) fn enter_loop(&self, now: Instant) {
        self.list.runs.enter(self.list.on_loop(), self.id, now);
    }

    /// It lets the loop go.
    pub(super) fn leave_loop(&self, head: &Head, now: Instant) {
        let (runs, seat) = (&self.list.runs, self.list.on_loop());
        let from = runs.since(seat);
        seat.leave();
        runs.keep(self.id, head, from, now);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.list.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn a_request_is_listed_as_long_as_its_ticket_is_there() {
        let list = Arc::<InFlight>::default();
        let head = Head::new(Request::get("/a").body(()).expect("a request").into_parts().0);
        let now = Instant::now();
        let ticket = list.add(7, head, now);
        let (head, since) = list.find(7).expect("it is in flight");
        assert_eq!((&*head.path(), since), ("/a", now));
        assert_eq!(list.since_before(now).len(), 0);
        assert_eq!(list.since_before(now + std::time::Duration::from_nanos(1)).len(), 1);
        drop(ticket);
        assert!(list.find(7).is_none());
    }
}
