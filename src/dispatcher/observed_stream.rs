//! Wraps the body of a streamed response in dev mode: records its pieces for an observer, and emits an
//! event at its end: how long it took, when the first bytes went, and what ended it.
//!
//! Never changes the body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::event::{Event, EventBus};
use crate::message::{StreamContent, StreamEnd, StreamEndRecord};

/// A body that counts its chunks; dropped, it emits its end.
struct ObservedStream {
    body: Body,
    events: Arc<EventBus>,
    request: u64,
    began: Instant,
    content: Arc<StreamContent>,
    /// The size that the handler has declared: the body may be dropped after so many bytes.
    size: Option<u64>,
    first_byte: Option<Duration>,
    chunks: u64,
    bytes: u64,
    end: StreamEnd,
}

/// Observes the body of the response to a request whose head was read at `began`.
pub(super) fn observe(
    body: Body,
    (request, began): (u64, Instant),
    size: Option<u64>,
    content: Arc<StreamContent>,
    events: Arc<EventBus>,
) -> Body {
    let (first_byte, end) = (None, StreamEnd::ClientLeft);
    let (chunks, bytes) = (0, 0);
    Body::new(ObservedStream {
        body,
        events,
        request,
        began,
        content,
        size,
        first_byte,
        chunks,
        bytes,
        end,
    })
}

impl HttpBody for ObservedStream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref().filter(|chunk| !chunk.is_empty()) {
                    self.chunks += 1;
                    self.bytes += chunk.len() as u64;
                    let after = self.began.elapsed();
                    self.first_byte.get_or_insert(after);
                    if Arc::strong_count(&self.content) > 1 {
                        self.content.add(chunk, after);
                    }
                }
                // The body may be dropped after its trailers, without another poll.
                if frame.is_trailers() || self.size.is_some_and(|size| self.bytes >= size) {
                    self.end = StreamEnd::Complete;
                }
            }
            Some(Err(_)) => self.end = StreamEnd::Aborted,
            None if self.end == StreamEnd::ClientLeft => self.end = StreamEnd::Complete,
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ObservedStream {
    fn drop(&mut self) {
        self.events.emit(|| {
            Event::StreamEnd(StreamEndRecord {
                request: self.request,
                first_byte: self.first_byte,
                total: self.began.elapsed(),
                chunks: self.chunks,
                bytes: self.bytes,
                end: self.end,
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::BoxError;
    use futures_util::{StreamExt, stream};

    /// Reads so many frames of a body of these chunks, and returns the event of its end and the number of
    /// bytes that an observer has, if there is one.
    async fn end_of(
        chunks: &[Result<&'static str, &'static str>],
        frames: usize,
        is_shared: bool,
    ) -> (StreamEndRecord, usize) {
        let events = Arc::<EventBus>::default();
        let (sender, ends) = std::sync::mpsc::channel();
        events.listen(move |event| {
            if let Event::StreamEnd(record) = event {
                sender.send(*record).expect("the test receives");
            }
        });
        let chunks: Vec<_> = chunks.iter().map(|each| each.map_err(BoxError::from)).collect();
        let body = Body::from_stream(stream::iter(chunks));
        let content = Arc::<StreamContent>::default();
        let observer = is_shared.then(|| Arc::clone(&content));
        let body = observe(body, (7, Instant::now()), None, content, events);
        let mut chunks = body.into_data_stream();
        for _ in 0..frames {
            let _ = chunks.next().await;
        }
        drop(chunks);
        let stored = observer.map_or(0, |content| content.sent().bytes.len());
        (ends.try_recv().expect("one event"), stored)
    }

    #[tokio::test]
    async fn the_end_has_what_was_sent_and_what_ended_it() {
        let (whole, stored) = end_of(&[Ok("ab"), Ok("c")], 3, true).await;
        assert_eq!((whole.request, whole.chunks, whole.bytes, stored), (7, 2, 3, 3));
        assert_eq!(whole.end, StreamEnd::Complete);
        assert!(whole.first_byte.expect("bytes were sent") <= whole.total);

        let (left, _) = end_of(&[Ok("ab"), Ok("c")], 1, false).await;
        assert_eq!((left.chunks, left.end), (1, StreamEnd::ClientLeft));

        let (aborted, _) = end_of(&[Ok("ab"), Err("broken")], 2, false).await;
        assert_eq!((aborted.bytes, aborted.end), (2, StreamEnd::Aborted));
        let (silent, _) = end_of(&[Err("broken")], 1, false).await;
        assert_eq!((silent.first_byte, silent.chunks), (None, 0));
    }
}
