//! The identity of a request beyond this process: its id, and its place in a trace.
//!
//! Both are computed from the headers and the number of the request, once for its response and the logs,
//! and as often as others read them, so a request without a reader costs nothing. A client's own
//! `x-request-id` and W3C `traceparent` are used if they are sane. Never changes a request.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Deref;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::spans::Sampler;

/// The header with the id of a request.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header with its place in a trace.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header that a vendor of the client has for the trace.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The length of its value.
const TRACEPARENT_LENGTH: usize = 55;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The longest id of a client that is used.
const MAX_ID: usize = 128;
/// The longest id that is made: the process, a dash, and a number.
const MAX_MADE: usize = 8 + 1 + 20;
/// The flag of a trace that the client or this server has started to record.
const SAMPLED: u8 = 1;

/// Makes the ids of one process.
#[derive(Clone, Copy, Debug)]
pub struct Identities {
    seed: u64,
    /// Whether ids must be unique beyond this process.
    is_global: bool,
    sampler: Sampler,
}

impl Identities {
    /// Makes ids that are unique among processes, and uses the ids of clients; or, if not
    /// `is_global`, plain numbers.
    pub(crate) fn new(is_global: bool) -> Self {
        // Each has random keys of its own.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        Self { seed: hasher.finish(), is_global, sampler: Sampler::from_environment() }
    }

    /// The identity of the request with this number.
    pub(crate) fn identify(&self, number: u64, headers: &HeaderMap) -> RequestIdentity {
        let sent = SentHeaders::find(headers);
        let trace = self.trace(number, &sent);
        RequestIdentity { id: self.id(number, &sent), trace, traceparent: trace.traceparent() }
    }

    /// The id of the request with this number, which a response and the log have.
    pub(crate) fn request_id(&self, number: u64, headers: &HeaderMap) -> String {
        self.id(number, &SentHeaders::find(headers)).text()
    }

    fn id(&self, number: u64, sent: &SentHeaders<'_>) -> SentId {
        if !self.is_global {
            return SentId::made(&[itoa::Buffer::new().format(number)]);
        }
        match sent.sane_id() {
            Some(id) => SentId::Given(id.clone()),
            None => {
                let process = HexText::<8>::new((self.seed >> 32).into());
                SentId::made(&[&process, "-", itoa::Buffer::new().format(number)])
            }
        }
    }

    /// The id, the id of the trace, and `traceparent` for requests to other servers.
    pub(crate) fn texts(&self, number: u64, headers: &HeaderMap) -> (String, String, String) {
        let RequestIdentity { id, traceparent, trace } = self.identify(number, headers);
        (id.text(), trace.trace_id().to_string(), traceparent.to_string())
    }

    /// Its place in a trace: that of its client, or a new one.
    fn trace(&self, number: u64, sent: &SentHeaders<'_>) -> TraceContext {
        let random = |salt: u64| mix(self.seed ^ mix(number.wrapping_add(salt << 56)));
        let span = random(1).max(1);
        match sent.traceparent.and_then(parse_traceparent) {
            Some((trace, parent, flags)) => {
                let flags = self.sampler.flags(trace, Some(flags));
                TraceContext { trace, parent: Some(parent), span, flags }
            }
            None => {
                let trace = (u128::from(random(2)) << 64) | u128::from(random(3).max(1));
                TraceContext { trace, parent: None, span, flags: self.sampler.flags(trace, None) }
            }
        }
    }
}

/// The headers of a client that its identity is computed from.
struct SentHeaders<'a> {
    /// The first `x-request-id`.
    id: Option<&'a HeaderValue>,
    /// `None` if there are several.
    traceparent: Option<&'a HeaderValue>,
}

impl<'a> SentHeaders<'a> {
    /// Finds them in one pass: to compare a few names costs less than to hash two.
    fn find(headers: &'a HeaderMap) -> Self {
        let (mut sent, mut parents) = (Self { id: None, traceparent: None }, 0);
        for (name, value) in headers {
            match name.as_str() {
                "x-request-id" if sent.id.is_none() => sent.id = Some(value),
                "traceparent" => {
                    parents += 1;
                    sent.traceparent = (parents == 1).then_some(value);
                }
                _ => {}
            }
        }
        sent
    }

    /// The id, if it fits into a line of a log.
    fn sane_id(&self) -> Option<&'a HeaderValue> {
        let is_plain = |c: &u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'\\');
        let is_sane = |id: &&HeaderValue| {
            (1..=MAX_ID).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
        };
        self.id.filter(is_sane)
    }
}

