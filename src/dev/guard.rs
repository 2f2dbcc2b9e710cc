//! One layer in front of everything under `/__snaxum/`: peer, Host, Origin, token.
//!
//! Any site open in the browser can send requests to localhost, and any user of the machine can
//! connect; no single lock is enough. A refusal is a short constant text that says nothing of the
//! project. Never looks at what is behind it.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::{Dev, PREFIX};

/// What the checks compare with.
pub(super) struct Guard {
    token: String,
    allow_hosts: Vec<String>,
    told: Mutex<HashSet<&'static str>>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Peer,
    Host,
    Origin,
    CrossSite,
    Method,
    Token,
}

impl Guard {
    pub(super) fn new(allow_hosts: &[String], token: Option<String>) -> Self {
        let allow_hosts = allow_hosts.iter().map(|name| name.to_ascii_lowercase()).collect();
        let token = token.unwrap_or_else(|| random_text(32));
        Self { token, allow_hosts, told: Mutex::default() }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Checks all but the token.
    fn check_origin(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = self.check_host(request)?;
        let mut origins = headers.get_all(ORIGIN).iter();
        if let Some(origin) = origins.next() {
            let same = ["http://", "https://"]
                .iter()
                .any(|scheme| origin.to_str().is_ok_and(|o| o.strip_prefix(scheme) == Some(host)));
            if !same || origins.next().is_some() {
                return Err(Refusal::Origin);
            }
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(b"cross-site" | b"same-site") => Err(Refusal::CrossSite),
            _ => Ok(()),
        }
    }

    /// Checks that `Host` names this machine, or what `--allow-host` allows; returns its value.
    /// A request line in absolute form must name the same.
    fn check_host<'a>(&self, request: &'a Request) -> Result<&'a str, Refusal> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::Host) };
        let host = host.to_str().map_err(|_| Refusal::Host)?;
        if request.uri().authority().is_some_and(|authority| authority != host) {
            return Err(Refusal::Host);
        }
        let name = host_name(host).ok_or(Refusal::Host)?.to_ascii_lowercase();
        let local = matches!(&*name, "localhost" | "127.0.0.1" | "[::1]")
            || name.strip_suffix(".localhost").is_some_and(|label| !label.is_empty());
        if local || self.allow_hosts.contains(&name) { Ok(host) } else { Err(Refusal::Host) }
    }

    fn is_token(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.token.as_bytes()).into()
    }

    /// Whether the request carries the token. A browser's cookie is not enough to open a socket
    /// without saying where the page is from: see `check_console`.
    fn has_token(&self, headers: &HeaderMap) -> Option<Credential> {
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if bearer.is_some_and(|token| self.is_token(token.trim())) {
            return Some(Credential::Bearer);
        }
        let name = cookie_name(headers);
        let found = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(key, value)| key == name && self.is_token(value));
        found.then_some(Credential::Cookie)
    }

    /// Refuses, and logs the remedy the first time.
    fn refuse(&self, refusal: Refusal) -> Response {
        let (status, text, remedy) = match refusal {
            Refusal::Token => (
                StatusCode::UNAUTHORIZED,
                "The console needs the link that the terminal printed.\n",
                "a request to the console had no token: open the printed link",
            ),
            Refusal::Host => (
                StatusCode::FORBIDDEN,
                "This name is not allowed here; the terminal says how to allow it.\n",
                "a request was addressed to a name other than localhost: allow it with --allow-host NAME",
            ),
            Refusal::Peer => (
                StatusCode::FORBIDDEN,
                "The console answers on its own machine only.\n",
                "another machine asked for the console, which answers on this one only",
            ),
            Refusal::Origin | Refusal::CrossSite => (
                StatusCode::FORBIDDEN,
                "The console does not answer to pages of other sites.\n",
                "a page of another site asked for the console and was refused",
            ),
            Refusal::Method => (StatusCode::FORBIDDEN, "Not allowed.\n", "a preflight was refused"),
        };
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(remedy) {
            tracing::warn!("{remedy}");
        }
        (status, text).into_response()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential {
    Bearer,
    Cookie,
}

/// The layer in front of the console.
pub(super) async fn check_console(
    State(dev): State<Dev>,
    request: Request,
    next: Next,
) -> Response {
    let guard = &dev.inner.guard;
    let mut response = match admit(guard, &request) {
        Ok(Admission::Pass) => next.run(request).await,
        Ok(Admission::SignIn) => sign_in(guard, request.headers()),
        Err(refusal) => guard.refuse(refusal),
    };
    harden(response.headers_mut());
    response
}

/// The layer in front of the app in dev mode: the Host check alone.
pub(super) async fn check_app(State(dev): State<Dev>, request: Request, next: Next) -> Response {
    match dev.inner.guard.check_host(&request) {
        Ok(_) => next.run(request).await,
        Err(refusal) => dev.inner.guard.refuse(refusal),
    }
}

enum Admission {
    Pass,
    /// The printed link was opened: answer with the cookie.
    SignIn,
}

fn admit(guard: &Guard, request: &Request) -> Result<Admission, Refusal> {
    let headers = request.headers();
    // Without `ConnectInfo` (a server of the caller's that does not provide it) Host, Origin and
    // token have to do.
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
        && !is_loopback(peer.ip())
    {
        return Err(Refusal::Peer);
    }
    guard.check_origin(request)?;
    if request.method() == Method::OPTIONS {
        return Err(Refusal::Method);
    }
    let is_upgrade = headers.contains_key("upgrade");
    match guard.has_token(headers) {
        // Browsers always send Origin with an upgrade; what sends none is a tool, with a header.
        Some(Credential::Cookie) if is_upgrade && !headers.contains_key(ORIGIN) => {
            Err(Refusal::Token)
        }
        _ if request.method() == Method::GET
            && link_token(request).is_some_and(|t| guard.is_token(&t)) =>
        {
            Ok(Admission::SignIn)
        }
        Some(_) => Ok(Admission::Pass),
        None => Err(Refusal::Token),
    }
}

fn link_token(request: &Request) -> Option<String> {
    if request.uri().path() != PREFIX {
        return None;
    }
    let query = request.uri().query()?.as_bytes();
    form_urlencoded::parse(query).find(|(key, _)| key == "t").map(|(_, value)| value.into_owned())
}

fn sign_in(guard: &Guard, headers: &HeaderMap) -> Response {
    let cookie = format!(
        "{}={}; HttpOnly; SameSite=Strict; Path={PREFIX}",
        cookie_name(headers),
        guard.token
    );
    (StatusCode::SEE_OTHER, [(LOCATION, PREFIX.to_owned()), (SET_COOKIE, cookie)]).into_response()
}

/// Cookies ignore ports, so the name carries it: two servers on one machine do not collide.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    format!("snaxum_{}", if digits { port } else { "80" })
}

