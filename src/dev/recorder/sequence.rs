//! Numbers the events, and remembers of the newest what they were.
//!
//! A console that reads on after a gap is told how many events it missed of those that it wants.

use std::collections::VecDeque;

use crate::dev::protocol::event_types::Types;

/// Events of which it is known what they were.
const REMEMBERED: usize = 32 * 1024;

/// What there was, in the order of its numbers.
pub(super) struct Ledger {
    /// The number of the newest event.
    newest: u64,
    /// The messages that each of the newest makes.
    types: VecDeque<Types>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { newest: 0, types: VecDeque::new() }
    }

    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Gives the next event, which makes messages of these types, its number.
    pub(super) fn add(&mut self, types: Types) -> u64 {
        if self.types.len() == REMEMBERED {
            self.types.pop_front();
        }
        self.types.push_back(types);
        self.newest += 1;
        self.newest
    }

    /// Whether the event of that number makes a message of a type in `wanted`; true if nobody knows.
    pub(super) fn is_in(&self, wanted: Types, seq: u64) -> bool {
        let Some(age) = self.newest.checked_sub(seq) else { return true };
        let place = usize::try_from(age).ok().and_then(|age| self.types.len().checked_sub(age + 1));
        place.is_none_or(|place| self.types[place].has_any(wanted))
    }

    /// How many of the events after `from`, up to `to`, that is true of.
    pub(super) fn count(&self, wanted: Types, from: u64, to: u64) -> u64 {
        let forgotten = self.newest - self.types.len() as u64;
        let known = (from.max(forgotten)..to).filter(|&before| self.is_in(wanted, before + 1));
        known.count() as u64 + forgotten.min(to).saturating_sub(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_is_not_counted() {
        let mut ledger = Ledger::new();
        for types in [Types::LOG, Types::REQUEST_END.or(Types::ERROR), Types::LOG, Types::PINS] {
            ledger.add(types);
        }
        assert_eq!(ledger.newest(), 4);
        assert_eq!(ledger.count(Types::LOG, 0, 4), 2);
        assert_eq!(ledger.count(Types::LOG, 1, 4), 1);
        assert_eq!(ledger.count(Types::LOG, 1, 2), 0);
        assert_eq!(ledger.count(Types::ERROR.or(Types::PINS), 0, 4), 2);
        assert_eq!(ledger.count(Types::ALL, 0, 4), 4);
        assert_eq!(ledger.count(Types::NONE, 0, 4), 0);
    }

    #[test]
    fn what_is_too_long_ago_counts_as_wanted() {
        let mut ledger = Ledger::new();
        for _ in 0..REMEMBERED + 10 {
            ledger.add(Types::LOG);
        }
        let newest = ledger.newest();
        assert_eq!(ledger.count(Types::ALL, 0, newest), newest);
        assert_eq!(ledger.count(Types::PINS, 0, newest), 10);
        assert_eq!(ledger.count(Types::PINS, 4, newest), 6);
        assert_eq!(ledger.count(Types::PINS, 4, 6), 2);
        assert!(ledger.is_in(Types::PINS, 10) && !ledger.is_in(Types::PINS, 11));
    }
}
