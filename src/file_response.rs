//! Chooses the response for a file: all of it, a part, or none because the client has it already.
//!
//! Follows RFC 9110 for GET and HEAD: validators, preconditions and ranges. Never chooses a file: the
//! handler has named it, or `static_files.rs`. Sends nothing; `message/file_body.rs` reads the content.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use headers::{
    ETag, Header, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};

use crate::message::{ErrorResponse, FileBody, HandlerOutcome, Part, ResponseBody};

/// A file up to this size is read at once.
const SMALL: u64 = 64 * 1024;
/// A file without a size, as in `/proc`, is read up to this one.
const MAX_WITHOUT_SIZE: u64 = 16 * 1024 * 1024;
/// A client that asks for more ranges gets the whole file.
const MAX_RANGES: usize = 16;

type Headers = Vec<(String, String)>;

/// Opens the file at `path` and makes the response to a request with this method and these headers
/// (`request`), with the `headers` of the handler.
///
/// Conditions and ranges count for status 200 only. Blocks while it opens and reads.
///
/// # Errors
///
/// The file cannot be read, or is not a regular file.
pub(crate) fn respond(
    path: &Path,
    status: u16,
    mut headers: Headers,
    method: &str,
    request: &HeaderMap,
) -> io::Result<HandlerOutcome> {
    // Without `O_NONBLOCK`, a named pipe would block until something writes to it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let is_conditional = status == 200 && matches!(method, "GET" | "HEAD");
    if !is_conditional {
        let content = Content::open(file, &metadata)?;
        return Ok(content.whole(status, headers));
    }
    let validators = Validators::new(&metadata, &mut headers);
    // Otherwise clients guess how long their copy is valid.
    add_default(&mut headers, CACHE_CONTROL, "no-cache");
    match validators.check(request) {
        Precondition::Passed => {}
        Precondition::NotModified => {
            let content_type = find(&headers, &CONTENT_TYPE).and_then(|kind| kind.parse().ok());
            let about_content = [CONTENT_TYPE, CONTENT_DISPOSITION, CONTENT_ENCODING];
            headers.retain(|(name, _)| about_content.iter().all(|it| it.as_str() != name));
            let body = ResponseBody::Full(Bytes::new());
            return Ok(HandlerOutcome::Response { status: 304, content_type, headers, body });
        }
        Precondition::Failed => {
            let detail = "the file is not the version that the request names";
            let detail = detail.to_owned();
            return Ok(HandlerOutcome::Failure(ErrorResponse {
                status: 412,
                detail,
                ..ErrorResponse::default()
            }));
        }
    }
    let content = Content::open(file, &metadata)?;
    add_default(&mut headers, ACCEPT_RANGES, "bytes");
    let ranges = match method {
        "GET" if validators.allow_range(request) => requested_ranges(request, content.size()),
        _ => None,
    };
    Ok(match ranges.as_deref() {
        None => content.whole(200, headers),
        Some([]) => not_satisfiable(content.size()),
        Some([range]) => content.range(headers, range),
        Some(ranges) => content.ranges(headers, ranges),
    })
}

fn push(headers: &mut Headers, name: HeaderName, value: String) {
    headers.push((name.as_str().to_owned(), value));
}

fn add_default(headers: &mut Headers, name: HeaderName, value: &str) {
    if find(headers, &name).is_none() {
        push(headers, name, value.to_owned());
    }
}

fn not_satisfiable(size: u64) -> HandlerOutcome {
    let headers = vec![(CONTENT_RANGE.as_str().to_owned(), format!("bytes */{size}"))];
    let detail = format!("the file has {size} bytes, and none in the requested range");
    HandlerOutcome::Failure(ErrorResponse {
        status: 416,
        detail,
        headers,
        ..ErrorResponse::default()
    })
}

/// The headers that identify the version of a file.
struct Validators {
    etag: Option<ETag>,
    modified: Option<LastModified>,
}

/// The result of the conditions of a request.
enum Precondition {
    Passed,
    NotModified,
    Failed,
}

