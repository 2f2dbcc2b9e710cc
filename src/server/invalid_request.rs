//! The responses to bytes that are not a request, and to requests that must not be served.
//!
//! Problem documents (RFC 9457) for any client: what it accepts is not known, or not to be trusted.
//! After each the connection is closed, because where the next request would begin is unknown.

use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

const PROBLEM: &str = "application/problem+json";

/// Why a request is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidRequest {
    pub(super) status: u16,
    pub(super) detail: String,
}

impl InvalidRequest {
    /// Makes the response, which closes the connection.
    pub(crate) fn response(&self) -> Response {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(PROBLEM)),
            (CONNECTION, HeaderValue::from_static("close")),
        ];
        (self.status(), headers, self.document()).into_response()
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("it is a constant")
    }

    fn document(&self) -> String {
        let title = self.status().canonical_reason().unwrap_or("Error");
        let Self { status, detail } = self;
        json!({"type": "about:blank", "title": title, "status": status, "detail": detail})
            .to_string()
    }
}

/// Adds the reason to a response of hyper to a head that it cannot parse, which has no body; returns its
/// status, too. `None` if `head` is another response.
pub(super) fn explain(head: &[u8], max_header_size: usize) -> Option<(u16, Vec<u8>)> {
    const NO_BODY: &str = "content-length: 0\r\n";
    let head = std::str::from_utf8(head).ok()?;
    let (version, status) = head.split_once(' ')?;
    let status = status.get(..3)?.parse().ok()?;
    let is_rejection = version.starts_with("HTTP/1.")
        && head.contains("\r\nconnection: close\r\n")
        && head.contains(NO_BODY)
        && head.find("\r\n\r\n") == head.len().checked_sub(4);
    if !is_rejection {
        return None;
    }
    let detail = match status {
        400 => "the request is not valid HTTP/1.1".to_owned(),
        414 => "the request's target has more than 65534 bytes".to_owned(),
        431 => format!(
            "the request's target and headers have more than {max_header_size} bytes, or more than \
             100 headers; large cookies are the usual cause"
        ),
        _ => return None,
    };
    let body = InvalidRequest { status, detail }.document();
    let length = format!("content-length: {}\r\ncontent-type: {PROBLEM}\r\n", body.len());
    Some((status, (head.replacen(NO_BODY, &length, 1) + &body).into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rejection_of_hyper_gets_a_body() {
        let rejection = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                         content-length: 0\r\ndate: now\r\n\r\n";
        let (status, explained) = explain(rejection.as_bytes(), 1024).expect("it is one");
        assert_eq!(status, 431);
        let explained = String::from_utf8(explained).expect("UTF-8");
        let (head, body) = explained.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        assert!(head.contains("date: now") && body.contains("more than 1024 bytes"), "{explained}");

        for other in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            rejection.replace("431", "500"),
            format!("x{rejection}"),
            rejection.replace("content-length: 0", "content-length: 7") + "no body",
        ] {
            assert_eq!(explain(other.as_bytes(), 1024), None, "{other}");
        }
    }
}
