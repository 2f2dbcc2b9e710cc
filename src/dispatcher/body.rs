//! Reads the body of a request: whole, or in chunks as it arrives.
//!
//! Owns the limits for its size and for slow clients, and the decoding of compressed bodies. Never
//! parses one (`multipart.rs`).

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::BoxError;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::message::ErrorResponse;

use super::decompress::{Coding, Decoder};

/// The slowest client that is served, which the slowest connection achieves.
const MIN_BYTES_PER_SECOND: f64 = 1024.0;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) struct BodyError {
    /// The response, to a client that is still there.
    pub(crate) failure: ErrorResponse,
    /// Whether the connection ended before the body did.
    pub(crate) has_client_left: bool,
}

/// Reads `body`, and decodes it; the error has the response to a body that is too large, too slow or
/// incomplete. The limit is for its decoded size.
///
/// In each `window`, 1 KiB per second must arrive, unless the body is complete. A zero window disables
/// the limit.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    coding: Option<Coding>,
    limit: usize,
    window: Duration,
) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if body.is_end_stream() && declared_size(headers).is_none_or(|size| size <= limit) {
        return Ok(Bytes::new());
    }
    let body = pin!(body);
    let mut reader = BodyReader::new(headers, body, coding, limit, window)?;
    // A body of one chunk is not copied.
    let Some(first) = reader.next().await? else { return Ok(Bytes::new()) };
    let Some(second) = reader.next().await? else { return Ok(first) };
    let declared = declared_size(headers).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(declared.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(chunk) = reader.next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Reads a body chunk by chunk.
pub(crate) struct BodyReader<B> {
    body: B,
    decoder: Option<Decoder>,
    coding: &'static str,
    limit: usize,
    /// Bytes that have arrived, and bytes after decoding.
    received: usize,
    decoded: usize,
    is_received: bool,
    window: Duration,
    window_ends: Instant,
    in_window: usize,
}

impl<B> BodyReader<B>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    /// Begins to read; an error if the body is declared as larger than `limit`.
    pub(crate) fn new(
        headers: &HeaderMap,
        body: B,
        coding: Option<Coding>,
        limit: usize,
        window: Duration,
    ) -> Result<Self, BodyError> {
        if declared_size(headers).is_some_and(|size| size > limit) {
            return Err(too_large(limit));
        }
        Ok(Self {
            body,
            decoder: coding.map(Decoder::new),
            coding: coding.map_or("", Coding::name),
            limit,
            received: 0,
            decoded: 0,
            is_received: false,
            window,
            window_ends: Instant::now() + window,
            in_window: 0,
        })
    }

    /// Restarts the time limit for the client, after a pause of the reader.
    pub(crate) fn resume(&mut self) {
        (self.window_ends, self.in_window) = (Instant::now() + self.window, 0);
    }

    /// Returns the next chunk, which is not empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(mut decoder) = self.decoder.take() else { return self.receive().await };
        let chunk = self.decode(&mut decoder).await;
        self.decoder = Some(decoder);
        let chunk = chunk?;
        self.decoded += chunk.as_ref().map_or(0, Bytes::len);
        if self.decoded > self.limit {
            return Err(too_large(self.limit));
        }
        Ok(chunk)
    }

    async fn decode(&mut self, decoder: &mut Decoder) -> Result<Option<Bytes>, BodyError> {
        let invalid = |reader: &Self, error: io::Error| {
            let (coding, at) = (reader.coding, reader.received);
            failure(
                400,
                format!("the body is not valid {coding}, within its first {at} bytes: {error}"),
            )
        };
        loop {
            if let Some(chunk) = decoder.step().map_err(|error| invalid(self, error))? {
                return Ok(Some(chunk));
            }
            if self.is_received {
                return Ok(None);
            }
            match self.receive().await? {
                Some(chunk) => decoder.push(chunk),
                None => {
                    let last = decoder.finish().map_err(|error| invalid(self, error))?;
                    return Ok(Some(last).filter(|last| !last.is_empty()));
                }
            }
        }
    }

    /// Returns the next chunk as it was sent.
    async fn receive(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame = match self.window.is_zero() {
                true => Ok(self.body.frame().await),
                false => timeout_at(self.window_ends, self.body.frame()).await,
            };
            match frame {
                Ok(None) => {
                    self.is_received = true;
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue }; // trailers
                    self.in_window += data.len();
                    self.received += data.len();
                    if self.received > self.limit {
                        return Err(too_large(self.limit));
                    }
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => {
                    let error = error.into();
                    let detail = format!("the body is incomplete: {error}");
                    let has_client_left = is_end_of_connection(&*error);
                    return Err(BodyError { has_client_left, ..failure(400, detail) });
                }
                Err(_) => self.check_rate()?,
            }
        }
    }

    /// Begins the next window, if enough has arrived in this one.
    fn check_rate(&mut self) -> Result<(), BodyError> {
        let seconds = self.window.as_secs_f64();
        if self.in_window >= (seconds * MIN_BYTES_PER_SECOND) as usize {
            (self.window_ends, self.in_window) = (self.window_ends + self.window, 0);
            return Ok(());
        }
        let bytes = self.in_window;
        Err(failure(408, format!("only {bytes} bytes of the body arrived within {seconds} s")))
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.detail)
    }
}

impl Error for BodyError {}

fn too_large(limit: usize) -> BodyError {
    failure(413, format!("the body has more than {limit} bytes, the limit of this server"))
}

pub(super) fn failure(status: u16, detail: String) -> BodyError {
    let failure = ErrorResponse { status, detail, ..ErrorResponse::default() };
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

pub(super) fn declared_size(headers: &HeaderMap) -> Option<usize> {
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
        let failure = read(&HeaderMap::new(), slow(1, 1000), None, 1 << 20, WINDOW)
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
        let body = read(&HeaderMap::new(), slow(2048, 200), None, 1 << 20, WINDOW)
            .await
            .expect("all of it");
        assert_eq!(body.len(), 2048 * 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_arriving_is_rejected() {
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 19]))]);
        let body = Body::from_stream(beginning.chain(stream::pending()));
        let error = read(&HeaderMap::new(), body, None, 1 << 20, WINDOW)
            .await
            .expect_err("it does not end");
        assert_eq!(error.failure.status, 408);
    }
}
