//! A request's head; each part is decoded when it is read.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use percent_encoding::NON_ALPHANUMERIC;

use crate::sync::Mutex;

use super::connection_addresses::ConnectionAddresses;
use super::websocket::Http2Handshake;

/// The header that asks for a profile of the request.
const X_SNAXUM_PROFILE: HeaderName = HeaderName::from_static("x-snaxum-profile");
/// The start of the URI of a call. It has a `%`, so `path` checks for it only where it decodes.
const CALL_PREFIX: &str = "/%3A";

/// Method, address and headers of a request as they arrived. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Head {
    parts: Arc<RoutedParts>,
    kind: HeadKind,
}

/// The parts, and the route that Python has found for them.
#[derive(Debug)]
struct RoutedParts {
    parts: Parts,
    route: Mutex<Option<Arc<str>>>,
}

impl Deref for RoutedParts {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Where a request comes from, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// An HTTP request.
    Http,
    /// The handshake of a WebSocket.
    WebSocket,
    /// A call of a Python function from Rust. No HTTP request is one, whatever its method.
    FunctionCall,
}

impl Head {
    /// Wraps the parts of a received request.
    pub fn new(parts: Parts) -> Self {
        Self::of_kind(parts, HeadKind::Http)
    }

    /// Wraps the parts of the handshake of a WebSocket.
    pub fn of_websocket(parts: Parts) -> Self {
        Self::of_kind(parts, HeadKind::WebSocket)
    }

    /// Makes the head of a call of `module:function`, which has the method `CALL`, that path, and JSON
    /// as its body.
    pub(crate) fn of_function_call(function: &str) -> Self {
        let name = percent_encoding::utf8_percent_encode(function, NON_ALPHANUMERIC);
        // A URI begins with a slash. `path` removes the prefix.
        let uri = Uri::try_from(format!("{CALL_PREFIX}{name}")).unwrap_or_default();
        let mut parts = Request::new(()).into_parts().0;
        parts.method = Method::from_bytes(b"CALL").expect("it is a token");
        parts.uri = uri;
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self::of_kind(parts, HeadKind::FunctionCall)
    }

    fn of_kind(parts: Parts, kind: HeadKind) -> Self {
        Self { parts: Arc::new(RoutedParts { parts, route: Mutex::new(None) }), kind }
    }

    /// Whether the client asks for a profile, by `profile` in the query or by the header. A parameter
    /// of that name with a value belongs to the app.
    pub(crate) fn asks_for_profile(&self) -> bool {
        let query = self.query();
        !query.is_empty() && query.split('&').any(|pair| pair == "profile")
            || self.headers().contains_key(X_SNAXUM_PROFILE)
    }

    /// Records the id of its route, as soon as it is known: the client may leave before the response.
    pub(crate) fn set_route(&self, id: Arc<str>) {
        *self.parts.route.lock() = Some(id);
    }

    /// The id of its route, if requests are observed.
    pub(crate) fn route(&self) -> Option<Arc<str>> {
        self.parts.route.lock().clone()
    }

    pub(crate) fn kind(&self) -> HeadKind {
        self.kind
    }

    /// Whether it is a call of a Python function from Rust.
    pub fn is_function_call(&self) -> bool {
        self.kind == HeadKind::FunctionCall
    }

    /// Whether the client asks for a WebSocket, and the connection can become one.
    pub fn is_websocket(&self) -> bool {
        self.kind == HeadKind::WebSocket
    }

    /// The version of HTTP, as ASGI writes it.
    pub(crate) fn version(&self) -> &'static str {
        match self.parts.version {
            _ if self.extension::<Http2Handshake>().is_some() => "2",
            Version::HTTP_09 | Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => "1.1",
        }
    }

    /// The address of the client, and that of the server, as far as the server has given them.
    pub(crate) fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        match self.extension::<ConnectionAddresses>() {
            Some(addresses) => (addresses.client, addresses.local),
            // The server of someone else.
            None => (self.extension().map(|ConnectInfo(peer)| *peer), None),
        }
    }

    /// The address of the client, which a trusted proxy may report. `None` on a Unix socket.
    pub fn client(&self) -> Option<SocketAddr> {
        self.addresses().0
    }

    /// `https` if the client has used TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        let is_https = self.extension::<ConnectionAddresses>().is_some_and(|found| found.is_https);
        if is_https { "https" } else { "http" }
    }

    /// The host that the client has addressed, perhaps with a port; empty if the request names none.
    pub fn host(&self) -> Cow<'_, str> {
        self.forwarded_host()
            .or_else(|| self.headers().get(HOST))
            .map(header_text)
            .unwrap_or_default()
    }

    /// The host that a trusted proxy reports.
    pub(crate) fn forwarded_host(&self) -> Option<&HeaderValue> {
        self.extension::<ConnectionAddresses>()?.host.as_ref()
    }

    /// The method as it was sent: `GET`.
    pub fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    /// The percent-decoded path, where bytes that are not UTF-8 become U+FFFD; `module:function` of a
    /// call.
    pub fn path(&self) -> Cow<'_, str> {
        let path = self.parts.uri.path();
        if !path.contains('%') {
            return Cow::Borrowed(path);
        }
        let path = match self.kind {
            HeadKind::FunctionCall => path.strip_prefix(CALL_PREFIX).unwrap_or(path),
            _ => path,
        };
        percent_encoding::percent_decode_str(path).decode_utf8_lossy()
    }

    /// The path as it was sent.
    pub fn raw_path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The raw query, without the `?`.
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The path and the query as they were sent.
    pub fn target(&self) -> &str {
        self.parts.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The extension of this type that an earlier layer has added.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.parts.extensions.get()
    }

    /// The first content type; empty if there is none.
    pub(crate) fn content_type(&self) -> Cow<'_, str> {
        self.headers().get(CONTENT_TYPE).map(header_text).unwrap_or_default()
    }

    /// The headers as they arrived.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }
}

/// Iterates over the names, in lower case, and the values, in the order of arrival.
///
/// Values that are not UTF-8 are read as Latin-1, as in HTTP/1.0: no byte is lost and no error is
/// possible.
pub fn header_texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    headers.iter().map(|(name, value)| (name.as_str(), header_text(value)))
}

fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => value.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str) -> Head {
        Head::new(Request::get(uri).body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_path_is_decoded_and_a_query_is_not() {
        let head = head("/a%20b/%C3%A9%FF?q=%20");
        assert_eq!(head.path(), "/a b/é\u{fffd}");
        assert_eq!(head.query(), "q=%20");
    }

    #[test]
    fn the_path_of_a_call_is_its_function_and_no_request_is_a_call() {
        for name in ["shop.orders:total", "größe:größe", "no_colon", "a:b?c#d%", "/:x", ""] {
            let head = Head::of_function_call(name);
            assert_eq!((head.method(), &*head.path(), head.query()), ("CALL", name, ""));
            assert!(head.is_function_call());
        }
        let request = Request::builder().method("CALL").uri("/%3Ashop%3Atotal");
        let head = Head::new(request.body(()).expect("a request").into_parts().0);
        assert_eq!((&*head.path(), head.is_function_call()), ("/:shop:total", false));
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_latin_1() {
        let mut headers = HeaderMap::new();
        headers.insert("x-name", HeaderValue::from_bytes(b"Zo\xeb").expect("a value"));
        assert_eq!(header_texts(&headers).next(), Some(("x-name", Cow::from("Zoë"))));
    }
}
