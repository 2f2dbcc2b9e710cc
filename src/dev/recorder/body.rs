//! The shown form of a body: its redacted text, or the reason why there is none.

use bytes::Bytes;

use super::body_kind::BodyKind;
use super::raw_request::RecordedBody;
use super::stream_pieces::shown_pieces;
use crate::dev::protocol::BodyContent;
use crate::dev::redact::Redactor;

/// Bytes at the end of a truncated body that are not shown: they may contain half a secret, which
/// neither a pattern nor its value finds. A shorter one ends before such a part.
const HIDDEN_END: usize = 4 * 1024;

/// Redacts the first bytes of a body of `size` bytes.
pub(in crate::dev) fn redacted_body(
    bytes: &[u8],
    size: usize,
    headers: &[(String, String)],
    redactor: &Redactor,
) -> Option<BodyContent> {
    content(Some(RecordedBody::new(bytes, size)), headers, redactor)
}

/// Redacts the body of a message with these headers (names in lower case).
pub(super) fn content(
    body: Option<RecordedBody<'_>>,
    headers: &[(String, String)],
    redactor: &Redactor,
) -> Option<BodyContent> {
    let body = body?;
    let (content_type, encoding) =
        (header(headers, "content-type"), header(headers, "content-encoding"));
    let size = body.size as u64;
    let without_text = |why| Some(BodyContent::without_text(size, None, Some(why)));
    if body.bytes.is_empty() && size > 0 {
        return without_text("it is not stored");
    }
    if !encoding.is_empty() && encoding != "identity" {
        return without_text("it is compressed");
    }
    if content_type.starts_with("multipart/") {
        // The names that mark secrets are inside the parts.
        return without_text("it has several parts");
    }
    if let Some(kind) = kind_of(&body, &content_type) {
        return Some(BodyContent::without_text(size, Some(kind.name()), None));
    }
    let Some(text) = decode(&body) else {
        return without_text(match body.is_stored() {
            true => "it is not text",
            false => "it is not text, and too large to be stored",
        });
    };
    let redacted = redactor.body(text, &content_type);
    let mut end = redacted.len();
    if !body.is_stored() && body.bytes.len() > HIDDEN_END {
        end = end.saturating_sub(HIDDEN_END);
        end = (0..=end).rfind(|&end| redacted.is_char_boundary(end)).unwrap_or_default();
    } else if !body.is_whole() {
        // More of a stream may follow at once, so its end is hidden if it may begin a secret.
        end = redactor.end_of_certain(&redacted);
    }
    let shown = &redacted[..end];
    let note = if body.is_stored() { body.missing } else { Some("it is truncated") };
    let pieces = body.pieces.and_then(|pieces| shown_pieces(pieces, text, &redacted, shown));
    Some(BodyContent { size, text: Some(shown.to_owned()), note, kind: None, pieces })
}

fn kind_of(body: &RecordedBody<'_>, content_type: &str) -> Option<BodyKind> {
    // A part of a picture or a table cannot be shown.
    body.is_whole().then(|| BodyKind::of(body.bytes, content_type)).flatten()
}

/// Returns the bytes of a body whose kind is known, or the reason why they are not given: they
/// cannot be masked.
pub(super) fn shown_bytes(
    body: Option<RecordedBody<'_>>,
    headers: &[(String, String)],
    redactor: &Redactor,
) -> Result<(BodyKind, Bytes), &'static str> {
    let shown = body.as_ref().and_then(|body| {
        let encoding = header(headers, "content-encoding");
        let is_plain = encoding.is_empty() || encoding == "identity";
        is_plain.then(|| kind_of(body, &header(headers, "content-type"))).flatten()
    });
    let (Some(kind), Some(body)) = (shown, body) else {
        return Err("The body is not stored, or not of a kind that is shown.");
    };
    if redactor.has_secret(body.bytes, kind.has_texts()) {
        return Err("The body contains a secret, and cannot be masked.");
    }
    Ok((kind, Bytes::copy_from_slice(body.bytes)))
}

/// Returns a header in lower case, or an empty text.
fn header(headers: &[(String, String)], key: &str) -> String {
    let found = headers.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default()
}

/// Decodes UTF-8; a truncated body may end with half a character.
fn decode<'a>(body: &RecordedBody<'a>) -> Option<&'a str> {
    match std::str::from_utf8(body.bytes) {
        Ok(text) => Some(text),
        Err(error) if !body.is_whole() && error.error_len().is_none() => {
            std::str::from_utf8(&body.bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::redact::MASK;

    fn show(bytes: &[u8], size: usize, content_type: &str) -> BodyContent {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        content(Some(RecordedBody::new(bytes, size)), &headers, &Redactor::default())
            .expect("there is a body")
    }

    #[test]
    fn a_body_is_shown_as_text_where_it_is_text() {
        let shown = show("é".as_bytes(), 2, "text/plain");
        assert_eq!((shown.text.as_deref(), shown.note), (Some("é"), None));
        let shown = show(b"ab\xc3", 400, "text/plain");
        assert_eq!(
            (shown.text.as_deref(), shown.note, shown.size),
            (Some("ab"), Some("it is truncated"), 400)
        );
        assert_eq!(show(b"\xff\xfe", 2, "text/plain").note, Some("it is not text"));
        assert_eq!(show(b"", 9, "text/plain").note, Some("it is not stored"));
        assert_eq!(show(b"x", 1, "multipart/form-data; boundary=y").text, None);
    }

    #[test]
    fn a_secret_across_the_end_shows_no_part() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl";
        let mut redactor = Redactor::default();
        redactor.add_values(&["correct horse, battery".into()]);
        for secret in [jwt, "correct horse, battery"] {
            for there in 1..secret.len() {
                let text = "é".repeat(30_000) + &secret[..there];
                let shown = content(
                    Some(RecordedBody::new(text.as_bytes(), 100_000)),
                    &[("content-type".to_owned(), "text/plain".to_owned())],
                    &redactor,
                );
                let shown = shown.and_then(|content| content.text).expect("it is text");
                assert!(shown.len() > 55_000 && shown.chars().all(|c| c == 'é'), "{there}");

                for before in ["", "data: é ", "data: é\n\n", "x=\"", "https://user:"] {
                    let text = format!("{before}{}", &secret[..there]);
                    let shown = content(
                        Some(RecordedBody::new(text.as_bytes(), text.len() + 1)),
                        &[("content-type".to_owned(), "text/event-stream".to_owned())],
                        &redactor,
                    );
                    let shown = shown.and_then(|content| content.text).expect("it is text");
                    let shown = shown.trim_end_matches('•');
                    assert!(before.starts_with(shown), "{shown} of {text}");
                    let is_word = before.starts_with("data");
                    assert!(!is_word || shown.trim_end() == "data: é", "{shown} of {text}");
                }
            }
        }
    }

    #[test]
    fn secrets_in_a_body_are_masked() {
        let shown = show(br#"{"password": "hunter2"}"#, 23, "application/json");
        assert!(!shown.text.expect("it is text").contains("hunter2"));
        let shown = show(b"a=1&token=abc", 13, "application/x-www-form-urlencoded");
        assert_eq!(shown.text, Some(format!("a=1&token={}", MASK)));
    }
}
