//! What is kept of a request is cut to a length: clients decide how long addresses and headers are.
//!
//! Always says how much is missing. Comes after `masking`: half a name would tell no secret.

/// Bytes that are kept of one value.
const VALUE: usize = 4 * 1024;
/// Bytes that are kept of all headers of a message, names included.
const HEADERS: usize = 32 * 1024;

/// Cuts one value.
pub(super) fn value(text: String) -> String {
    if text.len() <= VALUE {
        return text;
    }
    let end = (0..=VALUE).rfind(|&end| text.is_char_boundary(end)).unwrap_or_default();
    format!("{}… ({} bytes more)", &text[..end], text.len() - end)
}

/// Cuts names and values, and leaves out the last ones if there are too many.
pub(super) fn headers(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let count = headers.len();
    let mut kept = Vec::with_capacity(count);
    let mut size = 0;
    for (name, text) in headers {
        let header = (value(name), value(text));
        size += header.0.len() + header.1.len();
        if size > HEADERS {
            kept.push(("…".to_owned(), format!("({} headers more)", count - kept.len())));
            break;
        }
        kept.push(header);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters_and_says_how_much_is_missing() {
        let long = format!("x{}", "é".repeat(VALUE));

        let cut = value(long.clone());

        let kept = format!("x{}", "é".repeat(VALUE / 2 - 1));
        assert_eq!(cut, format!("{kept}… ({} bytes more)", long.len() - kept.len()));
        assert_eq!(value("x".repeat(VALUE)), "x".repeat(VALUE));
    }

    #[test]
    fn all_headers_together_have_a_bound() {
        let header = |n: usize| (format!("x-{n}"), "y".repeat(3000));

        let kept = headers((0..100).map(header).collect());

        assert_eq!(kept[..10], (0..10).map(header).collect::<Vec<_>>());
        assert_eq!(kept[10..], [("…".to_owned(), "(90 headers more)".to_owned())]);
    }
}
