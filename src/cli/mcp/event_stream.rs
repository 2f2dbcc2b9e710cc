//! `text/event-stream` (HTML Living Standard, 9.2): the data of its events, as far as a server of
//! MCP uses them.

/// Bytes of an event.
const MAX_EVENT: usize = 1024 * 1024;

/// What has come of an event that is not over.
#[derive(Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    data: String,
}

impl EventStream {
    /// Takes what has come; gives the data of the events that end in it. `None` if one is too long.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Vec<String>> {
        let mut ended = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.data.len() > MAX_EVENT {
                return None;
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                ended.extend(self.end_line(String::from_utf8_lossy(&line).trim_end()));
            }
        }
        Some(ended)
    }

    fn end_line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return Some(data).filter(|data| !data.trim().is_empty());
        }
        if let Some(data) = line.strip_prefix("data:") {
            self.data.push_str(data);
            self.data.push('\n');
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_whatever_pieces_come() {
        let text = "retry: 3\nid: 1\ndata:\n\n: a comment\r\nevent: message\r\ndata: {\"é\":\r\n\
                    data: 1}\r\n\r\ndata:{}\n\ndata: left";
        for size in 1..=text.len() {
            let mut stream = EventStream::default();
            let pieces = text.as_bytes().chunks(size);
            let found: Vec<String> =
                pieces.flat_map(|piece| stream.take(piece).expect("short")).collect();
            assert_eq!(found, [" {\"é\":\n 1}\n", "{}\n"], "in pieces of {size}");
        }
    }

    #[test]
    fn one_that_does_not_end_is_too_long() {
        let mut stream = EventStream::default();
        assert!(stream.take(&vec![b'x'; MAX_EVENT]).is_some());
        assert!(stream.take(b"x").is_none());
    }
}
