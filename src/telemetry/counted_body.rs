//! Wraps the body of a response, counts its bytes, and reports them when it ends.
//!
//! Never changes the body. A body that is dropped early, because the client has left, has ended too.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Receives the number of bytes.
pub(super) type OnEnd = Box<dyn FnOnce(u64) + Send + Sync>;

/// A body, and the function to call at its end.
pub(super) struct CountedBody {
    body: Body,
    bytes: u64,
    on_end: Option<OnEnd>,
}

impl CountedBody {
    pub(super) fn new(body: Body, on_end: OnEnd) -> Self {
        Self { body, bytes: 0, on_end: Some(on_end) }
    }
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
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

impl Drop for CountedBody {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            on_end(self.bytes);
        }
    }
}
