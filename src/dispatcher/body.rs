//! Reads the whole body of a request, with limits for its size and for slow clients.

use std::pin::pin;
use std::time::Duration;

use axum::BoxError;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::message::Failure;

/// In each window, [`MIN_BYTES`] must arrive, unless the body is complete.
const WINDOW: Duration = Duration::from_secs(30);
/// 1 KiB per second, which the slowest connection achieves.
const MIN_BYTES: usize = 30 * 1024;

/// Reads `body`; the failure is the response to a body that is too large, too slow or incomplete.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Failure>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let too_large = || {
        let detail = format!("the body has more than {limit} bytes, the limit of this server");
        failure(413, detail)
    };
    let declared = declared_size(headers);
    if declared.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut body = pin!(Limited::new(body, limit));
    let (mut window_ends, mut in_window) = (Instant::now() + WINDOW, 0);
    // A body of one chunk is not copied.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        match timeout_at(window_ends, body.frame()).await {
            Ok(None) if whole.is_empty() => return Ok(first),
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue }; // trailers
                in_window += data.len();
                if first.is_empty() {
                    first = data;
                    continue;
                }
                if whole.is_empty() {
                    whole.reserve(declared.unwrap_or(0).max(first.len() + data.len()));
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&data);
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Some(Err(error))) => {
                return Err(failure(400, format!("the body is incomplete: {error}")));
            }
            Err(_) if in_window >= MIN_BYTES => {
                (window_ends, in_window) = (window_ends + WINDOW, 0);
            }
            Err(_) => {
                let seconds = WINDOW.as_secs();
                let detail =
                    format!("only {in_window} bytes of the body arrived within {seconds} s");
                return Err(failure(408, detail));
            }
        }
    }
}

fn failure(status: u16, detail: String) -> Failure {
    Failure { status, detail, ..Failure::default() }
}

fn declared_size(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::{StreamExt, stream};

    /// Makes a body of chunks of this size, one per second.
    fn slow(size: usize, count: usize) -> Body {
        Body::from_stream(stream::unfold(0, move |n| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (n < count).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size])), n + 1))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_byte_by_byte_has_half_a_minute() {
        let began = Instant::now();
        let failure = read(&HeaderMap::new(), slow(1, 1000), 1 << 20).await.expect_err("too slow");
        assert_eq!((failure.status, began.elapsed().as_secs()), (408, 30));
        assert!(
            failure.detail.ends_with("bytes of the body arrived within 30 s"),
            "{}",
            failure.detail
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_has_no_time_limit_while_it_arrives() {
        let body = read(&HeaderMap::new(), slow(2048, 200), 1 << 20).await.expect("all of it");
        assert_eq!(body.len(), 2048 * 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_arriving_is_rejected() {
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 19]))]);
        let body = Body::from_stream(beginning.chain(stream::pending()));
        let failure = read(&HeaderMap::new(), body, 1 << 20).await.expect_err("it does not end");
        assert_eq!(failure.status, 408);
    }
}
