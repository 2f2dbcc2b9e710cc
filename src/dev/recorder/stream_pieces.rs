//! The places of a stream's pieces in its shown text, which masks may have changed.

use crate::dev::protocol::StreamPiece;
use crate::message::SentPiece;

/// Returns the pieces that begin in `shown`, the redacted form of `text` or its start; `None` if a mask
/// replaces a line break, so that no line is certain.
pub(super) fn shown_pieces(
    pieces: &[SentPiece],
    text: &str,
    redacted: &str,
    shown: &str,
) -> Option<Vec<StreamPiece>> {
    let is_unmasked = text == redacted;
    if !is_unmasked && lines(text) != lines(redacted) {
        return None;
    }
    let last_line = lines(shown);
    let (mut from, mut line, mut at) = (0, 0, 0);
    let places = pieces.iter().map_while(|piece| {
        let begin = char_boundary(text, piece.at as usize);
        let before = &text[from..begin];
        line += lines(before);
        at += before.encode_utf16().count() as u64;
        from = begin;
        let is_shown = line <= last_line && (!is_unmasked || begin < shown.len());
        let at = is_unmasked.then_some(at);
        is_shown.then(|| StreamPiece { line, at, after_ms: piece.after_ms() })
    });
    Some(places.collect())
}

fn lines(text: &str) -> u64 {
    text.bytes().filter(|&byte| byte == b'\n').count() as u64
}

/// A piece may begin inside a character.
fn char_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rfind(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::StreamContent;

    fn places(sent: &[&[u8]], redacted: &str, shown: &str) -> Option<Vec<(u64, Option<u64>)>> {
        let content = StreamContent::default();
        for piece in sent {
            content.add(piece, Duration::ZERO);
        }
        let sent = content.sent();
        let text = std::str::from_utf8(&sent.bytes).expect("it is text");
        let found = shown_pieces(&sent.pieces, text, redacted, shown)?;
        Some(found.iter().map(|piece| (piece.line, piece.at)).collect())
    }

    #[test]
    fn a_piece_has_its_line_and_its_place_in_utf_16() {
        let sent: [&[u8]; 3] = ["é𝄞\na".as_bytes(), b"b\n", b"c"];
        let text = "é𝄞\nab\nc";
        let expected = vec![(0, Some(0)), (1, Some(5)), (2, Some(7))];
        assert_eq!(places(&sent, text, text), Some(expected));
    }

    #[test]
    fn pieces_after_the_shown_text_are_left_out() {
        let sent: [&[u8]; 3] = [b"a\n", b"b\n", b"c\n"];
        assert_eq!(places(&sent, "a\nb\nc\n", "a\nb"), Some(vec![(0, Some(0)), (1, Some(2))]));
        assert_eq!(places(&sent, "*\nb\nc\n", "*\n"), Some(vec![(0, None), (1, None)]));
    }

    #[test]
    fn a_masked_text_has_lines_only_while_they_are_certain() {
        let sent: [&[u8]; 2] = [b"secret\nb", b"c\n"];
        assert_eq!(places(&sent, "*\nbc\n", "*\nbc\n"), Some(vec![(0, None), (1, None)]));
        assert_eq!(places(&sent, "*c\n", "*c\n"), None);
    }

    #[test]
    fn a_piece_may_begin_inside_a_character() {
        let sent: [&[u8]; 2] = [b"a\xc3", b"\xa9b"];
        assert_eq!(places(&sent, "aéb", "aéb"), Some(vec![(0, Some(0)), (0, Some(1))]));
    }
}
