//! Truncates recorded texts: clients choose the lengths of addresses and headers.
//!
//! Always appends the number of missing bytes. Runs after redaction: half a name would not be
//! recognised as a secret's.

/// The most bytes that are stored of one value.
const VALUE: usize = 4 * 1024;
/// The most bytes that are stored of all headers of a message, names included.
pub(in crate::dev) const HEADERS: usize = 32 * 1024;

/// Truncates the value that begins at `start` in `text`.
pub(in crate::dev) fn truncate(text: &mut String, start: usize) {
    let size = text.len() - start;
    if size <= VALUE {
        return;
    }
    let end = (0..=VALUE).rfind(|&end| text.is_char_boundary(start + end)).unwrap_or_default();
    text.truncate(start + end);
    text.push_str(&format!("… ({} bytes more)", size - end));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_truncated_between_characters_and_its_missing_bytes_are_counted() {
        let truncated = |value: &str| {
            let mut text = format!("before{value}");
            truncate(&mut text, "before".len());
            text
        };
        let long = format!("x{}", "é".repeat(VALUE));

        let start = format!("beforex{}", "é".repeat(VALUE / 2 - 1));
        let missing = long.len() - (start.len() - "before".len());
        assert_eq!(truncated(&long), format!("{start}… ({missing} bytes more)"));
        assert_eq!(truncated(&"x".repeat(VALUE)), format!("before{}", "x".repeat(VALUE)));
    }
}
