//! Masks server-sent events: the data of each as JSON, and the rest as text.
//!
//! Leaves the number of lines as it is, so that each line still belongs to the piece that was sent; but not
//! around a private key.

use super::names::SecretNames;
use super::patterns::push_redacted;
use super::tables::push_redacted_json;

const DATA: &str = "data:";
/// A part of the first line of a private key.
const KEY: &str = "PRIVATE KEY-----";

/// Adds the text of a stream of events to `redacted`.
pub(super) fn push_redacted_events(redacted: &mut String, text: &str, names: &SecretNames) {
    let mut whole = String::new();
    let mut rest = text;
    // A key may be in several events, a line in each.
    if text.contains(KEY) {
        push_redacted(&mut whole, text);
        rest = &whole;
    }
    while !rest.is_empty() {
        let is_data = rest.starts_with(DATA);
        let (block, after) = rest.split_at(block_end(rest, is_data));
        match is_data {
            true => push_data(redacted, block, names),
            false => push_redacted(redacted, block),
        }
        rest = after;
    }
}

/// Returns the end of the lines at the start of a text that all are data, or none.
fn block_end(text: &str, is_data: bool) -> usize {
    let lines = text.split_inclusive('\n').take_while(|line| line.starts_with(DATA) == is_data);
    lines.map(str::len).sum()
}

/// Lines of data are one text: a value may be on another line than its name.
fn push_data(redacted: &mut String, block: &str, names: &SecretNames) {
    let contents = block.split_inclusive('\n').map(|line| &line[DATA.len()..]);
    let joined: String = contents.collect();
    // The mask of a value without an end must not replace the end of the last line.
    let (data, end) = joined.strip_suffix('\n').map_or((&*joined, ""), |data| (data, "\n"));
    let mut masked = String::new();
    push_redacted_json(&mut masked, data, false, names);
    let mut shown: Vec<&str> = masked.split('\n').collect();
    // A mask may replace several lines.
    shown.resize(data.split('\n').count(), "");
    for (position, line) in shown.into_iter().enumerate() {
        redacted.push_str(if position > 0 { "\n" } else { "" });
        redacted.push_str(DATA);
        redacted.push_str(line);
    }
    redacted.push_str(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::redact::MASK;

    fn shown(text: &str) -> String {
        let mut redacted = String::new();
        push_redacted_events(&mut redacted, text, &SecretNames::default());
        redacted.replace(&format!("\"{MASK}\""), "M")
    }

    #[test]
    fn the_data_of_events_is_masked_as_json() {
        for (sent, masked) in [
            (
                "event: login\ndata: {\"user\": 1, \"password\": \"x\"}\n\ndata: it\"s\n\n: \"token\": 1\n",
                "event: login\ndata: {\"user\": 1, \"password\": M}\n\ndata: it\"s\n\n: \"token\": 1\n",
            ),
            ("data:{\"token\":\ndata:\"x\"}\r\n\r\n", "data:{\"token\":\ndata:M}\r\n\r\n"),
            ("data: {\"token\": \"cut", "data: {\"token\": M"),
            ("data: {\"token\": {\"a\":\n\ndata: 1\n\n", "data: {\"token\": M\n\ndata: 1\n\n"),
            ("data: {\"secret\": {\ndata: \"a\": 1", "data: {\"secret\": M\ndata:"),
            ("", ""),
            ("\n\ndata", "\n\ndata"),
            (
                "data: -----BEGIN PRIVATE KEY-----\n\ndata: MIIE\n\ndata: -----END PRIVATE KEY-----\n\ndata: 1\n\n",
                "data: ••••\n\ndata: 1\n\n",
            ),
            ("data: -----BEGIN PRIVATE KEY-----\n\ndata: MIIE\n\n", "data: ••••"),
        ] {
            assert_eq!(shown(sent), masked);
        }
    }

    #[test]
    fn a_mask_of_several_lines_leaves_their_number() {
        let sent = "data: {\"secret\": {\ndata: \"a\": 1\ndata: }, \"b\": 2}\n\ndata: end\n";
        let masked = shown(sent);
        assert!(!masked.contains("\"a\""), "{masked}");
        assert_eq!(masked.lines().count(), sent.lines().count());
        assert!(masked.ends_with("\ndata: end\n"), "{masked}");
    }
}
