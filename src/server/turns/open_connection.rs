//! A connection of this process, in the table of loads: as a connection, and first also as a request.
//!
//! Serves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::load_table::TablePlace;

/// How long a connection that has just been taken counts as a request, if none begins.
const ARRIVAL: Duration = Duration::from_millis(5);

/// Counts a connection as open until it is dropped.
///
/// Its first request is read later than the next connection is taken, so it counts as a request from the
/// start: otherwise one process would take connections that arrive together, while another one is idle.
#[derive(Clone)]
pub(in crate::server) struct OpenConnection(Arc<CountedConnection>);

struct CountedConnection {
    place: &'static TablePlace,
    is_arriving: AtomicBool,
}

impl OpenConnection {
    /// `has_arrivals`: it counts as a request first. Needs the async runtime.
    pub(super) fn new(place: &'static TablePlace, has_arrivals: bool) -> Self {
        place.connections.fetch_add(1, Ordering::Relaxed);
        let is_arriving = AtomicBool::new(has_arrivals);
        let open = Self(Arc::new(CountedConnection { place, is_arriving }));
        if has_arrivals {
            place.arriving.fetch_add(1, Ordering::Relaxed);
            let connection = Arc::downgrade(&open.0);
            tokio::spawn(async move {
                tokio::time::sleep(ARRIVAL).await;
                if let Some(connection) = connection.upgrade() {
                    connection.end_arrival();
                }
            });
        }
        open
    }

    /// A request of it has begun, and is counted.
    pub(in crate::server) fn has_arrived(&self) {
        self.0.end_arrival();
    }
}

impl CountedConnection {
    fn end_arrival(&self) {
        // The load is cheaper, and true once for each connection.
        if self.is_arriving.load(Ordering::Relaxed)
            && self.is_arriving.swap(false, Ordering::Relaxed)
        {
            self.place.arriving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.end_arrival();
        self.place.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::load_table::LoadTable;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_counts_as_a_request_until_its_first_one_or_for_a_moment() {
        let file = LoadTable::create(1).expect("a file");
        let place = &LoadTable::open(&file).expect("mapped").places[0];
        let counts = || [&place.connections, &place.arriving].map(|it| it.load(Ordering::Relaxed));
        let open = OpenConnection::new(place, true);
        assert_eq!(counts(), [1, 1]);
        open.has_arrived();
        open.has_arrived();
        assert_eq!(counts(), [1, 0]);
        let silent = OpenConnection::new(place, true);
        assert_eq!(counts(), [2, 1]);
        tokio::time::sleep(2 * ARRIVAL).await;
        assert_eq!(counts(), [2, 0]);
        drop((open, silent, OpenConnection::new(place, true)));
        assert_eq!(counts(), [0, 0]);
    }
}
