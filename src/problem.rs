//! Converts failures to responses: a page for browsers, a problem document (RFC 9457) for others.
//!
//! Decides by `Accept`. Tracebacks appear in dev mode only; a client of `snaxum serve` learns nothing
//! of an exception except that there was one.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::message::ErrorResponse;
use crate::telemetry::X_REQUEST_ID;
use crate::templates;

/// The headers that only the connection may set; [`pair_upgrade`] is about `Upgrade`.
const OF_CONNECTION: [HeaderName; 5] = [
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// The content type of a problem document.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The path of the console, which only the pages of dev mode name.
const CONSOLE: &str = "/__snaxum/";

/// Marks a response of dev mode as the error page. The traceback that it shows is an extension, too.
#[derive(Clone, Debug)]
pub(crate) struct ErrorPage;

/// Converts a failure to the response that the client accepts.
pub(crate) fn respond(
    failure: &ErrorResponse,
    request: &HeaderMap,
    request_id: &str,
    dev: bool,
) -> Response {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let traceback = failure.traceback.as_deref().filter(|_| dev);
    let detail = match (&failure.traceback, failure.detail.as_str()) {
        (Some(raised), "") if dev => format!("{}: {}", raised.kind, raised.message),
        (Some(_), "") => {
            format!("the handler raised an exception; the log has it under request {request_id}")
        }
        (_, detail) => detail.to_owned(),
    };
    let (content_type, body) = if prefers_html(request) {
        let members = &failure.extensions;
        let page = templates::error(
            status.as_u16(),
            title(status),
            &detail,
            request_id,
            traceback,
            members,
            dev.then_some(CONSOLE),
        );
        ("text/html; charset=utf-8", page)
    } else {
        let mut problem = document(status, &detail);
        problem["request_id"] = request_id.into();
        for (name, value) in &failure.extensions {
            problem[name] = value.clone();
        }
        if let Some(traceback) = traceback {
            problem["traceback"] = json!(traceback);
        }
        (PROBLEM_JSON, problem.to_string())
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    for (name, value) in &failure.headers {
        // An invalid header is omitted: there is an error to report already.
        if let Ok(Some((name, value))) = parse_header(name, value) {
            headers.append(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if dev && content_type != PROBLEM_JSON {
        response.extensions_mut().insert(ErrorPage);
        if let Some(traceback) = failure.traceback.as_deref() {
            response.extensions_mut().insert(Arc::new(traceback.clone()));
        }
    }
    let headers = response.headers_mut();
    if failure.traceback.is_some() {
        // The log has the traceback under this id.
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(X_REQUEST_ID, id);
        }
    }
    pair_upgrade(&mut response);
    response
}

/// Lets only a 426 name protocols in `Upgrade`, with the `Connection: upgrade` that belongs to it
/// (RFC 9110, section 7.8).
pub(crate) fn pair_upgrade<B>(response: &mut axum::http::Response<B>) {
    if !response.headers().contains_key(UPGRADE) {
        return;
    }
    if response.status() == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        response.headers_mut().remove(UPGRADE);
    }
}

/// Makes a problem document with the members that RFC 9457 names.
pub(crate) fn document(status: StatusCode, detail: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": title(status),
        "status": status.as_u16(),
        "detail": detail,
    })
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// Parses a header that a handler has set; `None` for one that only the connection may set.
pub(crate) fn parse_header(
    name: &str,
    value: &str,
) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let parsed = HeaderName::try_from(name)
        .map_err(|_| format!("the handler set a header with the invalid name {name:?}"))?;
    if OF_CONNECTION.contains(&parsed) {
        return Ok(None);
    }
    let bytes = match value.is_ascii() {
        true => Some(Cow::Borrowed(value.as_bytes())),
        false => value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(), // Latin-1
    };
    bytes
        .and_then(|bytes| HeaderValue::from_bytes(&bytes).ok())
        .map(|value| Some((parsed, value)))
        .ok_or_else(|| format!("the handler set the header {name} to the invalid value {value:?}"))
}

/// Whether the client asks for HTML before JSON, as browsers do.
pub(crate) fn prefers_html(request: &HeaderMap) -> bool {
    let quality = |wanted: &[&str]| {
        request
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                let kind = parts.next()?.to_ascii_lowercase();
                let quality = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .map_or(Some(1.0), |q| q.parse().ok().filter(|q| (0.0..=1.0).contains(q)))?;
                wanted.contains(&kind.as_str()).then_some(quality)
            })
            .fold(0.0_f32, f32::max)
    };
    let html = quality(&["text/html", "application/xhtml+xml"]);
    html > 0.0 && html >= quality(&["application/json", "application/problem+json"])
}

