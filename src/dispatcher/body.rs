//! The body of a request, read whole: up to a size, and from nobody who sends it byte by byte.

use std::pin::pin;
use std::time::Duration;

use axum::BoxError;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::message::Failure;

/// The time in which [`LEAST`] has to come, over and over, unless the body is whole by then.
const WINDOW: Duration = Duration::from_secs(30);
/// Bytes: 1 KiB a second, which the slowest line has.
const LEAST: usize = 30 * 1024;

/// Reads `body`; gives the answer to a client whose body is too large, too slow or broken.
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
    // What comes in one piece is not copied.
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
                return Err(failure(400, format!("the body broke off: {error}")));
            }
            Err(_) if in_window >= LEAST => {
                (window_ends, in_window) = (window_ends + WINDOW, 0);
            }
            Err(_) => {
                let seconds = WINDOW.as_secs();
                let detail = format!("only {in_window} bytes of the body came within {seconds} s");
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

    /// BodyReceiver of this size, one each second.
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
            failure.detail.ends_with("bytes of the body came within 30 s"),
            "{}",
            failure.detail
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_keeps_coming_has_all_the_time_it_needs() {
        let body = read(&HeaderMap::new(), slow(2048, 200), 1 << 20).await.expect("all of it");
        assert_eq!(body.len(), 2048 * 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_coming_is_given_up() {
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 19]))]);
        let body = Body::from_stream(beginning.chain(stream::pending()));
        let failure = read(&HeaderMap::new(), body, 1 << 20).await.expect_err("it does not end");
        assert_eq!(failure.status, 408);
    }
}
