//! The optional layers around all responses: CORS, compression, headers for HTTPS.
//!
//! Made once from the options; without one of them there is no layer, and no cost. Never changes the
//! console of dev mode.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::compression::{CompressionLayer, Predicate};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::config::SnaxumConfig;
use crate::telemetry::log_after_layers;

/// Smaller bodies fit into one packet anyway.
const MIN_COMPRESSED: u64 = 256;
/// The methods that other origins may use, unless the options name others.
const DEFAULT_METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// Added to responses that do not have them.
const HTTPS_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
];

/// The layers that the options turn on.
#[derive(Clone, Debug)]
pub(crate) struct HttpLayers {
    cors: Option<CorsLayer>,
    compression: Option<CompressionLayer<Compressible>>,
    adds_https_headers: bool,
}

impl HttpLayers {
    /// Makes the layers; `None` if there are none. The configuration has been checked.
    pub(crate) fn new(config: &SnaxumConfig) -> Option<Self> {
        let layers = Self {
            cors: (!config.cors_allow_origins.is_empty()).then(|| cors(config)),
            compression: config
                .compression
                .then(|| CompressionLayer::new().compress_when(Compressible)),
            adds_https_headers: config.https_headers,
        };
        let is_any =
            layers.cors.is_some() || layers.compression.is_some() || layers.adds_https_headers;
        is_any.then_some(layers)
    }

