//! A body as it is shown: text where it is text, its secrets masked.

use super::super::masking::Masking;
use super::super::protocol::Content;
use super::original::Body;

/// The same of a body that somebody has read: of `size` bytes in all.
pub(in crate::dev) fn shown(
    bytes: &[u8],
    size: usize,
    headers: &[(String, String)],
    masking: &Masking,
) -> Option<Content> {
    content(Some(Body { bytes, size }), headers, masking)
}

/// How the body of a message looks that has these headers (names in lower case).
pub(super) fn content(
    body: Option<Body<'_>>,
    headers: &[(String, String)],
    masking: &Masking,
) -> Option<Content> {
    let body = body?;
    let of = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default()
    };
    let (content_type, encoding) = (of("content-type"), of("content-encoding"));
    let size = body.size as u64;
    let untold = |why| Some(Content { size, text: None, note: Some(why) });
    if body.bytes.is_empty() && size > 0 {
        return untold("it is not kept");
    }
    if !encoding.is_empty() && encoding != "identity" {
        return untold("it is compressed");
    }
    if content_type.starts_with("multipart/") {
        // Whose fields are secrets is said inside.
        return untold("it has several parts");
    }
    let Some(text) = text(&body) else {
        return untold("it is not text");
    };
    let text = masking.body(text, &content_type);
    let note = (!body.is_whole()).then_some("it is cut");
    Some(Content { size, text: Some(text), note })
}

/// The body as UTF-8; where it is cut, half a character may be at its end.
fn text<'a>(body: &Body<'a>) -> Option<&'a str> {
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
    use super::super::super::masking::MASK;
    use super::*;

    fn of(bytes: &[u8], size: usize, content_type: &str) -> Content {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        content(Some(Body { bytes, size }), &headers, &Masking::default()).expect("there is a body")
    }

    #[test]
    fn a_body_is_shown_as_text_where_it_is_text() {
        let shown = of("é".as_bytes(), 2, "text/plain");
        assert_eq!((shown.text.as_deref(), shown.note), (Some("é"), None));
        let shown = of(b"ab\xc3", 400, "text/plain");
        assert_eq!(
            (shown.text.as_deref(), shown.note, shown.size),
            (Some("ab"), Some("it is cut"), 400)
        );
        assert_eq!(of(b"\xff\xfe", 2, "text/plain").note, Some("it is not text"));
        assert_eq!(of(b"", 9, "text/plain").note, Some("it is not kept"));
        assert_eq!(of(b"x", 1, "multipart/form-data; boundary=y").text, None);
    }

    #[test]
    fn its_secrets_are_masked() {
        let shown = of(br#"{"password": "hunter2"}"#, 23, "application/json");
        assert!(!shown.text.expect("it is text").contains("hunter2"));
        let shown = of(b"a=1&token=abc", 13, "application/x-www-form-urlencoded");
        assert_eq!(shown.text, Some(format!("a=1&token={}", MASK)));
    }
}