/// The id of a request and its place in a trace, as a response and the logs have them.
#[derive(Clone, Debug)]
pub(crate) struct RequestIdentity {
    id: SentId,
    trace: TraceContext,
    traceparent: HexText<TRACEPARENT_LENGTH>,
}

impl RequestIdentity {
    /// The id: visible ASCII.
    pub(super) fn id(&self) -> &[u8] {
        self.id.as_bytes()
    }

    pub(crate) fn id_header(&self) -> HeaderValue {
        match &self.id {
            SentId::Given(value) => value.clone(),
            made @ SentId::Made { .. } => ascii_header(made.as_bytes()),
        }
    }

    /// `traceparent` as the value of a header.
    pub(crate) fn trace_header(&self) -> HeaderValue {
        ascii_header(&self.traceparent.0)
    }

    pub(super) fn trace(&self) -> TraceContext {
        self.trace
    }

    /// The id of the trace, in 32 hexadecimal digits.
    pub(super) fn trace_id(&self) -> &[u8] {
        &self.traceparent.0[3..35]
    }

    /// The id of the span that this request is, in 16 hexadecimal digits.
    pub(super) fn span_id(&self) -> &[u8] {
        &self.traceparent.0[36..52]
    }
}

/// The id of a request, as it is sent.
#[derive(Clone, Debug)]
enum SentId {
    /// That of its client: ASCII.
    Given(HeaderValue),
    /// One of this process, in the first bytes: ASCII.
    Made { text: [u8; MAX_MADE], length: usize },
}

impl SentId {
    fn made(parts: &[&str]) -> Self {
        let (mut text, mut length) = ([0; MAX_MADE], 0);
        for part in parts {
            text[length..][..part.len()].copy_from_slice(part.as_bytes());
            length += part.len();
        }
        Self::Made { text, length }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Given(value) => value.as_bytes(),
            Self::Made { text, length } => &text[..*length],
        }
    }

    fn text(&self) -> String {
        std::str::from_utf8(self.as_bytes()).expect("ASCII").to_owned()
    }
}

/// The place of a request in a trace (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    /// The span of the client, if it has sent one.
    parent: Option<u64>,
    /// The span of this request.
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// The id of the trace, in 32 hexadecimal digits.
    pub fn trace_id(&self) -> HexText<32> {
        HexText::new(self.trace)
    }

    /// The id of the span that this request is, in 16 hexadecimal digits.
    pub fn span_id(&self) -> HexText<16> {
        HexText::new(self.span.into())
    }

    /// The span of the client, if it has sent one.
    pub fn parent_id(&self) -> Option<HexText<16>> {
        self.parent.map(|parent| HexText::new(parent.into()))
    }

    /// Whether its spans are recorded.
    pub(super) fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The id of a span within this request.
    #[cfg(feature = "otel")]
    pub(super) fn child_id(&self, index: usize) -> HexText<16> {
        HexText::new(mix(self.span ^ mix(index as u64 + 1)).max(1).into())
    }

    /// The header for requests to other servers, whose parent is this request.
    pub fn traceparent(&self) -> HexText<TRACEPARENT_LENGTH> {
        let mut text = [b'-'; TRACEPARENT_LENGTH];
        text[..2].copy_from_slice(b"00");
        text[3..35].copy_from_slice(&self.trace_id().0);
        text[36..52].copy_from_slice(&self.span_id().0);
        text[53..].copy_from_slice(&HexText::<2>::new(self.flags.into()).0);
        HexText(text)
    }
}

/// Makes the value of a header of text without control characters.
fn ascii_header(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("plain ASCII")
}

/// Numbers in hexadecimal digits, with leading zeros, and perhaps dashes between them. Made without the
/// formatter, as each line of an access log has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexText<const N: usize>([u8; N]);

impl<const N: usize> HexText<N> {
    fn new(mut number: u128) -> Self {
        let mut digits = [b'0'; N];
        for pair in digits.rchunks_exact_mut(2) {
            let byte = number as u8;
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
            number >>= 8;
        }
        Self(digits)
    }
}

impl<const N: usize> Deref for HexText<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and dashes")
    }
}

