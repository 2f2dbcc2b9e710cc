//! Numbers the events, and stores the types of the newest.
//!
//! After a gap, a client is sent the number of missed events of its own types.

use std::collections::VecDeque;

use crate::dev::protocol::event_types::EventTypes;

/// The number of events whose types are stored.
const STORED: usize = 32 * 1024;

/// The types of the newest events, in order.
pub(super) struct EventSequence {
    /// The number of the newest event.
    newest: u64,
    /// The types of messages that each of the newest events makes.
    types: VecDeque<EventTypes>,
}

impl EventSequence {
    pub(super) fn new() -> Self {
        Self { newest: 0, types: VecDeque::new() }
    }

    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns the number of the next event, which makes messages of these types.
    pub(super) fn add(&mut self, types: EventTypes) -> u64 {
        if self.types.len() == STORED {
            self.types.pop_front();
        }
        self.types.push_back(types);
        self.newest += 1;
        self.newest
    }

    /// Whether the event `seq` makes a message of one of these types; true if that is not stored.
    pub(super) fn has_type(&self, types: EventTypes, seq: u64) -> bool {
        let Some(age) = self.newest.checked_sub(seq) else { return true };
        let position =
            usize::try_from(age).ok().and_then(|age| self.types.len().checked_sub(age + 1));
        position.is_none_or(|position| self.types[position].has_any(types))
    }

    /// Counts these events after `from`, up to `to`.
    pub(super) fn count(&self, types: EventTypes, from: u64, to: u64) -> u64 {
        let dropped = self.newest - self.types.len() as u64;
        let known = (from.max(dropped)..to).filter(|&before| self.has_type(types, before + 1));
        known.count() as u64 + dropped.min(to).saturating_sub(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_other_types_are_not_counted() {
        let mut sequence = EventSequence::new();
        for types in [
            EventTypes::LOG,
            EventTypes::REQUEST_END.or(EventTypes::ERROR),
            EventTypes::LOG,
            EventTypes::PINS,
        ] {
            sequence.add(types);
        }
        assert_eq!(sequence.newest(), 4);
        assert_eq!(sequence.count(EventTypes::LOG, 0, 4), 2);
        assert_eq!(sequence.count(EventTypes::LOG, 1, 4), 1);
        assert_eq!(sequence.count(EventTypes::LOG, 1, 2), 0);
        assert_eq!(sequence.count(EventTypes::ERROR.or(EventTypes::PINS), 0, 4), 2);
        assert_eq!(sequence.count(EventTypes::ALL, 0, 4), 4);
        assert_eq!(sequence.count(EventTypes::NONE, 0, 4), 0);
    }

    #[test]
    fn an_old_event_counts_for_every_type() {
        let mut sequence = EventSequence::new();
        for _ in 0..STORED + 10 {
            sequence.add(EventTypes::LOG);
        }
        let newest = sequence.newest();
        assert_eq!(sequence.count(EventTypes::ALL, 0, newest), newest);
        assert_eq!(sequence.count(EventTypes::PINS, 0, newest), 10);
        assert_eq!(sequence.count(EventTypes::PINS, 4, newest), 6);
        assert_eq!(sequence.count(EventTypes::PINS, 4, 6), 2);
        assert!(
            sequence.has_type(EventTypes::PINS, 10) && !sequence.has_type(EventTypes::PINS, 11)
        );
    }
}
