//! What a handler computes itself; the rest of its time it waits.

use std::time::{Duration, Instant};

use crate::message::Timestamps;

/// A handler that took less has not waited for anything worth a word.
const WORTH_MEASURING: Duration = Duration::from_millis(5);
/// How old a reading of the clock may be: to ask the kernel before each short handler would cost
/// more than it tells.
const STALE: Duration = Duration::from_millis(1);

/// What a thread has computed, as it was last read.
pub(super) struct Computed {
    read_at: Instant,
    time: Duration,
}

impl Computed {
    /// Of the calling thread.
    pub(super) fn new(now: Instant) -> Self {
        Self { read_at: now, time: thread_time() }
    }

    /// By `now`, or by a moment at most [`STALE`] before it.
    pub(super) fn by(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.read_at) > STALE {
            *self = Self::new(now);
        }
        self.time
    }
}

/// Notes that a handler returned `now`, and what it computed if it took its time.
pub(super) fn returned(timestamps: &mut Timestamps, now: Instant) {
    timestamps.returned = now;
    if timestamps.is_on_worker
        && now.saturating_duration_since(timestamps.attached) >= WORTH_MEASURING
    {
        let computed = thread_time().checked_sub(timestamps.computed_before);
        // What came before may count a little.
        timestamps.computed = computed.map(|time| time.min(now - timestamps.attached));
    }
}

/// How long the calling thread has computed since it began (`CLOCK_THREAD_CPUTIME_ID`, POSIX).
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to the struct it is given, and every thread has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_the_thread_waits() {
        let (before, began) = (thread_time(), std::time::Instant::now());
        let (_sender, nothing) = std::sync::mpsc::channel::<()>();
        let _ = nothing.recv_timeout(Duration::from_millis(30));
        let waited = began.elapsed();
        assert!(thread_time() - before < waited / 2);

        let before = thread_time();
        while thread_time() == before {
            std::hint::spin_loop();
        }
    }
}
