//! What is kept of a request is cut to a length: clients decide how long addresses and headers are.
//!
//! Always says how much is missing. Comes after `masking`: half a name would tell no secret.

/// Bytes that are kept of one value.
const VALUE: usize = 4 * 1024;
/// Bytes that are kept of all headers of a message, names included.
pub(in crate::dev) const HEADERS: usize = 32 * 1024;

/// Cuts the value that is `text` from `start` on.
pub(in crate::dev) fn cut(text: &mut String, start: usize) {
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
    fn a_long_value_is_cut_between_characters_and_says_how_much_is_missing() {
        let cut = |value: &str| {
            let mut text = format!("before{value}");
            cut(&mut text, "before".len());
            text
        };
        let long = format!("x{}", "é".repeat(VALUE));

        let kept = format!("beforex{}", "é".repeat(VALUE / 2 - 1));
        let missing = long.len() - (kept.len() - "before".len());
        assert_eq!(cut(&long), format!("{kept}… ({missing} bytes more)"));
        assert_eq!(cut(&"x".repeat(VALUE)), format!("before{}", "x".repeat(VALUE)));
    }
}
