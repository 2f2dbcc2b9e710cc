//! Rejects requests that two HTTP implementations may read differently (RFC 9112, 3.2 and 6.1).
//!
//! hyper has parsed the request, and rejects invalid syntax. It accepts any `Host`, every list of
//! transfer codings that ends with `chunked`, and a host in the target that differs from `Host`. A request
//! of HTTP/2 has no such codings, and may also name its host twice. Never reads a body.

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Version};

use super::http2_websocket;
use super::invalid_request::InvalidRequest;

/// Returns why a request must not be served, if there is a reason.
pub(super) fn check<B>(request: &Request<B>) -> Option<InvalidRequest> {
    // HTTP/1.0 has no such header.
    let rejection = check_fields(request.headers(), request.version() == Version::HTTP_11);
    if rejection.is_some() {
        return rejection;
    }
    if request.method() == Method::CONNECT {
        return Some(no_connect());
    }
    // A target with a host, as for a proxy (RFC 9112, 3.2.2).
    let authority = request.uri().authority()?;
    check_same(request.headers().get(HOST)?, authority)
}

/// The same for HTTP/2, whose requests get the `Host` header that HTTP/1.1 has (RFC 9113, 8.3.1).
pub(super) fn check_http2<B>(request: &mut Request<B>) -> Option<InvalidRequest> {
    if request.method() == Method::CONNECT && !http2_websocket::is_asked(request) {
        return Some(no_connect());
    }
    let rejection = check_fields(request.headers(), false);
    if rejection.is_some() {
        return rejection;
    }
    let authority = request.uri().authority();
    match (request.headers().get(HOST), authority) {
        (None, None) => Some(bad("the request has no :authority; send one")),
        (Some(host), Some(authority)) => check_same(host, authority),
        (Some(_), None) => None,
        (None, Some(authority)) => match HeaderValue::from_str(authority.as_str()) {
            Ok(host) if is_host(host.as_bytes()) => {
                request.headers_mut().insert(HOST, host);
                None
            }
            _ => Some(bad("the :authority must be a host name with an optional port")),
        },
    }
}

fn no_connect() -> InvalidRequest {
    let detail = "the server is not a proxy, and has no CONNECT".to_owned();
    InvalidRequest { status: 501, detail }
}

/// Checks that the target does not name another host than the header.
fn check_same(host: &HeaderValue, authority: &Authority) -> Option<InvalidRequest> {
    let is_same = host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    (!is_same).then(|| bad("the Host header differs from the host of the target; send the same"))
}

/// The same, for a request that no client may have sent, as in the tests of an axum program.
pub(crate) fn check_headers(headers: &HeaderMap) -> Option<InvalidRequest> {
    check_fields(headers, false)
}

fn check_fields(headers: &HeaderMap, needs_host: bool) -> Option<InvalidRequest> {
    let (mut host, mut hosts, mut coding, mut codings) = (None, 0, None, 0);
    // One pass costs less than two searches.
    for (name, value) in headers {
        if name == HOST {
            (host, hosts) = (Some(value), hosts + 1);
        } else if name == TRANSFER_ENCODING {
            (coding, codings) = (Some(value), codings + 1);
        }
    }
    if hosts > 1 {
        return Some(bad("the request has two Host headers; send one"));
    }
    match host {
        None if needs_host => return Some(bad("the request has no Host header; send one")),
        Some(host) if !is_host(host.as_bytes()) => {
            return Some(bad("the Host header must be a host name with an optional port"));
        }
        _ => {}
    }
    let coding = coding?;
    if codings == 1 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
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

/// Whether a byte may be part of a host name.
const NAME_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let others = b"-._~!$&'()*+,;=";
    let mut byte = 0;
    while byte < 256 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        allowed[others[index] as usize] = true;
        index += 1;
    }
    allowed
};

/// Whether `value` is `uri-host [ ":" port ]` of RFC 3986 without percent-encoding, which no client
/// uses there; an empty one is valid.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (has_valid_name, rest) = match value.strip_prefix(b"[") {
        Some(address) => {
            let end = address.iter().position(|&byte| byte == b']').unwrap_or(address.len());
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.v".contains(byte);
            let (address, rest) = address.split_at(end);
            (!address.is_empty() && address.iter().all(is_address), rest.strip_prefix(b"]"))
        }
        None => {
            let is_name = |&byte: &u8| NAME_BYTES[usize::from(byte)];
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

/// Checks a value of `Host`: a valid one is an authority for other implementations too.
#[cfg(any(test, fuzzing))]
pub fn fuzz_host(value: &str) {
    if is_host(value.as_bytes()) {
        let odd = |byte: u8| !byte.is_ascii_graphic() || b"@/\\?#%<>\"{}|^`".contains(&byte);
        assert!(!value.bytes().any(odd), "{value:?}");
        let port = value.rsplit_once(':').filter(|_| !value.ends_with(']'));
        let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        assert!(port.is_none_or(|(_, port)| is_number(port)), "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_http_1_names_no_other_host() {
        let check = |method: &str, target: &str, host: Option<&str>| {
            let request = Request::builder().method(method).uri(target);
            let request = match host {
                Some(host) => request.header(HOST, host),
                None => request.version(Version::HTTP_10),
            };
            check(&request.body(()).expect("a request")).map(|rejection| rejection.status)
        };
        assert_eq!(check("GET", "http://a.example:80/", Some("A.example:80")), None);
        assert_eq!(check("GET", "http://a.example/", None), None);
        assert_eq!(check("GET", "http://a.example/", Some("b.example")), Some(400));
        assert_eq!(check("GET", "http://user@a.example/", Some("a.example")), Some(400));
        assert_eq!(check("OPTIONS", "*", Some("a.example")), None);
        assert_eq!(check("CONNECT", "a.example:80", Some("a.example:80")), Some(501));
    }

    #[test]
    fn a_request_of_http_2_has_one_host() {
        let check = |authority: &str, host: Option<&str>| {
            let mut request = Request::get(format!("http://{authority}/"));
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut request = request.body(()).expect("a request");
            let rejection = check_http2(&mut request).map(|rejection| rejection.status);
            let host =
                request.headers().get(HOST).map(|host| host.to_str().expect("text").to_owned());
            (rejection, host)
        };
        let named = |host: &str| Some(host.to_owned());
        assert_eq!(check("a.example:80", None), (None, named("a.example:80")));
        assert_eq!(check("a.example", Some("A.example")), (None, named("A.example")));
        assert_eq!(check("a.example", Some("b.example")).0, Some(400));
        assert_eq!(check("user@a.example", None), (Some(400), None));
        let mut request = Request::get("/").body(()).expect("a request");
        assert_eq!(check_http2(&mut request).map(|rejection| rejection.status), Some(400));
        let mut request = Request::connect("a.example:80").body(()).expect("a request");
        assert_eq!(check_http2(&mut request).map(|rejection| rejection.status), Some(501));
    }

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