/// Returns the `tracestate` of the client, which goes with its trace; several headers are one list.
pub(super) fn trace_state(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Parses `traceparent`: the trace, the span of the client, and the flags.
fn parse_traceparent(value: &HeaderValue) -> Option<(u128, u64, u8)> {
    let text = value.to_str().ok()?;
    let fields = text.get(..55)?;
    let mut parts = fields.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next()?;
        let is_hex = part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && part.len() == digits).then(|| u128::from_str_radix(part, 16).ok()).flatten()
    };
    let (version, trace, parent, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let has_right_end = match version {
        0 => text.len() == 55,
        0xff => false,
        _ => text.len() == 55 || text.as_bytes()[55] == b'-', // later versions may add fields
    };
    let is_valid = has_right_end && trace != 0 && parent != 0;
    is_valid.then_some((trace, u64::try_from(parent).ok()?, u8::try_from(flags).ok()? & SAMPLED))
}

/// Mixes the bits of a number (the finalizer of SplitMix64): different numbers stay different.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
    }

    fn trace(ids: &Identities, number: u64, headers: &HeaderMap) -> TraceContext {
        ids.identify(number, headers).trace()
    }

    #[test]
    fn the_id_of_a_client_is_used_if_it_fits_into_a_log_line() {
        let ids = Identities::new(true);
        let id = |value: &str| ids.request_id(7, &headers(X_REQUEST_ID, value));
        assert_eq!(id("a-1_b.c:d/e="), "a-1_b.c:d/e=");
        assert_eq!(id(&"x".repeat(MAX_ID)), "x".repeat(MAX_ID));
        for bad in ["", "a b", "a\"b", "a\\b", "a\tb", &"x".repeat(MAX_ID + 1)] {
            assert!(id(bad).ends_with("-7"), "{bad:?} became {}", id(bad));
        }
        let other = Identities::new(true).request_id(7, &HeaderMap::new());
        assert_ne!(id(""), other, "processes make different ids");
        assert_eq!(Identities::new(false).request_id(7, &headers(X_REQUEST_ID, "a")), "7");
    }

    #[test]
    fn a_trace_continues_that_of_the_client() {
        let ids = Identities::new(true);
        let found = trace(&ids, 1, &headers(TRACEPARENT, GIVEN));
        assert_eq!(&*found.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(found.parent_id().as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!(
            &*found.traceparent(),
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", &*found.span_id())
        );
        assert_ne!(&*found.span_id(), "00f067aa0ba902b7");
        assert_eq!(trace(&ids, 1, &headers(TRACEPARENT, GIVEN)), found);
        assert_ne!(trace(&ids, 2, &headers(TRACEPARENT, GIVEN)).span_id(), found.span_id());
        let later = GIVEN.replacen("00", "01", 1) + "-more";
        assert_eq!(trace(&ids, 1, &headers(TRACEPARENT, &later)), found);
    }

    #[test]
    fn an_identity_has_the_ids_of_its_request_in_headers_and_in_parts() {
        let ids = Identities::new(true);
        for given in [headers(TRACEPARENT, GIVEN), headers(X_REQUEST_ID, "a-1"), HeaderMap::new()] {
            let identity = ids.identify(u64::MAX, &given);
            let (id, trace_id, traceparent) = ids.texts(u64::MAX, &given);
            assert_eq!((identity.id(), identity.trace_id()), (id.as_bytes(), trace_id.as_bytes()));
            assert_eq!(identity.id_header(), id);
            assert_eq!(identity.trace_header(), traceparent);
            assert_eq!(identity.span_id(), identity.trace().span_id().as_bytes());
        }
    }

    #[test]
    fn an_invalid_traceparent_starts_a_new_trace() {
        let ids = Identities::new(false);
        let new = trace(&ids, 1, &HeaderMap::new());
        assert_eq!((new.trace_id().len(), new.parent_id()), (32, None));
        assert!(new.traceparent().ends_with("-01"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00", "ff", 1),
            &GIVEN.replace("00f067aa0ba902b7", "0000000000000000"),
            &GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &(GIVEN.to_owned() + "-more"),
            &(GIVEN.replacen("00", "01", 1) + "more"),
            &GIVEN.replace('4', "+"),
        ] {
            assert_eq!(trace(&ids, 1, &headers(TRACEPARENT, bad)), new, "{bad:?}");
        }
        let mut two = headers(TRACEPARENT, GIVEN);
        two.append(TRACEPARENT, HeaderValue::from_static(GIVEN));
        assert_eq!(trace(&ids, 1, &two), new);
    }
}
