//! The load of each process of a server, in memory that they share.
//!
//! The process that starts the others makes the table and assigns places; each of the others writes its
//! own place and reads all. Decides nothing.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::shared_mapping;

/// No process has the place.
const FREE: u32 = 0;
/// Its process does not accept connections: it loads, or it stops.
const CLOSED: u32 = 1;
/// Its process accepts connections.
const ACCEPTING: u32 = 2;

/// One process. Far enough from the next one that they share no cache line.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct TablePlace {
    state: AtomicU32,
    /// 1 if it did not take a connection when it was its turn.
    is_late: AtomicU32,
    pub(super) connections: AtomicU32,
    /// The connections that it has just taken: each brings a request.
    pub(super) arriving: AtomicU32,
    /// When it last took a connection, in nanoseconds of the system's clock.
    last_turn: AtomicU64,
    /// The requests that are being handled.
    pub(super) running: AtomicU32,
    /// When `running` was last 0 and increased, in milliseconds of the system's clock.
    pub(super) busy_since: AtomicU64,
    /// When a request last ended.
    pub(super) last_end: AtomicU64,
    /// The requests that were handled since the start of the process.
    pub(super) served: AtomicU64,
}

/// The requests of a process, also arriving ones, then its connections, then its last turn: equals take
/// turns.
pub(super) type Burden = (u32, u32, u64);

/// The table, seen from one process.
#[derive(Clone, Copy, Debug)]
pub struct LoadTable {
    pub(super) places: &'static [TablePlace],
}

