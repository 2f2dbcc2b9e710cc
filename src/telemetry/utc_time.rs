//! The time of a log line, as RFC 3339 writes it: `2026-11-30T14:02:11.123Z`.

use std::cell::Cell;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const LENGTH: usize = "2026-11-30T14:02:11.123Z".len();
/// The place of the milliseconds.
const MILLIS: std::ops::Range<usize> = 20..23;

thread_local! {
    /// The second that this thread has written last, and its text.
    static LAST: Cell<(u64, [u8; LENGTH])> = const { Cell::new((u64::MAX, [b'0'; LENGTH])) };
}

/// Appends a time after 1970, in UTC with milliseconds.
pub fn push_time(out: &mut String, time: SystemTime) {
    out.push_str(std::str::from_utf8(&time_text(time)).expect("digits and ASCII punctuation"));
}

/// Formats such a time.
pub(super) fn time_text(time: SystemTime) -> [u8; LENGTH] {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (second, mut text) = LAST.get();
    if second != since.as_secs() {
        text = text_of_second(since.as_secs());
        LAST.set((since.as_secs(), text));
    }
    text[MILLIS].copy_from_slice(&three_digits(since.subsec_millis()));
    text
}

/// Formats a number below 1000 with leading zeros.
pub(super) fn three_digits(number: u32) -> [u8; 3] {
    [number / 100 % 10, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

/// Formats the seconds since 1970, with zeros as their fraction.
fn text_of_second(seconds: u64) -> [u8; LENGTH] {
    let seconds = libc::time_t::try_from(seconds).unwrap_or_default();
    // SAFETY: its fields are numbers and a pointer, for which zero is valid.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to local values that outlive the call.
    unsafe { libc::gmtime_r(&raw const seconds, &raw mut parts) };
    let mut text = String::with_capacity(LENGTH);
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    );
    // Longer after the year 9999.
    text.into_bytes().try_into().unwrap_or([b'9'; LENGTH])
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
