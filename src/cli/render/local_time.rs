//! The local time of day.

/// Formats milliseconds since 1970 (UTC) as `14:02:11`.
pub(super) fn local(time_ms: u64) -> String {
    let seconds = libc::time_t::try_from(time_ms / 1000).unwrap_or_default();
    // SAFETY: its fields are numbers and a pointer, for which zero is valid.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to local values that outlive the call.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    format!("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec)
}
