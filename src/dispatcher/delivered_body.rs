//! Wraps the body of a response, and reports its end to the part of Python that waits for it.
//!
//! Reports the end by dropping its guard. Never changes the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::message::DeliveryGuard;

/// A body, and the guard that is dropped with it.
pub(super) struct DeliveredBody {
    pub(super) body: Body,
    #[expect(dead_code, reason = "it acts when it is dropped")]
    pub(super) delivery: DeliveryGuard,
}

impl HttpBody for DeliveredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
