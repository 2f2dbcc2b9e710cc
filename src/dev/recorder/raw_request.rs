//! The raw request with both bodies, for replays and for the details of a request.
//!
//! Nothing of an HTTP request is redacted: a replay needs the secrets, and `body.rs` redacts a body
//! before it is shown.

use std::ops::Range;

use axum::http::{HeaderName, HeaderValue, Method};
use bytes::Bytes;

use crate::message::{BodyStart, MAX_BODY_START, RequestRecord, SentPiece};

/// The largest head that is stored: half a head could not be sent again.
const MAX_HEAD: usize = 16 * 1024;
/// The most bytes of memory that the next request reuses.
const REUSED: usize = 4 * 1024;
/// The largest response that is stored as a whole: a figure, or a table of some thousand rows.
const MAX_RESPONSE: usize = 2 * 1024 * 1024;

/// All bytes in one buffer, which the next request reuses.
#[derive(Clone, Default)]
pub(super) struct RawRequest {
    bytes: Vec<u8>,
    /// The end of each text of the head: the target, then names and values in turn.
    ends: Vec<usize>,
    /// Whether the head is stored completely.
    is_head_whole: bool,
    request: Option<BodyRange>,
    response: Option<BodyRange>,
    /// A response that is larger than [`MAX_BODY_START`]: shared with the connection, not copied.
    large_response: Option<Bytes>,
}

/// A body in the buffer.
#[derive(Clone)]
struct BodyRange {
    stored: Range<usize>,
    /// The size of the whole body.
    size: usize,
}

/// The stored part of a body.
pub(super) struct RecordedBody<'a> {
    pub(super) bytes: &'a [u8],
    /// The size of the whole body.
    pub(super) size: usize,
    /// Why there may be more of a stream.
    pub(super) missing: Option<&'static str>,
    /// The pieces of a stream.
    pub(super) pieces: Option<&'a [SentPiece]>,
}

impl<'a> RecordedBody<'a> {
    pub(super) fn new(bytes: &'a [u8], size: usize) -> Self {
        Self { bytes, size, missing: None, pieces: None }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_stored() && self.missing.is_none()
    }

    /// Whether all of it that was sent is stored.
    pub(super) fn is_stored(&self) -> bool {
        self.bytes.len() == self.size
    }
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub(in crate::dev) struct SentRequest {
    pub(in crate::dev) method: Method,
    /// Path and query as they were sent.
    pub(in crate::dev) target: String,
    pub(in crate::dev) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` if it is not stored completely.
    pub(in crate::dev) body: Option<Bytes>,
}

/// Marks a request as the replay of the recorded request with this number.
#[derive(Clone, Copy, Debug)]
pub(in crate::dev) struct ReplayOf(pub(in crate::dev) u64);

impl RawRequest {
    /// Replaces its content with another request, and its body with `request_body`.
    pub(super) fn fill(
        &mut self,
        record: &RequestRecord<'_>,
        request_body: Option<&BodyStart>,
        captures_bodies: bool,
    ) {
        self.bytes.clear();
        self.bytes.shrink_to(REUSED);
        self.ends.clear();
        self.add(record.head.target().as_bytes());
        self.is_head_whole = record.head.headers().iter().all(|(name, value)| {
            self.add(name.as_str().as_bytes());
            self.add(value.as_bytes());
            self.bytes.len() <= MAX_HEAD
        });
        if !self.is_head_whole {
            self.bytes = Vec::new();
            self.ends.clear();
        }
        self.request = self.store(request_body, captures_bodies);
        let size = record.response_body.map_or(0, Bytes::len);
        let is_large = captures_bodies && (MAX_BODY_START + 1..=MAX_RESPONSE).contains(&size);
        self.large_response = record.response_body.filter(|_| is_large).cloned();
        let response = record.response_body.cloned().map(BodyStart::from);
        self.response = self.store(response.as_ref(), captures_bodies && !is_large);
    }

    pub(super) fn request_body(&self) -> Option<RecordedBody<'_>> {
        self.body(self.request.as_ref()?)
    }

    pub(super) fn response_body(&self) -> Option<RecordedBody<'_>> {
        if let Some(bytes) = &self.large_response {
            return Some(RecordedBody::new(bytes, bytes.len()));
        }
        self.body(self.response.as_ref()?)
    }

    /// The stored bytes of both bodies.
    pub(super) fn body_bytes(&self) -> usize {
        let parts = [&self.request, &self.response].into_iter().flatten();
        let large = self.large_response.as_ref().map_or(0, Bytes::len);
        parts.map(|part| part.stored.len()).sum::<usize>() + large
    }

    /// Frees the bodies; their sizes stay.
    pub(super) fn drop_bodies(&mut self) {
        for part in [&mut self.request, &mut self.response].into_iter().flatten() {
            part.stored = 0..0;
        }
        self.large_response = None;
        self.bytes.truncate(self.ends.last().copied().unwrap_or_default());
        self.bytes.shrink_to(REUSED);
    }

    /// Returns the request with this method; `None` if the head is not stored completely.
    pub(super) fn sent_request(&self, method: &str) -> Option<SentRequest> {
        if !self.is_head_whole {
            return None;
        }
        let texts = (1..self.ends.len()).step_by(2);
        let headers = texts.map(|at| {
            let name = HeaderName::from_bytes(self.text(at)).ok()?;
            Some((name, HeaderValue::from_bytes(self.text(at + 1)).ok()?))
        });
        let body = match self.request_body() {
            Some(body) => body.is_whole().then(|| Bytes::copy_from_slice(body.bytes)),
            None => None,
        };
        Some(SentRequest {
            method: Method::from_bytes(method.as_bytes()).ok()?,
            target: String::from_utf8_lossy(self.text(0)).into_owned(),
            headers: headers.collect::<Option<_>>()?,
            body,
        })
    }

    pub(super) fn is_head_whole(&self) -> bool {
        self.is_head_whole
    }

    /// The values of a header, if the head is stored completely; a value in another encoding is left out.
    pub(super) fn header(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let names = (1..self.ends.len()).step_by(2);
        let its = names.filter(move |&at| self.text(at) == name.as_bytes());
        its.filter_map(|at| std::str::from_utf8(self.text(at + 1)).ok())
    }

    fn add(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn store(&mut self, body: Option<&BodyStart>, is_captured: bool) -> Option<BodyRange> {
        let BodyStart { bytes, size } = body?;
        let start = self.bytes.len();
        if is_captured {
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(MAX_BODY_START)]);
        }
        Some(BodyRange { stored: start..self.bytes.len(), size: *size })
    }

    fn body(&self, part: &BodyRange) -> Option<RecordedBody<'_>> {
        Some(RecordedBody::new(self.bytes.get(part.stored.clone())?, part.size))
    }

    fn text(&self, position: usize) -> &[u8] {
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[position]]
    }
}
