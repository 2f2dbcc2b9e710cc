//! The time of day where the terminal is.

/// `14:02:11`, of milliseconds since 1970 (UTC).
pub(super) fn local(time_ms: u64) -> String {
    let seconds = libc::time_t::try_from(time_ms / 1000).unwrap_or_default();
    // SAFETY: all of it is numbers and a pointer, for which zero is a value.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to values of ours that outlive the call.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    format!("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec)
}