impl Validators {
    /// Takes them from the headers of the handler, or makes them and adds them there.
    fn new(metadata: &Metadata, headers: &mut Headers) -> Self {
        let modified = metadata.modified().ok();
        let etag = find(headers, &ETAG).map_or_else(
            || {
                let since = modified?.duration_since(UNIX_EPOCH).ok()?;
                let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len());
                push(headers, ETAG, tag.clone());
                tag.parse().ok()
            },
            |value| value.parse().ok(),
        );
        let modified = find(headers, &LAST_MODIFIED).map_or_else(
            || {
                // A clock in the future would make the client's copy valid for too long.
                let modified = LastModified::from(modified?.min(SystemTime::now()));
                push(headers, LAST_MODIFIED, text_of(&modified)?);
                Some(modified)
            },
            |value| {
                let value = HeaderValue::from_str(&value).ok()?;
                LastModified::decode(&mut std::iter::once(&value)).ok()
            },
        );
        Self { etag, modified }
    }

    /// Evaluates the conditions in the order of RFC 9110, section 13.2.2.
    fn check(&self, request: &HeaderMap) -> Precondition {
        let (etag, modified) = (self.etag.as_ref(), self.modified.map(SystemTime::from));
        if let Some(condition) = request.typed_get::<IfMatch>() {
            let is_met =
                etag.map_or(condition.is_any(), |etag| condition.precondition_passes(etag));
            if !is_met {
                return Precondition::Failed;
            }
        } else if let (Some(condition), Some(modified)) =
            (request.typed_get::<IfUnmodifiedSince>(), modified)
            && !condition.precondition_passes(modified)
        {
            return Precondition::Failed;
        }
        if let Some(condition) = request.typed_get::<IfNoneMatch>() {
            let has_it = etag.is_some_and(|etag| !condition.precondition_passes(etag));
            return if has_it { Precondition::NotModified } else { Precondition::Passed };
        }
        match (request.typed_get::<IfModifiedSince>(), modified) {
            (Some(condition), Some(modified)) if !condition.is_modified(modified) => {
                Precondition::NotModified
            }
            _ => Precondition::Passed,
        }
    }

    /// Whether a range may be sent: with `If-Range`, only of the version that the client has.
    fn allow_range(&self, request: &HeaderMap) -> bool {
        if !request.contains_key(IfRange::name()) {
            return true;
        }
        request
            .typed_get::<IfRange>()
            .is_some_and(|it| !it.is_modified(self.etag.as_ref(), self.modified.as_ref()))
    }
}

fn find(headers: &Headers, name: &HeaderName) -> Option<String> {
    headers.iter().find(|(given, _)| given == name.as_str()).map(|(_, value)| value.clone())
}

fn text_of(header: &impl Header) -> Option<String> {
    let mut values = Vec::<HeaderValue>::new();
    header.encode(&mut values);
    values.first()?.to_str().ok().map(str::to_owned)
}

/// Parses `Range`: the ranges that exist in `size` bytes; none of them is a 416. `None` stands for the
/// whole file: without the header, or with one that is not valid or asks for too much.
fn requested_ranges(request: &HeaderMap, size: u64) -> Option<Vec<Range<u64>>> {
    let header = request.get(RANGE)?.to_str().ok()?;
    let parsed = match parse_range_header(header) {
        Ok(parsed) => parsed,
        Err(RangeUnsatisfiableError::ZeroSuffix) => return Some(Vec::new()),
        Err(_) => return None,
    };
    let mut ranges = Vec::new();
    for each in &parsed.ranges {
        let (start, end) = match (each.start, each.end) {
            (StartPosition::FromLast(count), _) => (size.saturating_sub(count), size),
            (StartPosition::Index(start), EndPosition::LastByte) => (start, size),
            (StartPosition::Index(start), EndPosition::Index(last)) if start <= last => {
                (start, size.min(last.saturating_add(1)))
            }
            _ => return None,
        };
        if start < size {
            ranges.push(start..end);
        }
    }
    // Ranges of one file may overlap, and their sum may be over 64 bits.
    let sum: u128 = ranges.iter().map(|range| u128::from(range.end - range.start)).sum();
    (ranges.len() <= MAX_RANGES && sum <= u128::from(size)).then_some(ranges)
}

/// The content of the file: in memory if it is small.
enum Content {
    Memory(Bytes),
    File(File, u64),
}

impl Content {
    fn open(file: File, metadata: &Metadata) -> io::Result<Self> {
        let size = metadata.len();
        if size > SMALL {
            return Ok(Self::File(file, size));
        }
        let limit = if size == 0 { MAX_WITHOUT_SIZE } else { size };
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.take(limit).read_to_end(&mut content)?;
        Ok(Self::Memory(Bytes::from(content)))
    }

