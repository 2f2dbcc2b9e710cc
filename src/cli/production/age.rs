//! A point in time as the milliseconds since then, for the next program of this process.
//!
//! A time that is still to come is now.

use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<S: Serializer>(time: &Instant, to: S) -> Result<S::Ok, S::Error> {
    milliseconds(*time).serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
    u64::deserialize(from).map(before_now)
}

fn milliseconds(time: Instant) -> u64 {
    time.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

fn before_now(milliseconds: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(milliseconds)).unwrap_or(now)
}

/// The same for a time that may be missing.
pub(super) fn serialize_option<S: Serializer>(
    time: &Option<Instant>,
    to: S,
) -> Result<S::Ok, S::Error> {
    time.map(milliseconds).serialize(to)
}

pub(super) fn deserialize_option<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Instant>, D::Error> {
    Ok(Option::deserialize(from)?.map(before_now))
}