    /// Whether the CORS layer itself responds to a request: a browser asks what another origin may send.
    pub(crate) fn is_preflight<B>(&self, request: &Request<B>) -> bool {
        self.cors.is_some()
            && request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Responds with `respond`, through the layers.
    pub(crate) async fn respond<B, F: Future<Output = Response<Body>>>(
        &self,
        request: Request<B>,
        respond: impl FnOnce(Request<B>) -> F,
    ) -> Response<Body> {
        let mut response = match &self.cors {
            // The layer would take every OPTIONS for a preflight.
            Some(cors) if self.is_preflight(&request) || request.method() != Method::OPTIONS => {
                let mut respond = Some(respond);
                let inner = service_fn(move |request| {
                    let respond = respond.take().expect("a service of one request");
                    async { Ok::<_, Infallible>(self.compress(request, respond).await) }
                });
                unwrap(cors.layer(inner).oneshot(request).await)
            }
            _ => self.compress(request, respond).await,
        };
        if self.adds_https_headers {
            for (name, value) in HTTPS_HEADERS {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
        log_after_layers(&mut response);
        response
    }

    async fn compress<B, F: Future<Output = Response<Body>>>(
        &self,
        request: Request<B>,
        respond: impl FnOnce(Request<B>) -> F,
    ) -> Response<Body> {
        let Some(compression) = &self.compression else { return respond(request).await };
        // The client has a compressed copy.
        let has_weak_tag = request
            .headers()
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|tags| tags.as_bytes().windows(3).any(|start| start == b"W/\""));
        let mut respond = Some(respond);
        let inner = service_fn(move |request| {
            let responding = respond.take().expect("a service of one request")(request);
            async {
                let mut response = responding.await;
                if !response.headers().contains_key(CONTENT_ENCODING) {
                    response.extensions_mut().insert(Plain);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut response = unwrap(compression.layer(inner).oneshot(request).await).map(Body::new);
        let was_plain = response.extensions_mut().remove::<Plain>().is_some();
        let is_same = response.status() == StatusCode::NOT_MODIFIED;
        let kind = response.extensions_mut().remove::<TypeOfCopy>();
        if is_same && kind.is_none_or(|kind| is_text(&kind.0)) {
            // As in the response that it stands for.
            response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let is_compressed = response.headers().contains_key(CONTENT_ENCODING);
        if was_plain && (is_compressed || is_same && has_weak_tag) {
            weaken_etag(response.headers_mut());
        }
        response
    }
}

fn unwrap<T>(result: Result<T, Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}

/// The content type of the client's copy, in a response that the copy is valid.
#[derive(Clone)]
pub(crate) struct TypeOfCopy(pub(crate) HeaderValue);

/// Marks a response whose body was not compressed by its handler.
#[derive(Clone, Copy)]
struct Plain;

/// A strong tag identifies the bytes of the body, which are other ones now.
fn weaken_etag(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).map(HeaderValue::as_bytes) else { return };
    if tag.starts_with(b"W/") {
        return;
    }
    match HeaderValue::from_bytes(&[b"W/", tag].concat()) {
        Ok(weak) => drop(headers.insert(ETAG, weak)),
        Err(_) => drop(headers.remove(ETAG)),
    }
}

/// Selects complete bodies of text. A stream is sent as it comes: an encoder would store parts of it.
#[derive(Clone, Copy, Debug)]
struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let headers = response.headers();
        let length = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let size = response.body().size_hint().exact().filter(|size| *size > 0).or_else(length);
        let is_text = headers.get(CONTENT_TYPE).is_some_and(is_text);
        size.is_some_and(|size| size >= MIN_COMPRESSED) && is_text
    }
}

fn is_text(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let is_named = [
        &b"application/json"[..],
        b"application/javascript",
        b"application/xml",
        b"application/wasm",
        b"application/x-ndjson",
        b"application/vnd.apache.arrow.stream",
        b"font/ttf",
        b"font/otf",
    ]
    .contains(&&*essence);
    let is_stream_of_events = essence == b"text/event-stream";
    let has_suffix = essence.ends_with(b"+json") || essence.ends_with(b"+xml");
    !is_stream_of_events && (is_named || has_suffix || essence.starts_with(b"text/"))
}

fn cors(config: &SnaxumConfig) -> CorsLayer {
    const CHECKED: &str = "the configuration was checked";
    let is_any = |values: &[String]| values.iter().any(|value| value == "*");
    let origins = match &config.cors_allow_origins {
        any if is_any(any) => AllowOrigin::any(),
        origins => {
            AllowOrigin::list(origins.iter().map(|it| as_browsers_send(it).parse().expect(CHECKED)))
        }
    };
    let methods = match &config.cors_allow_methods {
        none if none.is_empty() => AllowMethods::list(DEFAULT_METHODS),
        any if is_any(any) => AllowMethods::any(),
        methods => AllowMethods::list(methods.iter().map(|it| it.parse().expect(CHECKED))),
    };
    let names = |names: &[String]| -> Vec<HeaderName> {
        names.iter().map(|name| name.parse().expect(CHECKED)).collect()
    };
    let headers = match &config.cors_allow_headers {
        none if none.is_empty() => AllowHeaders::mirror_request(),
        any if is_any(any) => AllowHeaders::any(),
        some => AllowHeaders::list(names(some)),
    };
    let exposed = match &config.cors_expose_headers {
        any if is_any(any) => ExposeHeaders::any(),
        some => ExposeHeaders::list(names(some)),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers(headers)
        .expose_headers(exposed)
        .allow_credentials(config.cors_allow_credentials);
    match config.cors_max_age {
        Duration::ZERO => layer,
        max_age => layer.max_age(max_age),
    }
}

/// Returns an origin as browsers send it: in lower case, without the default port.
fn as_browsers_send(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(default_port).map(str::to_owned).unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_as_browsers_send_it() {
        for (origin, expected) in [
            ("https://A.Example", "https://a.example"),
            ("HTTPS://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(as_browsers_send(origin), expected);
        }
    }

    #[test]
    fn text_is_compressed_and_pictures_and_events_are_not() {
        let is_text = |kind: &str| is_text(&HeaderValue::from_str(kind).expect("a value"));
        for kind in ["text/html; charset=utf-8", "application/problem+json", "image/svg+xml"] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in ["image/png", "application/zip", "text/event-stream", "video/mp4", ""] {
            assert!(!is_text(kind), "{kind}");
        }
    }
}
