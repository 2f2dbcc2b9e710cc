//! Measures the CPU time of a handler; it waits for the rest of its time.

use std::time::{Duration, Instant};

use crate::message::Timestamps;

/// The shortest handler whose CPU time is measured.
const MIN_MEASURED: Duration = Duration::from_millis(5);
/// The age up to which a reading of the clock is used: a system call before each short handler would
/// cost more than its result is worth.
const STALE_AFTER: Duration = Duration::from_millis(1);

/// The CPU time of a thread, as it was last read.
pub(super) struct CpuClock {
    read_at: Instant,
    time: Duration,
}

impl CpuClock {
    /// Reads the clock of the calling thread.
    pub(super) fn new(now: Instant) -> Self {
        Self { read_at: now, time: thread_time() }
    }

    /// Returns a reading that is at most [`STALE_AFTER`] older than `now`.
    pub(super) fn read(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.read_at) > STALE_AFTER {
            *self = Self::new(now);
        }
        self.time
    }
}

/// Records that a handler returned `now`, and the CPU time of a slow one.
pub(super) fn record_return(timestamps: &mut Timestamps, now: Instant) {
    timestamps.returned = now;
    if timestamps.is_on_worker && now.saturating_duration_since(timestamps.attached) >= MIN_MEASURED
    {
        let used = thread_time().checked_sub(timestamps.cpu_time_before);
        // A stale reading may include some time of the handler before.
        timestamps.cpu_time = used.map(|time| time.min(now - timestamps.attached));
    }
}

/// The CPU time of the calling thread since it began (`CLOCK_THREAD_CPUTIME_ID`, POSIX).
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
    fn cpu_time_does_not_grow_while_the_thread_waits() {
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
