//! The boundary between two requests of HTTP/1, seen in the bytes of a connection.
//!
//! hyper reads ahead: behind the end of a request its buffer may contain the start of the next one. A
//! connection can move to another process only if it does not. Errs on the safe side.

/// The end of a head.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// The length of the body of the last request, if it was known.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct LastBody(pub(in crate::server) Option<u64>);

/// The bytes that hyper has read since a request began.
#[derive(Debug)]
pub(in crate::server) struct Boundary {
    /// The length of the head, if it came in one piece.
    head: Option<u64>,
    /// The bytes of head and body.
    read: u64,
    ends_with_blank_line: bool,
}

impl Boundary {
    /// Nothing has been read.
    pub(in crate::server) fn new() -> Self {
        Self { head: None, read: 0, ends_with_blank_line: true }
    }

    /// Records bytes. `first`: hyper has waited for a request, and `body` is as in `is_clean`.
    pub(in crate::server) fn record(&mut self, bytes: &[u8], first: Option<LastBody>) {
        // Otherwise hyper has the start of the head, perhaps with half of the blank line.
        let was_clean = first.is_some_and(|LastBody(body)| self.is_clean(body));
        self.ends_with_blank_line = bytes.ends_with(BLANK_LINE);
        if first.is_some() {
            let mut windows = bytes.windows(BLANK_LINE.len());
            let end = match self.ends_with_blank_line {
                true => Some(bytes.len()),
                false => {
                    windows.position(|found| found == BLANK_LINE).map(|at| at + BLANK_LINE.len())
                }
            };
            (self.read, self.head) = (0, end.filter(|_| was_clean).map(|end| end as u64));
        }
        self.read += bytes.len() as u64;
    }

    /// Whether hyper, which waits for a request, has no byte of it; `body` is the length of the body of
    /// the last request, if it was known.
    pub(in crate::server) fn is_clean(&self, body: Option<u64>) -> bool {
        // A part of a head has no blank line.
        self.ends_with_blank_line || self.is_whole(body)
    }

    /// Whether hyper has read the request to its end and no byte more, as far as its length is known.
    pub(in crate::server) fn is_whole(&self, body: Option<u64>) -> bool {
        let whole = || self.head?.checked_add(body?);
        whole() == Some(self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_clean(chunks: &[&[u8]], body: Option<u64>) -> bool {
        let mut boundary = Boundary::new();
        for (index, chunk) in chunks.iter().enumerate() {
            boundary.record(chunk, (index == 0).then_some(LastBody(None)));
        }
        boundary.is_clean(body)
    }

    #[test]
    fn whole_requests_end_at_the_boundary() {
        assert!(Boundary::new().is_clean(None));
        assert!(is_clean(&[b"GET / HTTP/1.1\r\n\r\n"], Some(0)));
        assert!(is_clean(&[b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"], Some(0)));
        assert!(is_clean(&[b"POST / HTTP/1.1\r\n\r\nabc"], Some(3)));
        assert!(is_clean(&[b"POST / HTTP/1.1\r\n\r\na", b"bc"], Some(3)));
        assert!(is_clean(&[b"POST / HTTP/1.1\r\n\r\n", b"abc"], Some(3)));
        assert!(is_clean(&[b"POST / HTTP/1.1\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"], None));
    }

    #[test]
    fn a_head_whose_start_came_with_the_request_before_has_no_known_length() {
        let mut boundary = Boundary::new();
        boundary.record(b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n", Some(LastBody(None)));
        // The body of the second request looks like the end of a head; 7 bytes of a third one follow.
        boundary.record(b"\r\nabc\r\n\r\nXYZGET / H", Some(LastBody(Some(0))));
        assert!(!boundary.is_clean(Some(10)));
    }

    #[test]
    fn the_start_of_the_next_request_is_noticed() {
        assert!(!is_clean(&[b"GET / HTTP/1.1\r\n\r\nGE"], Some(0)));
        assert!(!is_clean(&[b"POST / HTTP/1.1\r\n\r\nabcGE"], Some(3)));
        assert!(!is_clean(&[b"POST / HTTP/1.1\r\n\r\nabc", b"GE"], Some(3)));
        assert!(!is_clean(&[b"POST / HTTP/1.1\r\n", b"\r\nabc"], Some(3)), "it is not known");
        assert!(!is_clean(&[b"POST / HTTP/1.1\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\nGE"], None));
    }
}