    fn size(&self) -> u64 {
        match self {
            Self::Memory(content) => content.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    fn whole(self, status: u16, headers: Headers) -> HandlerOutcome {
        let whole = Part::Range(0..self.size());
        self.outcome(status, headers, vec![whole])
    }

    fn range(self, mut headers: Headers, range: &Range<u64>) -> HandlerOutcome {
        let content_range = content_range(range, self.size());
        push(&mut headers, CONTENT_RANGE, content_range);
        self.outcome(206, headers, vec![Part::Range(range.clone())])
    }

    /// Makes a body of several ranges, each with a head of its own (RFC 9110, section 14.6).
    fn ranges(self, mut headers: Headers, ranges: &[Range<u64>]) -> HandlerOutcome {
        let content_type = find(&headers, &CONTENT_TYPE).unwrap_or_default();
        let boundary = random_boundary();
        headers.retain(|(name, _)| name != CONTENT_TYPE.as_str());
        push(&mut headers, CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
        let mut parts = Vec::new();
        for (index, range) in ranges.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\r\n" };
            let head = format!(
                "{line_break}--{boundary}\r\ncontent-type: {content_type}\r\ncontent-range: {}\r\n\r\n",
                content_range(range, self.size()),
            );
            parts.extend([Part::Text(Bytes::from(head)), Part::Range(range.clone())]);
        }
        parts.push(Part::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
        self.outcome(206, headers, parts)
    }

    fn outcome(self, status: u16, headers: Headers, parts: Vec<Part>) -> HandlerOutcome {
        let body = match self {
            Self::File(file, _) => ResponseBody::File(FileBody::new(file, parts)),
            Self::Memory(content) => ResponseBody::Full(join(&content, parts)),
        };
        HandlerOutcome::Response { status, content_type: None, headers, body }
    }
}

fn join(content: &Bytes, parts: Vec<Part>) -> Bytes {
    let index = |at: u64| usize::try_from(at).expect("the content is in memory");
    let mut parts = parts.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Range(range) => content.slice(index(range.start)..index(range.end)),
    });
    if parts.len() == 1 {
        return parts.next().unwrap_or_default();
    }
    parts.collect::<Vec<_>>().concat().into()
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}

/// A boundary that no file contains, but by an accident that does not happen.
fn random_boundary() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Checks a value of `Range`: the parts exist in the file, and are not more bytes than it has.
#[cfg(any(test, fuzzing))]
pub fn fuzz_range(value: &str) {
    let Ok(value) = HeaderValue::from_str(value) else { return };
    let request = HeaderMap::from_iter([(RANGE, value)]);
    for size in [0, 1, 1000, u64::MAX] {
        let Some(ranges) = requested_ranges(&request, size) else { continue };
        assert!(ranges.len() <= MAX_RANGES, "{ranges:?}");
        assert!(ranges.iter().all(|part| part.start < part.end && part.end <= size), "{ranges:?}");
        let all = ranges.iter().map(|part| u128::from(part.end - part.start)).sum::<u128>();
        assert!(all <= u128::from(size), "{ranges:?} of {size}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_fields() {
        const WORDS: [&str; 24] = [
            "text/html",
            "application/json",
            "*/*",
            ",",
            ";",
            "q=",
            "0.5",
            "1",
            "nan",
            "5",
            "inf",
            "bytes",
            "=",
            "-",
            "0",
            "18446744073709551615",
            " ",
            "localhost",
            ":",
            "80",
            "[",
            "]",
            "::1",
            "é",
        ];
        crate::fuzz::check("fields", &WORDS, |value| {
            crate::problem::fuzz_accept(value);
            super::fuzz_range(value);
            crate::server::fuzz_host(value);
        });
    }

    fn ranges(header: &str, size: u64) -> Option<Vec<Range<u64>>> {
        let header = HeaderValue::from_str(header).expect("a value");
        requested_ranges(&HeaderMap::from_iter([(RANGE, header)]), size)
    }

    #[test]
    fn ranges_that_are_more_than_64_bits_together_are_the_whole_file() {
        for header in ["bytes=0-,0-", "bytes=0-9, 20-, -50"] {
            assert_eq!(ranges(header, u64::MAX), None, "{header}");
        }
    }

    #[test]
    fn only_ranges_that_exist_in_the_file_count() {
        let at = |start: u64, end: u64| Some(std::iter::once(start..end).collect());
        for (header, expected) in [
            ("bytes=0-3", at(0, 4)),
            ("bytes=8-", at(8, 10)),
            ("bytes=8-99", at(8, 10)),
            ("bytes=-3", at(7, 10)),
            ("bytes=-99", at(0, 10)),
            ("bytes=9-9", at(9, 10)),
            ("bytes=0-18446744073709551615", at(0, 10)),
            ("bytes=0-1, 4-5", Some(vec![0..2, 4..6])),
            ("bytes=0-1,50-60", at(0, 2)),
            ("bytes=10-", Some(vec![])),
            ("bytes=-0", Some(vec![])),
            // Not valid, of another unit, or more than the file: the whole file.
            ("bytes=5-2", None),
            ("bytes=a-b", None),
            ("lines=1-2", None),
            ("bytes=0-9,0-9", None),
        ] {
            assert_eq!(ranges(header, 10), expected, "{header}");
        }
        assert_eq!(ranges("bytes=0-", 0), Some(vec![]));
        let many: Vec<_> = (0..=MAX_RANGES).map(|n| format!("{}-{}", 2 * n, 2 * n)).collect();
        assert_eq!(ranges(&format!("bytes={}", many.join(",")), 1000), None);
    }
}
