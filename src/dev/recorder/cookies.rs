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

/// Some cookies of a message.
#[derive(Clone, Debug)]
pub(super) struct Cookies<T> {
    pub(super) shown: Vec<T>,
    /// Whether it has more.
    pub(super) is_cut: bool,
}

impl<T> Default for Cookies<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), is_cut: false }
    }
}

impl<T> Cookies<T> {
    /// Returns the names as one text, which ends with a mark if there are more; `None` without any.
    pub(super) fn names(&self, name: impl Fn(&T) -> &str) -> Option<String> {
        let more = self.is_cut.then_some("…");
        let names: Vec<&str> = self.shown.iter().map(name).chain(more).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// Returns the cookies in the values of the header `cookie`.
pub(super) fn sent<'a>(
    headers: impl Iterator<Item = &'a str>,
    redactor: &Redactor,
) -> Cookies<SentCookie> {
    let pairs = headers.flat_map(|header| header.split(';'));
    let mut names = pairs.map(name_of).filter(|name| !name.is_empty());
    let first = names.by_ref().take(MAX_COOKIES);
    let shown = first.map(|name| SentCookie { name: shown(name, redactor), value: MASK }).collect();
    Cookies { shown, is_cut: names.next().is_some() }
}

/// Returns the cookies that a response sets.
pub(super) fn set(headers: &HeaderMap, redactor: &Redactor) -> Cookies<SetCookie> {
    let (mut cookies, mut size) = (Vec::new(), 0);
    for header in &headers.get_all(SET_COOKIE) {
        size += header.len();
        if size > truncate::HEADERS || cookies.len() == MAX_COOKIES {
            return Cookies { shown: cookies, is_cut: true };
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
    Cookies { shown: cookies, is_cut: false }
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
            sent(["session=swordfish; theme=dark;", "swordfish; =x"].into_iter(), &redactor).shown;
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
        let cookies = set(&headers, &redactor).shown;
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
    fn the_number_of_cookies_is_bounded_and_more_are_noted() {
        for (count, is_cut) in [(MAX_COOKIES, false), (1000, true)] {
            let many = "a=b;".repeat(count);
            let cookies = sent([&*many].into_iter(), &Redactor::default());
            assert_eq!((cookies.shown.len(), cookies.is_cut), (MAX_COOKIES, is_cut));
            let names = cookies.names(|cookie| &cookie.name).expect("names");
            assert_eq!(names.ends_with("a, …"), is_cut);
        }
        assert_eq!(Cookies::<SentCookie>::default().names(|cookie| &cookie.name), None);
        let mut headers = HeaderMap::new();
        let long =
            HeaderValue::from_str(&format!("a=b; Path=/{}", "x".repeat(10_000))).expect("ASCII");
        for _ in 0..1000 {
            headers.append(SET_COOKIE, long.clone());
        }
        let cookies = set(&headers, &Redactor::default());
        assert_eq!((cookies.shown.len(), cookies.is_cut), (3, true));
    }
}
