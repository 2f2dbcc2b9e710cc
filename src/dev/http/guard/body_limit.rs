//! The body of a request to the console: it is small, and whole in time, before anybody acts on it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::dispatcher::body;

/// Bytes of one: a replay may bring a body of its own.
const MOST: usize = 2 * 1024 * 1024;
/// How long a client may take to send one.
const TIME: Duration = Duration::from_secs(30);

/// The same request with a body that has come; else the answer to who sent it.
pub(super) async fn whole(request: Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(TIME, body::read(&parts.headers, body, MOST)).await;
    let refused = |status, text: String| (status, text).into_response();
    match read {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(failure)) => {
            let status = StatusCode::from_u16(failure.status).expect("it is a constant");
            Err(refused(status, format!("Not done: {}.\n", failure.detail)))
        }
        Err(_) => {
            let text = format!("Not done: the body took longer than {} s.\n", TIME.as_secs());
            Err(refused(StatusCode::REQUEST_TIMEOUT, text))
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
    async fn a_body_for_the_console_has_half_a_minute_however_much_of_it_comes() {
        for size in [1, 10_000] {
            let endless = stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size])), ()))
            });
            let began = Instant::now();

            let refused = whole(Request::new(Body::from_stream(endless))).await;

            let status = refused.err().map(|response| response.status());
            assert_eq!(
                (status, began.elapsed().as_secs()),
                (Some(StatusCode::REQUEST_TIMEOUT), 30)
            );
        }
    }

    #[tokio::test]
    async fn a_body_for_the_console_has_two_mebibytes() {
        let of = async |size| whole(Request::new(Body::from(vec![b' '; size]))).await;
        assert!(of(MOST).await.is_ok());
        let status = of(MOST + 1).await.err().map(|response| response.status());
        assert_eq!(status, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
