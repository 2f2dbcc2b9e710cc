//! Buffers the body of a request to the console, with limits on its size and time.
//!
//! No handler runs before the body is complete.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::dispatcher::body;

/// Bytes of a body: a replay may have a body of its own.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// How long a client may take to send a body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the request with its body in memory, or else the response that rejects it.
pub(super) async fn buffer(request: Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let read =
        tokio::time::timeout(TIMEOUT, body::read(&parts.headers, body, None, MAX_BODY, TIMEOUT))
            .await;
    let reject = |status, text: String| (status, text).into_response();
    match read {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(error)) => {
            let status = StatusCode::from_u16(error.failure.status).expect("it is a constant");
            Err(reject(status, format!("Request rejected: {}.\n", error.failure.detail)))
        }
        Err(_) => {
            let text =
                format!("Request rejected: the body took longer than {} s.\n", TIMEOUT.as_secs());
            Err(reject(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_body_for_the_console_must_arrive_within_half_a_minute() {
        for size in [1, 10_000] {
            let endless = stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size])), ()))
            });
            let began = Instant::now();

            let result = buffer(Request::new(Body::from_stream(endless))).await;

            let status = result.err().map(|response| response.status());
            assert_eq!(
                (status, began.elapsed().as_secs()),
                (Some(StatusCode::REQUEST_TIMEOUT), 30)
            );
        }
    }

    #[tokio::test]
    async fn a_body_for_the_console_may_have_two_mebibytes() {
        let of = async |size| buffer(Request::new(Body::from(vec![b' '; size]))).await;
        assert!(of(MAX_BODY).await.is_ok());
        let status = of(MAX_BODY + 1).await.err().map(|response| response.status());
        assert_eq!(status, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
