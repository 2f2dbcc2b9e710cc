//! Reads the whole body of a request, with limits for its size and for slow clients.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::BoxError;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::message::Failure;

/// The slowest client that is served, which the slowest connection achieves.
const MIN_BYTES_PER_SECOND: f64 = 1024.0;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) struct BodyError {
    /// The response, to a client that is still there.
    pub(crate) failure: Failure,
    /// Whether the connection ended before the body did.
    pub(crate) has_client_left: bool,
}

/// Reads `body`; the error has the response to a body that is too large, too slow or incomplete.
///
/// In each `window`, 1 KiB per second must arrive, unless the body is complete. A zero window disables
/// the limit.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    window: Duration,
) -> Result<Bytes, BodyError>
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
    let min_bytes = (window.as_secs_f64() * MIN_BYTES_PER_SECOND) as usize;
    let (mut window_ends, mut in_window) = (Instant::now() + window, 0);
    // A body of one chunk is not copied.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let frame = match window.is_zero() {
            true => Ok(body.frame().await),
            false => timeout_at(window_ends, body.frame()).await,
        };
        match frame {
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
                let detail = format!("the body is incomplete: {error}");
                let has_client_left = is_end_of_connection(&*error);
                return Err(BodyError { has_client_left, ..failure(400, detail) });
            }
            Err(_) if in_window >= min_bytes => {
                (window_ends, in_window) = (window_ends + window, 0);
            }
            Err(_) => {
                let seconds = window.as_secs_f64();
                let detail =
                    format!("only {in_window} bytes of the body arrived within {seconds} s");
                return Err(failure(408, detail));
            }
        }
    }
}

fn failure(status: u16, detail: String) -> BodyError {
    let failure = Failure { status, detail, ..Failure::default() };
    BodyError { failure, has_client_left: false }
}

/// Whether the client has closed or lost the connection, rather than sent something invalid.
fn is_end_of_connection(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
        )
    })
}

fn declared_size(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::{StreamExt, stream};

    const WINDOW: Duration = Duration::from_secs(30);

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
        let failure = read(&HeaderMap::new(), slow(1, 1000), 1 << 20, WINDOW)
            .await
            .expect_err("too slow")
            .failure;
        assert_eq!((failure.status, began.elapsed().as_secs()), (408, 30));
        assert!(
            failure.detail.ends_with("bytes of the body arrived within 30 s"),
            "{}",
            failure.detail
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_has_no_time_limit_while_it_arrives() {
        let body =
            read(&HeaderMap::new(), slow(2048, 200), 1 << 20, WINDOW).await.expect("all of it");
        assert_eq!(body.len(), 2048 * 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_arriving_is_rejected() {
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 19]))]);
        let body = Body::from_stream(beginning.chain(stream::pending()));
        let error =
            read(&HeaderMap::new(), body, 1 << 20, WINDOW).await.expect_err("it does not end");
        assert_eq!(error.failure.status, 408);
    }
}
