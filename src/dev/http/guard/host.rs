//! Checks that a request names this machine in `Host`.
//!
//! A page of another site can make a name of its own resolve to this machine, and would then count
//! as a page of the same origin (DNS rebinding).

use axum::http::Request;
use axum::http::header::HOST;

use super::rejection::Rejection;

/// The names of `--allow-host`, in lower case.
pub(in crate::dev::http) struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    pub(in crate::dev::http) fn new(names: &[String]) -> Self {
        let allowed = Self(names.iter().map(|name| name.to_ascii_lowercase()).collect());
        if allowed.0.iter().any(|name| name == "*") {
            tracing::warn!(
                "any host name is accepted: a page of another site can reach the app through a \
                 name of its own that resolves to this machine; allow single names, or \
                 one domain with --allow-host .DOMAIN"
            );
        }
        allowed
    }

    /// `*` allows each name, `*.a` each name one level below `a`, and `.a` also `a` and all levels.
    fn contains(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.0.iter().any(|allowed| match allowed.strip_prefix('*') {
            Some("") => true,
            Some(domain) => {
                let label = name.strip_suffix(domain).unwrap_or_default();
                domain.starts_with('.') && !label.is_empty() && !label.contains('.')
            }
            None if allowed.starts_with('.') => {
                name.ends_with(allowed.as_str()) && name.len() > allowed.len()
                    || name == allowed[1..]
            }
            None => name == *allowed,
        })
    }
}

/// Checks that `Host` names this machine, or a name of `--allow-host`; returns its value. A
/// request line in absolute form must name the same host.
pub(super) fn check<'a, B>(
    request: &'a Request<B>,
    allowed: &AllowedHosts,
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
    if local || allowed.contains(name) { Ok(host) } else { Err(Rejection::Host) }
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

/// Checks the value of a header: none breaks its line, and no other host than the allowed ones passes.
#[cfg(any(test, fuzzing))]
pub fn fuzz_headers(value: &str) {
    // A header of a handler never breaks the line, and has the same characters.
    if let Ok(Some((_, parsed))) = crate::problem::parse_header("x-note", value) {
        let sent: String = parsed.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        assert!(sent == value && !value.contains(['\r', '\n', '\0']), "{value:?}");
    }
    let allowed = AllowedHosts(vec![".dev.example".to_owned()]);
    let Ok(request) = Request::get("/").header(HOST, value).body(()) else { return };
    if check(&request, &allowed).is_ok() {
        let name = value.to_ascii_lowercase();
        let name = name.rsplit_once(':').map_or(&*name, |(before, port)| {
            if port.parse::<u16>().is_ok() { before } else { &name }
        });
        let is_local = ["localhost", "127.0.0.1", "[::1]", "dev.example"].contains(&name)
            || name.ends_with(".localhost")
            || name.ends_with(".dev.example");
        assert!(is_local, "{value:?}");
    }
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
        let allowed = AllowedHosts::new(&["dev.example".to_owned()]);
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

    #[test]
    fn fuzz_headers() {
        const WORDS: [&str; 16] = [
            "localhost",
            "127.0.0.1",
            "[::1]",
            ".localhost",
            "dev.example",
            ".",
            ":",
            ":80",
            "@",
            "/",
            " ",
            "]",
            "[",
            "\r\n",
            "é",
            "evil.example",
        ];
        crate::fuzz::check("headers", &WORDS, super::fuzz_headers);
    }

    #[test]
    fn a_pattern_allows_the_names_of_one_domain() {
        let passes = |pattern: &str, host: &str| {
            let allowed = AllowedHosts::new(&[pattern.to_owned()]);
            check(&request("/", Some(host)), &allowed).is_ok()
        };
        for (pattern, good, bad) in [
            (
                "*.ngrok-free.App",
                &["a1.ngrok-free.app", "A1.NGROK-free.app:443"][..],
                &["ngrok-free.app", "a.b.ngrok-free.app", "angrok-free.app", ".ngrok-free.app"][..],
            ),
            (
                ".ngrok-free.app",
                &["ngrok-free.app", "a.ngrok-free.app", "a.b.ngrok-free.app"],
                &["angrok-free.app", ".ngrok-free.app", "ngrok-free.app.evil.example", "app"],
            ),
            ("*", &["evil.example", "10.0.0.1:80"], &["", "a@b", "a/b", "a:x"]),
            ("*evil", &["localhost"], &["evil", "a.evil", "aevil"]),
            ("a.*.b", &["localhost"], &["a.c.b"]),
        ] {
            for host in good {
                assert!(passes(pattern, host), "{pattern} {host}");
            }
            for host in bad {
                assert!(!passes(pattern, host), "{pattern} {host}");
            }
        }
    }
}
