//! Which requests are on their way through Python, for whoever looks.
//!
//! Only dev mode keeps the list: a request gets a [`Ticket`] there, which takes it off again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::message::Head;

/// The requests that have come in and have not ended.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<u64, (Head, Instant)>>);

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

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Head, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        drop(ticket);
        assert!(list.find(7).is_none());
    }
}
