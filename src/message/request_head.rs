//! A request's head; each part is decoded when it is read.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

/// Method, address and headers of a request as they arrived. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Head {
    parts: Arc<Parts>,
    is_websocket: bool,
}

impl Head {
    /// Wraps the parts of a received request.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), is_websocket: false }
    }

    /// Wraps the parts of the handshake of a WebSocket.
    pub fn of_websocket(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), is_websocket: true }
    }

    /// Whether the client asks for a WebSocket, and the connection can become one.
    pub fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// The method as it was sent: `GET`.
    pub fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    /// The percent-decoded path; bytes that are not UTF-8 become U+FFFD.
    pub fn path(&self) -> Cow<'_, str> {
        let path = self.parts.uri.path();
        if !path.contains('%') {
            return Cow::Borrowed(path);
        }
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
    use axum::http::Request;

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
    fn a_value_that_is_not_utf_8_is_latin_1() {
        let mut headers = HeaderMap::new();
        headers.insert("x-name", HeaderValue::from_bytes(b"Zo\xeb").expect("a value"));
        assert_eq!(header_texts(&headers).next(), Some(("x-name", Cow::from("Zoë"))));
    }
}
