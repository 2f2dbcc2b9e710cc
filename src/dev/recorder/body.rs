//! A body as it is shown: text where it is text, its secrets masked.

use super::raw_request::Body;
use crate::dev::protocol::Content;
use crate::dev::redact::Masking;

/// Bytes at the end of what is kept of a longer body that are not shown: half of a secret may be
/// there, which neither its looks nor its value tell.
const CUT_OFF: usize = 4 * 1024;

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
    let mut text = masking.body(text, &content_type);
    if !body.is_whole() && body.bytes.len() > CUT_OFF {
        let end = text.len().saturating_sub(CUT_OFF);
        text.truncate((0..=end).rfind(|&end| text.is_char_boundary(end)).unwrap_or_default());
    }
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
    use super::*;
    use crate::dev::redact::MASK;

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
    fn a_secret_across_the_cut_shows_no_part() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl";
        let mut masking = Masking::default();
        masking.learn(&["correct horse, battery".into()]);
        for secret in [jwt, "correct horse, battery"] {
            for there in 1..secret.len() {
                let text = "é".repeat(30_000) + &secret[..there];
                let shown = content(
                    Some(Body { bytes: text.as_bytes(), size: 100_000 }),
                    &[("content-type".to_owned(), "text/plain".to_owned())],
                    &masking,
                );
                let shown = shown.and_then(|content| content.text).expect("it is text");
                assert!(shown.len() > 55_000 && shown.chars().all(|c| c == 'é'), "{there}");
            }
        }
    }

    #[test]
    fn its_secrets_are_masked() {
        let shown = of(br#"{"password": "hunter2"}"#, 23, "application/json");
        assert!(!shown.text.expect("it is text").contains("hunter2"));
        let shown = of(b"a=1&token=abc", 13, "application/x-www-form-urlencoded");
        assert_eq!(shown.text, Some(format!("a=1&token={}", MASK)));
    }
}
