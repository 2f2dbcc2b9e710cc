//! Parses the `Content-Disposition` of a part: its name, and the name of its file.
//!
//! Reads the forms of all clients: quoted with `\"` or, as browsers write it, `%22`; UTF-8 as it is, or
//! as `filename*=UTF-8''…` (RFC 8187). multer's own parser searches the header for `name=`, also within
//! the name of a file.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: String,
    /// Without directories; `None` for a part without a file.
    pub(super) filename: Option<String>,
}

impl Disposition {
    /// Parses the header of a part. The error is the reason, to follow "malformed: ".
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let header = headers.get(CONTENT_DISPOSITION).ok_or("a part has no Content-Disposition")?;
        Self::parse(header.as_bytes())
    }

    fn parse(header: &[u8]) -> Result<Self, String> {
        let invalid = || {
            let header = String::from_utf8_lossy(&header[..header.len().min(100)]);
            format!("invalid Content-Disposition `{header}`")
        };
        let end = header.iter().position(|&byte| byte == b';').unwrap_or(header.len());
        let (kind, mut rest) = header.split_at(end);
        if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
            return Err(format!("{}; a part of a form is `form-data`", invalid()));
        }
        let (mut name, mut filename, mut extended) = (None, None, None);
        while let Some(parameter) = take_parameter(&mut rest).map_err(|()| invalid())? {
            match &*parameter.key {
                b"name" if name.is_none() => name = Some(text(&parameter.value)),
                b"filename" if filename.is_none() => filename = Some(text(&parameter.value)),
                b"filename*" if extended.is_none() => extended = extended_text(&parameter.value),
                _ => {}
            }
        }
        let name = name.ok_or_else(|| format!("{}; it has no name", invalid()))?;
        let filename = extended.or(filename).map(|name| base_name(&name).to_owned());
        Ok(Self { name, filename })
    }
}

struct Parameter {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Takes `; key=value` from the start of `rest`; `None` at its end.
fn take_parameter(rest: &mut &[u8]) -> Result<Option<Parameter>, ()> {
    loop {
        *rest = rest.trim_ascii_start();
        match rest.split_first() {
            None => return Ok(None),
            Some((b';', after)) => *rest = after,
            Some(_) => break,
        }
    }
    let equals = rest.iter().position(|&byte| byte == b'=').ok_or(())?;
    let key = rest[..equals].trim_ascii().to_ascii_lowercase();
    if key.is_empty() || key.iter().any(|byte| b";\" ".contains(byte)) {
        return Err(());
    }
    *rest = rest[equals + 1..].trim_ascii_start();
    let value = if let Some(quoted) = rest.strip_prefix(b"\"") {
        let (value, after) = take_quoted(quoted).ok_or(())?;
        *rest = after.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b';')) {
            return Err(());
        }
        value
    } else {
        let end = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
        let value = rest[..end].trim_ascii().to_vec();
        *rest = &rest[end..];
        value
    };
    Ok(Some(Parameter { key, value }))
}

/// Returns the text up to the closing quote, and the bytes after that.
fn take_quoted(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    loop {
        match text {
            [b'"', rest @ ..] => return Some((value, rest)),
            // Only these are escaped: old browsers send `C:\dir\file` as it is.
            [b'\\', byte @ (b'"' | b'\\'), rest @ ..] => {
                value.push(*byte);
                text = rest;
            }
            // As browsers write them (HTML, "escape a multipart form data name").
            [b'%', b'2', b'2', rest @ ..] => {
                value.push(b'"');
                text = rest;
            }
            [b'%', b'0', b'D' | b'd', rest @ ..] => {
                value.push(b'\r');
                text = rest;
            }
            [b'%', b'0', b'A' | b'a', rest @ ..] => {
                value.push(b'\n');
                text = rest;
            }
            [byte, rest @ ..] => {
                value.push(*byte);
                text = rest;
            }
            [] => return None,
        }
    }
}

/// Decodes UTF-8, or else Latin-1.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Decodes `charset'language'percent-encoded`; `None` for an unknown charset.
fn extended_text(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let decoded: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        return String::from_utf8(decoded).ok();
    }
    let is_latin_1 = charset.eq_ignore_ascii_case(b"iso-8859-1");
    is_latin_1.then(|| decoded.iter().map(|&byte| char::from(byte)).collect())
}

/// Removes the directories, which a client may send, and which a server must not follow.
fn base_name(filename: &str) -> &str {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    if [".", ".."].contains(&name) { "" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> (String, Option<String>) {
        let disposition = Disposition::parse(header.as_bytes()).expect(header);
        (disposition.name, disposition.filename)
    }

    fn file(header: &str) -> String {
        parsed(header).1.expect("a filename")
    }

    #[test]
    fn names_are_read_as_each_client_writes_them() {
        assert_eq!(parsed("form-data; name=\"a b;c\""), ("a b;c".into(), None));
        assert_eq!(
            parsed("Form-Data;NAME = a ; filename=b.txt"),
            ("a".into(), Some("b.txt".into()))
        );
        assert_eq!(file("form-data; name=a; filename=\"say \\\"hi\\\".txt\""), "say \"hi\".txt");
        assert_eq!(file("form-data; name=a; filename=\"say %22hi%22.txt\""), "say \"hi\".txt");
        assert_eq!(file("form-data; name=a; filename=\"naïve ☃.txt\""), "naïve ☃.txt");
        assert_eq!(
            file("form-data; name=a; filename*=UTF-8''na%C3%AFve%20%E2%98%83.txt"),
            "naïve ☃.txt"
        );
        assert_eq!(file("form-data; name=a; filename=x; filename*=iso-8859-1'en'na%EFve"), "naïve");
        assert_eq!(file("form-data; name=a; filename=x; filename*=koi8'en'na%EFve"), "x");
        assert_eq!(file("form-data; name=a; filename=\"\""), "");
        let latin_1 =
            Disposition::parse(b"form-data; name=a; filename=\"na\xefve\"").expect("valid");
        assert_eq!(latin_1.filename.as_deref(), Some("naïve"));
    }

    #[test]
    fn a_file_cannot_name_its_field() {
        let (name, filename) = parsed("form-data; filename=\"x; name=evil\"; name=\"good\"");
        assert_eq!((&*name, filename.as_deref()), ("good", Some("x; name=evil")));
    }

    #[test]
    fn directories_are_removed() {
        for path in ["../../etc/passwd", "C:\\users\\passwd", "/etc/passwd", "passwd"] {
            assert_eq!(file(&format!("form-data; name=a; filename=\"{path}\"")), "passwd");
        }
        assert_eq!(file("form-data; name=a; filename=\"a/..\""), "");
    }

    #[test]
    fn an_invalid_header_is_an_error() {
        for invalid in [
            "attachment; name=a",
            "form-data",
            "form-data; filename=a",
            "form-data; name",
            "form-data; name=\"a",
            "form-data; name=\"a\"b",
            "form-data; =a",
        ] {
            assert!(Disposition::parse(invalid.as_bytes()).is_err(), "{invalid}");
        }
    }
}
