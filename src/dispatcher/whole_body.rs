//! Reads the body of a request to its end, before its handler starts.

use std::pin::pin;
use std::sync::Arc;

use axum::BoxError;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use crate::message::{BodyRecorder, RequestBody};
use crate::python_runtime::PythonRuntime;

use super::body::{self, BodyError, BodyReader};
use super::decompress::Coding;
use super::multipart::{self, FormLimits};

/// Reads a body to its end: a form in parts, any other as it is.
pub(super) async fn read<B>(
    runtime: &PythonRuntime,
    headers: &HeaderMap,
    body: B,
    coding: Option<Coding>,
) -> Result<RequestBody, BodyError>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    let config = runtime.config();
    let (limit, window) = (config.max_body_size, config.body_timeout);
    let content_type = || headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if body.is_end_stream() && body::declared_size(headers).is_none() {
        return Ok(RequestBody::Whole(Bytes::new()));
    }
    // Boxed, here and below: the state would enlarge that of every request.
    if body.is_end_stream() || !multipart::is_multipart(content_type()) {
        let body = Box::pin(body::read(headers, body, coding, limit, window)).await;
        return body.map(RequestBody::Whole);
    }
    if let (None, Some(coding)) = (coding, headers.get(CONTENT_ENCODING)) {
        let coding = coding.to_str().unwrap_or_default();
        let detail = format!("the body has the coding `{coding}`; send gzip, deflate or none");
        return Err(body::failure(415, detail));
    }
    Box::pin(async {
        let body = pin!(body);
        let mut reader = BodyReader::new(headers, body, coding, config.max_upload_size, window)?;
        let (limits, recorder) = (FormLimits::new(config), BodyRecorder::new(config.dev));
        let form = multipart::read(content_type(), &mut reader, limits, recorder).await?;
        Ok(RequestBody::Form(Arc::new(form)))
    })
    .await
}
