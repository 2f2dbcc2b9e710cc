//! The cookies of a request and of its response, with their values masked: each is a secret, whatever its name.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;

use crate::dev::protocol::{SentCookie, SetCookie};
use crate::dev::redact::{MASK, Redactor, truncate};

/// The most cookies of a message.
const MAX_COOKIES: usize = 100;
/// The attributes that are shown. Another name may be a part of a value with a semicolon, or a second cookie.
const ATTRIBUTES: [&str; 9] = [
    "domain",
    "expires",
    "httponly",
    "max-age",
    "partitioned",
    "path",
    "priority",
    "samesite",
    "secure",
];

/// Returns the cookies in the values of the header `cookie`.
pub(super) fn sent<'a>(
    headers: impl Iterator<Item = &'a str>,
    redactor: &Redactor,
) -> Vec<SentCookie> {
    let pairs = headers.flat_map(|header| header.split(';'));
    let names = pairs.map(name_of).filter(|name| !name.is_empty()).take(MAX_COOKIES);
    names.map(|name| SentCookie { name: shown(name, redactor), value: MASK }).collect()
}

/// Returns the cookies that a response sets.
pub(super) fn set(headers: &HeaderMap, redactor: &Redactor) -> Vec<SetCookie> {
    let (mut cookies, mut size) = (Vec::new(), 0);
    for header in headers.get_all(SET_COOKIE).iter().take(MAX_COOKIES) {
        size += header.len();
        if size > truncate::HEADERS {
            break;
        }
        let text = String::from_utf8_lossy(header.as_bytes());
        let mut parts = text.split(';');
        let name = shown(parts.next().map_or("", name_of), redactor);
        let attributes = parts.filter(|part| !part.trim().is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), value.trim());
            match ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                true => (shown(name, redactor), shown(value, redactor)),
                false => (MASK.to_owned(), String::new()),
            }
        });
        cookies.push(SetCookie { name, value: MASK, attributes: attributes.collect() });
    }
    cookies
}

/// Without a name, the whole pair is a value (RFC 6265bis).
fn name_of(pair: &str) -> &str {
    match pair.split_once('=') {
        Some((name, _)) => name.trim(),
        None if pair.trim().is_empty() => "",
        None => MASK,
    }
}

/// A name or an attribute may contain a secret, too.
fn shown(text: &str, redactor: &Redactor) -> String {
    redactor.path(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_names_and_attributes_of_cookies_are_shown_and_no_value() {
        let redactor = Redactor::default();
        let cookies =
            sent(["session=swordfish; theme=dark;", "swordfish; =x"].into_iter(), &redactor);
        let names: Vec<_> = cookies.iter().map(|cookie| (&*cookie.name, cookie.value)).collect();
        assert_eq!(names, [("session", MASK), ("theme", MASK), (MASK, MASK)]);

        let mut headers = HeaderMap::new();
        for value in [
            "session=swordfish; Path=/a; HttpOnly; SameSite=Lax",
            "theme=; Max-Age=0",
            "swordfish; Secure",
            "a=b;swordfish; c=swordfish;",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(value));
        }
        let cookies = set(&headers, &redactor);
        assert!(!format!("{cookies:?}").contains("swordfish"));
        let shown: Vec<_> = cookies
            .iter()
            .map(|cookie| {
                let texts = cookie.attributes.iter().map(|(name, value)| format!("{name}={value}"));
                format!("{}: {}", cookie.name, texts.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let expected = [
            "session: Path=/a HttpOnly= SameSite=Lax".to_owned(),
            "theme: Max-Age=0".to_owned(),
            format!("{MASK}: Secure="),
            format!("a: {MASK}= {MASK}="),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_number_of_cookies_is_bounded() {
        let many = "a=b;".repeat(1000);
        assert_eq!(sent([&*many].into_iter(), &Redactor::default()).len(), MAX_COOKIES);
        let mut headers = HeaderMap::new();
        let long =
            HeaderValue::from_str(&format!("a=b; Path=/{}", "x".repeat(10_000))).expect("ASCII");
        for _ in 0..1000 {
            headers.append(SET_COOKIE, long.clone());
        }
        assert_eq!(set(&headers, &Redactor::default()).len(), 3);
    }
}
