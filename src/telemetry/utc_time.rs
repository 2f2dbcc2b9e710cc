//! The time of a log line, as RFC 3339 writes it: `2026-11-30T14:02:11.123Z`.

use std::cell::RefCell;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    /// The second that this thread has written last, and its text.
    static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends a time after 1970, in UTC with milliseconds.
pub fn push_time(out: &mut String, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            (*second, *text) = (since.as_secs(), to_second(since.as_secs()));
        }
        out.push_str(text);
    });
    let millis = since.subsec_millis() + 1000; // retains leading zeros
    out.push('.');
    out.push_str(&itoa::Buffer::new().format(millis)[1..]);
    out.push('Z');
}

/// Formats the seconds since 1970 without their fraction.
fn to_second(seconds: u64) -> String {
    let seconds = libc::time_t::try_from(seconds).unwrap_or_default();
    // SAFETY: its fields are numbers and a pointer, for which zero is valid.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to local values that outlive the call.
    unsafe { libc::gmtime_r(&raw const seconds, &raw mut parts) };
    let mut text = String::with_capacity(20);
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    );
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_has_milliseconds_with_leading_zeros() {
        let text = |ms| {
            let mut out = String::new();
            push_time(&mut out, UNIX_EPOCH + Duration::from_millis(ms));
            out
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(text(951_782_400_070), "2000-02-29T00:00:00.070Z");
        assert_eq!(text(1_796_047_331_999), "2026-11-30T14:02:11.999Z");
    }
}
