//! A request whose client goes away before the answer: nobody else would tell of it.

use std::time::{Instant, SystemTime};

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::event::{Event, EventBus};
use crate::message::{CLIENT_CLOSED_REQUEST, Head, Phases, RequestRecord};

/// A request that somebody waits for. Dropped before it is answered, it is told of as an event.
pub(super) struct Awaited<'a> {
    events: &'a EventBus,
    id: u64,
    head: &'a Head,
    /// When its head had been read.
    seen: (SystemTime, Instant),
    /// Once it has been read.
    body: Option<Bytes>,
}

impl<'a> Awaited<'a> {
    pub(super) fn new(
        events: &'a EventBus,
        id: u64,
        head: &'a Head,
        seen: (SystemTime, Instant),
    ) -> Self {
        Self { events, id, head, seen, body: None }
    }

    /// Its body has been read.
    pub(super) fn read(&mut self, body: Bytes) {
        self.body = Some(body);
    }

    /// Its client gets an answer, and whoever gives it tells of it; gives the body back.
    pub(super) fn answered(mut self) -> Option<Bytes> {
        let body = self.body.take();
        std::mem::forget(self); // it owns nothing now
        body
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // it is not the client that ended this one
        }
        let headers = HeaderMap::new();
        self.events.emit(|| {
            Event::RequestEnd(RequestRecord {
                id: self.id,
                time: self.seen.0,
                head: self.head,
                request_body: self.body.as_ref(),
                response_body: None,
                response_headers: &headers,
                status: CLIENT_CLOSED_REQUEST,
                generation: None,
                route: None,
                total: self.seen.1.elapsed(),
                phases: Phases::default(),
                computed: None,
                blockers: &[],
                pool: None,
                traceback: None,
            })
        });
    }
}
