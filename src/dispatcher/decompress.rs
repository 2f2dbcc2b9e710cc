//! Decompresses request bodies: `Content-Encoding: gzip` and `deflate`.
//!
//! In small steps, so that the caller can apply its limit before a small body becomes a large one. A
//! body with another coding stays as it was sent, and so does its header.

use std::io::{self, Write};

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use bytes::{Buf, Bytes};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A coding that the server decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// Removes the headers that describe the coded body, if the server decodes it.
    pub(crate) fn take(headers: &mut HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let name = values.next()?.to_str().ok()?.trim().to_ascii_lowercase();
        if values.next().is_some() {
            return None;
        }
        let coding = match name.as_str() {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "identity" => {
                headers.remove(CONTENT_ENCODING);
                return None;
            }
            _ => return None,
        };
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Some(coding)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Decodes one body.
pub(super) struct Decoder {
    coding: Coding,
    inflate: Option<Inflate>,
    input: Bytes,
}

enum Inflate {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    /// Without the header of zlib, as some clients send `deflate`.
    Raw(DeflateDecoder<Vec<u8>>),
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        Self { coding, inflate: None, input: Bytes::new() }
    }

    /// Adds input. Call it once `step` has returned `None`.
    pub(super) fn push(&mut self, input: Bytes) {
        self.input = input;
    }

    /// Decodes a part of the input; `None` once there is no more. At most about 64 KiB at a time.
    pub(super) fn step(&mut self) -> io::Result<Option<Bytes>> {
        while !self.input.is_empty() {
            let first = self.input[0];
            let coding = self.coding;
            let inflate = self.inflate.get_or_insert_with(|| Inflate::new(coding, first));
            let count = inflate.write(&self.input)?;
            if count == 0 {
                let rest = self.input.len();
                return Err(io::Error::other(format!("{rest} bytes follow its end")));
            }
            self.input.advance(count);
            let output = std::mem::take(inflate.output());
            if !output.is_empty() {
                return Ok(Some(output.into()));
            }
        }
        Ok(None)
    }

    /// Returns the last part, and checks that the body is complete.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        match self.inflate.take() {
            Some(inflate) => Ok(inflate.finish()?.into()),
            None => Ok(Bytes::new()),
        }
    }
}

impl Inflate {
    fn new(coding: Coding, first: u8) -> Self {
        const ZLIB: u8 = 8; // the method of RFC 1950 in the first byte; raw data begins otherwise
        match coding {
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(Vec::new())),
            Coding::Deflate if first & 0xf == ZLIB => Self::Zlib(ZlibDecoder::new(Vec::new())),
            Coding::Deflate => Self::Raw(DeflateDecoder::new(Vec::new())),
        }
    }

    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.write(input),
            Self::Zlib(decoder) => decoder.write(input),
            Self::Raw(decoder) => decoder.write(input),
        }
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zlib(decoder) => decoder.finish(),
            Self::Raw(decoder) => decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn decode(coding: Coding, chunks: impl IntoIterator<Item = Bytes>) -> io::Result<Vec<u8>> {
        let (mut decoder, mut output) = (Decoder::new(coding), Vec::new());
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(part) = decoder.step()? {
                assert!(part.len() <= 1 << 17, "a step of {} bytes", part.len());
                output.extend_from_slice(&part);
            }
        }
        output.extend_from_slice(&decoder.finish()?);
        Ok(output)
    }

    fn text() -> Vec<u8> {
        (0..100_000_u32).flat_map(|n| n.to_string().into_bytes()).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn a_body_is_the_same_in_any_chunks() {
        let (text, one) = (text(), Compression::fast());
        let mut zlib = ZlibEncoder::new(Vec::new(), one);
        zlib.write_all(&text).expect("memory");
        let mut raw = DeflateEncoder::new(Vec::new(), one);
        raw.write_all(&text).expect("memory");
        let coded = [
            (Coding::Gzip, gzip(&text)),
            (Coding::Deflate, zlib.finish().expect("memory")),
            (Coding::Deflate, raw.finish().expect("memory")),
        ];
        for (coding, coded) in coded {
            for size in [1, 7, 4096, coded.len()] {
                let chunks = coded.chunks(size).map(Bytes::copy_from_slice);
                assert_eq!(decode(coding, chunks).expect("valid"), text, "{coding:?} {size}");
            }
        }
    }

    #[test]
    fn a_bomb_grows_in_small_steps() {
        let coded = gzip(&vec![0; 50_000_000]);
        assert!(coded.len() < 300_000);
        let decoded = decode(Coding::Gzip, [Bytes::from(coded)]).expect("valid");
        assert_eq!(decoded.len(), 50_000_000);
    }

    #[test]
    fn a_broken_or_incomplete_body_is_an_error() {
        let coded = gzip(&text());
        for broken in [&coded[..coded.len() - 5], &coded[1..], b"no gzip"] {
            assert!(decode(Coding::Gzip, [Bytes::copy_from_slice(broken)]).is_err());
        }
        assert!(decode(Coding::Deflate, [Bytes::from_static(b"x\x9cx")]).is_err());
    }
}
