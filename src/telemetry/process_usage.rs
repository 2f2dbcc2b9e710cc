//! The resources that this process uses: memory, CPU time, open files.

use std::fs;

use serde::{Deserialize, Serialize};

/// Resources of a process, or the sum over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessUsage {
    /// Bytes of memory in use; `None` where the system does not report it.
    pub resident_bytes: Option<u64>,
    /// CPU time since the start, in seconds.
    pub cpu_seconds: f64,
    /// Open files and sockets; `None` where the system does not list them.
    pub open_fds: Option<u64>,
}

impl ProcessUsage {
    /// Reads the usage of this process.
    pub(super) fn read() -> Self {
        // Linux has the first, Linux and macOS the second.
        let open = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
        Self {
            resident_bytes: resident_bytes(),
            cpu_seconds: cpu_seconds(),
            // The directory itself is open while it is read.
            open_fds: open.ok().map(|files| (files.count() as u64).saturating_sub(1)),
        }
    }

    /// Adds the usage of another process.
    pub(super) fn merge(&mut self, other: &Self) {
        let sum = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        self.resident_bytes = sum(self.resident_bytes, other.resident_bytes);
        self.cpu_seconds += other.cpu_seconds;
        self.open_fds = sum(self.open_fds, other.open_fds);
    }
}

fn resident_bytes() -> Option<u64> {
    let pages: u64 =
        fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: has no precondition.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

fn cpu_seconds() -> f64 {
    // SAFETY: its fields are numbers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes to the struct it is given.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
