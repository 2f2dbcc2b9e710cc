//! Checks that a request names this machine in `Host`.
//!
//! A page of another site can make a name of its own resolve to this machine, and would then count
//! as a page of the same origin (DNS rebinding).

use axum::http::Request;
use axum::http::header::HOST;

use super::rejection::Rejection;

/// Checks that `Host` names this machine, or a name of `--allow-host`; returns its value. A
/// request line in absolute form must name the same host.
pub(super) fn check<'a, B>(
    request: &'a Request<B>,
    allowed: &[String],
) -> Result<&'a str, Rejection> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Rejection::Host) };
    let host = host.to_str().map_err(|_| Rejection::Host)?;
    if request.uri().authority().is_some_and(|authority| authority != host) {
        return Err(Rejection::Host);
    }
    let name = host_name(host).ok_or(Rejection::Host)?;
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let local = is("localhost") || is("127.0.0.1") || is("[::1]") || is_below_localhost(name);
    if local || allowed.iter().any(|known| is(known)) { Ok(host) } else { Err(Rejection::Host) }
}

fn is_below_localhost(name: &str) -> bool {
    let suffix = ".localhost";
    let Some(start) = name.len().checked_sub(suffix.len()) else { return false };
    start > 0 && name.as_bytes()[start..].eq_ignore_ascii_case(suffix.as_bytes())
}

/// Returns the name in `Host`, without the port; `None` if it is malformed.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = if host.starts_with('[') {
        let end = host.find(']')? + 1;
        (&host[..end], host[end..].strip_prefix(':'))
    } else {
        host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)))
    };
    let plain = !name.is_empty() && !name.ends_with('.') && !name.contains(['@', '/', ' ']);
    let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let nothing_else = port.is_some() || host.len() == name.len();
    (plain && port_is_number && nothing_else).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn request(uri: &str, host: Option<&str>) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().expect("a URI");
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host.parse().expect("a value"));
        }
        request
    }

    #[test]
    fn only_names_of_this_machine_pass() {
        let allowed = ["dev.example".to_owned()];
        let passes = |request: &Request<()>| check(request, &allowed).is_ok();
        for good in ["localhost:3000", "a.localhost", "127.0.0.1:1", "[::1]:3000", "Dev.Example"] {
            assert!(passes(&request("/", Some(good))), "{good}");
        }
        let bad = [
            "",
            "evil.example",
            "localhost.",
            "localhost.evil",
            ".localhost",
            "0.0.0.0:3000",
            "192.168.1.5",
            "user@localhost",
            "127.0.0.1:x",
            "[::1]x",
            "localhost:80:80",
        ];
        for bad in bad {
            assert!(!passes(&request("/", Some(bad))), "{bad}");
        }
        let mut twice = request("/", Some("localhost"));
        twice.headers_mut().append(HOST, HeaderValue::from_static("localhost"));
        assert!(!passes(&twice));
        assert!(!passes(&request("/", None)));
        let elsewhere = request("http://evil.example/", Some("localhost"));
        assert!(!passes(&elsewhere), "the request line names another host");
    }
}
