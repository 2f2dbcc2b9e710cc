//! Rejects requests that two HTTP implementations may read differently (RFC 9112, 3.2 and 6.1).
//!
//! hyper has parsed the request, and rejects invalid syntax. It accepts any `Host`, and every list of
//! transfer codings that ends with `chunked`. Never reads a body.

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Request, Version};

use super::invalid_request::InvalidRequest;

/// Returns why a request must not be served, if there is a reason.
pub(super) fn check<B>(request: &Request<B>) -> Option<InvalidRequest> {
    // HTTP/1.0 has no such header.
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
        return Some(bad("the request has no Host header; send one"));
    }
    check_headers(request.headers())
}

/// The same, for a request that no client may have sent, as in the tests of an axum program.
pub(crate) fn check_headers(headers: &HeaderMap) -> Option<InvalidRequest> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map_or(&b""[..], HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Some(bad("the request has two Host headers; send one"));
    }
    if !is_host(host) {
        return Some(bad("the Host header must be a host name with an optional port"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    if coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none() {
        return None;
    }
    let all = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii));
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match all.filter(|coding| !coding.is_empty()).all(is_chunked) {
        true => Some(bad("the body is chunked more than once")),
        false => Some(InvalidRequest {
            status: 501,
            detail: "the server knows no transfer coding but `chunked`".to_owned(),
        }),
    }
}

fn bad(detail: &str) -> InvalidRequest {
    InvalidRequest { status: 400, detail: detail.to_owned() }
}

/// Whether `value` is `uri-host [ ":" port ]` of RFC 3986 without percent-encoding, which no client
/// uses there; an empty one is valid.
fn is_host(value: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    let (has_valid_name, rest) = match value.strip_prefix(b"[") {
        Some(address) => {
            let end = address.iter().position(|&byte| byte == b']').unwrap_or(address.len());
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.v".contains(byte);
            let (address, rest) = address.split_at(end);
            (!address.is_empty() && address.iter().all(is_address), rest.strip_prefix(b"]"))
        }
        None => {
            let end = value.iter().position(|byte| !is_name(byte)).unwrap_or(value.len());
            (true, Some(&value[end..]))
        }
    };
    let has_valid_port = match rest {
        Some([]) => true,
        Some([b':', port @ ..]) => port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    has_valid_name && has_valid_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for valid in
            ["", "localhost", "a-b.example:8080", "my_app", "127.0.0.1:", "[::1]", "[::1]:80"]
        {
            assert!(is_host(valid.as_bytes()), "{valid}");
        }
        for invalid in [
            "a b", "a/b", "a:b", "a:80:80", "user@a", "a\\b", "a#", "a?b", "[::1", "[]", "[::1]x",
            "é", "a\"", "<a>", "%",
        ] {
            assert!(!is_host(invalid.as_bytes()), "{invalid}");
        }
    }
}