/// The name in `Host`, without the port; `None` if it is malformed.
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

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn harden(headers: &mut HeaderMap) {
    let fixed = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Random bytes as URL-safe text.
pub(super) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system gives random bytes, or nothing is safe here");
    URL_SAFE_NO_PAD.encode(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
            })
            .collect()
    }

    fn request(uri: &str, pairs: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = uri.parse().expect("a URI");
        *request.headers_mut() = headers(pairs);
        request
    }

    fn refusal(guard: &Guard, request: &Request) -> Option<Refusal> {
        admit(guard, request).err()
    }

    #[test]
    fn only_names_of_this_machine_pass() {
        let guard = Guard::new(&["Dev.Example".to_owned()], None);
        for good in ["localhost:3000", "a.localhost", "127.0.0.1:1", "[::1]:3000", "dev.example"] {
            assert!(guard.check_host(&request("/", &[("host", good)])).is_ok(), "{good}");
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
            assert!(guard.check_host(&request("/", &[("host", bad)])).is_err(), "{bad}");
        }
        let mut twice = request("/", &[("host", "localhost")]);
        twice.headers_mut().append(HOST, HeaderValue::from_static("localhost"));
        assert!(guard.check_host(&twice).is_err());
        assert!(guard.check_host(&request("/", &[])).is_err());
        let elsewhere = request("http://evil.example/", &[("host", "localhost")]);
        assert!(guard.check_host(&elsewhere).is_err(), "the request line says another name");
    }

    #[test]
    fn pages_of_other_sites_are_refused_even_with_the_token() {
        let guard = Guard::new(&[], None);
        let bearer = format!("Bearer {}", guard.token());
        let with = |extra: &[(&'static str, &str)]| {
            let base = [("host", "localhost:3000"), ("authorization", &*bearer)];
            refusal(&guard, &request("/__snaxum/", &[&base, extra].concat()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("origin", "http://localhost:3000")]), None);
        assert_eq!(with(&[("origin", "http://localhost:3001")]), Some(Refusal::Origin));
        assert_eq!(with(&[("origin", "http://evil.example")]), Some(Refusal::Origin));
        assert_eq!(with(&[("origin", "null")]), Some(Refusal::Origin));
        assert_eq!(with(&[("sec-fetch-site", "cross-site")]), Some(Refusal::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "same-site")]), Some(Refusal::CrossSite));
        assert_eq!(with(&[("sec-fetch-site", "none")]), None);
    }

    #[test]
    fn the_token_is_needed_and_the_cookie_carries_it() {
        let guard = Guard::new(&[], None);
        let host = ("host", "localhost:3000");
        let link = format!("/__snaxum/?t={}", guard.token());
        let cookie = format!("other=1; snaxum_3000={}", guard.token());
        let elsewhere = format!("snaxum_4000={}", guard.token());

        assert_eq!(
            refusal(&guard, &request("/__snaxum/api/status", &[host])),
            Some(Refusal::Token)
        );
        assert_eq!(refusal(&guard, &request("/__snaxum/?t=wrong", &[host])), Some(Refusal::Token));
        assert!(matches!(admit(&guard, &request(&link, &[host])), Ok(Admission::SignIn)));
        let signed_in = request("/__snaxum/", &[host, ("cookie", &cookie)]);
        assert!(matches!(admit(&guard, &signed_in), Ok(Admission::Pass)));
        let other_port = request("/__snaxum/", &[host, ("cookie", &elsewhere)]);
        assert_eq!(refusal(&guard, &other_port), Some(Refusal::Token));
    }

    #[test]
    fn a_socket_without_an_origin_needs_the_header() {
        let guard = Guard::new(&[], None);
        let cookie = format!("snaxum_80={}", guard.token());
        let base = [("host", "localhost"), ("upgrade", "websocket"), ("cookie", &*cookie)];
        assert_eq!(refusal(&guard, &request("/__snaxum/ws", &base)), Some(Refusal::Token));
        let from_page = [&base[..], &[("origin", "http://localhost")]].concat();
        assert_eq!(refusal(&guard, &request("/__snaxum/ws", &from_page)), None);
    }

    #[test]
    fn a_peer_on_another_machine_is_refused_whatever_it_forwards() {
        let guard = Guard::new(&[], None);
        let bearer = format!("Bearer {}", guard.token());
        for (peer, refused) in [
            ("127.0.0.1:9", false),
            ("[::1]:9", false),
            ("[::ffff:127.0.0.1]:9", false),
            ("10.0.0.2:9", true),
        ] {
            let base = [
                ("host", "localhost"),
                ("authorization", &*bearer),
                ("x-forwarded-for", "127.0.0.1"),
            ];
            let mut request = request("/__snaxum/", &base);
            let peer: SocketAddr = peer.parse().expect("an address");
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(refusal(&guard, &request) == Some(Refusal::Peer), refused, "{peer}");
        }
    }
}