/// Checks a value of `Accept`: it names HTML if it prefers that, and does so if HTML is added.
#[cfg(any(test, fuzzing))]
pub fn fuzz_accept(value: &str) {
    let prefers = |value: &str| {
        let value = HeaderValue::from_str(value).ok()?;
        Some(prefers_html(&HeaderMap::from_iter([(ACCEPT, value)])))
    };
    let Some(is_preferred) = prefers(value) else { return };
    assert!(!is_preferred || value.to_ascii_lowercase().contains("html"), "{value:?}");
    if value.is_ascii() {
        assert_eq!(prefers(&format!("{value},text/html")), Some(true), "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Traceback;
    use http_body_util::BodyExt;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))])
    }

    async fn text(response: Response) -> String {
        let body = response.into_body().collect().await.expect("a full body").to_bytes();
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    #[test]
    fn browsers_get_pages_and_tools_get_problem_documents() {
        assert!(prefers_html(&accepting("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")));
        assert!(!prefers_html(&accepting("*/*")));
        assert!(!prefers_html(&accepting("application/json, text/html;q=0.5")));
        assert!(!prefers_html(&HeaderMap::new()));
        // No weights of the standard.
        assert!(prefers_html(&accepting("text/html, application/json;q=1.8")));
        assert!(!prefers_html(&accepting("text/html;q=nan")));
    }

    #[tokio::test]
    async fn a_traceback_never_leaves_the_server_outside_dev_mode() {
        let raised = Traceback {
            kind: "ValueError".into(),
            message: "the secret is 42".into(),
            ..Traceback::default()
        };
        let failure = ErrorResponse {
            status: 500,
            traceback: Some(Box::new(raised)),
            ..ErrorResponse::default()
        };
        for accept in ["text/html", "application/json"] {
            let shown = text(respond(&failure, &accepting(accept), "7", false)).await;
            assert!(!shown.contains("secret") && !shown.contains("ValueError"), "{shown}");
            let shown = text(respond(&failure, &accepting(accept), "7", true)).await;
            assert!(shown.contains("the secret is 42"), "{shown}");
        }
    }

    #[tokio::test]
    async fn the_errors_of_a_failure_are_in_the_document_and_on_the_page() {
        let errors =
            json!([{"in": "query", "loc": ["a", 0], "msg": "is <missing>", "type": "missing"}]);
        let extensions = serde_json::Map::from_iter([("errors".to_owned(), errors.clone())]);
        let failure = ErrorResponse { status: 422, extensions, ..ErrorResponse::default() };
        let problem = text(respond(&failure, &accepting("application/json"), "1", false)).await;
        let problem: serde_json::Value = serde_json::from_str(&problem).expect("JSON");
        assert_eq!((&problem["errors"], &problem["status"]), (&errors, &json!(422)));
        let page = text(respond(&failure, &accepting("text/html"), "1", false)).await;
        assert!(page.contains("query") && page.contains("a.0"), "{page}");
        assert!(page.contains("is &lt;missing&gt;"), "{page}");
    }

    #[tokio::test]
    async fn markup_in_an_exception_shows_as_text() {
        let failure = ErrorResponse {
            status: 404,
            detail: "<script>alert(1)</script>".into(),
            ..ErrorResponse::default()
        };
        let page = text(respond(&failure, &accepting("text/html"), "1", true)).await;
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
    }
}
