//! The first bytes of a connection, which show whether it is HTTP/2 (RFC 9113, 3.4).
//!
//! Reads no more than it needs to decide; the stream of the connection begins with these bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// The first bytes of every client of HTTP/2.
const HTTP2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that were read, and that nothing has used yet.
#[derive(Debug, Default)]
pub(super) struct Preface {
    bytes: [u8; HTTP2.len()],
    start: usize,
    end: usize,
}

impl Preface {
    /// Reads the first bytes; true for HTTP/2. A client that sends none is one of HTTP/1.
    pub(super) async fn read(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        while self.end < HTTP2.len() {
            let count = socket.read(&mut self.bytes[self.end..]).await?;
            self.end += count;
            if count == 0 || self.bytes[..self.end] != HTTP2[..self.end] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Moves them to where they are read.
    pub(super) fn move_to(&mut self, buffer: &mut ReadBuf<'_>) {
        if self.start < self.end {
            let count = (self.end - self.start).min(buffer.remaining());
            buffer.put_slice(&self.bytes[self.start..self.start + count]);
            self.start += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these bytes begin HTTP/2, and the bytes that are there to read.
    async fn read(sent: &[u8]) -> (bool, Vec<u8>) {
        let mut preface = Preface::default();
        let is_http2 = preface.read(&mut &*sent).await.expect("there is no error in memory");
        let mut bytes = [0; 64];
        let mut buffer = ReadBuf::new(&mut bytes);
        preface.move_to(&mut buffer);
        preface.move_to(&mut buffer);
        (is_http2, buffer.filled().to_vec())
    }

    #[tokio::test]
    async fn only_the_whole_preface_begins_http_2_and_no_byte_is_lost() {
        for (sent, is_http2) in [
            (&HTTP2[..], true),
            (b"GET / HTTP/1.1\r\n\r\n", false),
            (b"PUT /a", false),
            (b"PRI * HTTP/1.1\r\n\r\n", false),
            (b"PR", false),
            (b"", false),
        ] {
            assert_eq!(read(sent).await, (is_http2, sent.to_vec()));
        }
    }
}