impl LoadTable {
    /// Creates a file without a name, with a table for so many processes.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn create(places: usize) -> io::Result<File> {
        let file = shared_mapping::create()?;
        file.set_len((places * size_of::<TablePlace>()) as u64)?;
        Ok(file)
    }

    /// Maps the file.
    ///
    /// # Errors
    ///
    /// The file cannot be mapped.
    pub fn open(file: &File) -> io::Result<Self> {
        let count = usize::try_from(file.metadata()?.len()).unwrap_or_default();
        // SAFETY: every field is an atomic number, any bytes are valid, and the count is that of the file,
        // whose size never changes.
        let places = unsafe { shared_mapping::map(file, count / size_of::<TablePlace>()) }?;
        Ok(Self { places })
    }

    /// Assigns a place to a new process; `None` if there is none.
    pub fn assign(&self) -> Option<usize> {
        let take = |place: &TablePlace| {
            place.state.compare_exchange(FREE, CLOSED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let index = self.places.iter().position(take)?;
        let place = &self.places[index];
        place.is_late.store(0, Ordering::Relaxed);
        place.connections.store(0, Ordering::Relaxed);
        place.arriving.store(0, Ordering::Relaxed);
        place.running.store(0, Ordering::Relaxed);
        place.last_turn.store(0, Ordering::Relaxed);
        place.last_end.store(0, Ordering::Relaxed);
        place.busy_since.store(0, Ordering::Relaxed);
        place.served.store(0, Ordering::Relaxed);
        Some(index)
    }

    /// Frees the place of a process that has ended.
    pub fn free(&self, index: usize) {
        self.places[index].state.store(FREE, Ordering::Release);
    }

    /// The process that is to take the next connection, because no other has less to do, and its load.
    pub(super) fn least(&self) -> Option<(usize, Burden)> {
        let places = self.places.iter().enumerate();
        let turns = places.filter(|(_, place)| place.takes_turns());
        turns
            .map(|(index, place)| (index, place.burden()))
            .min_by_key(|(index, load)| (*load, *index))
    }

    /// The number of processes that take turns.
    pub(super) fn accepting(&self) -> usize {
        self.places.iter().filter(|place| place.takes_turns()).count()
    }

    /// Records that a process does not take a connection: it gets no turn until it does.
    pub(super) fn skip(&self, index: usize) {
        self.places[index].is_late.store(1, Ordering::Relaxed);
    }

    /// Whether another process than that at `own` has nothing to do.
    pub(super) fn has_idle_one(&self, own: usize) -> bool {
        self.places
            .iter()
            .enumerate()
            .any(|(index, place)| index != own && place.takes_turns() && place.requests() == 0)
    }
}

impl TablePlace {
    /// Records whether its process accepts connections.
    pub(super) fn set_accepting(&self, is_accepting: bool) {
        self.react();
        self.state.store(if is_accepting { ACCEPTING } else { CLOSED }, Ordering::Release);
    }

    /// Records that its process is there to take its turn.
    pub(super) fn react(&self) {
        self.is_late.store(0, Ordering::Relaxed);
    }

    fn takes_turns(&self) -> bool {
        self.state.load(Ordering::Acquire) == ACCEPTING && self.is_late.load(Ordering::Relaxed) == 0
    }

    /// Records that its process takes a connection.
    pub(super) fn take_turn(&self, now_ns: u64) {
        self.last_turn.store(now_ns, Ordering::Relaxed);
    }

    fn burden(&self) -> Burden {
        let turn = self.last_turn.load(Ordering::Relaxed);
        (self.requests(), self.connections.load(Ordering::Relaxed), turn)
    }

    fn requests(&self) -> u32 {
        self.running.load(Ordering::Relaxed) + self.arriving.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LoadTable {
        let file = LoadTable::create(4).expect("a temporary file");
        LoadTable::open(&file).expect("mapped")
    }

    fn accepting(table: &LoadTable) -> usize {
        let index = table.assign().expect("a place");
        table.places[index].set_accepting(true);
        index
    }

    #[test]
    fn the_turn_is_that_of_the_process_with_the_fewest_requests_and_then_connections() {
        let table = table();
        let (first, second) = (accepting(&table), accepting(&table));
        let least = || table.least().map(|(index, _)| index);
        assert_eq!(least(), Some(first), "the first of equals");
        table.places[first].take_turn(7);
        assert_eq!(least(), Some(second), "equals take turns");
        table.places[second].take_turn(8);
        assert_eq!(least(), Some(first));
        table.places[first].connections.store(1, Ordering::Relaxed);
        assert_eq!(least(), Some(second));
        table.places[second].running.store(1, Ordering::Relaxed);
        assert_eq!(least(), Some(first));
        table.places[first].set_accepting(false);
        assert_eq!(least(), Some(second), "the other stops");
    }

    #[test]
    fn a_process_that_has_just_taken_a_connection_is_not_idle() {
        let table = table();
        let (first, second) = (accepting(&table), accepting(&table));
        table.places[first].connections.store(5, Ordering::Relaxed);
        assert_eq!(table.least().map(|(index, _)| index), Some(second));
        assert!(table.has_idle_one(first));
        table.places[second].arriving.store(1, Ordering::Relaxed);
        assert_eq!(table.least().map(|(index, _)| index), Some(first), "it has no request");
        assert!(!table.has_idle_one(first));
    }

    #[test]
    fn a_process_that_does_not_react_loses_its_turn_until_it_accepts() {
        let table = table();
        let (first, second) = (accepting(&table), accepting(&table));
        let least = || table.least().map(|(index, _)| index);
        table.skip(first);
        assert_eq!(least(), Some(second));
        table.places[first].set_accepting(true);
        assert_eq!(least(), Some(first));
    }

    /// If this test fails, raise `PROTOCOL` (`cli/production/protocol.rs`), and only then change the numbers.
    #[test]
    fn the_layout_is_that_of_the_version_of_the_messages() {
        use std::mem::offset_of;
        assert_eq!((size_of::<TablePlace>(), FREE, CLOSED, ACCEPTING), (128, 0, 1, 2));
        let first = [
            offset_of!(TablePlace, state),
            offset_of!(TablePlace, is_late),
            offset_of!(TablePlace, connections),
            offset_of!(TablePlace, arriving),
            offset_of!(TablePlace, last_turn),
        ];
        assert_eq!(first, [0, 4, 8, 12, 16]);
        let last = [
            offset_of!(TablePlace, running),
            offset_of!(TablePlace, busy_since),
            offset_of!(TablePlace, last_end),
            offset_of!(TablePlace, served),
        ];
        assert_eq!(last, [24, 32, 40, 48]);
    }

    #[test]
    fn a_free_place_can_be_assigned_again() {
        let table = table();
        let places: Vec<_> = std::iter::from_fn(|| table.assign()).collect();
        assert_eq!(places, [0, 1, 2, 3]);
        table.places[2].served.store(9, Ordering::Relaxed);
        table.free(2);
        assert_eq!(table.assign(), Some(2));
        assert_eq!(table.places[2].served.load(Ordering::Relaxed), 0);
    }
}
