//! The cookies of a request and of its response, with their values masked: each is a secret, whatever its name.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;

use crate::dev::protocol::{SentCookie, SetCookie};
use crate::dev::redact::{MASK, Redactor, truncate};

/// The most cookies of a message.
const MAX_COOKIES: usize = 100;

/// Returns the cookies in the values of the header `cookie`.
pub(super) fn sent<'a>(
    headers: impl Iterator<Item = &'a str>,
    redactor: &Redactor,
) -> Vec<SentCookie> {
    let pairs = headers.flat_map(|header| header.split(';'));
    let names = pairs.map(|pair| pair.split('=').next().unwrap_or_default().trim());
    let names = names.filter(|name| !name.is_empty()).take(MAX_COOKIES);
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
        let mut parts = text.split(';').map(|part| part.split_once('=').unwrap_or((part, "")));
        let name = parts.next().map_or("", |(name, _)| name.trim());
        let attributes = parts
            .map(|(name, value)| (shown(name.trim(), redactor), shown(value.trim(), redactor)));
        cookies.push(SetCookie {
            name: shown(name, redactor),
            value: MASK,
            attributes: attributes.collect(),
        });
    }
    cookies
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
        let cookies = sent(["session=swordfish; theme=dark;", "flag; =x"].into_iter(), &redactor);
        let names: Vec<_> = cookies.iter().map(|cookie| (&*cookie.name, cookie.value)).collect();
        assert_eq!(names, [("session", MASK), ("theme", MASK), ("flag", MASK)]);

        let mut headers = HeaderMap::new();
        for value in ["session=swordfish; Path=/a; HttpOnly; SameSite=Lax", "theme=; Max-Age=0"] {
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
        assert_eq!(shown, ["session: Path=/a HttpOnly= SameSite=Lax", "theme: Max-Age=0"]);
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
