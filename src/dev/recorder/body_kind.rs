//! The kinds of bodies that are not text and can be shown: recognised by their first bytes, whatever
//! the content type claims.

/// A kind, as [`BodyContent::kind`](crate::dev::protocol::BodyContent::kind) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev) enum BodyKind {
    Png,
    Jpeg,
    Gif,
    WebP,
    Pdf,
    Parquet,
    Arrow,
}

impl BodyKind {
    /// Recognises a whole body; `content_type` is in lower case.
    pub(super) fn of(bytes: &[u8], content_type: &str) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [b'P', b'A', b'R', b'1', .., b'P', b'A', b'R', b'1'] => Some(Self::Parquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Some(Self::Arrow),
            // A stream begins with the size of its schema, which other bodies may begin with too.
            [0xff, 0xff, 0xff, 0xff, ..] if content_type.contains("arrow") => Some(Self::Arrow),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Pdf => "pdf",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// Its content type for the console; a browser opens none of the others.
    pub(in crate::dev) fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Pdf | Self::Parquet | Self::Arrow => "application/octet-stream",
        }
    }

    /// Whether it contains texts, which may be secrets of a known form.
    pub(super) fn has_texts(self) -> bool {
        matches!(self, Self::Pdf | Self::Parquet | Self::Arrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_and_not_the_content_type() {
        let kind =
            |bytes: &[u8], content_type| BodyKind::of(bytes, content_type).map(BodyKind::name);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n\0", "text/plain"), Some("png"));
        assert_eq!(kind(b"<svg onload=alert(1)>", "image/png"), None);
        assert_eq!(kind(b"\xff\xd8\xff\xe0", "image/png"), Some("jpeg"));
        assert_eq!(kind(b"GIF89a", ""), Some("gif"));
        assert_eq!(kind(b"RIFF\x01\0\0\0WEBPVP8 ", ""), Some("webp"));
        assert_eq!(kind(b"RIFF\x01\0\0\0WAVEfmt ", "image/webp"), None);
        assert_eq!(kind(b"%PDF-1.4", ""), Some("pdf"));
        assert_eq!(kind(b"PAR1\0\0PAR1", ""), Some("parquet"));
        assert_eq!(kind(b"PAR1", "application/vnd.apache.parquet"), None);
        assert_eq!(kind(b"ARROW1\0\0", ""), Some("arrow"));
        let stream = b"\xff\xff\xff\xff\x10\0\0\0";
        assert_eq!(kind(stream, "application/vnd.apache.arrow.stream"), Some("arrow"));
        assert_eq!(kind(stream, "application/octet-stream"), None);
        assert_eq!(kind(b"", "image/png"), None);
    }
}
