//! WebSockets over HTTP/2 (RFC 8441): an extended CONNECT becomes the handshake of HTTP/1.1, which
//! handlers and axum's extractor understand, and its 101 becomes a 200.
//!
//! Passes no message: the stream of HTTP/2 is the connection from then on.

use axum::body::Body;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::{HeaderValue, Method, Request, StatusCode, Version};
use axum::response::Response;
use hyper::ext::Protocol;

use crate::message::Http2Handshake;

use super::invalid_request::InvalidRequest;

/// HTTP/2 has no key, which only shows that a server has understood the request.
const KEY: HeaderValue = HeaderValue::from_static("c25heHVtIG92ZXIgSDIuMA==");

/// Whether a request asks for a WebSocket.
pub(super) fn is_asked<B>(request: &Request<B>) -> bool {
    request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|name| name.as_str() == "websocket")
}

/// Makes it a handshake of HTTP/1.1.
pub(super) fn translate<B>(request: &mut Request<B>) {
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().remove::<Protocol>();
    request.extensions_mut().insert(Http2Handshake);
    let headers = request.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_KEY, KEY);
}

/// Translates the response: any success would begin a WebSocket, also one of an ordinary handler.
pub(super) fn translate_response(mut response: Response) -> Response {
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT); // hyper removes the others
            response.map(|_| Body::empty())
        }
        status if status.is_success() => {
            let detail = "there is no WebSocket at this path; send a GET".to_owned();
            InvalidRequest { status: 404, detail }.response()
        }
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_accepted_websocket_is_a_success() {
        let translated = |status: u16| {
            let mut response = Response::new(Body::from("text"));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            translate_response(response).status().as_u16()
        };
        let statuses = [101, 200, 204, 302, 403, 500].map(translated);
        assert_eq!(statuses, [200, 404, 404, 302, 403, 500]);
    }
}
