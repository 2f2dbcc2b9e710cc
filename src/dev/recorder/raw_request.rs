//! A request as it came, and the bodies of both ways: for replays, and to show in part.
//!
//! What is in here has its secrets still. A replay needs them and stays inside; whoever shows a
//! body masks it first (`bodies.rs`).

use std::ops::Range;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method};

use crate::message::RequestRecord;

/// Bytes that are kept of one body.
const MAX_BODY: usize = 64 * 1024;
/// Bytes of the longest head that is kept: half of one could not be sent again.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of memory that the next request takes over.
const USUAL: usize = 4 * 1024;

/// All bytes in one buffer, which the next request takes over.
#[derive(Clone, Default)]
pub(super) struct Original {
    bytes: Vec<u8>,
    /// Where each text of the head ends: the target, then names and values in turn.
    ends: Vec<usize>,
    /// Whether the head is kept from end to end.
    is_head_whole: bool,
    request: Option<Part>,
    response: Option<Part>,
}

/// One body in the buffer.
#[derive(Clone)]
struct Part {
    kept: Range<usize>,
    /// Of the whole.
    size: usize,
}

/// One body, as far as it is kept.
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    /// Of the whole.
    pub(super) size: usize,
}

impl Body<'_> {
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() == self.size
    }
}

/// What a replay begins with.
#[derive(Clone, Debug)]
pub(in crate::dev) struct Sent {
    pub(in crate::dev) method: Method,
    /// Path and query as they were sent.
    pub(in crate::dev) target: String,
    pub(in crate::dev) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` if it is not kept from end to end.
    pub(in crate::dev) body: Option<Bytes>,
}

impl Original {
    /// Becomes another request; bodies only if they are wanted.
    pub(super) fn fill(&mut self, record: &RequestRecord<'_>, with_bodies: bool) {
        self.bytes.clear();
        self.bytes.shrink_to(USUAL);
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
        self.request = self.keep(record.request_body, with_bodies);
        self.response = self.keep(record.response_body, with_bodies);
    }

    pub(super) fn request_body(&self) -> Option<Body<'_>> {
        self.body(self.request.as_ref()?)
    }

    pub(super) fn response_body(&self) -> Option<Body<'_>> {
        self.body(self.response.as_ref()?)
    }

    /// Bytes of bodies in here.
    pub(super) fn body_bytes(&self) -> usize {
        [&self.request, &self.response].into_iter().flatten().map(|part| part.kept.len()).sum()
    }

    /// Makes room for newer ones; what is shown says so.
    pub(super) fn forget_bodies(&mut self) {
        for part in [&mut self.request, &mut self.response].into_iter().flatten() {
            part.kept = 0..0;
        }
        self.bytes.truncate(self.ends.last().copied().unwrap_or_default());
        self.bytes.shrink_to(USUAL);
    }

    /// What was sent with `method`; `None` if the head is not kept from end to end.
    pub(super) fn sent(&self, method: &str) -> Option<Sent> {
        if !self.is_head_whole {
            return None;
        }
        let texts = (1..self.ends.len()).step_by(2);
        let headers = texts.map(|place| {
            let name = HeaderName::from_bytes(self.text(place)).ok()?;
            Some((name, HeaderValue::from_bytes(self.text(place + 1)).ok()?))
        });
        let body = match self.request_body() {
            Some(body) => body.is_whole().then(|| Bytes::copy_from_slice(body.bytes)),
            None => None,
        };
        Some(Sent {
            method: Method::from_bytes(method.as_bytes()).ok()?,
            target: String::from_utf8_lossy(self.text(0)).into_owned(),
            headers: headers.collect::<Option<_>>()?,
            body,
        })
    }

    fn add(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn keep(&mut self, body: Option<&Bytes>, is_wanted: bool) -> Option<Part> {
        let body = body?;
        let start = self.bytes.len();
        if is_wanted {
            self.bytes.extend_from_slice(&body[..body.len().min(MAX_BODY)]);
        }
        Some(Part { kept: start..self.bytes.len(), size: body.len() })
    }

    fn body(&self, part: &Part) -> Option<Body<'_>> {
        Some(Body { bytes: self.bytes.get(part.kept.clone())?, size: part.size })
    }

    fn text(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[place]]
    }
}
